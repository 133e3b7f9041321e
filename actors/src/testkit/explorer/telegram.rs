//! Telegram as it sees bots: updates until they are confirmed, polls that are open, messages that arrived. Part of the
//! testkit. Its ledger is the oracle of the explorer. Keeps nothing itself: it only tells.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::ids::{BotId, ChatId, MessageId, OutboxId};

/// A poll that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    pub(super) id: u64,
    pub(super) process: usize,
}

/// One bot's queue.
#[derive(Default)]
pub(super) struct Feed {
    /// Updates that are not confirmed, by id.
    pub(super) updates: BTreeMap<i64, ChatId>,
    /// All that ever were.
    pub(super) all: BTreeMap<i64, ChatId>,
    pub(super) polls: Vec<Poll>,
}

/// What one bot's open did to the polls that were open.
pub(super) struct Opened {
    pub(super) id: u64,
    /// Others' polls, which end with a conflict.
    pub(super) evicted: Vec<Poll>,
    /// Something is there to be answered at once.
    pub(super) at_once: bool,
}

/// Telegram.
#[derive(Default)]
pub(super) struct Telegram {
    pub(super) feeds: BTreeMap<BotId, Feed>,
    /// How often each message arrived.
    pub(super) sends: BTreeMap<OutboxId, Vec<(Duration, MessageId)>>,
    last_poll: u64,
    last_message: i64,
}

impl Telegram {
    /// Somebody writes in a chat; gives the polls that can be answered now.
    pub(super) fn update(&mut self, bot: BotId, chat: ChatId) -> Vec<Poll> {
        let feed = self.feeds.entry(bot).or_default();
        let id = feed.all.len() as i64 + 1;
        feed.updates.insert(id, chat);
        feed.all.insert(id, chat);
        feed.polls.clone()
    }

    /// A poll begins; everything before `offset` is confirmed.
    pub(super) fn open(&mut self, bot: BotId, process: usize, offset: Option<i64>) -> Opened {
        self.last_poll += 1;
        let feed = self.feeds.entry(bot).or_default();
        if let Some(offset) = offset {
            feed.updates.retain(|id, _| *id >= offset);
        }
        let evicted = std::mem::replace(&mut feed.polls, vec![Poll { id: self.last_poll, process }]);
        Opened { id: self.last_poll, evicted, at_once: !feed.updates.is_empty() }
    }

    /// A poll is answered, if it is still open.
    pub(super) fn answer(&mut self, bot: BotId, poll: u64) -> Option<Vec<(i64, ChatId)>> {
        let feed = self.feeds.get_mut(&bot)?;
        let at = feed.polls.iter().position(|open| open.id == poll)?;
        feed.polls.remove(at);
        Some(feed.updates.iter().take(10).map(|(id, chat)| (*id, *chat)).collect())
    }

    /// A process's polls end without an answer: of one bot, or all.
    pub(super) fn close(&mut self, process: usize, bot: Option<BotId>) {
        for (of, feed) in &mut self.feeds {
            if bot.is_none_or(|bot| bot == *of) {
                feed.polls.retain(|poll| poll.process != process);
            }
        }
    }

    /// A message arrives.
    pub(super) fn send(&mut self, now: Duration, outbox: OutboxId) -> MessageId {
        self.last_message += 1;
        let message = MessageId(1_000_000 + self.last_message);
        self.sends.entry(outbox).or_default().push((now, message));
        message
    }

    /// Who polls now.
    pub(super) fn polling(&self) -> impl Iterator<Item = (BotId, Poll)> + '_ {
        self.feeds.iter().flat_map(|(bot, feed)| feed.polls.iter().map(|poll| (*bot, *poll)))
    }
}
