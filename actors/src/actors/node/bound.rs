//! Bounds how long a node's bots may act: no effect later than `act_within` after the node sent its last successful
//! beat. Layer `actors`. Keeps I5, I6.
//!
//! Every call that an actor makes to Telegram passes here right before it is made; alerts to operators do not. A poll
//! that is open when the bound passes is closed, whether or not anything else notices. Times are boot times, so that a
//! process or a machine that slept finds out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::actors::node::traffic::Traffic;
use crate::domain::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId};
use crate::ports::clock::Clock;
use crate::ports::metrics;
use crate::ports::telegram::{
    BotApi, ChatDescription, Me, ReceivedUpdate, SendMessage, TelegramError, WebhookSecret, WebhookStatus,
    WebhookTarget,
};

/// Time until a node that may not act looks again whether it may.
pub(in crate::actors) const BOUND_RETRY: Duration = Duration::from_millis(100);

/// The time until which the node may act.
pub struct ActBound {
    clock: Arc<dyn Clock>,
    /// Boot time in milliseconds; `ALWAYS` when the bound never passes.
    until_ms: AtomicU64,
    dead: AtomicBool,
}

/// The bound never passes: no other node could act for the leases of this node.
const ALWAYS: u64 = u64::MAX;

impl ActBound {
    /// Creates the bound of a process that owns everything for life.
    pub fn never(clock: Arc<dyn Clock>) -> Self {
        Self { clock, until_ms: AtomicU64::new(ALWAYS), dead: AtomicBool::new(false) }
    }

    /// Creates the bound of a node that has not beaten yet: the node may not act.
    pub fn passed_already(clock: Arc<dyn Clock>) -> Self {
        Self { clock, until_ms: AtomicU64::new(0), dead: AtomicBool::new(false) }
    }

    /// Returns whether an effect may begin at present.
    pub fn may_act(&self) -> bool {
        !self.left().is_zero()
    }

    fn left(&self) -> Duration {
        match self.until_ms.load(Ordering::Acquire) {
            _ if self.dead.load(Ordering::Acquire) => Duration::ZERO,
            ALWAYS => Duration::MAX,
            until => Duration::from_millis(until).saturating_sub(self.clock.boot_time()),
        }
    }

    /// Extends the bound to `until` after a successful beat; never shortens it.
    pub fn extend(&self, until: Duration) {
        let until = u64::try_from(until.as_millis()).unwrap_or(ALWAYS - 1);
        self.until_ms.fetch_max(until, Ordering::AcqRel);
    }

    /// Ends the bound for good, since the incarnation is dead.
    pub fn end(&self) {
        self.dead.store(true, Ordering::Release);
    }

    /// Waits until the bound has passed.
    pub async fn passed(&self) {
        loop {
            match self.left() {
                Duration::ZERO => return,
                Duration::MAX => std::future::pending().await,
                left => tokio::time::sleep(left).await,
            }
        }
    }
}

/// Telegram's Bot API, limited by the node's bound.
pub struct BoundedApi {
    api: Arc<dyn BotApi>,
    bound: Arc<ActBound>,
    traffic: Arc<Traffic>,
}

impl BoundedApi {
    /// Wraps `api` in the node's bound; answers of Telegram are recorded in `traffic`.
    pub fn new(api: Arc<dyn BotApi>, bound: Arc<ActBound>, traffic: Arc<Traffic>) -> Self {
        Self { api, bound, traffic }
    }

    /// Refuses a call while the node may not act: certainly nothing is sent.
    fn check(&self) -> Result<(), TelegramError> {
        if self.bound.may_act() { Ok(()) } else { Err(not_now()) }
    }

    fn noted<T>(&self, result: Result<T, TelegramError>) -> Result<T, TelegramError> {
        if !matches!(result, Err(TelegramError::Unreachable(_) | TelegramError::Unknown(_))) {
            self.traffic.heard_from_telegram();
        }
        result
    }
}

fn not_now() -> TelegramError {
    metrics::effects_withheld_total.increment(1);
    TelegramError::Unreachable("this node may not act: its beats do not reach the store".to_owned())
}

#[async_trait]
impl BotApi for BoundedApi {
    /// Allowed without the bound, since it has no effect: it also serves leases that are still to come.
    async fn get_me(&self) -> Result<Me, TelegramError> {
        self.noted(self.api.get_me().await)
    }

    async fn get_updates(&self, offset: Option<i64>, timeout: Duration) -> Result<Vec<ReceivedUpdate>, TelegramError> {
        self.check()?;
        tokio::select! {
            biased;
            () = self.bound.passed() => Err(not_now()),
            answer = self.api.get_updates(offset, timeout) => self.noted(answer),
        }
    }

    async fn send_message(&self, message: &SendMessage) -> Result<MessageId, TelegramError> {
        self.check()?;
        self.noted(self.api.send_message(message).await)
    }

    async fn send_typing(&self, chat: TelegramChatId, thread: Option<ThreadId>) -> Result<(), TelegramError> {
        self.check()?;
        self.noted(self.api.send_typing(chat, thread).await)
    }

    async fn set_reaction(&self, chat: TelegramChatId, message: MessageId, emoji: &str) -> Result<(), TelegramError> {
        self.check()?;
        self.noted(self.api.set_reaction(chat, message, emoji).await)
    }

    async fn delete_message(&self, chat: TelegramChatId, message: MessageId) -> Result<(), TelegramError> {
        self.check()?;
        self.noted(self.api.delete_message(chat, message).await)
    }

    async fn administrators(&self, chat: TelegramChatId) -> Result<Vec<TelegramUserId>, TelegramError> {
        self.check()?;
        self.noted(self.api.administrators(chat).await)
    }

    async fn leave_chat(&self, chat: TelegramChatId) -> Result<(), TelegramError> {
        self.check()?;
        self.noted(self.api.leave_chat(chat).await)
    }

    async fn set_webhook(&self, target: &WebhookTarget) -> Result<(), TelegramError> {
        self.check()?;
        self.noted(self.api.set_webhook(target).await)
    }

    async fn delete_webhook(&self) -> Result<(), TelegramError> {
        self.check()?;
        self.noted(self.api.delete_webhook().await)
    }

    async fn webhook_status(&self) -> Result<WebhookStatus, TelegramError> {
        self.check()?;
        self.noted(self.api.webhook_status().await)
    }

    fn sends_go(&self) -> bool {
        self.api.sends_go()
    }

    fn webhook_secret(&self) -> Option<WebhookSecret> {
        self.api.webhook_secret()
    }

    fn renew_token(&self) -> bool {
        self.api.renew_token()
    }

    async fn get_chat(&self, chat: TelegramChatId) -> Result<ChatDescription, TelegramError> {
        self.check()?;
        self.noted(self.api.get_chat(chat).await)
    }
}
