//! Reads the data stored about people who ask for it: outside the chats, one reading at a time. Layer `actors`. Keeps
//! I9.
//!
//! Such a reading touches all data of a person and walks the inbox. So nobody gets more than one a minute, and a node
//! makes one at a time, so that requests do not slow conversations.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::domain::ids::TelegramUserId;
use crate::domain::people::PersonRecord;
use crate::ports::store::Store;

/// Shortest time between two answers to the same person.
const ONCE_IN: Duration = Duration::from_mins(1);

/// Time limit of a reading, including the wait for the readings before it.
const READ_WITHIN: Duration = Duration::from_mins(1);

/// Largest number of people remembered to have asked; further people have to wait.
const REMEMBERED: usize = 4096;

/// The people who asked lately, and the lane for one reading at a time.
#[derive(Default)]
pub struct Records {
    asked: Mutex<HashMap<TelegramUserId, Instant>>,
    lane: tokio::sync::Mutex<()>,
}

impl Records {
    /// Returns whether a person is to be answered now, and remembers the request if so.
    pub(in crate::actors) fn may_ask(&self, person: TelegramUserId) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| at.elapsed() < ONCE_IN);
        if asked.contains_key(&person) || asked.len() >= REMEMBERED {
            return false;
        }
        asked.insert(person, Instant::now());
        true
    }

    /// Returns the summary of the data stored about a person, unless reading fails or takes too long.
    pub(in crate::actors) async fn read(&self, store: &dyn Store, person: TelegramUserId) -> Option<PersonRecord> {
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
