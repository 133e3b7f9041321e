//! Telegram for one bot, by script. Part of the testkit.
//!
//! Updates are kept as Telegram keeps them, until an offset confirms them; before that each poll returns them again. A
//! message is accepted unless the script says otherwise.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::journal::{Happening, Journal};
use crate::behaviour::command::order_in;
use crate::domain::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId, UpdateId};
use crate::domain::incoming::{ChatKind, Event, Incoming};
use crate::domain::people::TOMBSTONE;
use crate::domain::time::Timestamp;
use crate::ports::telegram::{
    BotApi, ChatDescription, Me, ReceivedUpdate, SendMessage, TelegramError, UpdateDecoder, WebhookSecret,
    WebhookStatus, WebhookTarget,
};

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The call succeeds.
    Accept,
    /// The call fails.
    Fail(TelegramError),
    /// The call never returns.
    Hang,
    /// The client panics.
    Panic,
}

#[derive(Default)]
struct Script {
    updates: VecDeque<ReceivedUpdate>,
    polls: VecDeque<Step>,
    every_poll: Option<Step>,
    sends: VecDeque<Step>,
    reactions: VecDeque<Step>,
    deletions: VecDeque<Step>,
    ranks: Option<Result<HashMap<TelegramUserId, bool>, TelegramError>>,
    webhook: Option<WebhookTarget>,
    webhooks: VecDeque<Step>,
    every_me: Option<Step>,
    new_token: bool,
    /// The number of tokens that replaced the first one.
    tokens: u64,
    out_of_reach: bool,
    every_typing: Option<Step>,
    chats: HashMap<TelegramChatId, Result<ChatDescription, TelegramError>>,
}

/// Telegram for one bot.
pub struct ScriptedTelegram {
    me: Me,
    journal: Journal,
    message_ids: Arc<AtomicI64>,
    script: Mutex<Script>,
    news: Notify,
}

impl ScriptedTelegram {
    /// Telegram for the bot of that id; bots that share chats share `message_ids`.
    pub fn new(id: TelegramUserId, journal: Journal, message_ids: Arc<AtomicI64>) -> Self {
        let me = Me {
            id,
            username: format!("bot_{id}_bot"),
            first_name: format!("Bot {id}"),
            can_read_all_group_messages: true,
        };
        Self { me, journal, message_ids, script: Mutex::default(), news: Notify::new() }
    }

    /// Gives the bot another username.
    #[must_use]
    pub fn called(mut self, username: &str) -> Self {
        username.clone_into(&mut self.me.username);
        self
    }

    /// Returns Telegram's id of the bot.
    pub fn id(&self) -> TelegramUserId {
        self.me.id
    }

    /// Adds an update.
    pub fn receive(&self, update_id: i64, incoming: Incoming) {
        let raw = serde_json::to_string(&incoming).unwrap();
        self.deliver(ReceivedUpdate { update_id: UpdateId(update_id), raw, incoming });
    }

    /// Adds an update as it is.
    pub fn deliver(&self, update: ReceivedUpdate) {
        self.script.lock().unwrap().updates.push_back(update);
        self.news.notify_one();
    }

    /// Appends the outcome of one poll; the poll under way ends early.
    pub fn next_poll(&self, step: Step) {
        self.script.lock().unwrap().polls.push_back(step);
        self.news.notify_one();
    }

    /// Appends the outcome of one deletion.
    pub fn next_deletion(&self, step: Step) {
        self.script.lock().unwrap().deletions.push_back(step);
    }

    /// Sets the outcome of every poll without an outcome of its own; `None` lets all succeed.
    pub fn every_poll(&self, step: Option<Step>) {
        self.script.lock().unwrap().every_poll = step;
        self.news.notify_one();
    }

    /// Appends the outcome of one message.
    pub fn next_send(&self, step: Step) {
        self.script.lock().unwrap().sends.push_back(step);
    }

    /// Sets the outcome of every "typing"; `None` lets all succeed.
    pub fn every_typing(&self, step: Option<Step>) {
        self.script.lock().unwrap().every_typing = step;
    }

    /// Appends the outcome of one reaction.
    pub fn next_reaction(&self, step: Step) {
        self.script.lock().unwrap().reactions.push_back(step);
    }

    /// Sets who is an administrator and who is not, or the error that Telegram answers.
    pub fn ranks(&self, ranks: Result<HashMap<TelegramUserId, bool>, TelegramError>) {
        self.script.lock().unwrap().ranks = Some(ranks);
    }

    /// Appends the outcome of one call about webhooks.
    pub fn next_webhook(&self, step: Step) {
        self.script.lock().unwrap().webhooks.push_back(step);
    }

    /// Sets the outcome of every `get_me`; `None` lets all succeed.
    pub fn every_me(&self, step: Option<Step>) {
        self.script.lock().unwrap().every_me = step;
    }

    /// Sets Telegram's description of a chat.
    pub fn describe(&self, chat: TelegramChatId, told: Result<ChatDescription, TelegramError>) {
        self.script.lock().unwrap().chats.insert(chat, told);
    }

    /// Makes sends look unreachable, or reachable again.
    pub fn out_of_reach(&self, out: bool) {
        self.script.lock().unwrap().out_of_reach = out;
    }

    /// Replaces the token at its source: after the bot has read it again, refused calls succeed.
    pub fn replace_token(&self) {
        self.script.lock().unwrap().new_token = true;
    }

    /// Sets or deletes a webhook, as somebody else does.
    pub fn set_foreign_webhook(&self, url: Option<&str>) {
        let target = |url: &str| WebhookTarget {
            url: url.to_owned(),
            secret: WebhookSecret::new("x".into()),
            max_connections: 1,
        };
        self.script.lock().unwrap().webhook = url.map(target);
        self.news.notify_one();
    }

    /// Returns the webhook that is set.
    pub fn webhook(&self) -> Option<WebhookTarget> {
        self.script.lock().unwrap().webhook.clone()
    }

    /// Returns the oldest unconfirmed update.
    pub fn oldest(&self) -> Option<ReceivedUpdate> {
        self.script.lock().unwrap().updates.front().cloned()
    }

    /// Removes an update that the webhook's receiver took.
    pub fn delivered(&self, update: UpdateId) {
        self.script.lock().unwrap().updates.retain(|waiting| waiting.update_id != update);
    }

    async fn about_webhooks(&self) -> Result<(), TelegramError> {
        let step = self.script.lock().unwrap().webhooks.pop_front();
        match step {
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Panic) => panic!("the client of bot {} panics over a webhook", self.me.id),
            Some(Step::Accept) | None => Ok(()),
        }
    }

    /// Returns how many updates no offset has confirmed.
    pub fn unconfirmed(&self) -> usize {
        self.script.lock().unwrap().updates.len()
    }

    /// Returns the offsets of all polls, in order.
    pub fn offsets(&self) -> Vec<Option<i64>> {
        let of_me = |happening| match happening {
            Happening::Polled { bot, offset } if bot == self.me.id => Some(offset),
            _ => None,
        };
        self.journal.all().into_iter().filter_map(of_me).collect()
    }

    /// Removes all updates up to the one before `offset`.
    fn confirm(&self, offset: i64) {
        let mut script = self.script.lock().unwrap();
        if let Some(last) = script.updates.iter().position(|update| update.update_id.0 + 1 == offset) {
            script.updates.drain(..=last);
        }
    }

    fn poll_step(&self) -> Option<Step> {
        let mut script = self.script.lock().unwrap();
        script.polls.pop_front().or_else(|| script.every_poll.clone())
    }
}

#[async_trait]
impl BotApi for ScriptedTelegram {
    async fn get_me(&self) -> Result<Me, TelegramError> {
        let step = self.script.lock().unwrap().every_me.clone();
        match step {
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Panic) => panic!("the client of bot {} panics over its name", self.me.id),
            Some(Step::Accept) | None => Ok(self.me.clone()),
        }
    }

    async fn set_webhook(&self, target: &WebhookTarget) -> Result<(), TelegramError> {
        self.about_webhooks().await?;
        self.journal.note(Happening::Webhook { bot: self.me.id, url: Some(target.url.clone()) });
        self.script.lock().unwrap().webhook = Some(target.clone());
        self.news.notify_one();
        Ok(())
    }

    async fn delete_webhook(&self) -> Result<(), TelegramError> {
        self.about_webhooks().await?;
        self.journal.note(Happening::Webhook { bot: self.me.id, url: None });
        self.script.lock().unwrap().webhook = None;
        Ok(())
    }

    async fn webhook_status(&self) -> Result<WebhookStatus, TelegramError> {
        let script = self.script.lock().unwrap();
        let url = script.webhook.as_ref().map(|webhook| webhook.url.clone());
        Ok(WebhookStatus { url, pending: script.updates.len() as u64, last_error: None })
    }

    fn sends_go(&self) -> bool {
        !self.script.lock().unwrap().out_of_reach
    }

    fn webhook_secret(&self) -> Option<WebhookSecret> {
        let tokens = self.script.lock().unwrap().tokens;
        (tokens > 0).then(|| WebhookSecret::new(format!("secret-of-token-{tokens}")))
    }

    fn renew_token(&self) -> bool {
        let mut script = self.script.lock().unwrap();
        if script.new_token {
            (script.every_me, script.every_poll) = (None, None);
            script.webhooks.clear();
            script.tokens += 1;
        }
        std::mem::take(&mut script.new_token)
    }

    async fn get_updates(&self, offset: Option<i64>, timeout: Duration) -> Result<Vec<ReceivedUpdate>, TelegramError> {
        self.journal.note(Happening::Polled { bot: self.me.id, offset });
        if let Some(offset) = offset {
            self.confirm(offset);
        }
        let until = tokio::time::Instant::now() + timeout;
        loop {
            match self.poll_step() {
                Some(Step::Fail(error)) => return Err(error),
                Some(Step::Hang) => std::future::pending().await,
                Some(Step::Panic) => panic!("the client of bot {} panics while it polls", self.me.id),
                Some(Step::Accept) | None => {}
            }
            if self.webhook().is_some() {
                let words = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
                return Err(TelegramError::WebhookSet(format!("Conflict: {words}")));
            }
            let updates: Vec<_> = self.script.lock().unwrap().updates.iter().cloned().collect();
            if !updates.is_empty() {
                return Ok(updates);
            }
            if tokio::time::timeout_at(until, self.news.notified()).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    async fn send_message(&self, message: &SendMessage) -> Result<MessageId, TelegramError> {
        self.journal.note(Happening::Sent { bot: self.me.id, chat: message.chat, text: message.text.clone() });
        let step = self.script.lock().unwrap().sends.pop_front();
        match step {
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Panic) => panic!("the client of bot {} panics while it sends", self.me.id),
            Some(Step::Accept) | None => Ok(MessageId(self.message_ids.fetch_add(1, Ordering::SeqCst))),
        }
    }

    async fn send_typing(&self, _: TelegramChatId, _: Option<ThreadId>) -> Result<(), TelegramError> {
        let step = self.script.lock().unwrap().every_typing.clone();
        match step {
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Panic) => panic!("the client of bot {} panics while it types", self.me.id),
            Some(Step::Accept) | None => Ok(()),
        }
    }

    async fn set_reaction(&self, chat: TelegramChatId, message: MessageId, emoji: &str) -> Result<(), TelegramError> {
        self.journal.note(Happening::Reacted { bot: self.me.id, chat, message, emoji: emoji.to_owned() });
        let step = self.script.lock().unwrap().reactions.pop_front();
        match step {
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Panic) => panic!("the client of bot {} panics while it reacts", self.me.id),
            Some(Step::Accept) | None => Ok(()),
        }
    }

    async fn delete_message(&self, chat: TelegramChatId, message: MessageId) -> Result<(), TelegramError> {
        self.journal.note(Happening::Deleted { bot: self.me.id, chat, message });
        let step = self.script.lock().unwrap().deletions.pop_front();
        match step {
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Panic) => panic!("the client of bot {} panics while it deletes", self.me.id),
            Some(Step::Accept) | None => Ok(()),
        }
    }

    async fn administrators(&self, _: TelegramChatId) -> Result<Vec<TelegramUserId>, TelegramError> {
        let known = self.script.lock().unwrap().ranks.clone().unwrap_or_else(|| Ok(HashMap::new()))?;
        Ok(known.into_iter().filter_map(|(user, may)| may.then_some(user)).collect())
    }

    async fn leave_chat(&self, chat: TelegramChatId) -> Result<(), TelegramError> {
        self.journal.note(Happening::Left { bot: self.me.id, chat });
        Ok(())
    }

    async fn get_chat(&self, chat: TelegramChatId) -> Result<ChatDescription, TelegramError> {
        let told = self.script.lock().unwrap().chats.get(&chat).cloned();
        told.unwrap_or_else(|| Ok(ChatDescription { kind: ChatKind::Supergroup, title: format!("chat {chat}") }))
    }
}

/// The date of quotations: the script gives them none.
const UNDATED: Timestamp = Timestamp::from_secs(0);

/// Reads the updates that [`ScriptedTelegram::receive`] wrote.
pub struct ScriptDecoder;

impl UpdateDecoder for ScriptDecoder {
    fn decode(&self, raw: &str) -> Incoming {
        serde_json::from_str(raw).unwrap()
    }

    fn without(&self, raw: &str, gone: &dyn Fn(TelegramUserId, Timestamp) -> bool) -> Option<String> {
        let mut incoming: Incoming = serde_json::from_str(raw).ok()?;
        let mut cut = false;
        match &mut incoming.event {
            Event::Message(message) => {
                if let Some(quoted) =
                    message.quoted.as_mut().filter(|quoted| quoted.author.is_some_and(|author| gone(author, UNDATED)))
                {
                    cut = quoted.text.take().is_some();
                }
                if gone(message.author.id, message.date) {
                    let Some(command) = order_in(message) else { return Some(TOMBSTONE.to_owned()) };
                    message.text = Some(format!("/{}", command.command.as_str()));
                    message.author.name.clear();
                    cut = true;
                }
            }
            Event::Edited(message) if gone(message.author.id, message.date) => return Some(TOMBSTONE.to_owned()),
            Event::Reaction { author, date, .. } if gone(author.id, *date) => return Some(TOMBSTONE.to_owned()),
            _ => {}
        }
        cut.then(|| serde_json::to_string(&incoming).unwrap())
    }
}
