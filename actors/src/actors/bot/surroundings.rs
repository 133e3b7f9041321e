//! Says what a bot's machines may ask of the world around them: reads that change nothing a machine decides on. Layer
//! `actors`.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::bot::effect::Effect;
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::settings::BotSettings;
use crate::actors::bot::stay::Stay;
use crate::actors::node::directory::Known;
use crate::actors::node::voices::Voice;
use crate::behaviour::generator::Stage;
use crate::behaviour::novelty::guard::Said;
use crate::domain::control::StopScope;
use crate::domain::ids::{AttemptId, BotId, ChatId, Epoch, InboxId, OutboxId, TelegramChatId, ThreadId};
use crate::domain::roster::{BotProfile, ChatProfile};
use crate::domain::time::Timestamp;
use crate::ports::llm::CompletionRequest;
use crate::ports::telegram::WebhookTarget;

/// The questions that a machine may ask; a node answers them in the program, a test's own answers elsewhere.
pub(super) trait Surroundings {
    /// The bot's profile.
    fn profile(&self) -> &BotProfile;
    /// The bot's username, once Telegram told it.
    fn username(&self) -> Option<&str>;
    /// The settings of all bots.
    fn settings(&self) -> &BotSettings;
    /// The fence of the bot's writes.
    fn epoch(&self) -> Epoch;
    /// Returns where the bot is in its life.
    fn stay(&self) -> Stay;
    /// The time now.
    fn now(&self) -> Timestamp;
    /// A random number from 0 to 1.
    fn random(&self) -> f64;
    /// Returns true while the node may act: its beats reach the store.
    fn may_act(&self) -> bool;
    /// Returns true while so much waits for the store that sources of work, such as polls, must pause.
    fn store_is_saturated(&self) -> bool;
    /// Where Telegram is to deliver the bot's updates; `None` while webhooks are off.
    fn webhook_target(&self) -> Option<WebhookTarget>;
    /// Returns true when a webhook's address is of this fleet.
    fn is_our_webhook(&self, url: &str) -> bool;
    /// Returns true when the operator lets webhooks of other programs be deleted.
    fn deletes_foreign_webhooks(&self) -> bool;
    /// Returns how long nothing is to be begun, because it would not be sent: the node may not act, or Telegram is out of reach.
    fn cannot_act(&self) -> Option<Duration>;
    /// Returns true when no bot of the node is known to be silent.
    fn all_speak(&self) -> bool;
    /// Returns if and when the bot can speak in that place.
    fn voice(&self, chat: ChatId, thread: Option<ThreadId>) -> Voice;
    /// Returns true when it is time to find out if a chat that was closed to the bot is open again.
    fn may_try(&self, chat: ChatId) -> bool;
    /// The stop that is in force for the bot in that chat.
    fn stop(&self, chat: ChatId) -> Option<StopScope>;
    /// Returns whether an operator has taken the bot over in that chat.
    fn is_taken_over(&self, chat: ChatId) -> bool;
    /// The bots and chats of the configuration in force.
    fn known(&self) -> Arc<Known>;
    /// The chat's configuration, while the manifest names the chat.
    fn chat(&self, chat: ChatId) -> Option<Arc<ChatProfile>>;
    /// The chat's present id at Telegram.
    fn telegram_chat(&self, chat: ChatId) -> Option<TelegramChatId>;
    /// The request to a model for a turn.
    ///
    /// # Errors
    /// A template of the prompt fails; the words say where.
    fn prompt(&self, stage: &Stage<'_>, model: &str) -> Result<CompletionRequest, String>;
    /// The latest texts of all bots of this node, with their bots, oldest first.
    fn fleet_texts(&self) -> Vec<(BotId, Said)>;
    /// An id for a new attempt.
    fn attempt_id(&self) -> AttemptId;
    /// An id for a new message.
    fn outbox_id(&self) -> OutboxId;
    /// An id for a new inbox row.
    fn inbox_id(&self) -> InboxId;
}

/// One step of a machine: what it may ask, and the effects that it asks for, in order.
pub(super) struct Step<'a> {
    /// The world around the machine.
    pub(super) site: &'a dyn Surroundings,
    /// The effects so far.
    pub(super) effects: &'a mut Vec<Effect>,
}

impl Step<'_> {
    /// Asks for an effect.
    pub(super) fn ask(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}

/// A step of a machine that also writes into the outbox, or asks its limiter.
pub(super) struct Desk<'a, 'b> {
    pub(super) outbox: &'a mut Outbox,
    pub(super) step: &'a mut Step<'b>,
}

impl<'b> Desk<'_, 'b> {
    /// Returns the world around the machine.
    pub(super) fn site(&self) -> &'b dyn Surroundings {
        self.step.site
    }

    /// Asks for an effect.
    pub(super) fn ask(&mut self, effect: Effect) {
        self.step.ask(effect);
    }
}
