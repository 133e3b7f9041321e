//! Deletes messages of the bot that operators ordered to be deleted. Layer `actors`. Keeps I4.
//!
//! | Telegram answers | the retraction |
//! |---|---|
//! | done, or that there is no such message | is over: deleted |
//! | a refusal, such as for a message of more than 48 hours | is over: refused, with Telegram's words |
//! | 429 | waits as long as asked |
//! | nothing, or out of reach | waits, and the same is asked again: to delete a message twice is to delete it once |
//!
//! One round at a time goes on beside the bot; stops and take-overs do not hold it up.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::perform::{ANSWER_WITHIN, answered};
use crate::actors::bot::state::BotState;
use crate::actors::node::Node;
use crate::actors::node::deadline::in_time;
use crate::domain::commit::operations::{Operation, SettleRetraction};
use crate::domain::ids::{BotId, Epoch};
use crate::domain::retraction::{DELETABLE_FOR, Retraction, RetractionEnding};
use crate::policy::backoff::BackoffSettings;
use crate::ports::metrics;
use crate::ports::telegram::{BotApi, TelegramError};

/// Messages that one round deletes.
const ROUND: usize = 50;

/// Waits before Telegram is asked again.
const BACKOFF: BackoffSettings = BackoffSettings { first: Duration::from_secs(1), max: Duration::from_mins(5) };

/// The rounds of deletions of a bot: one at a time, and none before Telegram's pause is over.
#[derive(Default)]
pub(super) struct Retracting {
    under_way: bool,
    /// True when more was ordered during the round.
    again: bool,
    not_before: Option<Instant>,
}

impl BotState {
    /// Begins a round of deletions, unless one is under way or Telegram asked for a pause.
    pub(super) fn retract(&mut self) {
        if self.is_closing() {
            return;
        }
        if self.retracting.under_way {
            self.retracting.again = true;
            return;
        }
        if self.retracting.not_before.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.retracting = Retracting { under_way: true, ..Retracting::default() };
        let (node, api, myself) = (Arc::clone(&self.node), Arc::clone(&self.identity.api), self.hands.myself.clone());
        let (bot, epoch) = (self.identity.profile.id, self.identity.epoch);
        self.hands.tasks.spawn(async move {
            let round = Round { node: &node, api: api.as_ref(), bot, epoch };
            let (more, pause) = round.run().await;
            if let Some((retraction, wait)) = &pause {
                let chat = node.directory.chat_of(retraction.telegram_chat);
                let _ = myself.cast(BotMsg::Limited(chat, *wait));
            }
            let _ = myself.cast(BotMsg::Retracted(pause.map(|(_, wait)| Instant::now() + wait)));
            if more {
                let _ = myself.cast(BotMsg::Retract);
            }
        });
    }

    pub(super) fn on_retracted(&mut self, until: Option<Instant>) {
        let again = self.retracting.again;
        self.retracting = Retracting { not_before: until, ..Retracting::default() };
        if again {
            self.retract();
        }
    }
}

/// One round of deletions of a bot.
struct Round<'a> {
    node: &'a Node,
    api: &'a dyn BotApi,
    bot: BotId,
    epoch: Epoch,
}

impl Round<'_> {
    /// Deletes what is due. Returns whether there may be more, and the message at which Telegram asked for a pause.
    async fn run(&self) -> (bool, Option<(Retraction, Duration)>) {
        let due = match in_time(self.node.store.retractions_due(self.bot, self.node.clock.now(), ROUND)).await {
            Ok(due) => due,
            Err(error) => {
                self.node.committer.signs.waits("deletions", &error);
                return (false, None);
            }
        };
        let full = due.len() == ROUND;
        for retraction in due {
            let asked = self.api.delete_message(retraction.telegram_chat, retraction.message_id);
            let result = answered(ANSWER_WITHIN, asked).await;
            let pause = match &result {
                Err(TelegramError::RateLimited { retry_after }) => Some(*retry_after),
                _ => None,
            };
            let ending = self.ending(&retraction, result);
            let result = match &ending {
                RetractionEnding::Deleted => "deleted",
                RetractionEnding::Refused(_) => "refused",
                RetractionEnding::Again(..) => "again",
            };
            metrics::retractions_total { result }.increment(1);
            let settle = SettleRetraction {
                bot: self.bot,
                epoch: self.epoch,
                telegram_chat: retraction.telegram_chat,
                message_id: retraction.message_id,
                ending,
            };
            if self.node.committer.commit(Operation::SettleRetraction(settle)).await.is_err() {
                return (false, None);
            }
            if let Some(pause) = pause {
                return (false, Some((retraction, pause)));
            }
        }
        (full, None)
    }

    fn ending(&self, retraction: &Retraction, result: Result<(), TelegramError>) -> RetractionEnding {
        let now = self.node.clock.now();
        let again = |wait: Duration, error: &TelegramError| {
            // Nothing that Telegram could still delete is left to wait for.
            if now.since(retraction.created_at) >= DELETABLE_FOR {
                RetractionEnding::Refused(format!("not deleted within 48 hours: {error}"))
            } else {
                RetractionEnding::Again(now + wait, error.to_string())
            }
        };
        let backoff = BACKOFF.wait(retraction.tries + 1, self.node.jitter.next());
        match result {
            Ok(()) => RetractionEnding::Deleted,
            Err(TelegramError::Rejected { description, .. }) if is_gone(&description) => RetractionEnding::Deleted,
            Err(ref error @ TelegramError::RateLimited { retry_after }) => again(retry_after.max(backoff), error),
            Err(
                ref error @ (TelegramError::Unknown(_)
                | TelegramError::Unreachable(_)
                | TelegramError::Unauthorized(_)
                | TelegramError::Conflict(_)
                | TelegramError::WebhookSet(_)),
            ) => again(backoff, error),
            Err(TelegramError::Migrated(_)) => RetractionEnding::Refused(
                "the group became a supergroup: what was said before cannot be reached".to_owned(),
            ),
            Err(ref error @ (TelegramError::Rejected { .. } | TelegramError::CannotWrite { .. })) => {
                tracing::warn!(bot.id = %self.bot, error = %error, "a message could not be deleted");
                RetractionEnding::Refused(error.to_string())
            }
        }
    }
}

/// Returns whether Telegram says that there is no such message.
///
/// # Source
/// tdlib/telegram-bot-api, `Client.cpp`: "message to delete not found", `MESSAGE_ID_INVALID`.
fn is_gone(description: &str) -> bool {
    let words = description.to_lowercase();
    words.contains("message to delete not found") || words.contains("message_id_invalid")
}
