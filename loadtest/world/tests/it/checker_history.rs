//! Makes histories for the checker's tests: seeded, and clean until a fault is planted in them.

use botfleet_world::checker::outcome::{
    MessageState, Outcome, OutcomeLine, OutcomeMessage, OutcomeTurn, Source, TurnState,
};
use botfleet_world::checker::report::{Breaches, Report};
use botfleet_world::checker::{Policy, check_with};
use botfleet_world::ledger::{LedgerEvent, LedgerRecord, PollEnd, PostedKind, marker_of};
use botfleet_world::provider::calls::CallRecord;

pub(crate) const BOTS: [i64; 3] = [10, 11, 12];
pub(crate) const CHATS: [i64; 2] = [-1_000_000_000_001, -1_000_000_000_002];

/// The input of the checker.
#[derive(Clone, Default)]
pub(crate) struct History {
    pub(crate) ledger: Vec<LedgerRecord>,
    pub(crate) calls: Vec<CallRecord>,
    pub(crate) outcomes: Vec<OutcomeLine>,
}

/// Writes a history in which every bot answers every message of a person once.
struct Writer {
    rng: fastrand::Rng,
    history: History,
    next_message: i64,
    next_update: i64,
    next_number: [i64; CHATS.len()],
    next_poll: u64,
    next_send: u64,
}

impl Writer {
    fn record(&mut self, event: LedgerEvent) {
        let at_us = self.history.ledger.len() as u64 * 100;
        self.history.ledger.push(LedgerRecord { at_us, event });
    }

    fn message_id(&mut self) -> i64 {
        self.next_message += 1;
        self.next_message
    }

    fn exchange(&mut self) {
        let index = self.rng.usize(..CHATS.len());
        let chat = CHATS[index];
        let message_id = self.message_id();
        let marker = format!("#m{message_id}");
        self.record(LedgerEvent::Posted {
            chat,
            message_id,
            author: 1,
            author_is_bot: false,
            marker: Some(marker.clone()),
            kind: PostedKind::Post,
        });
        self.next_number[index] += 1;
        let number = self.next_number[index];
        let first = self.rng.usize(..BOTS.len());
        let mut turns = Vec::new();
        for bot in BOTS {
            let turn = self.answer(bot, chat, &marker);
            turns.push(turn);
        }
        for place in 0..BOTS.len() {
            let bot = BOTS[(first + place) % BOTS.len()];
            let update_id = self.receive(bot, chat, message_id);
            let appended = place == 0;
            self.history.outcomes.push(OutcomeLine {
                source: Source::Update,
                bot_id: Some(bot),
                update_id: Some(update_id),
                chat_id: Some(chat),
                message_id: Some(message_id),
                outcome: if appended { Outcome::Appended } else { Outcome::Duplicate },
                number: appended.then_some(number),
                decision: appended.then_some(number),
                turns: if appended { std::mem::take(&mut turns) } else { Vec::new() },
            });
        }
    }

    fn receive(&mut self, bot: i64, chat: i64, message_id: i64) -> i64 {
        self.next_update += 1;
        let update_id = self.next_update;
        self.record(LedgerEvent::UpdateQueued {
            bot,
            update_id,
            chat: Some(chat),
            message_id: Some(message_id),
            update_kind: "message".into(),
        });
        self.poll(bot, PollEnd::Answered);
        self.record(LedgerEvent::UpdatesConfirmed { bot, below: update_id + 1, update_ids: vec![update_id] });
        update_id
    }

    fn poll(&mut self, bot: i64, how: PollEnd) {
        self.next_poll += 1;
        let poll = self.next_poll;
        self.record(opened(bot, poll));
        self.record(LedgerEvent::PollClosed { bot, poll, delivered: Vec::new(), how });
    }

    fn answer(&mut self, bot: i64, chat: i64, marker: &str) -> OutcomeTurn {
        self.next_send += 1;
        let send = self.next_send;
        let text = format!("#c{send} fine {marker}");
        self.history.calls.push(CallRecord {
            call: send,
            at_us: 0,
            model: "m".into(),
            prompt_tokens: 1,
            cached_tokens: 0,
            completion_tokens: 1,
            text: text.clone(),
            streamed: false,
            marker: Some(marker.into()),
            answered: true,
            ended_us: Some(1),
            key: String::new(),
            fault: None,
        });
        let message_id = self.message_id();
        self.record(accepted(send, bot, chat, message_id, &text));
        self.history.outcomes.push(OutcomeLine {
            source: Source::Sent,
            bot_id: Some(bot),
            update_id: None,
            chat_id: Some(chat),
            message_id: Some(message_id),
            outcome: Outcome::Appended,
            number: None,
            decision: None,
            turns: Vec::new(),
        });
        OutcomeTurn {
            id: format!("t{send}"),
            bot_id: bot,
            state: TurnState::Done,
            messages: vec![OutcomeMessage {
                id: format!("o{send}"),
                part: 0,
                chat_id: chat,
                state: MessageState::Sent,
                message_id: Some(message_id),
            }],
        }
    }
}

pub(crate) fn opened(bot: i64, poll: u64) -> LedgerEvent {
    LedgerEvent::PollOpened { bot, poll, offset: 0, timeout_s: 50, connection: format!("c{poll}") }
}

pub(crate) fn accepted(send: u64, bot: i64, chat: i64, message_id: i64, text: &str) -> LedgerEvent {
    LedgerEvent::SendAccepted {
        send,
        bot,
        chat,
        message_id,
        text: text.into(),
        marker: marker_of(text).map(str::to_owned),
        reply_to: None,
        thread: None,
    }
}

pub(crate) fn clean(seed: u64) -> History {
    let mut writer = Writer {
        rng: fastrand::Rng::with_seed(seed),
        history: History::default(),
        next_message: 0,
        next_update: 100,
        next_number: [0; CHATS.len()],
        next_poll: 0,
        next_send: 0,
    };
    for _ in 0..writer.rng.usize(2..12) {
        writer.exchange();
    }
    writer.history
}

/// Returns the outcome of a tick that caused one message.
pub(crate) fn tick(bot: i64, chat: i64, message_id: i64) -> OutcomeLine {
    OutcomeLine {
        source: Source::Tick,
        bot_id: None,
        update_id: None,
        chat_id: Some(chat),
        message_id: None,
        outcome: Outcome::Appended,
        number: None,
        decision: None,
        turns: vec![OutcomeTurn {
            id: format!("tick{message_id}"),
            bot_id: bot,
            state: TurnState::Done,
            messages: vec![OutcomeMessage {
                id: format!("tick{message_id}"),
                part: 0,
                chat_id: chat,
                state: MessageState::Sent,
                message_id: Some(message_id),
            }],
        }],
    }
}

/// The seeds of the histories in which each fault is planted.
pub(crate) const SEEDS: std::ops::Range<u64> = 0..40;

pub(crate) fn look(history: &History) -> Report {
    check_with(Policy::Every, &history.ledger, &history.calls, &history.outcomes)
}

/// Plants a fault in clean histories, and asserts that the checker finds the wanted breaches and no others.
pub(crate) fn found(plant: impl Fn(&mut History, &mut fastrand::Rng), wanted: Breaches) {
    for seed in SEEDS {
        let mut history = clean(seed);
        plant(&mut history, &mut fastrand::Rng::with_seed(seed));
        let report = look(&history);
        assert_eq!(report.breaches, wanted, "seed {seed}: {:#?}", report.examples);
        assert_eq!(report.is_clean(), Breaches { unknown: 0, ..wanted } == Breaches::default());
        assert_eq!(report.examples.is_empty(), report.is_clean());
    }
}

/// Returns the index of a random line about an update that the predicate accepts.
pub(crate) fn any_line(history: &History, rng: &mut fastrand::Rng, takes: impl Fn(&OutcomeLine) -> bool) -> usize {
    let lines: Vec<usize> = (0..history.outcomes.len())
        .filter(|index| history.outcomes[*index].source == Source::Update)
        .filter(|index| takes(&history.outcomes[*index]))
        .collect();
    rng.choice(lines).unwrap()
}

pub(crate) fn any_send(history: &History, rng: &mut fastrand::Rng) -> (u64, i64, i64, i64, String) {
    let sends = history.ledger.iter().filter_map(|record| match &record.event {
        LedgerEvent::SendAccepted { send, bot, chat, message_id, text, .. } => {
            Some((*send, *bot, *chat, *message_id, text.clone()))
        }
        _ => None,
    });
    rng.choice(sends.collect::<Vec<_>>()).unwrap()
}

pub(crate) fn push(history: &mut History, event: LedgerEvent) {
    let at_us = history.ledger.last().map_or(0, |record| record.at_us + 1);
    history.ledger.push(LedgerRecord { at_us, event });
}

pub(crate) fn message_of(history: &mut History, message_id: i64) -> &mut OutcomeMessage {
    history
        .outcomes
        .iter_mut()
        .flat_map(|line| &mut line.turns)
        .flat_map(|turn| &mut turn.messages)
        .find(|message| message.message_id == Some(message_id))
        .unwrap()
}
