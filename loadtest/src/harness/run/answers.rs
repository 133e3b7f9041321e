//! Finds the answers that were due to people's messages, and counts their latency without coordinated omission.
//! Layer: harness; pure.
//!
//! Latency runs from the instant at which a message was scheduled until Telegram has read the answer's send in full.
//! An answer that was due and did not come until the end counts as at least the time waited: who counted only what was
//! answered would praise a product that stops.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use botfleet_world::checker::outcome::{MessageState, Outcome, OutcomeLine, Source, TurnState};
use botfleet_world::ledger::{LedgerEvent, LedgerRecord, PostedKind};

use crate::harness::measure::{Spread, Window, marker_number, number_after};

/// A message of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The instant at which the message was scheduled, on the ledger's clock.
    pub due_us: u64,
    /// The chat.
    pub chat: i64,
    /// The message's id in the chat.
    pub message_id: i64,
}

/// An answer that is due to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The index of the message.
    pub arrival: usize,
    /// The bot that owes the answer; `None` if nobody knows yet which.
    pub bot: Option<i64>,
    /// The send that answered; `None` if no answer came.
    pub send: Option<Sent>,
}

/// A send that Telegram accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// When the send was read in full, on the ledger's clock.
    pub received_us: u64,
    /// When the answer was handed to the connection; `None` if the connection had ended.
    pub answered_us: Option<u64>,
    /// The chat.
    pub chat: i64,
    /// The message's id in the chat.
    pub message_id: i64,
    /// The number of the LLM call that made the text, which the text names.
    pub call: Option<u64>,
}

/// The answers due, and the messages that want none.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// The answers due.
    pub answers: Vec<Answer>,
    /// Messages that no bot meant to answer.
    pub silent: u64,
    /// Answers that the product gave up on purpose.
    pub kept_back: u64,
    /// Answers that failed or came too late to be sent.
    pub failed: u64,
}

/// Returns the messages of people with their scheduled instants, in the order of their markers.
pub fn arrivals(ledger: &[LedgerRecord], due_us: &[u64]) -> Vec<Arrival> {
    let mut posted = HashMap::new();
    for record in ledger {
        if let LedgerEvent::Posted { chat, message_id, author_is_bot: false, marker: Some(marker), kind, .. } =
            &record.event
            && *kind == PostedKind::Post
            && let Some(number) = marker_number(marker)
        {
            posted.insert(number, (*chat, *message_id));
        }
    }
    let arrival = |(number, due_us): (u64, &u64)| {
        let (chat, message_id) = posted.get(&number).copied().unwrap_or((0, 0));
        Arrival { due_us: *due_us, chat, message_id }
    };
    (1..).zip(due_us).map(arrival).collect()
}

/// Accounts for a fleet in which each bot of a chat answers each message, by the ledger alone.
pub fn of_all_bots(ledger: &[LedgerRecord], arrivals: &[Arrival], bots: &BTreeMap<i64, Vec<i64>>) -> Account {
    let mut first: HashMap<(usize, i64), Sent> = HashMap::new();
    for (send, bot, marker) in sends(ledger) {
        let index = marker.and_then(|number| usize::try_from(number.checked_sub(1)?).ok());
        if let Some(index) = index.filter(|index| *index < arrivals.len()) {
            first.entry((index, bot)).or_insert(send);
        }
    }
    let answer = |(index, arrival): (usize, &Arrival)| {
        let due = bots.get(&arrival.chat).cloned().unwrap_or_default();
        due.into_iter().map(move |bot| (index, bot)).collect::<Vec<_>>()
    };
    let due = arrivals.iter().enumerate().flat_map(answer);
    let answers =
        due.map(|key @ (arrival, bot)| Answer { arrival, bot: Some(bot), send: first.get(&key).copied() }).collect();
    Account { answers, ..Account::default() }
}

/// Accounts for a fleet whose bots decide whether they answer, by the turns in the product's account. A message that
/// the product has not decided about owes one answer.
pub fn of_turns(ledger: &[LedgerRecord], arrivals: &[Arrival], outcomes: &[OutcomeLine]) -> Account {
    let by_message: HashMap<(i64, i64), Sent> =
        sends(ledger).into_iter().map(|(send, _, _)| ((send.chat, send.message_id), send)).collect();
    let mut lines: HashMap<(i64, i64), Vec<&OutcomeLine>> = HashMap::new();
    for line in outcomes.iter().filter(|line| line.source == Source::Update) {
        if let (Some(chat), Some(message_id)) = (line.chat_id, line.message_id) {
            lines.entry((chat, message_id)).or_default().push(line);
        }
    }
    let mut account = Account::default();
    for (index, arrival) in arrivals.iter().enumerate() {
        let lines = lines.get(&(arrival.chat, arrival.message_id)).map_or(&[][..], Vec::as_slice);
        let decided = lines.iter().any(|line| !matches!(line.outcome, Outcome::Pending | Outcome::Duplicate));
        if !decided {
            account.answers.push(Answer { arrival: index, bot: None, send: None });
            continue;
        }
        let mut speaks = false;
        for turn in lines.iter().flat_map(|line| &line.turns) {
            speaks = true;
            let message = turn.messages.iter().find(|message| message.part == 0);
            let send = message.and_then(|message| by_message.get(&(message.chat_id, message.message_id?)).copied());
            let is_cancelled = message.is_some_and(|message| message.state == MessageState::Cancelled);
            match turn.state {
                TurnState::Dropped => account.kept_back += 1,
                // A reaction is a turn without a message.
                TurnState::Done if message.is_none() => {}
                TurnState::Done if is_cancelled => account.kept_back += 1,
                state => {
                    account.failed +=
                        u64::from(matches!(state, TurnState::Expired | TurnState::Dead | TurnState::Failed));
                    account.answers.push(Answer { arrival: index, bot: Some(turn.bot_id), send });
                }
            }
        }
        account.silent += u64::from(!speaks);
    }
    account
}

/// Returns the accepted sends in order, with their bots and the numbers in their markers.
fn sends(ledger: &[LedgerRecord]) -> Vec<(Sent, i64, Option<u64>)> {
    let (mut received, mut answered) = (HashMap::new(), HashMap::new());
    for record in ledger {
        match &record.event {
            LedgerEvent::SendReceived { send, .. } => drop(received.insert(*send, record.at_us)),
            LedgerEvent::SendAnswered { send } => drop(answered.insert(*send, record.at_us)),
            _ => {}
        }
    }
    let accepted = ledger.iter().filter_map(|record| {
        let LedgerEvent::SendAccepted { send, bot, chat, message_id, text, marker, .. } = &record.event else {
            return None;
        };
        let made = Sent {
            received_us: received.get(send).copied().unwrap_or(record.at_us),
            answered_us: answered.get(send).copied(),
            chat: *chat,
            message_id: *message_id,
            call: number_after(text, "#c"),
        };
        Some((made, *bot, marker.as_deref().and_then(marker_number)))
    });
    accepted.collect()
}

/// The latencies of a window.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    /// Messages due in the window.
    pub messages: u64,
    /// Answers sent in the window.
    pub replies: u64,
    /// Answers due to messages of the window that had not come at the end.
    pub unanswered: u64,
    /// From the scheduled instant to the answer, or to the end.
    pub latency: Spread,
    /// From the scheduled instant of a message to the last answer due to it, or to the end.
    pub last_answer: Spread,
    /// Scheduled instant and latency of each answer, in microseconds.
    pub points: Vec<(u64, u64)>,
}

/// Returns how long an answer took or, without one, how long it was waited for until the end.
fn waited_us(arrival: &Arrival, answer: &Answer, end_us: u64) -> u64 {
    answer.send.map_or(end_us, |send| send.received_us).saturating_sub(arrival.due_us)
}

/// Counts the latencies of the messages that were due in a window; the run ended at `end_us`.
pub fn latencies(arrivals: &[Arrival], account: &Account, window: Window, end_us: u64) -> Latencies {
    let mut found = Latencies {
        messages: arrivals.iter().filter(|arrival| window.holds(arrival.due_us)).count() as u64,
        ..Latencies::default()
    };
    let mut last: HashMap<usize, u64> = HashMap::new();
    let mut counted = HashSet::new();
    for answer in &account.answers {
        let Some(arrival) = arrivals.get(answer.arrival) else { continue };
        found.replies += u64::from(answer.send.is_some_and(|send| window.holds(send.received_us)));
        if !window.holds(arrival.due_us) || !counted.insert((answer.arrival, answer.bot)) {
            continue;
        }
        found.unanswered += u64::from(answer.send.is_none());
        let took = waited_us(arrival, answer, end_us);
        found.latency.add(Duration::from_micros(took));
        found.points.push((arrival.due_us, took));
        let latest = last.entry(answer.arrival).or_default();
        *latest = (*latest).max(took);
    }
    for took in last.into_values() {
        found.last_answer.add(Duration::from_micros(took));
    }
    found
}

/// Counts the latency without the LLM's time and without intended pauses, for the answers that came.
///
/// `thought` returns the LLM's time behind an answer, and `paused_us` the pauses that the product meant to make; an
/// answer of which either is unknown is left out.
pub fn overheads(
    arrivals: &[Arrival],
    account: &Account,
    window: Window,
    thought: impl Fn(&Answer) -> Option<Duration>,
    paused_us: impl Fn(&Sent) -> Option<u64>,
) -> Spread {
    let mut spread = Spread::default();
    for answer in &account.answers {
        let (Some(arrival), Some(send)) = (arrivals.get(answer.arrival), answer.send) else { continue };
        if let (true, Some(llm), Some(paused)) = (window.holds(arrival.due_us), thought(answer), paused_us(&send)) {
            let took = Duration::from_micros(send.received_us.saturating_sub(arrival.due_us));
            spread.add(took.saturating_sub(llm).saturating_sub(Duration::from_micros(paused)));
        }
    }
    spread
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    fn answered(arrival: usize, at_us: Option<u64>) -> Answer {
        let send = at_us.map(|received_us| Sent {
            received_us,
            answered_us: None,
            chat: -1,
            message_id: received_us as i64,
            call: Some(1),
        });
        Answer { arrival, bot: Some(1), send }
    }

    #[test]
    fn an_answer_that_never_came_counts_as_the_time_waited() {
        let arrival = |due_us| Arrival { due_us, chat: -1, message_id: 1 };
        let arrivals = [arrival(0), arrival(100_000), arrival(200_000)];
        let account = Account {
            answers: vec![answered(0, Some(10_000)), answered(1, Some(110_000)), answered(2, None)],
            ..Account::default()
        };
        let window = Window { from_us: 0, to_us: 1_000_000 };
        let found = latencies(&arrivals, &account, window, 5_200_000);
        assert_eq!((found.messages, found.replies, found.unanswered), (3, 2, 1));
        assert_eq!((found.latency.count(), found.latency.longest_ms().round()), (3, 5001.0));
        assert_eq!(found.latency.within_ms(0.5).round(), 10.0);
    }

    #[test]
    fn overhead_leaves_out_model_and_pauses() {
        let arrivals = [Arrival { due_us: 0, chat: -1, message_id: 1 }];
        let account = Account { answers: vec![answered(0, Some(90_000))], ..Account::default() };
        let window = Window { from_us: 0, to_us: 1 };
        let spread = overheads(&arrivals, &account, window, |_| Some(Duration::from_millis(30)), |_| Some(50_000));
        assert_eq!(spread.longest_ms().round(), 10.0);
    }
}
