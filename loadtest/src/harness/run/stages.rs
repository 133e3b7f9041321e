//! Takes the way of a message apart: delivery, inbox, decision, LLM, guards, outbox, send. Layer: harness; pure.
//!
//! The instants come from three places: the ledger of the simulated world, the records of the simulated LLM, and the
//! rows that the product stores anyway. The product stores whole milliseconds, so a stage between two of its instants
//! is exact to 1 ms; a stage that seems to end before it began counts as zero.

use std::collections::HashMap;
use std::time::Duration;

use botfleet_world::ledger::{LedgerEvent, LedgerRecord};
use botfleet_world::provider::calls::CallRecord;
use serde::{Deserialize, Serialize};

use super::answers::{Account, Arrival, Sent};
use super::summary::Summary;
use super::thought::Thoughts;
use crate::harness::measure::{Spread, Window};

/// The instants that the product stored about one answer, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredWay {
    /// The Telegram id of the bot whose update was taken up, and the update's id.
    pub update: (i64, i64),
    /// The update was read.
    pub received_ms: i64,
    /// The decision to answer was made.
    pub decided_ms: i64,
    /// The turn may begin: the decision, and the time that the bot seems to read.
    pub turn_due_ms: i64,
    /// The turn was made.
    pub turn_made_ms: i64,
    /// The message was put into the outbox.
    pub outbox_ms: i64,
    /// The message may be sent: the outbox, and the time that the bot seems to type.
    pub send_due_ms: i64,
}

impl StoredWay {
    /// Returns the pauses that the product meant to make, in microseconds.
    pub fn paused_us(&self) -> u64 {
        let pause = |from: i64, to: i64| u64::try_from(to - from).unwrap_or(0) * 1000;
        pause(self.turn_made_ms, self.turn_due_ms) + pause(self.outbox_ms, self.send_due_ms)
    }
}

/// The stored ways by chat and message id of the answer.
pub type Ways = HashMap<(i64, i64), StoredWay>;

/// One stage of the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The name.
    pub name: String,
    /// The beginning and the end of the stage.
    pub says: String,
    /// True if the product makes the pause on purpose.
    pub intended: bool,
    /// The durations; `None` if the stage was not measured.
    pub took: Option<Summary>,
}

/// Name, meaning, intended.
const STAGES: [(&str, &str, bool); 10] = [
    ("delivery", "scheduled instant until the update is in the answer to a poll", false),
    ("inbox", "answer to the poll until the update is read and stamped", false),
    ("decision", "update read until the chat's owner has decided (commit of the intake, the director)", false),
    ("reading", "intended: the bot takes time to read", true),
    ("LLM queue", "turn due until the LLM has the call (commits of decision and claim, prompt, provider queue)", false),
    ("LLM", "the call at the LLM, or all calls for a text that was made anew", false),
    ("guards", "end of the LLM's answer until the message is in the outbox or the text is asked for anew", false),
    ("typing", "intended: the bot takes time to type", true),
    ("outbox and limiter", "message due until Telegram has read the send (commit of the outbox, the limiter)", false),
    ("Telegram", "send read until its answer is handed over", false),
];

/// The clocks of a run: how far the product's clock is ahead of the ledger's and of the LLM's.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    /// Microseconds since 1970 at the ledger's zero.
    pub ledger_zero_us: i64,
    /// Microseconds since 1970 at the LLM's zero.
    pub llm_zero_us: i64,
}

/// Measures each stage over the answers to messages of a window; `ways` is `None` when the product's store could not be
/// read, and the stages that need it are then not measured.
pub fn measure(
    ledger: &[LedgerRecord],
    calls: &[CallRecord],
    (arrivals, account, thoughts): (&[Arrival], &Account, &Thoughts),
    ways: Option<&Ways>,
    clocks: Clocks,
    window: Window,
) -> Vec<Stage> {
    let delivered = delivered(ledger);
    let mut spreads: [Spread; STAGES.len()] = std::array::from_fn(|_| Spread::default());
    for answer in &account.answers {
        let (Some(arrival), Some(send)) = (arrivals.get(answer.arrival), answer.send) else { continue };
        if !window.holds(arrival.due_us) {
            continue;
        }
        let behind = thoughts.behind(answer);
        let behind: Vec<&CallRecord> = behind.into_iter().filter_map(|number| call_of(calls, number)).collect();
        let way = ways.and_then(|ways| ways.get(&(send.chat, send.message_id)));
        for (spread, took) in spreads.iter_mut().zip(times(arrival, &send, way, &behind, &delivered, clocks)) {
            if let Some(took) = took {
                spread.add(Duration::from_micros(u64::try_from(took).unwrap_or(0)));
            }
        }
    }
    let mut stages: Vec<Stage> = STAGES
        .iter()
        .zip(&spreads)
        .map(|((name, says, intended), spread)| Stage {
            name: (*name).to_owned(),
            says: (*says).to_owned(),
            intended: *intended,
            took: (spread.count() > 0).then(|| Summary::of(spread)),
        })
        .collect();
    let unknown =
        |name: &str, says: &str| Stage { name: name.to_owned(), says: says.to_owned(), intended: false, took: None };
    let limiter = "part of the stage before: the product stores no instant at which a limiter let a send go";
    stages.insert(STAGES.len() - 1, unknown("limiter alone", limiter));
    stages.push(unknown("settle", "Telegram's answer until its commit: the product stores no instant of it"));
    stages
}

/// Returns the record of a call; numbers count from that of the first record.
fn call_of(calls: &[CallRecord], number: u64) -> Option<&CallRecord> {
    let first = calls.first()?.call;
    calls.get(usize::try_from(number.checked_sub(first)?).ok()?).filter(|call| call.call == number)
}

/// Returns when each update was first in the answer to a poll, by bot and update.
fn delivered(ledger: &[LedgerRecord]) -> HashMap<(i64, i64), u64> {
    let mut found = HashMap::new();
    for record in ledger {
        if let LedgerEvent::PollClosed { bot, delivered, .. } = &record.event {
            for update in delivered {
                found.entry((*bot, *update)).or_insert(record.at_us);
            }
        }
    }
    found
}

/// Returns the length of each stage in microseconds.
fn times(
    arrival: &Arrival,
    send: &Sent,
    way: Option<&StoredWay>,
    calls: &[&CallRecord],
    delivered: &HashMap<(i64, i64), u64>,
    clocks: Clocks,
) -> [Option<i64>; STAGES.len()] {
    let of_ledger = |us: u64| us as i64 + clocks.ledger_zero_us;
    let of_llm = |us: u64| us as i64 + clocks.llm_zero_us;
    // The stored millisecond is cut off: in the mean its instant is half a millisecond later.
    let stored = |column: fn(&StoredWay) -> i64| way.map(|way| column(way) * 1000 + 500);
    let between = |from: Option<i64>, to: Option<i64>| Some((to? - from?).max(0));
    let scheduled = Some(of_ledger(arrival.due_us));
    let polled = way.and_then(|way| delivered.get(&way.update)).map(|us| of_ledger(*us));
    let received = stored(|way| way.received_ms);
    let turn_due = stored(|way| way.turn_due_ms);
    let asked = calls.first().map(|call| of_llm(call.at_us));
    let ended = calls.last().and_then(|call| call.ended_us).map(of_llm);
    let took = |call: &&CallRecord| Some(call.ended_us?.saturating_sub(call.at_us) as i64);
    let thought = calls.iter().map(took).sum::<Option<i64>>().filter(|_| !calls.is_empty());
    // What lies between two calls for one text is the guards' work too.
    let between_calls = thought.and_then(|thought| Some((ended? - asked? - thought).max(0)));
    let outbox = stored(|way| way.outbox_ms);
    let read = Some(of_ledger(send.received_us));
    [
        between(scheduled, polled),
        between(polled, received),
        between(received, stored(|way| way.decided_ms)),
        between(stored(|way| way.turn_made_ms), turn_due),
        between(turn_due, asked),
        thought,
        between(ended, outbox).and_then(|end| Some(end + between_calls?)),
        between(outbox, stored(|way| way.send_due_ms)),
        between(stored(|way| way.send_due_ms), read),
        between(read, send.answered_us.map(of_ledger)),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::harness::run::answers::Answer;
    use botfleet_world::ledger::PollEnd;

    fn run(ways: Option<&Ways>) -> Vec<Stage> {
        let poll = LedgerEvent::PollClosed { bot: 7, poll: 1, delivered: vec![3], how: PollEnd::Answered };
        let ledger = [LedgerRecord { at_us: 2_000, event: poll }];
        let send = Sent { received_us: 60_000, answered_us: Some(61_000), chat: -1, message_id: 9, call: Some(1) };
        let answers = vec![Answer { arrival: 0, bot: Some(7), send: Some(send) }];
        let account = Account { answers, ..Account::default() };
        let arrivals = [Arrival { due_us: 1_000, chat: -1, message_id: 8 }];
        let clocks = Clocks { ledger_zero_us: 1_000_000, llm_zero_us: 1_000_000 };
        let window = Window { from_us: 0, to_us: 9_000 };
        measure(&ledger, &[], (&arrivals, &account, &Thoughts::default()), ways, clocks, window)
    }

    #[test]
    fn stages_add_up_from_the_ledger_and_the_stored_rows() {
        let way = StoredWay {
            update: (7, 3),
            received_ms: 1_003,
            decided_ms: 1_005,
            turn_made_ms: 1_005,
            turn_due_ms: 1_015,
            outbox_ms: 1_030,
            send_due_ms: 1_050,
        };
        assert_eq!(way.paused_us(), 30_000);
        let stages = run(Some(&Ways::from([((-1, 9), way)])));
        let p50 = |name: &str| stages.iter().find(|stage| stage.name == name).unwrap().took.as_ref().map(|s| s.p50_ms);
        let about = |name: &str, ms: f64| assert!((p50(name).unwrap() - ms).abs() < 0.02, "{name}: {:?}", p50(name));
        about("delivery", 1.0);
        about("inbox", 1.5);
        about("decision", 2.0);
        about("reading", 10.0);
        about("typing", 20.0);
        about("outbox and limiter", 9.5);
        about("Telegram", 1.0);
        assert_eq!(p50("LLM"), None, "the call is unknown");
    }

    #[test]
    fn a_stage_that_needs_the_store_is_not_made_up_without_it() {
        let stages = run(None);
        let measured: Vec<&str> = stages.iter().filter(|s| s.took.is_some()).map(|s| s.name.as_str()).collect();
        assert_eq!(measured, ["Telegram"]);
    }
}
