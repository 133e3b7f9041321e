//! One reader of the stream: first what it missed, from the store; then the ring. Layer `runtime`. Keeps I9.
//!
//! A reader holds its cursor and at most some hundred frames that it shares with all others, and no task. It reads when it is
//! polled, so whoever does not read costs nothing; a reader that the ring has left behind is told so, and ends.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use botfleet_actors::domain::ids::{ChatId, DecisionNumber, Number};
use botfleet_actors::domain::ownership::LeaseKey;
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::cursor::{Cursor, Place};
use super::frame::{Frame, Sent, Source};
use super::history::{blocks, page};
use super::hub::{EventHub, Wanted, place_of};
use super::views::{ResetReason, StreamDropped, StreamReset, StreamStart};
use crate::runtime::cluster_view::Names;
use crate::runtime::fleet::RunningFleet;

/// Most numbers of a chat, or blocks, that a reader gets which was away; for more it is reset.
const MISSED_MAX: i64 = 2_000;

/// Number of the newest entries, and decisions, that a reader gets after a reset.
const NEWEST: i64 = 50;

/// Most frames that a reader takes from the ring at once.
const TAKEN_MAX: usize = 64;

/// The part of the stream that a reader may see.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "four permissions that have nothing to do with one another")]
pub struct Sees {
    /// History and state of these chats.
    pub chats: Vec<ChatId>,
    /// There are more chats than a stream tells, so it tells none.
    pub too_many: bool,
    /// Live events and the state of the fleet.
    pub fleet: bool,
    /// Blocks of the audit.
    pub audit: bool,
    /// Words of messages.
    pub words: bool,
}

/// A reader.
pub struct Reader {
    fleet: Arc<RunningFleet>,
    wanted: Wanted,
    words: bool,
    cursor: Cursor,
    /// Chats whose history the reader still gets from the store, up to these places.
    missed: BTreeMap<ChatId, Place>,
    /// The block up to which the reader still gets the audit from the store.
    missed_block: Option<i64>,
    ready: VecDeque<Arc<Frame>>,
    /// Number of the next frame of the ring.
    next: u64,
    ends: watch::Receiver<u64>,
    over: bool,
    _room: OwnedSemaphorePermit,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.fleet.events.leave(&self.wanted);
        metrics::stream_readers.handle().decrement(1.0);
    }
}

impl EventHub {
    /// Takes room for a reader; `None` when all is taken.
    pub fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }
}

impl Reader {
    /// Opens the stream for a reader that has everything up to `cursor`, or that begins now.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn open(
        fleet: Arc<RunningFleet>,
        room: OwnedSemaphorePermit,
        sees: Sees,
        cursor: Option<Cursor>,
    ) -> Result<Self, StoreError> {
        let stored = fleet.node.store.chat_ends(&sees.chats).await?;
        let ends: HashMap<ChatId, Place> = stored.iter().map(|end| (end.chat, place_of(end))).collect();
        let block = if sees.audit { fleet.audit.head().await?.number } else { 0 };
        let wanted = Wanted { chats: sees.chats, audit: sees.audit, fleet: sees.fleet };
        let joined = fleet.events.join(&wanted, &ends, block);
        let receiver = fleet.events.ends();
        metrics::stream_readers.handle().increment(1.0);
        // From here on, dropping the reader lets it go.
        let mut reader = Self {
            fleet,
            words: sees.words,
            cursor: Cursor::default(),
            missed: BTreeMap::new(),
            missed_block: None,
            ready: VecDeque::new(),
            next: joined.next,
            ends: receiver,
            over: false,
            _room: room,
            wanted,
        };
        let names = Names::of_directory(&reader.fleet.node.directory);
        let name_of = |chat: &ChatId| names.of(LeaseKey::Chat(*chat));
        let start = StreamStart {
            node: reader.fleet.node.name.clone(),
            chats: reader.wanted.chats.iter().map(name_of).collect(),
        };
        reader.tell("start", &start);
        if sees.too_many {
            reader.tell("reset", &StreamReset { chat: None, why: ResetReason::Chats, entry: None });
        }
        let before = cursor.unwrap_or_default();
        for chat in reader.wanted.chats.clone() {
            let ring = joined.places.get(&chat).copied().unwrap_or_default();
            let end = ends.get(&chat).copied().unwrap_or_default();
            let (place, reset) = begins_at(before.chats.get(&chat).copied(), end, ring);
            if let Some(why) = reset {
                let chat = Some(name_of(&chat));
                reader.tell("reset", &StreamReset { chat, why, entry: Some(place.entry) });
            }
            reader.cursor.chats.insert(chat, place);
            if !ring.is_within(place) {
                reader.missed.insert(chat, ring);
            }
        }
        if let Some(ring) = joined.block {
            let known = before.audit.filter(|known| (0..=MISSED_MAX).contains(&(block - known)));
            if before.audit.is_some() && known.is_none() {
                reader.tell("reset", &StreamReset { chat: None, why: ResetReason::Audit, entry: None });
            }
            let begin = known.unwrap_or(ring);
            reader.cursor.audit = Some(begin);
            reader.missed_block = (begin < ring).then_some(ring);
        }
        reader.ready.extend(joined.state);
        Ok(reader)
    }

    fn tell(&mut self, name: &'static str, data: &impl serde::Serialize) {
        self.ready.extend(Frame::plain(name, Source::Stream, data).map(Arc::new));
    }

    /// Returns the chats that the reader watches.
    pub fn chats(&self) -> &[ChatId] {
        &self.wanted.chats
    }

    /// Waits for the next frame; `None` when the stream is over.
    pub async fn next(&mut self) -> Option<Sent> {
        loop {
            if self.fleet.events.is_closed() {
                return None;
            }
            while let Some(frame) = self.ready.pop_front() {
                if let Some(sent) = self.passed(frame) {
                    return Some(sent);
                }
            }
            if self.over {
                return None;
            }
            if !self.missed.is_empty() || self.missed_block.is_some() {
                if let Err(error) = self.catch_up().await {
                    tracing::debug!(%error, "a stream of events ends: the store does not answer");
                    return None;
                }
                continue;
            }
            // What comes from here on wakes the wait below.
            self.ends.borrow_and_update();
            match self.fleet.events.since(self.next, TAKEN_MAX) {
                Ok(frames) if frames.is_empty() => {
                    if self.ends.changed().await.is_err() {
                        return None;
                    }
                }
                Ok(frames) => {
                    self.next += frames.len() as u64;
                    self.ready.extend(frames);
                }
                Err(behind) => {
                    self.over = true;
                    metrics::stream_readers_dropped_total.increment(1);
                    self.tell("dropped", &StreamDropped { behind });
                }
            }
        }
    }

    /// Moves the cursor past a frame; `None` when the reader has it already, or may not see it.
    fn passed(&mut self, frame: Arc<Frame>) -> Option<Sent> {
        let id = match frame.source {
            // Two nodes may have told entries and decisions in another order, so each kind is compared by itself.
            Source::Entry(chat, number) => {
                let place = self.cursor.chats.get_mut(&chat).filter(|place| place.entry < number)?;
                place.entry = number;
                Some(self.cursor.to_string())
            }
            Source::Decision(chat, number) => {
                let place = self.cursor.chats.get_mut(&chat).filter(|place| place.decision < number)?;
                place.decision = number;
                Some(self.cursor.to_string())
            }
            Source::Audit(block) => {
                let last = self.cursor.audit.as_mut().filter(|last| **last < block)?;
                *last = block;
                Some(self.cursor.to_string())
            }
            Source::ChatState(chat) => {
                self.cursor.chats.get(&chat)?;
                None
            }
            Source::Fleet if !self.wanted.fleet => return None,
            Source::Fleet => None,
            // Also a reader that has got nothing yet has a cursor to come back with.
            Source::Stream => Some(self.cursor.to_string()),
        };
        Some(Sent { frame, words: self.words, id })
    }

    /// Reads some of what the reader missed.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let node = Arc::clone(&self.fleet.node);
        if let Some((chat, upto)) = self.missed.first_key_value().map(|(chat, upto)| (*chat, *upto)) {
            let from = self.cursor.chats.get(&chat).copied().unwrap_or_default();
            let names = Names::of_directory(&node.directory);
            let read = page(&*node.store, &names, chat, from, upto).await?;
            let discretion = self.fleet.discretion().await?;
            let kept_back = |frame: &&Arc<Frame>| frame.words().is_some_and(|words| discretion.withholds(words));
            read.frames.iter().filter(kept_back).for_each(|frame| frame.withhold());
            let is_last = read.place == from || upto.is_within(read.place);
            if is_last {
                self.missed.remove(&chat);
            }
            if read.frames.is_empty()
                && let Some(place) = self.cursor.chats.get_mut(&chat)
            {
                // Rows that age has taken leave a gap.
                let to = if is_last { upto } else { read.place };
                *place = Place { entry: place.entry.max(to.entry), decision: place.decision.max(to.decision) };
            }
            self.ready.extend(read.frames);
        } else if let (Some(upto), Some(from)) = (self.missed_block, self.cursor.audit) {
            let (frames, last) = blocks(&self.fleet.audit, from, upto).await?;
            if last >= upto || frames.is_empty() {
                self.missed_block = None;
            }
            self.ready.extend(frames);
        } else {
            self.missed_block = None;
        }
        Ok(())
    }
}

/// Returns the place at which a reader of a chat begins, and why it is reset, if it is. `known` is the place up to which it
/// has everything, `end` is that of the chat's history, and the ring has everything after `ring`.
fn begins_at(known: Option<Place>, end: Place, ring: Place) -> (Place, Option<ResetReason>) {
    let Some(known) = known else { return (ring, None) };
    let reset = if !known.is_within(end) {
        ResetReason::Ahead
    } else if known.distance(end) > MISSED_MAX {
        ResetReason::Old
    } else {
        return (known, None);
    };
    let newest = Place {
        entry: Number(end.entry.0.saturating_sub(NEWEST).max(0)),
        decision: DecisionNumber(end.decision.0.saturating_sub(NEWEST).max(0)),
    };
    (newest, Some(reset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(entry: i64, decision: i64) -> Place {
        Place { entry: Number(entry), decision: DecisionNumber(decision) }
    }

    #[test]
    fn a_reader_begins_where_it_ended_unless_that_is_too_far_back_or_never_was() {
        let (end, ring) = (place(3_000, 2_000), place(2_990, 1_995));
        assert_eq!(begins_at(None, end, ring), (ring, None));
        assert_eq!(begins_at(Some(place(2_000, 1_500)), end, ring), (place(2_000, 1_500), None));
        assert_eq!(begins_at(Some(end), end, ring), (end, None));
        let newest = place(2_950, 1_950);
        assert_eq!(begins_at(Some(place(1_000, 2_000)), end, ring), (place(1_000, 2_000), None), "2,000 numbers");
        assert_eq!(begins_at(Some(place(999, 2_000)), end, ring), (newest, Some(ResetReason::Old)));
        assert_eq!(begins_at(Some(place(3_001, 0)), end, ring), (newest, Some(ResetReason::Ahead)));
        assert_eq!(begins_at(Some(place(9, 9)), place(5, 5), ring).0, place(0, 0));
    }
}
