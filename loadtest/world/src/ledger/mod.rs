//! Keeps the ledger: an append-only record of everything that the simulated Telegram saw and did.
//!
//! Layer: below the world; knows no HTTP. Invariants: records are in the order of their times, times are microseconds
//! on one monotonic clock since the world's start, and no record is ever changed or removed. The ledger, not the
//! product's own logs, is the oracle of the tests.

pub mod doubt;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRecord {
    /// Microseconds since the world's start, monotonic.
    pub at_us: u64,
    /// The event.
    pub event: LedgerEvent,
}

/// The kind of thing that appeared in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostedKind {
    /// A new message.
    Post,
    /// A new text of an earlier message.
    Edit,
    /// A reaction to a message.
    Reaction,
    /// A service message (joins, topics, migration).
    Service,
}

/// How a `getUpdates` request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollEnd {
    /// Answered with `ok: true`, perhaps without updates.
    Answered,
    /// Refused with 409.
    Conflict,
    /// The client closed its connection before the answer.
    ClientGone,
    /// Refused with another error.
    Error,
}

/// An event that the simulated Telegram records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields repeat the Bot API's names; the variants are explained")]
pub enum LedgerEvent {
    /// Something appeared in a chat, seen by every person in it.
    Posted {
        chat: i64,
        message_id: i64,
        author: i64,
        author_is_bot: bool,
        marker: Option<String>,
        #[serde(rename = "posted")]
        kind: PostedKind,
    },
    /// An update entered a bot's queue.
    UpdateQueued { bot: i64, update_id: i64, chat: Option<i64>, message_id: Option<i64>, update_kind: String },
    /// A `getUpdates` request was read in full.
    PollOpened { bot: i64, poll: u64, offset: i64, timeout_s: u32, connection: String },
    /// Updates were deleted because an offset confirmed them, or (`below` 0) because a webhook accepted them.
    UpdatesConfirmed { bot: i64, below: i64, update_ids: Vec<i64> },
    /// Updates were deleted unconfirmed: they were a day old, or `drop_pending_updates` dropped them.
    UpdatesDropped { bot: i64, update_ids: Vec<i64> },
    /// A `getUpdates` request ended.
    PollClosed { bot: i64, poll: u64, delivered: Vec<i64>, how: PollEnd },
    /// A request that would post a message was read in full.
    SendReceived { send: u64, bot: i64, chat: i64, method: String, text_hash: u64, marker: Option<String> },
    /// The message was posted in the chat.
    SendAccepted {
        send: u64,
        bot: i64,
        chat: i64,
        message_id: i64,
        text: String,
        marker: Option<String>,
        reply_to: Option<i64>,
        thread: Option<i64>,
    },
    /// The message was refused.
    SendRefused { send: u64, bot: i64, chat: i64, error_code: u16, description: String },
    /// The answer was handed to the connection.
    SendAnswered { send: u64 },
    /// The connection ended before the answer, by its client or by a fault.
    SendAbandoned { send: u64 },
    /// A fault struck a call, or (method `webhook`) the delivery of an update; `send` is set when the call would post a
    /// message.
    FaultInjected {
        bot: i64,
        method: String,
        #[serde(rename = "fault")]
        kind: String,
        send: Option<u64>,
    },
    /// A call came during a penalty that its caller knew of: the call is refused and the penalty doubled.
    LimitViolated {
        bot: i64,
        chat: Option<i64>,
        method: String,
        send: Option<u64>,
        /// When the refusal that asked for the pause was answered.
        told_at_us: u64,
        /// How much longer the pause would have lasted, in milliseconds.
        left_ms: u64,
    },
    /// An update was sent to a webhook; `status` is that of the answer, or 0 without one.
    WebhookAttempt { bot: i64, update_id: i64, attempt: u32, status: u16 },
    /// A basic group became a supergroup.
    ChatMigrated { from: i64, to: i64 },
    /// A chat or a topic was closed or deleted. Bots may not write there, except administrators of a closed chat.
    Shut { chat: i64, thread: Option<i64>, why: String },
    /// The chat or topic was opened again.
    Opened { chat: i64, thread: Option<i64> },
    /// A bot left a chat by itself.
    Left { bot: i64, chat: i64 },
    /// Another call ended: `status` is that of the answer, or 0 when it was reset without effect.
    OtherCall { bot: i64, method: String, status: u16 },
}

/// The append-only record of events; shared by reference and locked for one access at a time.
#[derive(Debug)]
pub struct Ledger {
    started: Instant,
    records: Mutex<Vec<LedgerRecord>>,
    /// Notified after every record.
    grown: Notify,
}

impl Ledger {
    /// Opens an empty ledger whose clock starts now.
    pub fn new() -> Self {
        Self { started: Instant::now(), records: Mutex::new(Vec::new()), grown: Notify::new() }
    }

    /// Returns the microseconds since the world's start.
    pub fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// Appends an event with the present time.
    pub fn record(&self, event: LedgerEvent) {
        let mut records = self.lock();
        let at_us = self.now_us();
        records.push(LedgerRecord { at_us, event });
        drop(records);
        self.grown.notify_waiters();
    }

    /// Waits until `count` records match; returns whether they did before the deadline.
    pub async fn wait_for(&self, count: usize, deadline: Duration, matches: impl Fn(&LedgerEvent) -> bool) -> bool {
        let until = tokio::time::Instant::now() + deadline;
        let (mut looked_at, mut found) = (0, 0);
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            grown.as_mut().enable();
            {
                let records = self.lock();
                let new = records.get(looked_at..).unwrap_or_default();
                found += new.iter().filter(|record| matches(&record.event)).count();
                looked_at = records.len();
            }
            if found >= count {
                return true;
            }
            if tokio::time::timeout_at(until, grown).await.is_err() {
                return false;
            }
        }
    }

    /// Copies the whole ledger.
    pub fn snapshot(&self) -> Vec<LedgerRecord> {
        self.lock().clone()
    }

    /// Copies the records from index `from` on, that is, those added since the ledger had `from` records.
    pub fn since(&self, from: usize) -> Vec<LedgerRecord> {
        self.lock().get(from..).unwrap_or_default().to_vec()
    }

    /// Returns the number of records.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns whether the ledger has no records.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Counts the sends received before `at_us` that were not answered or abandoned at least `grace` before it: those
    /// that a crash at `at_us` may leave in doubt.
    pub fn sends_in_flight_at(&self, at_us: u64, grace: Duration) -> usize {
        doubt::in_flight_at(&self.lock(), at_us, grace).len()
    }

    /// Writes the ledger as NDJSON, one record a line.
    ///
    /// # Errors
    /// The errors of the writer.
    pub fn write_ndjson(&self, out: &mut impl io::Write) -> io::Result<()> {
        for record in self.snapshot() {
            serde_json::to_writer(&mut *out, &record)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LedgerRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

/// Finds the last `#m<digits>` of a text, with its `#m`.
pub fn marker_of(text: &str) -> Option<&str> {
    text.rmatch_indices("#m").find_map(|(at, tag)| {
        let digits = text[at + tag.len()..].bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then(|| &text[at..at + tag.len() + digits])
    })
}

/// Hashes a text to 64 bits (FNV-1a), equal in every run and on every machine.
pub fn hash_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn received(send: u64) -> LedgerEvent {
        LedgerEvent::SendReceived { send, bot: 1, chat: -1, method: "sendmessage".into(), text_hash: 0, marker: None }
    }

    #[test]
    fn the_last_marker_with_digits_counts() {
        assert_eq!(marker_of("#m1 and #m23 and #mx"), Some("#m23"));
        assert_eq!(marker_of("çok #m7, ş"), Some("#m7"));
        assert_eq!(marker_of("#member"), None);
    }

    #[test]
    fn a_send_is_in_flight_until_its_answer_is_older_than_the_grace() {
        let ledger = Ledger::new();
        ledger.record(received(1));
        ledger.record(received(2));
        ledger.record(LedgerEvent::SendAnswered { send: 1 });
        let answered_at = ledger.snapshot()[2].at_us;
        assert_eq!(ledger.sends_in_flight_at(answered_at + 1, Duration::ZERO), 1);
        let grace = Duration::from_micros(answered_at + 10);
        assert_eq!(ledger.sends_in_flight_at(answered_at + 1, grace), 2);
    }

    #[test]
    fn every_record_survives_a_trip_through_ndjson() {
        let ledger = Ledger::new();
        ledger.record(received(9));
        ledger.record(LedgerEvent::Posted {
            chat: -1,
            message_id: 2,
            author: 3,
            author_is_bot: false,
            marker: None,
            kind: PostedKind::Service,
        });
        let mut out = Vec::new();
        ledger.write_ndjson(&mut out).unwrap();
        let lines = String::from_utf8(out).unwrap();
        let read: Vec<LedgerRecord> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, ledger.snapshot());
    }
}
