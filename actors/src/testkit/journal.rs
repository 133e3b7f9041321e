//! What happened on a stage, in order: the oracle of the tests of actors. Part of the testkit.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::commit::operation::{Operation, Refusal};
use crate::domain::ids::{MessageId, TelegramChatId, TelegramUserId};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A bot polled.
    Polled {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// What it confirmed.
        offset: Option<i64>,
    },
    /// A message reached Telegram, whatever became of it.
    Sent {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// Where.
        chat: TelegramChatId,
        /// Its text.
        text: String,
    },
    /// A bot left a chat.
    Left {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// The chat.
        chat: TelegramChatId,
    },
    /// A reaction reached Telegram, whatever became of it.
    Reacted {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// Where.
        chat: TelegramChatId,
        /// To which message.
        message: MessageId,
        /// The emoji.
        emoji: String,
    },
    /// A webhook was set, to that address, or deleted.
    Webhook {
        /// Telegram's id of the bot.
        bot: TelegramUserId,
        /// The address; `None` for none.
        url: Option<String>,
    },
    /// A provider was asked.
    Asked {
        /// Its name.
        provider: String,
    },
    /// An operation was committed.
    Committed(&'static str),
    /// An operation dropped out of its batch.
    Refused(&'static str, Refusal),
    /// An operation was in a batch that the store did not write, or did not own up to.
    Failed(&'static str),
}

/// Everything that happened, with its time.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Vec<(Instant, Happening)>>>, Arc<Notify>);

impl Journal {
    /// Notes what happened.
    pub fn note(&self, happening: Happening) {
        self.0.lock().unwrap().push((Instant::now(), happening));
        self.1.notify_one();
    }

    /// Waits until something happened that [`Journal::after`] was not asked about yet; for one who waits.
    pub async fn changed(&self) {
        self.1.notified().await;
    }

    /// What happened after the first `count` things, in order.
    pub fn after(&self, count: usize) -> Vec<Happening> {
        self.0.lock().unwrap().iter().skip(count).map(|(_, happening)| happening.clone()).collect()
    }

    /// Everything so far, in order.
    pub fn all(&self) -> Vec<Happening> {
        self.0.lock().unwrap().iter().map(|(_, happening)| happening.clone()).collect()
    }

    /// How often something that `matches` happened.
    pub fn count(&self, matches: impl Fn(&Happening) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|(_, happening)| matches(happening)).count()
    }

    /// The place of the first happening that `matches`.
    pub fn first(&self, matches: impl Fn(&Happening) -> bool) -> Option<usize> {
        self.0.lock().unwrap().iter().position(|(_, happening)| matches(happening))
    }

    /// The times at which something that `matches` happened.
    pub fn times(&self, matches: impl Fn(&Happening) -> bool) -> Vec<Instant> {
        self.0.lock().unwrap().iter().filter(|(_, happening)| matches(happening)).map(|(at, _)| *at).collect()
    }

    /// The texts that reached Telegram, in order.
    pub fn sent_texts(&self) -> Vec<String> {
        let all = self.all().into_iter();
        all.filter_map(|happening| if let Happening::Sent { text, .. } = happening { Some(text) } else { None })
            .collect()
    }
}

/// The name of an operation in the journal.
pub fn name_of(operation: &Operation) -> &'static str {
    match operation {
        Operation::Ingest(_) => "ingest",
        Operation::Advance(_) => "advance",
        Operation::Claim(_) => "claim",
        Operation::Finish(_) => "finish",
        Operation::Begin(_) => "begin",
        Operation::Settle(_) => "settle",
        Operation::Cancel(_) => "cancel",
        Operation::Pause(_) => "pause",
        Operation::Resolve(_) => "resolve",
        Operation::Migrate(_) => "migrate",
        Operation::SetStop(_) => "set_stop",
        Operation::SetRight(_) => "set_right",
        Operation::Receive(_) => "receive",
        Operation::SetDelivery(_) => "set_delivery",
        Operation::Unclaim(_) => "unclaim",
        Operation::Redeliver(_) => "redeliver",
        Operation::TakeAllowance(_) => "take_allowance",
        Operation::ReturnAllowance(_) => "return_allowance",
        Operation::HandOver(_) => "hand_over",
        Operation::SetAbsence(_) => "set_absence",
        Operation::LiftPauses(_) => "lift_pauses",
    }
}
