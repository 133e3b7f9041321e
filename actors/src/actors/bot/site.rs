//! Answers what a bot's machines ask of the world, in the program. Layer `actors`.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::bot::settings::BotSettings;
use crate::actors::bot::state::Identity;
use crate::actors::bot::stay::Stay;
use crate::actors::bot::surroundings::Surroundings;
use crate::actors::node::Node;
use crate::actors::node::bound::BOUND_RETRY;
use crate::actors::node::directory::Known;
use crate::actors::node::voices::Voice;
use crate::behaviour::generator::Stage;
use crate::behaviour::novelty::guard::Said;
use crate::domain::control::StopScope;
use crate::domain::ids::{AttemptId, BotId, ChatId, Epoch, InboxId, OutboxId, TelegramChatId, ThreadId};
use crate::domain::roster::{BotProfile, ChatProfile};
use crate::domain::time::Timestamp;
use crate::ports::llm::CompletionRequest;
use crate::ports::telegram::{Me, WebhookTarget};

/// Mean time until a bot checks again whether Telegram is believed to be within reach: polls find out meanwhile.
const REACH_RETRY: Duration = Duration::from_millis(500);

/// The surroundings of a bot's machines in the program: its node, and what the bot knows of itself.
pub(super) struct Site<'a> {
    pub(super) node: &'a Node,
    pub(super) identity: &'a Identity,
    /// The bot's identity at Telegram, once it is known.
    pub(super) me: Option<&'a Me>,
    pub(super) stay: Stay,
}

impl Surroundings for Site<'_> {
    fn profile(&self) -> &BotProfile {
        &self.identity.profile
    }

    fn username(&self) -> Option<&str> {
        self.me.map(|me| me.username.as_str())
    }

    fn settings(&self) -> &BotSettings {
        &self.identity.settings
    }

    fn epoch(&self) -> Epoch {
        self.identity.epoch
    }

    fn stay(&self) -> Stay {
        self.stay
    }

    fn now(&self) -> Timestamp {
        self.node.clock.now()
    }

    fn random(&self) -> f64 {
        self.node.jitter.next()
    }

    fn may_act(&self) -> bool {
        self.node.may_act()
    }

    fn store_is_saturated(&self) -> bool {
        self.node.committer.is_saturated()
    }

    fn webhook_target(&self) -> Option<WebhookTarget> {
        let Identity { profile, api, webhooks, .. } = self.identity;
        // A replaced token makes another secret, which is sent to Telegram with the address.
        if let Some(secret) = api.webhook_secret() {
            webhooks.set_secret(profile.id, secret);
        }
        webhooks.target(profile.id, &profile.spec.name)
    }

    fn is_our_webhook(&self, url: &str) -> bool {
        self.identity.webhooks.is_ours(url)
    }

    fn deletes_foreign_webhooks(&self) -> bool {
        self.identity.webhooks.delete_foreign
    }

    fn cannot_act(&self) -> Option<Duration> {
        match (self.node.may_act(), self.identity.api.sends_go()) {
            (false, _) => Some(BOUND_RETRY),
            (true, false) => Some(REACH_RETRY.mul_f64(0.5 + self.node.jitter.next())),
            (true, true) => None,
        }
    }

    fn all_speak(&self) -> bool {
        self.node.voices.all_speak()
    }

    fn voice(&self, chat: ChatId, thread: Option<ThreadId>) -> Voice {
        self.node.voices.of(self.identity.profile.id, chat, thread, self.now())
    }

    fn may_try(&self, chat: ChatId) -> bool {
        self.node.voices.may_try(self.identity.profile.id, chat)
    }

    fn stop(&self, chat: ChatId) -> Option<StopScope> {
        self.node.people.stops().blocking(chat, self.identity.profile.id, self.now())
    }

    fn is_taken_over(&self, chat: ChatId) -> bool {
        self.node.steering.takeover(chat, self.identity.profile.id, self.now()).is_some()
    }

    fn known(&self) -> Arc<Known> {
        self.node.directory.known()
    }

    fn chat(&self, chat: ChatId) -> Option<Arc<ChatProfile>> {
        self.node.directory.chat_profile(chat)
    }

    fn telegram_chat(&self, chat: ChatId) -> Option<TelegramChatId> {
        self.node.directory.telegram_chat(chat)
    }

    fn prompt(&self, stage: &Stage<'_>, model: &str) -> Result<CompletionRequest, String> {
        self.node.generator.request(stage, model).map_err(|error| error.to_string())
    }

    fn fleet_texts(&self) -> Vec<(BotId, Said)> {
        self.node.said.lately()
    }

    fn attempt_id(&self) -> AttemptId {
        self.node.attempt_id()
    }

    fn outbox_id(&self) -> OutboxId {
        self.node.outbox_id()
    }

    fn inbox_id(&self) -> InboxId {
        self.node.inbox_id()
    }
}
