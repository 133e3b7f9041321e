//! What is stored about people who ask for it: read beside the chats, one after the other. Layer `actors`. Keeps I9.
//!
//! Such a reading meets everything of a person and walks the inbox: nobody gets more than one a minute, and a node makes
//! one at a time, so that asking costs conversations nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::domain::ids::TelegramUserId;
use crate::domain::people::PersonRecord;
use crate::ports::store::Store;

/// Nobody is answered twice within this time.
const ONCE_IN: Duration = Duration::from_mins(1);

/// A reading, with those before it, ends after this.
const READ_WITHIN: Duration = Duration::from_mins(1);

/// People who are remembered to have asked; who comes when there are so many has to wait.
const REMEMBERED: usize = 4096;

/// Who asked lately, and the one reading at a time.
#[derive(Default)]
pub struct Records {
    asked: Mutex<HashMap<TelegramUserId, Instant>>,
    lane: tokio::sync::Mutex<()>,
}

impl Records {
    /// Whether somebody is to be answered now.
    pub(super) fn may_ask(&self, person: TelegramUserId) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| at.elapsed() < ONCE_IN);
        if asked.contains_key(&person) || asked.len() >= REMEMBERED {
            return false;
        }
        asked.insert(person, Instant::now());
        true
    }

    /// What is stored about somebody, if it can be told in time.
    pub(super) async fn read(&self, store: &dyn Store, person: TelegramUserId) -> Option<PersonRecord> {
        let reading = async {
            let _turn = self.lane.lock().await;
            store.person(person).await
        };
        match timeout(READ_WITHIN, reading).await {
            Ok(Ok(record)) => Some(record),
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "what is stored about a person cannot be read now");
                None
            }
            Err(_) => {
                tracing::warn!("what is stored about a person could not be read in time");
                None
            }
        }
    }
}
