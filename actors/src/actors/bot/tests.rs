//! Shared by the tests of the bot's machines.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::actors::bot::settings::BotSettings;
use crate::actors::bot::stay::{Stay, Work};
use crate::actors::bot::surroundings::Surroundings;
use crate::actors::node::directory::{Directory, Known};
use crate::actors::node::voices::Voice;
use crate::behaviour::generator::{Generator, Stage};
use crate::behaviour::novelty::guard::Said;
use crate::domain::control::StopScope;
use crate::domain::ids::{AttemptId, BotId, ChatId, ConfigSeq, Epoch, InboxId, OutboxId, TelegramChatId, ThreadId};
use crate::domain::roster::{BotProfile, ChatProfile, Roster};
use crate::domain::time::Timestamp;
use crate::ports::llm::CompletionRequest;
use crate::ports::telegram::{WebhookSecret, WebhookTarget};
use crate::testkit::rows::{at, bot_spec, chat_spec};

/// The address of the tests' webhook.
pub(super) const OUR_WEBHOOK: &str = "https://fleet.example/telegram/bot-1";

/// The bot of the tests.
pub(super) const BOT: BotId = BotId(1);

/// The world that a machine sees: one bot in one chat, on a clock that a test moves.
pub(super) struct Site {
    pub(super) profile: BotProfile,
    pub(super) settings: BotSettings,
    directory: Directory,
    generator: Generator,
    pub(super) stay: Cell<Stay>,
    pub(super) cannot: Cell<Option<Duration>>,
    pub(super) stop: Cell<Option<StopScope>>,
    pub(super) may_act: Cell<bool>,
    pub(super) voice: Cell<Voice>,
    /// True when an address for webhooks is set.
    pub(super) webhooks: Cell<bool>,
    began: Instant,
    ids: Cell<i64>,
}

impl Site {
    pub(super) fn new(change: impl FnOnce(&mut ChatProfile)) -> Self {
        let spec = bot_spec(1);
        let spec_of_chat = chat_spec(1, std::slice::from_ref(&spec));
        let profile = BotProfile::new(BOT, spec);
        let mut chats = Vec::new();
        let mut change = Some(change);
        for id in [ChatId(1), ChatId(2)] {
            let mut chat = ChatProfile { id, spec: spec_of_chat.clone(), members: vec![BOT] };
            chat.spec.telegram_id = TelegramChatId(-2000 - id.0);
            if let Some(change) = change.take() {
                change(&mut chat);
            }
            chats.push((id, chat));
        }
        let roster = Roster {
            bots: [(BOT, profile.clone())].into(),
            chats: chats.into_iter().collect(),
            aliases: std::collections::BTreeMap::new(),
            config_seq: ConfigSeq(1),
        };
        Self {
            profile,
            settings: BotSettings::default(),
            directory: Directory::new(roster),
            generator: Generator::new().unwrap(),
            stay: Cell::new(Stay::Here(Work::All)),
            cannot: Cell::new(None),
            stop: Cell::new(None),
            may_act: Cell::new(true),
            voice: Cell::new(Voice::Now),
            webhooks: Cell::new(true),
            began: Instant::now(),
            ids: Cell::new(100),
        }
    }

    pub(super) fn id(&self) -> i64 {
        self.ids.set(self.ids.get() + 1);
        self.ids.get()
    }
}

impl Surroundings for Site {
    fn profile(&self) -> &BotProfile {
        &self.profile
    }
    fn settings(&self) -> &BotSettings {
        &self.settings
    }
    fn epoch(&self) -> Epoch {
        Epoch(1)
    }
    fn stay(&self) -> Stay {
        self.stay.get()
    }
    fn now(&self) -> Timestamp {
        at(0) + self.began.elapsed()
    }
    fn random(&self) -> f64 {
        0.5
    }
    fn may_act(&self) -> bool {
        self.may_act.get()
    }
    fn store_is_saturated(&self) -> bool {
        false
    }
    fn webhook_target(&self) -> Option<WebhookTarget> {
        let target = || WebhookTarget {
            url: OUR_WEBHOOK.to_owned(),
            secret: WebhookSecret::new("a".repeat(32)),
            max_connections: 4,
        };
        self.webhooks.get().then(target)
    }
    fn is_our_webhook(&self, url: &str) -> bool {
        url == OUR_WEBHOOK
    }
    fn deletes_foreign_webhooks(&self) -> bool {
        false
    }
    fn cannot_act(&self) -> Option<Duration> {
        self.cannot.get()
    }
    fn voice(&self, _: ChatId, _: Option<ThreadId>) -> Voice {
        self.voice.get()
    }
    fn may_try(&self, _: ChatId) -> bool {
        false
    }
    fn chat(&self, chat: ChatId) -> Option<Arc<ChatProfile>> {
        self.directory.chat_profile(chat)
    }
    fn telegram_chat(&self, chat: ChatId) -> Option<TelegramChatId> {
        self.directory.telegram_chat(chat)
    }
    fn username(&self) -> Option<&str> {
        Some("bot_1_bot")
    }
    fn all_speak(&self) -> bool {
        true
    }
    fn stop(&self, _: ChatId) -> Option<StopScope> {
        self.stop.get()
    }
    fn is_taken_over(&self, _: ChatId) -> bool {
        false
    }
    fn known(&self) -> Arc<Known> {
        self.directory.known()
    }
    fn prompt(&self, stage: &Stage<'_>, model: &str) -> Result<CompletionRequest, String> {
        self.generator.request(stage, model).map_err(|error| error.to_string())
    }
    fn fleet_texts(&self) -> Vec<(BotId, Said)> {
        Vec::new()
    }
    fn outbox_id(&self) -> OutboxId {
        OutboxId(self.id())
    }
    fn attempt_id(&self) -> AttemptId {
        AttemptId(self.id())
    }
    fn inbox_id(&self) -> InboxId {
        InboxId(self.id())
    }
}

/// Returns a runtime whose clock stands still while nothing waits for it.
pub(super) fn paused_clock() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}
