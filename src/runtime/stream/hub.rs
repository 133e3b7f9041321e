//! The ring of this node, the chats that are watched, and who comes and goes. Layer `runtime`. Keeps I9.
//!
//! Between the keeper and the readers stands one rule: the ring holds every number of a watched chat after the place that a
//! reader is told when it comes, once and in order. What lies before that place the reader reads from the store itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use botfleet_actors::domain::ids::{ChatId, Number};
use botfleet_actors::domain::watching::ChatEnd;
use tokio::sync::{Notify, Semaphore, watch};

use super::cursor::Place;
use super::discretion::Discretion;
use super::frame::Frame;
use super::ring::Ring;

/// Most readers of this node at a time.
pub const READERS_MAX: usize = 10_000;

/// The events of this node's readers.
pub struct EventHub {
    inner: Mutex<Inner>,
    /// The number that the next frame of the ring gets.
    end: watch::Sender<u64>,
    closed: AtomicBool,
    /// Wakes the keeper.
    pub(super) look: Notify,
    /// Room for readers.
    pub(super) room: Arc<Semaphore>,
}

#[derive(Default)]
struct Inner {
    ring: Ring,
    chats: HashMap<ChatId, WatchedChat>,
    audit: Option<WatchedAudit>,
    /// Readers of the state of the fleet.
    fleet: usize,
    /// The last frame of each state: of the fleet by name, of a chat by its id.
    state: BTreeMap<StateKey, Arc<Frame>>,
}

/// Names a state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StateKey {
    /// A state of the fleet or the node.
    Fleet(&'static str),
    /// The bots at work in a chat.
    Typing(ChatId),
}

struct WatchedChat {
    readers: usize,
    /// The ring goes up to here.
    place: Place,
}

struct WatchedAudit {
    readers: usize,
    block: i64,
}

/// The history and state that a reader wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) chats: Vec<ChatId>,
    pub(super) audit: bool,
    pub(super) fleet: bool,
}

/// The position of a reader that has just come.
pub(super) struct Joined {
    /// The ring has everything of each chat after this place.
    pub(super) places: HashMap<ChatId, Place>,
    /// The ring has all blocks after this one.
    pub(super) block: Option<i64>,
    /// The state at present.
    pub(super) state: Vec<Arc<Frame>>,
    /// The number of the first frame that comes after that.
    pub(super) next: u64,
}

impl Default for EventHub {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            end: watch::Sender::new(0),
            closed: AtomicBool::new(false),
            look: Notify::new(),
            room: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }
}

impl EventHub {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all streams, since the process ends.
    pub(in crate::runtime) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.end.send_modify(|_| {});
    }

    /// Wakes the keeper: something may be withheld from now on.
    pub(in crate::runtime) fn look_now(&self) {
        self.look.notify_one();
    }

    /// Returns whether the streams end.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Returns the number that the next frame gets, whenever it changes.
    pub(super) fn ends(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// Lets a reader in. `ends` are the ends of its chats' histories, and `block` is the last block, all read before.
    pub(super) fn join(&self, wanted: &Wanted, ends: &HashMap<ChatId, Place>, block: i64) -> Joined {
        let mut inner = self.inner();
        let mut places = HashMap::new();
        for chat in &wanted.chats {
            let place = ends.get(chat).copied().unwrap_or_default();
            let watched = inner.chats.entry(*chat).or_insert(WatchedChat { readers: 0, place });
            watched.readers += 1;
            places.insert(*chat, watched.place);
        }
        let block = wanted.audit.then(|| {
            let watched = inner.audit.get_or_insert(WatchedAudit { readers: 0, block });
            watched.readers += 1;
            watched.block
        });
        inner.fleet += usize::from(wanted.fleet);
        let seen = |(key, _): &(&StateKey, &Arc<Frame>)| match key {
            StateKey::Fleet(_) => wanted.fleet,
            StateKey::Typing(chat) => wanted.chats.contains(chat),
        };
        let state = inner.state.iter().filter(seen).map(|(_, frame)| Arc::clone(frame)).collect();
        let next = inner.ring.end();
        drop(inner);
        self.look.notify_one();
        Joined { places, block, state, next }
    }

    /// Lets a reader go.
    pub(super) fn leave(&self, wanted: &Wanted) {
        let mut inner = self.inner();
        for chat in &wanted.chats {
            let left = inner.chats.get_mut(chat).map(|watched| {
                watched.readers -= 1;
                watched.readers
            });
            if left == Some(0) {
                inner.chats.remove(chat);
                inner.state.remove(&StateKey::Typing(*chat));
            }
        }
        if wanted.audit
            && let Some(audit) = &mut inner.audit
        {
            audit.readers -= 1;
            if audit.readers == 0 {
                inner.audit = None;
            }
        }
        inner.fleet -= usize::from(wanted.fleet);
        if inner.fleet == 0 {
            // What nobody reads is not kept up to date.
            inner.state.retain(|key, _| matches!(key, StateKey::Typing(_)));
        }
    }

    /// Returns the watched chats with the places that the ring goes up to.
    pub(super) fn watched(&self) -> HashMap<ChatId, Place> {
        self.inner().chats.iter().map(|(chat, watched)| (*chat, watched.place)).collect()
    }

    /// Returns the last block in the ring, if somebody reads blocks.
    pub(super) fn watched_block(&self) -> Option<i64> {
        self.inner().audit.as_ref().map(|watched| watched.block)
    }

    /// Returns whether somebody reads the state of the fleet.
    pub(super) fn reads_fleet(&self) -> bool {
        self.inner().fleet > 0
    }

    /// Wakes the keeper if it has not read a chat up to this entry.
    pub(in crate::runtime) fn hint(&self, chat: ChatId, number: Number) {
        let behind = self.inner().chats.get(&chat).is_some_and(|watched| watched.place.entry <= number);
        if behind {
            self.look.notify_one();
        }
    }

    /// Adds the frames of a chat after `from`, up to `place`. Does nothing when the chat's place is another by now, since its
    /// last reader went and another one came.
    pub(super) fn grow(&self, chat: ChatId, from: Place, place: Place, frames: Vec<Arc<Frame>>) -> bool {
        let mut inner = self.inner();
        let Some(watched) = inner.chats.get_mut(&chat).filter(|watched| watched.place == from) else { return false };
        watched.place = place;
        self.push(inner, frames);
        true
    }

    /// Adds blocks of the audit after `from`, up to `block`.
    pub(super) fn seal(&self, from: i64, block: i64, frames: Vec<Arc<Frame>>) {
        let mut inner = self.inner();
        let Some(watched) = inner.audit.as_mut().filter(|watched| watched.block == from) else { return };
        watched.block = block;
        self.push(inner, frames);
    }

    /// Takes over a state, which readers hear of if it is another than before.
    pub(super) fn set(&self, key: StateKey, frame: Frame) {
        let mut inner = self.inner();
        let wanted = match &key {
            StateKey::Fleet(_) => inner.fleet > 0,
            StateKey::Typing(chat) => inner.chats.contains_key(chat),
        };
        let same = |known: &Arc<Frame>| known.shown(false) == frame.shown(false);
        if !wanted || inner.state.get(&key).is_some_and(same) {
            return;
        }
        let frame = Arc::new(frame);
        inner.state.insert(key, Arc::clone(&frame));
        self.push(inner, vec![frame]);
    }

    /// Returns whether a state is known.
    pub(super) fn knows(&self, key: &StateKey) -> bool {
        self.inner().state.contains_key(key)
    }

    /// Adds a live event.
    pub(in crate::runtime) fn pass_on(&self, frame: Frame) {
        let inner = self.inner();
        self.push(inner, vec![Arc::new(frame)]);
    }

    fn push(&self, mut inner: MutexGuard<'_, Inner>, frames: Vec<Arc<Frame>>) {
        if frames.is_empty() {
            return;
        }
        for frame in frames {
            inner.ring.push(frame);
        }
        let end = inner.ring.end();
        drop(inner);
        self.end.send_replace(end);
    }

    /// Returns at most `most` frames from a number on.
    ///
    /// # Errors
    /// The number of frames between, when some are gone already.
    pub(super) fn since(&self, number: u64, most: usize) -> Result<Vec<Arc<Frame>>, u64> {
        self.inner().ring.since(number, most)
    }

    /// Keeps back all words in the ring that may not be told any more.
    pub(super) fn withhold(&self, discretion: &Discretion) {
        let inner = self.inner();
        let kept_back = |frame: &&Arc<Frame>| frame.words().is_some_and(|words| discretion.withholds(words));
        inner.ring.frames().filter(kept_back).for_each(|frame| frame.withhold());
    }
}

/// Returns the place of a chat's end.
pub(super) fn place_of(end: &ChatEnd) -> Place {
    Place { entry: end.number, decision: end.decision }
}
