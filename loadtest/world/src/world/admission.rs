//! Asks the limiters whether a call may pass. Layer: world.
//!
//! Invariant: a refusal and a violation are in the ledger before the caller is answered.

use std::time::Duration;

use super::World;
use super::error::ApiError;
use super::limits::{LimitSpec, Limited, Scope};
use crate::ledger::LedgerEvent;

impl World {
    /// Sets the limits of sends, or removes them.
    pub fn set_limits(&self, limits: Option<LimitSpec>) {
        self.lock().limiter.set(limits);
    }

    /// Returns the limits of sends in force.
    pub fn limits(&self) -> Option<LimitSpec> {
        self.lock().limiter.spec()
    }

    /// Starts a pause of a bot's sends in a chat, or (without a chat) of all its sends, as Telegram does unprompted.
    pub fn penalise(&self, bot: i64, chat: Option<i64>, pause: Duration) {
        let now = self.ledger_time();
        self.lock().limiter.start(Scope { bot, chat, method: None }, pause, now);
    }

    /// Lets a message pass the limiters, or refuses it.
    ///
    /// # Errors
    /// 429, when the chat or the bot must wait.
    pub(crate) fn admit_send(&self, bot: i64, chat: i64, method: &str, send: u64) -> Result<(), ApiError> {
        let limited = {
            let mut state = self.lock();
            let now = self.ledger_time();
            state.limiter.admit_send(bot, chat, now)
        };
        let refusal = limited.map_err(|limited| self.note(limited, bot, Some(chat), method, Some(send)));
        if let Err(refusal) = &refusal {
            self.record_refused(send, bot, chat, refusal);
        }
        refusal
    }

    /// Lets a call that sends no message pass, unless a pause of its own is in force.
    ///
    /// # Errors
    /// 429, while the pause lasts.
    pub(crate) fn admit_call(&self, bot: i64, chat: Option<i64>, method: &str) -> Result<(), ApiError> {
        let limited = {
            let mut state = self.lock();
            let now = self.ledger_time();
            state.limiter.obey(&Scope { bot, chat, method: Some(method.to_owned()) }, now)
        };
        limited.map_err(|limited| self.note(limited, bot, chat, method, None))
    }

    /// Refuses a call with 429 and starts a pause: of sends if the call is a send, else of this method alone.
    pub(crate) fn force_pause(
        &self,
        bot: i64,
        chat: Option<i64>,
        method: &str,
        send: Option<u64>,
        retry_after: u64,
    ) -> ApiError {
        let method = send.is_none().then(|| method.to_owned());
        let now = self.ledger_time();
        let pause = Duration::from_secs(retry_after);
        let limited = self.lock().limiter.start(Scope { bot, chat, method }, pause, now);
        let refusal = ApiError::too_many_requests(limited.retry_after);
        if let Some(send) = send {
            self.record_refused(send, bot, chat.unwrap_or(0), &refusal);
        }
        refusal
    }

    pub(crate) fn record_refused(&self, send: u64, bot: i64, chat: i64, refusal: &ApiError) {
        self.ledger().record(LedgerEvent::SendRefused {
            send,
            bot,
            chat,
            error_code: refusal.code,
            description: refusal.description.clone(),
        });
    }

    fn note(&self, limited: Limited, bot: i64, chat: Option<i64>, method: &str, send: Option<u64>) -> ApiError {
        if let Some(violation) = limited.violation {
            self.ledger().record(LedgerEvent::LimitViolated {
                bot,
                chat,
                method: method.to_owned(),
                send,
                told_at_us: violation.told_at.as_micros() as u64,
                left_ms: violation.left.as_millis() as u64,
            });
        }
        ApiError::too_many_requests(limited.retry_after)
    }

    /// Returns the time on the ledger's clock.
    fn ledger_time(&self) -> Duration {
        Duration::from_micros(self.ledger().now_us())
    }
}
