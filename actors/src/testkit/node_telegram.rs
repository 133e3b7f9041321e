//! Telegram as one node of several reaches it, and a ledger of who did what there: the oracle of the tests of
//! ownership. Part of the testkit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;

use super::scripted_telegram::ScriptedTelegram;
use crate::domain::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId};
use crate::ports::telegram::{
    BotApi, ChatDescription, Me, ReceivedUpdate, SendMessage, TelegramError, WebhookSecret, WebhookStatus,
    WebhookTarget,
};

/// An act of a node at Telegram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A poll was opened.
    Opened,
    /// A poll was closed, by either side.
    Closed,
    /// A message reached Telegram.
    Sent(String),
}

/// One event at Telegram.
#[derive(Clone, Debug)]
pub struct Line {
    /// The time.
    pub at: Instant,
    /// Telegram's id of the bot.
    pub bot: TelegramUserId,
    /// The name of the node.
    pub node: String,
    /// The act.
    pub deed: Deed,
}

/// The acts of all nodes at Telegram, in order.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<Line>>>);

impl Ledger {
    fn note(&self, bot: TelegramUserId, node: &str, deed: Deed) {
        self.0.lock().unwrap().push(Line { at: Instant::now(), bot, node: node.to_owned(), deed });
    }

    /// Returns all lines that `matches` is true of.
    pub fn lines(&self, matches: impl Fn(&Line) -> bool) -> Vec<Line> {
        self.0.lock().unwrap().iter().filter(|line| matches(line)).cloned().collect()
    }

    /// Returns each opening of a poll while another poll of the same bot was open: the bot, the node of the older poll
    /// and the node of the newer one, which may be the same.
    pub fn overlaps(&self) -> Vec<(TelegramUserId, String, String)> {
        let mut open: Vec<(TelegramUserId, String)> = Vec::new();
        let mut overlaps = Vec::new();
        for line in self.0.lock().unwrap().iter() {
            match line.deed {
                Deed::Opened => {
                    let others = open.iter().filter(|(bot, _)| *bot == line.bot);
                    overlaps.extend(others.map(|(bot, node)| (*bot, node.clone(), line.node.clone())));
                    open.push((line.bot, line.node.clone()));
                }
                Deed::Closed => {
                    let at = open.iter().position(|(bot, node)| (*bot, node) == (line.bot, &line.node));
                    open.swap_remove(at.expect("what is closed was opened"));
                }
                Deed::Sent(_) => {}
            }
        }
        overlaps
    }

    /// Returns the longest time between two polls of the bot in which no poll was open.
    pub fn longest_silence(&self, bot: TelegramUserId) -> Duration {
        let (mut open, mut closed_at, mut longest) = (0, None, Duration::ZERO);
        for line in self.0.lock().unwrap().iter().filter(|line| line.bot == bot) {
            match line.deed {
                Deed::Opened => {
                    if let (0, Some(at)) = (open, closed_at) {
                        longest = longest.max(line.at - at);
                    }
                    open += 1;
                }
                Deed::Closed => {
                    open -= 1;
                    closed_at = Some(line.at);
                }
                Deed::Sent(_) => {}
            }
        }
        longest
    }
}

/// A node's link to Telegram, for all its bots.
pub struct Link {
    /// The name of the node.
    pub node: String,
    ledger: Ledger,
    cut: AtomicBool,
    slow: watch::Sender<bool>,
}

impl Link {
    /// A link that works.
    pub fn new(node: &str, ledger: Ledger) -> Arc<Self> {
        Arc::new(Self { node: node.to_owned(), ledger, cut: AtomicBool::new(false), slow: watch::Sender::new(false) })
    }

    /// Cuts the link, or restores it.
    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    /// Holds Telegram's answers to messages, or lets them through.
    pub fn hold_answers(&self, held: bool) {
        self.slow.send_replace(held);
    }

    fn check(&self) -> Result<(), TelegramError> {
        if self.cut.load(Ordering::SeqCst) { Err(TelegramError::Unreachable("cut".to_owned())) } else { Ok(()) }
    }
}

/// A bot's Telegram, reached over a node's link.
pub struct NodeTelegram {
    link: Arc<Link>,
    bot: Arc<ScriptedTelegram>,
}

impl NodeTelegram {
    /// The bot as the node of `link` reaches it.
    pub fn new(link: Arc<Link>, bot: Arc<ScriptedTelegram>) -> Self {
        Self { link, bot }
    }
}

struct Open<'a>(&'a NodeTelegram);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.link.ledger.note(self.0.bot.id(), &self.0.link.node, Deed::Closed);
    }
}

#[async_trait]
impl BotApi for NodeTelegram {
    async fn get_me(&self) -> Result<Me, TelegramError> {
        self.link.check()?;
        self.bot.get_me().await
    }

    async fn get_updates(&self, offset: Option<i64>, timeout: Duration) -> Result<Vec<ReceivedUpdate>, TelegramError> {
        self.link.check()?;
        self.link.ledger.note(self.bot.id(), &self.link.node, Deed::Opened);
        let _open = Open(self);
        self.bot.get_updates(offset, timeout).await
    }

    async fn send_message(&self, message: &SendMessage) -> Result<MessageId, TelegramError> {
        self.link.check()?;
        self.link.ledger.note(self.bot.id(), &self.link.node, Deed::Sent(message.text.clone()));
        let answer = self.bot.send_message(message).await;
        let _ = self.link.slow.subscribe().wait_for(|held| !held).await;
        answer
    }

    async fn send_typing(&self, chat: TelegramChatId, thread: Option<ThreadId>) -> Result<(), TelegramError> {
        self.link.check()?;
        self.bot.send_typing(chat, thread).await
    }

    async fn set_reaction(&self, chat: TelegramChatId, message: MessageId, emoji: &str) -> Result<(), TelegramError> {
        self.link.check()?;
        self.bot.set_reaction(chat, message, emoji).await
    }

    async fn delete_message(&self, chat: TelegramChatId, message: MessageId) -> Result<(), TelegramError> {
        self.link.check()?;
        self.bot.delete_message(chat, message).await
    }

    async fn administrators(&self, chat: TelegramChatId) -> Result<Vec<TelegramUserId>, TelegramError> {
        self.link.check()?;
        self.bot.administrators(chat).await
    }

    async fn leave_chat(&self, chat: TelegramChatId) -> Result<(), TelegramError> {
        self.link.check()?;
        self.bot.leave_chat(chat).await
    }

    async fn set_webhook(&self, target: &WebhookTarget) -> Result<(), TelegramError> {
        self.link.check()?;
        self.bot.set_webhook(target).await
    }

    async fn delete_webhook(&self) -> Result<(), TelegramError> {
        self.link.check()?;
        self.bot.delete_webhook().await
    }

    async fn webhook_status(&self) -> Result<WebhookStatus, TelegramError> {
        self.link.check()?;
        self.bot.webhook_status().await
    }

    fn sends_go(&self) -> bool {
        self.bot.sends_go()
    }

    fn webhook_secret(&self) -> Option<WebhookSecret> {
        self.bot.webhook_secret()
    }

    fn renew_token(&self) -> bool {
        self.bot.renew_token()
    }

    async fn get_chat(&self, chat: TelegramChatId) -> Result<ChatDescription, TelegramError> {
        self.link.check()?;
        self.bot.get_chat(chat).await
    }
}
