//! What the actors of one node share: store, committer, clock, ids, and who lives where. Layer `actors`.
//!
//! The directory is a hint like any other: an actor that is missing from it finds its work in the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures::future::join_all;
use ractor::ActorRef;

use super::bot::actor::BotMsg;
use super::bot::orders::Orders;
use super::chat::actor::ChatMsg;
use super::committer::Committer;
use super::fleet::actor::FleetMsg;
use super::provider::actor::ProviderMsg;
use super::provider::consult::Consult;
use crate::behaviour::generator::Generator;
use crate::domain::allowance::{Budget, BudgetKey, BudgetOwner, BudgetScope, BudgetSpec};
use crate::domain::commit::operation::Operation;
use crate::domain::ids::{
    AttemptId, BotId, ChatId, ConfigSeq, Epoch, IdSource, InboxId, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use crate::domain::roster::{BotProfile, ChatProfile};
use crate::policy::treasury::Treasury;
use crate::ports::clock::Clock;
use crate::ports::store::Store;
use crate::ports::telegram::UpdateDecoder;

/// Shared by all actors of a node.
pub struct Node {
    /// The only truth.
    pub store: Arc<dyn Store>,
    /// The queue in front of it.
    pub committer: Committer,
    /// The database's clock.
    pub clock: Arc<dyn Clock>,
    /// Reads stored updates.
    pub decoder: Arc<dyn UpdateDecoder>,
    /// Builds prompts.
    pub generator: Generator,
    /// The epoch of this tenure.
    pub epoch: Epoch,
    /// The configuration in force.
    pub config_seq: ConfigSeq,
    /// Who lives where.
    pub directory: Directory,
    /// What this node may spend on models.
    pub treasury: Arc<Treasury>,
    /// Embeddings and classifier answers.
    pub consult: Consult,
    /// Random numbers that need not be replayed: jitter.
    pub jitter: Jitter,
    /// Turns queued or claimed, as the store said last and as chats have added since.
    pub turns_open: AtomicU64,
    /// Orders of people that were seen lately.
    pub orders: Orders,
    ids: IdSource,
}

impl Node {
    /// Puts a node together.
    #[expect(clippy::too_many_arguments, reason = "called once, by the runtime")]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        decoder: Arc<dyn UpdateDecoder>,
        generator: Generator,
        epoch: Epoch,
        config_seq: ConfigSeq,
        directory: Directory,
        seed: u64,
    ) -> Self {
        let ids = IdSource::new(clock.now(), seed);
        Self {
            store,
            committer: Committer::default(),
            clock,
            decoder,
            generator,
            epoch,
            config_seq,
            directory,
            treasury: Arc::default(),
            consult: Consult::default(),
            jitter: Jitter(AtomicU64::new(seed)),
            turns_open: AtomicU64::new(0),
            orders: Orders::default(),
            ids,
        }
    }

    /// The node under these budgets. A budget of one bot or chat goes before that of each.
    #[must_use]
    pub fn with_budgets(mut self, specs: &[BudgetSpec]) -> Self {
        let mut budgets = HashMap::new();
        let named = |spec: &BudgetSpec| matches!(spec.owner, BudgetOwner::Bot(Some(_)) | BudgetOwner::Chat(Some(_)));
        for spec in specs.iter().filter(|spec| !named(spec)).chain(specs.iter().filter(|spec| named(spec))) {
            for scope in self.directory.owners(&spec.owner) {
                let key = BudgetKey { scope, unit: spec.unit, per: spec.per };
                budgets.insert(key, Budget { key, limit: spec.limit });
            }
        }
        self.treasury = Arc::new(Treasury::new(budgets.into_values()));
        self
    }

    /// Gives back to the store what was taken from budgets and is not spent: at a shutdown in good order.
    pub async fn return_allowances(&self) {
        // All at once, so that they share a commit: there may be many, and little time.
        let returns = self.treasury.give_back().into_iter().map(async |returned| {
            if let Err(error) = self.committer.commit(Operation::ReturnAllowance(returned)).await {
                tracing::warn!(budget = %returned.key.budget, error = %error, "an allowance could not be given back");
            }
        });
        join_all(returns).await;
    }

    fn next_id(&self) -> i64 {
        self.ids.next(self.clock.now())
    }

    /// A new inbox row's id.
    pub fn inbox_id(&self) -> InboxId {
        InboxId(self.next_id())
    }

    /// A new turn's id.
    pub fn turn_id(&self) -> TurnId {
        TurnId(self.next_id())
    }

    /// A new outbox message's id.
    pub fn outbox_id(&self) -> OutboxId {
        OutboxId(self.next_id())
    }

    /// A new attempt's id.
    pub fn attempt_id(&self) -> AttemptId {
        AttemptId(self.next_id())
    }
}

/// Uniform random numbers for jitter.
pub struct Jitter(AtomicU64);

impl Jitter {
    /// The next number in 0..1.
    pub fn next(&self) -> f64 {
        fastrand::Rng::with_seed(self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)).f64()
    }
}

/// A chat's actor as others see it.
#[derive(Clone)]
pub struct ChatHandle {
    /// The actor.
    pub actor: ActorRef<ChatMsg>,
    /// Rows in its mailbox; the rest stays in the store.
    pub rows: Arc<RowPermits>,
}

/// Admission to a chat's mailbox.
pub struct RowPermits {
    free: AtomicI64,
    overflowed: AtomicBool,
}

impl RowPermits {
    /// Admits up to `rows` rows at a time.
    pub fn new(rows: usize) -> Self {
        Self { free: AtomicI64::new(rows as i64), overflowed: AtomicBool::new(false) }
    }

    /// Takes permits for `rows` rows. Once refused, all is refused until the chat has read the store again: rows
    /// must not overtake those that stayed there.
    pub fn try_admit(&self, rows: usize) -> bool {
        if self.overflowed.load(Ordering::Acquire) {
            return false;
        }
        let before = self.free.fetch_sub(rows as i64, Ordering::AcqRel);
        if before < rows as i64 {
            self.free.fetch_add(rows as i64, Ordering::AcqRel);
            self.overflowed.store(true, Ordering::Release);
            return false;
        }
        true
    }

    /// Gives permits back.
    pub fn release(&self, rows: usize) {
        self.free.fetch_add(rows as i64, Ordering::AcqRel);
    }

    /// Whether rows stayed in the store.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Acquire)
    }

    /// The store was read to its end: the mailbox is open again.
    pub fn caught_up(&self) {
        self.overflowed.store(false, Ordering::Release);
    }
}

/// Who lives where on this node, and which Telegram ids mean whom.
#[derive(Default)]
pub struct Directory {
    /// Bots in use.
    pub bots: BTreeMap<BotId, Arc<BotProfile>>,
    /// Chats in use.
    pub chats: BTreeMap<ChatId, Arc<ChatProfile>>,
    telegram_chats: RwLock<TelegramChats>,
    by_telegram_user: HashMap<TelegramUserId, BotId>,
    live: RwLock<Live>,
}

/// Ids that Telegram gave to chats: a group that becomes a supergroup gets a new one.
#[derive(Default)]
struct TelegramChats {
    by_telegram: HashMap<TelegramChatId, ChatId>,
    current: HashMap<ChatId, TelegramChatId>,
}

#[derive(Default)]
struct Live {
    fleet: Option<ActorRef<FleetMsg>>,
    chats: HashMap<ChatId, ChatHandle>,
    bots: HashMap<BotId, ActorRef<BotMsg>>,
    providers: HashMap<String, ActorRef<ProviderMsg>>,
    usernames: HashMap<BotId, String>,
}

impl Directory {
    /// A directory of these bots and chats, none of them alive yet.
    pub fn new(
        bots: BTreeMap<BotId, BotProfile>,
        chats: BTreeMap<ChatId, ChatProfile>,
        aliases: impl IntoIterator<Item = (TelegramChatId, ChatId)>,
    ) -> Self {
        let by_telegram_user = bots.values().map(|bot| (bot.spec.telegram_id, bot.id)).collect();
        let telegram_chats = TelegramChats {
            by_telegram: aliases.into_iter().filter(|(_, chat)| chats.contains_key(chat)).collect(),
            current: chats.values().map(|chat| (chat.id, chat.spec.telegram_id)).collect(),
        };
        Self {
            bots: bots.into_iter().map(|(id, bot)| (id, Arc::new(bot))).collect(),
            chats: chats.into_iter().map(|(id, chat)| (id, Arc::new(chat))).collect(),
            telegram_chats: RwLock::new(telegram_chats),
            by_telegram_user,
            live: RwLock::default(),
        }
    }

    /// All whom a budget of the manifest speaks of.
    fn owners(&self, owner: &BudgetOwner) -> Vec<BudgetScope> {
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        match owner {
            BudgetOwner::Fleet => vec![BudgetScope::Fleet],
            BudgetOwner::Bot(name) => {
                let bots = self.bots.values().filter(|bot| is(name, &bot.spec.name));
                bots.map(|bot| BudgetScope::Bot(bot.id)).collect()
            }
            BudgetOwner::Chat(name) => {
                let chats = self.chats.values().filter(|chat| is(name, &chat.spec.name));
                chats.map(|chat| BudgetScope::Chat(chat.id)).collect()
            }
        }
    }

    /// The chat that Telegram calls so, if the fleet serves it.
    pub fn chat_of(&self, telegram: TelegramChatId) -> Option<ChatId> {
        self.telegram_chats.read().unwrap_or_else(PoisonError::into_inner).by_telegram.get(&telegram).copied()
    }

    /// What Telegram calls the chat now.
    pub fn telegram_chat(&self, chat: ChatId) -> Option<TelegramChatId> {
        self.telegram_chats.read().unwrap_or_else(PoisonError::into_inner).current.get(&chat).copied()
    }

    /// The chat got another id at Telegram; its old one still means it. False when it is no news.
    pub fn migrate(&self, chat: ChatId, to: TelegramChatId) -> bool {
        let mut chats = self.telegram_chats.write().unwrap_or_else(PoisonError::into_inner);
        if chats.by_telegram.contains_key(&to) {
            return false;
        }
        chats.by_telegram.insert(to, chat);
        chats.current.insert(chat, to);
        true
    }

    /// The fleet's bot that Telegram calls so.
    pub fn bot_of(&self, telegram: TelegramUserId) -> Option<BotId> {
        self.by_telegram_user.get(&telegram).copied()
    }

    fn read<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        look(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Live) -> T) -> T {
        change(&mut self.live.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The chat's actor, while it is in memory.
    pub fn chat(&self, chat: ChatId) -> Option<ChatHandle> {
        self.read(|live| live.chats.get(&chat).cloned())
    }

    /// The bot's actor.
    pub fn bot(&self, bot: BotId) -> Option<ActorRef<BotMsg>> {
        self.read(|live| live.bots.get(&bot).cloned())
    }

    /// The provider's actor.
    pub fn provider(&self, name: &str) -> Option<ActorRef<ProviderMsg>> {
        self.read(|live| live.providers.get(name).cloned())
    }

    /// The fleet's actor.
    pub fn fleet(&self) -> Option<ActorRef<FleetMsg>> {
        self.read(|live| live.fleet.clone())
    }

    /// The bot's username, once Telegram told it.
    pub fn username(&self, bot: BotId) -> Option<String> {
        self.read(|live| live.usernames.get(&bot).cloned())
    }

    /// All actors of bots.
    pub fn live_bots(&self) -> Vec<(BotId, ActorRef<BotMsg>)> {
        self.read(|live| live.bots.iter().map(|(id, actor)| (*id, actor.clone())).collect())
    }

    /// All actors of chats in memory.
    pub fn live_chats(&self) -> Vec<(ChatId, ChatHandle)> {
        self.read(|live| live.chats.iter().map(|(id, handle)| (*id, handle.clone())).collect())
    }

    /// All actors of providers.
    pub fn live_providers(&self) -> Vec<(String, ActorRef<ProviderMsg>)> {
        self.read(|live| live.providers.iter().map(|(name, actor)| (name.clone(), actor.clone())).collect())
    }

    /// The fleet's actor started.
    pub fn set_fleet(&self, actor: ActorRef<FleetMsg>) {
        self.write(|live| live.fleet = Some(actor));
    }

    /// A chat's actor started, or ended.
    pub fn set_chat(&self, chat: ChatId, handle: Option<ChatHandle>) {
        self.write(|live| match handle {
            Some(handle) => live.chats.insert(chat, handle),
            None => live.chats.remove(&chat),
        });
    }

    /// A bot's actor started, or ended.
    pub fn set_bot(&self, bot: BotId, actor: Option<ActorRef<BotMsg>>) {
        self.write(|live| match actor {
            Some(actor) => live.bots.insert(bot, actor),
            None => live.bots.remove(&bot),
        });
    }

    /// A provider's actor started, or ended.
    pub fn set_provider(&self, name: &str, actor: Option<ActorRef<ProviderMsg>>) {
        self.write(|live| match actor {
            Some(actor) => live.providers.insert(name.to_owned(), actor),
            None => live.providers.remove(name),
        });
    }

    /// Telegram told the bot's username; true when it is news.
    pub fn set_username(&self, bot: BotId, username: &str) -> bool {
        self.write(|live| live.usernames.insert(bot, username.to_owned()).as_deref() != Some(username))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_do_not_overtake_those_that_stayed_in_the_store() {
        let permits = RowPermits::new(2);
        assert!(permits.try_admit(2));
        assert!(!permits.try_admit(1));
        permits.release(2);
        assert!(!permits.try_admit(1), "the store is still ahead");
        permits.caught_up();
        assert!(permits.try_admit(1));
    }
}
