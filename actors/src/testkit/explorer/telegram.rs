//! Telegram as bots see it: updates until they are confirmed, open polls, messages that arrived. Part of the testkit.
//! The ledger is the explorer's oracle; this file judges nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::ids::{BotId, ChatId, MessageId, OutboxId};

/// An open poll.
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
    /// All updates ever, by id.
    pub(super) all: BTreeMap<i64, ChatId>,
    pub(super) polls: Vec<Poll>,
}

/// The effect of a new poll on the polls that were open.
pub(super) struct Opened {
    pub(super) id: u64,
    /// Polls that the new one replaces; they end with a conflict.
    pub(super) evicted: Vec<Poll>,
    /// True when updates wait, so that the poll is answered at once.
    pub(super) at_once: bool,
}

/// The simulated Telegram.
#[derive(Default)]
pub(super) struct Telegram {
    pub(super) feeds: BTreeMap<BotId, Feed>,
    /// The arrivals of each message.
    pub(super) sends: BTreeMap<OutboxId, Vec<(Duration, MessageId)>>,
    last_poll: u64,
    last_message: i64,
}

impl Telegram {
    /// Adds an update, as if somebody wrote in a chat. Returns the polls that can be answered.
    pub(super) fn update(&mut self, bot: BotId, chat: ChatId) -> Vec<Poll> {
        let feed = self.feeds.entry(bot).or_default();
        let id = feed.all.len() as i64 + 1;
        feed.updates.insert(id, chat);
        feed.all.insert(id, chat);
        feed.polls.clone()
    }

    /// Opens a poll; everything before `offset` is confirmed.
    pub(super) fn open(&mut self, bot: BotId, process: usize, offset: Option<i64>) -> Opened {
        self.last_poll += 1;
        let feed = self.feeds.entry(bot).or_default();
        if let Some(offset) = offset {
            feed.updates.retain(|id, _| *id >= offset);
        }
        let evicted = std::mem::replace(&mut feed.polls, vec![Poll { id: self.last_poll, process }]);
        Opened { id: self.last_poll, evicted, at_once: !feed.updates.is_empty() }
    }

    /// Answers a poll, if it is still open.
    pub(super) fn answer(&mut self, bot: BotId, poll: u64) -> Option<Vec<(i64, ChatId)>> {
        let feed = self.feeds.get_mut(&bot)?;
        let at = feed.polls.iter().position(|open| open.id == poll)?;
        feed.polls.remove(at);
        Some(feed.updates.iter().take(10).map(|(id, chat)| (*id, *chat)).collect())
    }

    /// Closes a process's polls without an answer: those of one bot, or all.
    pub(super) fn close(&mut self, process: usize, bot: Option<BotId>) {
        for (of, feed) in &mut self.feeds {
            if bot.is_none_or(|bot| bot == *of) {
                feed.polls.retain(|poll| poll.process != process);
            }
        }
    }

    /// Records a message that arrives.
    pub(super) fn send(&mut self, now: Duration, outbox: OutboxId) -> MessageId {
        self.last_message += 1;
        let message = MessageId(1_000_000 + self.last_message);
        self.sends.entry(outbox).or_default().push((now, message));
        message
    }

    /// Returns the open polls.
    pub(super) fn polling(&self) -> impl Iterator<Item = (BotId, Poll)> + '_ {
        self.feeds.iter().flat_map(|(bot, feed)| feed.polls.iter().map(|poll| (*bot, *poll)))
    }
}
