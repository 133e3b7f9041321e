//! Tells for each bot and chat whether the bot can speak now, later, or not, and why; the only place that knows. Layer
//! `actors`. Keeps I14.
//!
//! | what keeps a bot silent | reported by | until |
//! |---|---|---|
//! | no token, a sealed one, quarantine | the fleet | the bot starts |
//! | a refused token | the bot | Telegram accepts the token |
//! | a pause that Telegram asked for | the bot | it is over, or a person lifts it |
//! | a place that is closed to the bot | the bot, upon a refusal | a membership update, or an answer to a trial |
//! | any of these, for another node's bot | that node, by repeated hints | a hint says otherwise, or the hints stop |
//!
//! Stops are in [`People`](super::people::People), and the manifest's bots and chats in the directory. Directors check
//! all of this before they choose, turns and sends check it once more, and the store has the last word on a send.
//!
//! A closed place is tried now and then with "typing", which needs the right to write and changes nothing. The first
//! try comes after ten minutes, each further one after twice the time, up to a day. A message that is sent resets this.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::{BotId, ChatId, ThreadId};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::telegram::Shut;

/// Default time until a closed place is tried for the first time, and the longest time between tries.
pub const FIRST_TRY: Duration = Duration::from_mins(10);
const TRY_EVERY_MAX: Duration = Duration::from_hours(24);

/// How long another node's report about its bot counts; that node repeats the report every minute.
const HEARSAY: Duration = Duration::from_secs(150);

/// The forum topic of messages without a topic.
const GENERAL: ThreadId = ThreadId(1);

/// Tells whether a bot can speak in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// The bot can speak.
    Now,
    /// The bot can speak from then on.
    Later(Timestamp),
    /// The bot cannot speak, and nobody knows until when.
    Not(Silence),
}

impl Voice {
    /// Returns why the bot cannot speak before `deadline`; `None` when it can.
    pub fn silent_until(self, deadline: Timestamp) -> Option<Silence> {
        match self {
            Self::Now => None,
            Self::Later(until) => (until >= deadline).then_some(Silence::Paused(until)),
            Self::Not(why) => Some(why),
        }
    }
}

/// A place that is closed to a bot, or has been.
#[derive(Clone, Copy, Debug)]
struct Closed {
    tries: u32,
    next: Instant,
    shut: bool,
}

#[derive(Default)]
struct Silent {
    bots: HashMap<BotId, Silence>,
    pauses: HashMap<(BotId, Option<ChatId>), Timestamp>,
    places: HashMap<(BotId, ChatId, Option<ThreadId>), Closed>,
    elsewhere: HashMap<BotId, (Silence, Instant)>,
}

impl Silent {
    fn is_empty(&self) -> bool {
        self.bots.is_empty() && self.pauses.is_empty() && self.places.is_empty() && self.elsewhere.is_empty()
    }
}

/// The bots that cannot speak, as far as this node knows.
#[derive(Default)]
pub struct Voices {
    /// False only while nothing is recorded: then nothing is looked up.
    any: AtomicBool,
    /// Milliseconds until a closed place is tried for the first time; zero means [`FIRST_TRY`].
    first_try_ms: AtomicU64,
    silent: RwLock<Silent>,
}

impl Voices {
    fn read(&self) -> RwLockReadGuard<'_, Silent> {
        self.silent.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Silent> {
        self.silent.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Silent) -> T) -> T {
        let mut silent = self.write();
        let done = change(&mut silent);
        self.any.store(!silent.is_empty(), Ordering::Release);
        done
    }

    /// Sets the time after which a place that is closed to a bot is tried for the first time.
    pub fn try_first_after(&self, first: Duration) {
        self.first_try_ms.store(u64::try_from(first.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns the time after which a place that is closed to a bot is tried for the first time.
    pub fn first_try(&self) -> Duration {
        match self.first_try_ms.load(Ordering::Relaxed) {
            0 => FIRST_TRY,
            millis => Duration::from_millis(millis),
        }
    }

    /// Returns the time until the next try, after so many tries.
    fn wait(&self, tries: u32) -> Duration {
        self.first_try().saturating_mul(1 << tries.min(10)).min(TRY_EVERY_MAX)
    }

    /// Returns whether no bot is known to be silent.
    pub fn all_speak(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// Returns whether the bot can speak in the chat, as far as Telegram and the bot's own state tell.
    pub fn of(&self, bot: BotId, chat: ChatId, thread: Option<ThreadId>, now: Timestamp) -> Voice {
        if self.all_speak() {
            return Voice::Now;
        }
        let silent = self.read();
        let hearsay = || silent.elsewhere.get(&bot).filter(|(_, until)| *until > Instant::now()).map(|(why, _)| *why);
        if let Some(why) = silent.bots.get(&bot).copied().or_else(hearsay) {
            return match why {
                Silence::Paused(until) if until <= now => Voice::Now,
                Silence::Paused(until) => Voice::Later(until),
                why => Voice::Not(why),
            };
        }
        let shut = |thread| silent.places.get(&(bot, chat, thread)).is_some_and(|place| place.shut);
        if shut(None) {
            return Voice::Not(Silence::Absent);
        }
        if shut(Some(thread.unwrap_or(GENERAL))) {
            return Voice::Not(Silence::TopicShut);
        }
        let pause = [Some(chat), None].into_iter().filter_map(|place| silent.pauses.get(&(bot, place))).max();
        pause.filter(|until| **until > now).map_or(Voice::Now, |until| Voice::Later(*until))
    }

    /// Returns why the bot is silent everywhere.
    pub fn everywhere(&self, bot: BotId, now: Timestamp) -> Option<Silence> {
        let silent = self.read();
        let paused = silent.pauses.get(&(bot, None)).filter(|until| **until > now).map(|until| Silence::Paused(*until));
        silent.bots.get(&bot).copied().or(paused)
    }

    /// Returns all bots of this node that are silent everywhere.
    pub fn silent_bots(&self, now: Timestamp) -> Vec<(BotId, Silence)> {
        if self.all_speak() {
            return Vec::new();
        }
        let silent = self.read();
        let paused = silent.pauses.iter().filter(|((_, chat), until)| chat.is_none() && **until > now);
        let paused = paused.map(|((bot, _), until)| (*bot, Silence::Paused(*until)));
        let mut all: HashMap<BotId, Silence> = paused.collect();
        all.extend(silent.bots.iter().map(|(bot, why)| (*bot, *why)));
        all.into_iter().collect()
    }

    /// Sets why a bot of this node is silent everywhere, or that nothing keeps it silent; returns true if that is news.
    pub fn set(&self, bot: BotId, why: Option<Silence>) -> bool {
        if why.is_none() && self.all_speak() {
            return false;
        }
        self.change(|silent| {
            let heard = silent.elsewhere.remove(&bot).is_some();
            let before = match why {
                Some(why) => silent.bots.insert(bot, why),
                None => silent.bots.remove(&bot),
            };
            before != why || heard
        })
    }

    /// Records a pause that Telegram asked for; of two pauses for the same place, the longer one counts.
    pub fn paused(&self, bot: BotId, chat: Option<ChatId>, until: Timestamp, now: Timestamp) {
        self.change(|silent| {
            silent.pauses.retain(|_, end| *end > now);
            let end = silent.pauses.entry((bot, chat)).or_insert(until);
            *end = (*end).max(until);
        });
    }

    /// Ends the bot's pauses, since a person lifted them.
    pub fn resumed(&self, bot: BotId) {
        self.change(|silent| silent.pauses.retain(|(paused, _), _| *paused != bot));
    }

    /// Records that Telegram refused the bot's message there: the place is closed to the bot. A closed topic leaves the
    /// rest of the chat open. Returns true if that is news.
    pub fn shut(&self, bot: BotId, chat: ChatId, thread: Option<ThreadId>, place: Shut) -> bool {
        let thread = (place == Shut::Topic).then(|| thread.unwrap_or(GENERAL));
        self.change(|silent| {
            let first = Closed { tries: 0, next: Instant::now(), shut: false };
            let closed = silent.places.entry((bot, chat, thread)).or_insert(first);
            let news = !closed.shut;
            closed.shut = true;
            closed.next = Instant::now() + self.wait(closed.tries);
            closed.tries += 1;
            news
        })
    }

    /// Records that the bot seems able to write in the chat again. Only its next message proves it, so the time between
    /// tries stays long until then.
    pub fn opened(&self, bot: BotId, chat: ChatId) {
        if !self.all_speak() {
            self.change(|silent| {
                silent.places.iter_mut().filter(|((b, c, _), _)| (*b, *c) == (bot, chat)).for_each(|(_, place)| {
                    place.shut = false;
                });
            });
        }
    }

    /// Records that the bot sent a message there.
    pub fn spoke(&self, bot: BotId, chat: ChatId, thread: Option<ThreadId>) {
        if !self.all_speak() {
            self.change(|silent| {
                [None, Some(thread.unwrap_or(GENERAL))].map(|place| silent.places.remove(&(bot, chat, place)))
            });
        }
    }

    /// Returns whether it is time to try again whether the bot can write in the chat, and if so schedules the next try.
    /// A place that was not known to be closed does not become so, and waits like one that was closed just now.
    pub fn may_try(&self, bot: BotId, chat: ChatId) -> bool {
        self.change(|silent| {
            let first = Closed { tries: 1, next: Instant::now() + self.wait(0), shut: false };
            let place = silent.places.entry((bot, chat, None)).or_insert(first);
            let due = place.next <= Instant::now();
            if due {
                place.next = Instant::now() + self.wait(place.tries);
                place.tries += 1;
            }
            due
        })
    }

    /// Drops entries that are over. Closed topics that are due for a try count as open: the next message tells.
    pub fn tidy(&self, clock: Timestamp) {
        if !self.all_speak() {
            let now = Instant::now();
            self.change(|silent| {
                silent.pauses.retain(|_, until| *until > clock);
                silent.elsewhere.retain(|_, (_, until)| *until > now);
                for ((.., thread), place) in &mut silent.places {
                    place.shut &= thread.is_none() || place.next > now;
                }
            });
        }
    }

    /// Records why another node's bot is silent, as that node reports.
    pub fn heard(&self, bot: BotId, why: Option<Silence>) {
        if why.is_none() && self.all_speak() {
            return;
        }
        self.change(|silent| match why {
            Some(why) => drop(silent.elsewhere.insert(bot, (why, Instant::now() + HEARSAY))),
            None => drop(silent.elsewhere.remove(&bot)),
        });
    }

    /// Forgets a bot that lives elsewhere or nowhere from now on.
    pub fn forget(&self, bot: BotId) {
        if !self.all_speak() {
            self.change(|silent| {
                silent.bots.remove(&bot);
                silent.pauses.retain(|(paused, _), _| *paused != bot);
                silent.places.retain(|(shut, ..), _| *shut != bot);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::actors::node::voices::*;
    use crate::testkit::rows::at;

    const BOT: BotId = BotId(1);
    const CHAT: ChatId = ChatId(1);

    fn voice(voices: &Voices) -> Voice {
        voices.of(BOT, CHAT, None, at(10))
    }

    #[tokio::test(start_paused = true)]
    async fn a_shut_place_is_tried_after_ever_longer_times_until_something_is_said_there() {
        let voices = Voices::default();
        assert!(voices.shut(BOT, CHAT, None, Shut::Muted) && !voices.shut(BOT, CHAT, None, Shut::Muted));
        assert_eq!(voice(&voices), Voice::Not(Silence::Absent));
        assert_eq!(voices.of(BOT, ChatId(2), None, at(10)), Voice::Now);
        let mut waits = Vec::new();
        for _ in 0..10 {
            let since = Instant::now();
            while !voices.may_try(BOT, CHAT) {
                tokio::time::advance(Duration::from_mins(5)).await;
            }
            waits.push(since.elapsed());
        }
        assert!(waits.is_sorted() && waits[0] >= FIRST_TRY && waits[9] == TRY_EVERY_MAX, "{waits:?}");
        voices.opened(BOT, CHAT);
        assert_eq!(voice(&voices), Voice::Now);
        voices.spoke(BOT, CHAT, None);
        assert!(voices.all_speak());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_only_tried_is_not_shut() {
        let voices = Voices::default();
        assert!(!voices.may_try(BOT, CHAT), "not at once");
        assert_eq!(voice(&voices), Voice::Now);
        tokio::time::advance(FIRST_TRY).await;
        assert!(voices.may_try(BOT, CHAT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_shut_topic_leaves_the_rest_of_the_chat_open() {
        let (voices, topic) = (Voices::default(), Some(ThreadId(7)));
        voices.shut(BOT, CHAT, topic, Shut::Topic);
        assert_eq!(voice(&voices), Voice::Now);
        assert_eq!(voices.of(BOT, CHAT, topic, at(10)), Voice::Not(Silence::TopicShut));
        voices.shut(BOT, CHAT, None, Shut::Topic);
        assert_eq!(voice(&voices), Voice::Not(Silence::TopicShut), "the general topic is one as well");
        tokio::time::advance(FIRST_TRY).await;
        voices.tidy(at(10));
        assert_eq!((voices.of(BOT, CHAT, topic, at(10)), voice(&voices)), (Voice::Now, Voice::Now));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_later_and_what_another_node_said_counts_for_a_while() {
        let voices = Voices::default();
        voices.paused(BOT, None, at(60), at(0));
        assert_eq!((voice(&voices), voice(&voices).silent_until(at(70))), (Voice::Later(at(60)), None));
        assert_eq!(voice(&voices).silent_until(at(50)), Some(Silence::Paused(at(60))));
        voices.resumed(BOT);
        assert_eq!(voice(&voices), Voice::Now);
        voices.heard(BOT, Some(Silence::Refused));
        assert_eq!(voice(&voices), Voice::Not(Silence::Refused));
        tokio::time::advance(HEARSAY).await;
        assert_eq!(voice(&voices), Voice::Now);
        assert!(voices.set(BOT, Some(Silence::Quarantined)) && !voices.set(BOT, Some(Silence::Quarantined)));
        voices.forget(BOT);
        assert_eq!(voice(&voices), Voice::Now);
    }
}
