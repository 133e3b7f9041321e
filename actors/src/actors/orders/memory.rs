//! Remembers orders of people that were seen lately, and what Telegram said of their authors. Layer `actors`. Keeps I9, I15.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::{BotId, ChatId, MessageId, TelegramChatId, TelegramUserId};

/// The most orders that are remembered, so that each acts once.
const REMEMBERED: usize = 4096;

/// The most chats whose administrators are remembered.
const CHATS: usize = 4096;

/// Time for which an administrator is believed to be one.
const RANK_HOLDS: Duration = Duration::from_mins(5);

/// Time for which somebody is believed to be no administrator.
const NO_RANK_HOLDS: Duration = Duration::from_secs(30);

/// Time after which a question without news is lost, with the actor that asked it.
const ASKING: Duration = Duration::from_mins(2);

/// Time by which an answer is known everywhere on this node.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// Time for which a `/stop` of somebody without the right to it there needs Telegram's answer first.
const REFUSED_HOLDS: Duration = Duration::from_hours(1);

/// Time in which the orders of one person are counted together (I15).
const TALLY: Duration = Duration::from_mins(1);

/// Times in `TALLY` that one person may opt in again; opting out is always heard.
const OPT_INS: u32 = 3;

/// Commands of one person in `TALLY` that become entries; their effects have limits of their own.
const COMMANDS: u32 = 20;

/// Time within which a bot is not told twice to leave the same chat.
const LEAVE_AGAIN: Duration = Duration::from_mins(10);

/// Orders that were seen lately, and Telegram's answers about people.
#[derive(Default)]
pub struct Orders(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    orders: HashSet<(TelegramChatId, MessageId)>,
    age: VecDeque<(TelegramChatId, MessageId)>,
    administrators: HashMap<TelegramChatId, (HashSet<TelegramUserId>, Instant)>,
    /// Authors whose unverified stops Telegram is being asked about, each with the time until which that is believed.
    asking: HashMap<(ChatId, TelegramUserId), Instant>,
    left: HashMap<(BotId, TelegramChatId), Instant>,
    /// People who tried to stop a chat without the right to, and when Telegram said so.
    refused: HashMap<(ChatId, TelegramUserId), Instant>,
    /// Counts of the orders that people gave lately: since when, and how many.
    tally: HashMap<(TelegramUserId, Asked), (Instant, u32)>,
}

/// The kinds of orders that are counted for each person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asked {
    OptIn,
    Command,
}

impl Orders {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an order; returns false when another bot brought it already.
    pub(super) fn is_new(&self, telegram: TelegramChatId, message: MessageId) -> bool {
        let mut seen = self.seen();
        if !seen.orders.insert((telegram, message)) {
            return false;
        }
        seen.age.push_back((telegram, message));
        if seen.age.len() > REMEMBERED
            && let Some(oldest) = seen.age.pop_front()
        {
            seen.orders.remove(&oldest);
        }
        true
    }

    /// Forgets an order that could not be kept: another copy of it may act.
    pub(super) fn forget(&self, (telegram, message): (TelegramChatId, MessageId)) {
        self.seen().orders.remove(&(telegram, message));
    }

    /// Returns what Telegram said lately of somebody's rank. A "no" holds briefly, so that no new administrator waits.
    pub(super) fn rank(&self, telegram: TelegramChatId, author: TelegramUserId) -> Option<bool> {
        let seen = self.seen();
        let (administrators, at) = seen.administrators.get(&telegram)?;
        let may = administrators.contains(&author);
        (at.elapsed() < if may { RANK_HOLDS } else { NO_RANK_HOLDS }).then_some(may)
    }

    /// Notes who administers a chat, as Telegram told.
    pub(in crate::actors) fn learned(&self, telegram: TelegramChatId, administrators: HashSet<TelegramUserId>) {
        let mut seen = self.seen();
        if seen.administrators.len() >= CHATS {
            seen.administrators.clear();
        }
        seen.administrators.insert(telegram, (administrators, Instant::now()));
    }

    /// Begins to ask about somebody's unverified stop; returns false when that is under way.
    pub(in crate::actors) fn may_ask(&self, chat: ChatId, author: TelegramUserId) -> bool {
        let mut seen = self.seen();
        let now = Instant::now();
        seen.asking.retain(|_, until| *until > now);
        if seen.asking.contains_key(&(chat, author)) {
            return false;
        }
        seen.asking.insert((chat, author), now + ASKING);
        true
    }

    /// Notes that the question is under way for `longer`, and then for as long as an answer may take.
    pub(in crate::actors) fn still_asking(&self, chat: ChatId, author: TelegramUserId, longer: Duration) {
        self.seen().asking.insert((chat, author), Instant::now() + longer + ASKING);
    }

    /// Notes that the question is answered, so that older readings of the store do not ask it again.
    pub(in crate::actors) fn asked(&self, chat: ChatId, author: TelegramUserId) {
        self.seen().asking.insert((chat, author), Instant::now() + SETTLES_WITHIN);
    }

    /// Notes that Telegram said that somebody may not steer a chat.
    pub(in crate::actors) fn refuses(&self, chat: ChatId, author: TelegramUserId) {
        let mut seen = self.seen();
        if seen.refused.len() >= REMEMBERED {
            seen.refused.retain(|_, at| at.elapsed() < REFUSED_HOLDS);
        }
        if seen.refused.len() < REMEMBERED {
            seen.refused.insert((chat, author), Instant::now());
        }
    }

    pub(super) fn was_refused(&self, chat: ChatId, author: TelegramUserId) -> bool {
        self.seen().refused.get(&(chat, author)).is_some_and(|at| at.elapsed() < REFUSED_HOLDS)
    }

    pub(super) fn may_opt_in(&self, person: TelegramUserId) -> bool {
        self.tally(person, Asked::OptIn) <= OPT_INS
    }

    /// Counts a command of a person; returns whether it is to become an entry.
    pub(in crate::actors) fn may_command(&self, person: TelegramUserId) -> bool {
        self.tally(person, Asked::Command) <= COMMANDS
    }

    fn tally(&self, person: TelegramUserId, asked: Asked) -> u32 {
        let mut seen = self.seen();
        if seen.tally.len() >= REMEMBERED {
            seen.tally.retain(|_, (since, _)| since.elapsed() < TALLY);
        }
        let (since, times) = seen.tally.entry((person, asked)).or_insert((Instant::now(), 0));
        if since.elapsed() >= TALLY {
            (*since, *times) = (Instant::now(), 0);
        }
        *times += 1;
        *times
    }

    /// Returns whether a bot is to be told to leave a chat: once in a while.
    pub(in crate::actors) fn may_leave(&self, bot: BotId, telegram: TelegramChatId) -> bool {
        let mut seen = self.seen();
        seen.left.retain(|_, at| at.elapsed() < LEAVE_AGAIN);
        if seen.left.len() >= REMEMBERED || seen.left.contains_key(&(bot, telegram)) {
            return false;
        }
        seen.left.insert((bot, telegram), Instant::now());
        true
    }
}
