//! Who is in the configuration, who lives on this node, and which Telegram ids mean whom. Layer `actors`. Keeps I10.
//!
//! The configuration is replaced at run time, as a whole: whoever looks gets the one in force. Who lives here is a hint
//! like any other: an actor that is missing finds its work in the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use ractor::ActorRef;

use super::bot::actor::BotMsg;
use super::fleet::actor::FleetMsg;
use super::ownership::actor::OwnershipMsg;
use super::permits::ChatHandle;
use super::provider::actor::ProviderMsg;
use crate::domain::ids::{BotId, ChatId, ConfigSeq, TelegramChatId, TelegramUserId};
use crate::domain::roster::{BotProfile, ChatProfile, Roster};

/// The configuration in force.
#[derive(Default)]
pub struct Known {
    /// Bots in use.
    pub bots: BTreeMap<BotId, Arc<BotProfile>>,
    /// Chats in use.
    pub chats: BTreeMap<ChatId, Arc<ChatProfile>>,
    /// Its number.
    pub config_seq: ConfigSeq,
    by_telegram_user: HashMap<TelegramUserId, BotId>,
}

/// What a new configuration changes.
#[derive(Debug, Default)]
pub struct RosterChange {
    /// Bots that were not there before.
    pub bots_added: Vec<BotId>,
    /// Bots that are described otherwise.
    pub bots_changed: Vec<Arc<BotProfile>>,
    /// Bots that are no longer in use.
    pub bots_gone: Vec<BotId>,
    /// Chats that were not there before.
    pub chats_added: Vec<ChatId>,
    /// Chats that are described otherwise.
    pub chats_changed: Vec<Arc<ChatProfile>>,
    /// Chats that are no longer in use.
    pub chats_gone: Vec<ChatId>,
}

impl Known {
    fn of(
        bots: BTreeMap<BotId, Arc<BotProfile>>,
        chats: BTreeMap<ChatId, Arc<ChatProfile>>,
        config_seq: ConfigSeq,
    ) -> Self {
        let by_telegram_user = bots.values().map(|bot| (bot.spec.telegram_id, bot.id)).collect();
        Self { bots, chats, config_seq, by_telegram_user }
    }
}

/// Whether both say the same of the bot; where it stands in its updates is no part of that.
fn same_bot(a: &BotProfile, b: &BotProfile) -> bool {
    a.spec == b.spec
        && (a.persona_revision, a.token_generation, &a.username)
            == (b.persona_revision, b.token_generation, &b.username)
}

/// Profiles in force from now on: those that say the same stay the same; and who is new, changed or gone.
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

/// The configuration, the living, and the ids of both at Telegram.
#[derive(Default)]
pub struct Directory {
    known: RwLock<Arc<Known>>,
    telegram_chats: RwLock<TelegramChats>,
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
    ownership: Option<ActorRef<OwnershipMsg>>,
    chats: HashMap<ChatId, ChatHandle>,
    bots: HashMap<BotId, ActorRef<BotMsg>>,
    providers: HashMap<String, ActorRef<ProviderMsg>>,
    usernames: HashMap<BotId, String>,
}

impl Directory {
    /// A directory of these bots and chats, none of them alive yet.
    pub fn new(roster: Roster) -> Self {
        let directory = Self::default();
        directory.replace(roster);
        directory
    }

    /// The configuration in force.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The bot as the configuration describes it.
    pub fn bot_profile(&self, bot: BotId) -> Option<Arc<BotProfile>> {
        self.known().bots.get(&bot).cloned()
    }

    /// The chat as the configuration describes it.
    pub fn chat_profile(&self, chat: ChatId) -> Option<Arc<ChatProfile>> {
        self.known().chats.get(&chat).cloned()
    }

    /// Puts another configuration in force, and tells what it changes; an older one changes nothing.
    pub fn replace(&self, roster: Roster) -> RosterChange {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if roster.config_seq < known.config_seq {
            return RosterChange::default();
        }
        let mut telegram = self.telegram_chats.write().unwrap_or_else(PoisonError::into_inner);
        telegram.by_telegram.extend(roster.aliases.iter().filter(|(_, chat)| roster.chats.contains_key(chat)));
        for chat in roster.chats.values() {
            // What a bot has learned here since counts until the stored id changes.
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
        self.known().by_telegram_user.get(&telegram).copied()
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

    /// The actor of ownership; `None` where one process owns everything.
    pub fn ownership(&self) -> Option<ActorRef<OwnershipMsg>> {
        self.read(|live| live.ownership.clone())
    }

    /// The bot's username, once Telegram told it to any node.
    pub fn username(&self, bot: BotId) -> Option<String> {
        self.read(|live| live.usernames.get(&bot).cloned())
            .or_else(|| self.known().bots.get(&bot).and_then(|bot| bot.username.clone()))
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

    /// The actor of ownership started.
    pub fn set_ownership(&self, actor: ActorRef<OwnershipMsg>) {
        self.write(|live| live.ownership = Some(actor));
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

    /// Telegram told the bot's username; true when it is news to this node.
    pub fn set_username(&self, bot: BotId, username: &str) -> bool {
        self.write(|live| live.usernames.insert(bot, username.to_owned()).as_deref() != Some(username))
    }
}
