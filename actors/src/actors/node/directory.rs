//! Holds the configuration in force, the actors that live on this node, and the Telegram ids of bots and chats. Layer
//! `actors`. Keeps I10.
//!
//! The configuration is replaced at run time, as a whole: every reader gets the one in force. The list of living actors
//! only serves as a hint: the work of an actor that is missing waits in the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use ractor::ActorRef;

use crate::actors::bot::messages::BotMsg;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::permits::ChatHandle;
use crate::actors::ownership::messages::OwnershipMsg;
use crate::actors::provider::messages::ProviderMsg;
use crate::domain::ids::{BotId, ChatId, ConfigSeq, TelegramChatId, TelegramUserId};
use crate::domain::roster::{BotProfile, ChatProfile, Roster};

/// The configuration in force.
#[derive(Default)]
pub struct Known {
    /// Bots in use.
    pub bots: BTreeMap<BotId, Arc<BotProfile>>,
    /// Chats in use.
    pub chats: BTreeMap<ChatId, Arc<ChatProfile>>,
    /// Number of the configuration.
    pub config_seq: ConfigSeq,
    by_telegram_user: HashMap<TelegramUserId, BotId>,
    chats_of: HashMap<BotId, Vec<ChatId>>,
}

/// The changes that a new configuration brings.
#[derive(Debug, Default)]
pub struct RosterChange {
    /// Bots that are new.
    pub bots_added: Vec<BotId>,
    /// Bots whose description changed.
    pub bots_changed: Vec<Arc<BotProfile>>,
    /// Bots that left the configuration.
    pub bots_gone: Vec<BotId>,
    /// Chats that are new.
    pub chats_added: Vec<ChatId>,
    /// Chats whose description changed.
    pub chats_changed: Vec<Arc<ChatProfile>>,
    /// Chats that left the configuration.
    pub chats_gone: Vec<ChatId>,
}

impl Known {
    fn of(
        bots: BTreeMap<BotId, Arc<BotProfile>>,
        chats: BTreeMap<ChatId, Arc<ChatProfile>>,
        config_seq: ConfigSeq,
    ) -> Self {
        let by_telegram_user = bots.values().map(|bot| (bot.spec.telegram_id, bot.id)).collect();
        let mut chats_of: HashMap<BotId, Vec<ChatId>> = HashMap::new();
        for chat in chats.values() {
            for bot in &chat.members {
                chats_of.entry(*bot).or_default().push(chat.id);
            }
        }
        Self { bots, chats, config_seq, by_telegram_user, chats_of }
    }

    /// Returns the chats that the bot is a member of.
    pub fn chats_of(&self, bot: BotId) -> &[ChatId] {
        self.chats_of.get(&bot).map_or(&[], Vec::as_slice)
    }
}

/// Returns whether both profiles describe the bot alike; offsets and the delivery in force are not compared.
fn same_bot(a: &BotProfile, b: &BotProfile) -> bool {
    a.spec == b.spec
        && (a.persona_revision, a.token_generation, &a.username)
            == (b.persona_revision, b.token_generation, &b.username)
}

/// Returns the profiles of the new configuration, reusing those that are the same; and the ids added, changed and gone.
fn renewed<K: Ord + Copy, T>(
    before: &BTreeMap<K, Arc<T>>,
    now: BTreeMap<K, T>,
    same: impl Fn(&T, &T) -> bool,
) -> (BTreeMap<K, Arc<T>>, [Vec<K>; 3]) {
    let [mut added, mut changed] = [Vec::new(), Vec::new()];
    let gone = before.keys().filter(|id| !now.contains_key(id)).copied().collect();
    let profiles = now.into_iter().map(|(id, profile)| match before.get(&id) {
        Some(old) if same(old, &profile) => (id, Arc::clone(old)),
        Some(_) => {
            changed.push(id);
            (id, Arc::new(profile))
        }
        None => {
            added.push(id);
            (id, Arc::new(profile))
        }
    });
    let profiles = profiles.collect();
    (profiles, [added, changed, gone])
}

/// The configuration in force, the living actors, and Telegram's ids of bots and chats.
#[derive(Default)]
pub struct Directory {
    known: RwLock<Arc<Known>>,
    telegram_chats: RwLock<TelegramChats>,
    live: RwLock<Live>,
}

/// Telegram's ids of chats: a group that becomes a supergroup gets a new one.
#[derive(Default)]
struct TelegramChats {
    by_telegram: HashMap<TelegramChatId, ChatId>,
    current: HashMap<ChatId, TelegramChatId>,
}

#[derive(Default)]
struct Live {
    fleet: Option<ActorRef<FleetMsg>>,
    ownership: Option<ActorRef<OwnershipMsg>>,
    chats: HashMap<ChatId, ChatHandle>,
    bots: HashMap<BotId, ActorRef<BotMsg>>,
    providers: HashMap<String, ActorRef<ProviderMsg>>,
    usernames: HashMap<BotId, String>,
}

impl Directory {
    /// Creates a directory of these bots and chats, without living actors.
    pub fn new(roster: Roster) -> Self {
        let directory = Self::default();
        directory.replace(roster);
        directory
    }

    /// Returns the configuration in force.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the bot's profile in the configuration.
    pub fn bot_profile(&self, bot: BotId) -> Option<Arc<BotProfile>> {
        self.known().bots.get(&bot).cloned()
    }

    /// Returns the chat's profile in the configuration.
    pub fn chat_profile(&self, chat: ChatId) -> Option<Arc<ChatProfile>> {
        self.known().chats.get(&chat).cloned()
    }

    /// Puts another configuration in force, and returns the changes. An older configuration changes nothing.
    pub fn replace(&self, roster: Roster) -> RosterChange {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if roster.config_seq < known.config_seq {
            return RosterChange::default();
        }
        let mut telegram = self.telegram_chats.write().unwrap_or_else(PoisonError::into_inner);
        telegram.by_telegram.extend(roster.aliases.iter().filter(|(_, chat)| roster.chats.contains_key(chat)));
        for chat in roster.chats.values() {
            // An id that a bot has learned here meanwhile counts until the stored id changes.
            if known.chats.get(&chat.id).is_none_or(|old| old.spec.telegram_id != chat.spec.telegram_id) {
                telegram.current.insert(chat.id, chat.spec.telegram_id);
            }
        }
        let (bots, [bots_added, bots_changed, bots_gone]) = renewed(&known.bots, roster.bots, same_bot);
        let (chats, [chats_added, chats_changed, chats_gone]) = renewed(&known.chats, roster.chats, PartialEq::eq);
        let gone = |chat: &ChatId| !chats.contains_key(chat);
        telegram.by_telegram.retain(|_, chat| !gone(chat));
        telegram.current.retain(|chat, _| !gone(chat));
        let change = RosterChange {
            bots_added,
            bots_changed: bots_changed.iter().filter_map(|id| bots.get(id).cloned()).collect(),
            bots_gone,
            chats_added,
            chats_changed: chats_changed.iter().filter_map(|id| chats.get(id).cloned()).collect(),
            chats_gone,
        };
        *known = Arc::new(Known::of(bots, chats, roster.config_seq));
        change
    }

    /// Returns the chat with that id at Telegram, if the fleet serves it.
    pub fn chat_of(&self, telegram: TelegramChatId) -> Option<ChatId> {
        self.telegram_chats.read().unwrap_or_else(PoisonError::into_inner).by_telegram.get(&telegram).copied()
    }

    /// Returns Telegram's present id of the chat.
    pub fn telegram_chat(&self, chat: ChatId) -> Option<TelegramChatId> {
        self.telegram_chats.read().unwrap_or_else(PoisonError::into_inner).current.get(&chat).copied()
    }

    /// Records that the chat got another id at Telegram; its old ids still lead to it. Returns false if the id was
    /// known.
    pub fn migrate(&self, chat: ChatId, to: TelegramChatId) -> bool {
        let mut chats = self.telegram_chats.write().unwrap_or_else(PoisonError::into_inner);
        if chats.by_telegram.contains_key(&to) {
            return false;
        }
        chats.by_telegram.insert(to, chat);
        chats.current.insert(chat, to);
        true
    }

    /// Returns the fleet's bot with that id at Telegram.
    pub fn bot_of(&self, telegram: TelegramUserId) -> Option<BotId> {
        self.known().by_telegram_user.get(&telegram).copied()
    }

    fn read<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        look(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Live) -> T) -> T {
        change(&mut self.live.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the chat's actor, while the chat is in memory.
    pub fn chat(&self, chat: ChatId) -> Option<ChatHandle> {
        self.read(|live| live.chats.get(&chat).cloned())
    }

    /// Returns the bot's actor.
    pub fn bot(&self, bot: BotId) -> Option<ActorRef<BotMsg>> {
        self.read(|live| live.bots.get(&bot).cloned())
    }

    /// Returns the provider's actor.
    pub fn provider(&self, name: &str) -> Option<ActorRef<ProviderMsg>> {
        self.read(|live| live.providers.get(name).cloned())
    }

    /// Returns the fleet's actor.
    pub fn fleet(&self) -> Option<ActorRef<FleetMsg>> {
        self.read(|live| live.fleet.clone())
    }

    /// Returns the actor of ownership; `None` where one process owns everything.
    pub fn ownership(&self) -> Option<ActorRef<OwnershipMsg>> {
        self.read(|live| live.ownership.clone())
    }

    /// Returns the bot's username, once Telegram told it to any node.
    pub fn username(&self, bot: BotId) -> Option<String> {
        self.read(|live| live.usernames.get(&bot).cloned())
            .or_else(|| self.known().bots.get(&bot).and_then(|bot| bot.username.clone()))
    }

    /// Returns all actors of bots.
    pub fn live_bots(&self) -> Vec<(BotId, ActorRef<BotMsg>)> {
        self.read(|live| live.bots.iter().map(|(id, actor)| (*id, actor.clone())).collect())
    }

    /// Returns the number of bots that have an actor.
    pub fn live_bot_count(&self) -> usize {
        self.read(|live| live.bots.len())
    }

    /// Returns all actors of chats in memory.
    pub fn live_chats(&self) -> Vec<(ChatId, ChatHandle)> {
        self.read(|live| live.chats.iter().map(|(id, handle)| (*id, handle.clone())).collect())
    }

    /// Returns all actors of providers.
    pub fn live_providers(&self) -> Vec<(String, ActorRef<ProviderMsg>)> {
        self.read(|live| live.providers.iter().map(|(name, actor)| (name.clone(), actor.clone())).collect())
    }

    /// Records that the fleet's actor started.
    pub fn set_fleet(&self, actor: ActorRef<FleetMsg>) {
        self.write(|live| live.fleet = Some(actor));
    }

    /// Records that the actor of ownership started.
    pub fn set_ownership(&self, actor: ActorRef<OwnershipMsg>) {
        self.write(|live| live.ownership = Some(actor));
    }

    /// Records that a chat's actor started, or ended.
    pub fn set_chat(&self, chat: ChatId, handle: Option<ChatHandle>) {
        self.write(|live| match handle {
            Some(handle) => live.chats.insert(chat, handle),
            None => live.chats.remove(&chat),
        });
    }

    /// Records that a bot's actor started, or ended.
    pub fn set_bot(&self, bot: BotId, actor: Option<ActorRef<BotMsg>>) {
        self.write(|live| match actor {
            Some(actor) => live.bots.insert(bot, actor),
            None => live.bots.remove(&bot),
        });
    }

    /// Records that a provider's actor started, or ended.
    pub fn set_provider(&self, name: &str, actor: Option<ActorRef<ProviderMsg>>) {
        self.write(|live| match actor {
            Some(actor) => live.providers.insert(name.to_owned(), actor),
            None => live.providers.remove(name),
        });
    }

    /// Records the bot's username as Telegram told it; returns true if this node had another one or none.
    pub fn set_username(&self, bot: BotId, username: &str) -> bool {
        self.write(|live| live.usernames.insert(bot, username.to_owned()).as_deref() != Some(username))
    }
}
