//! Tests the outbox alone: a store and a Telegram of a few lines answer as a run of choices says, and hold it to I4.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::outbox::messages::OutboxMsg;
use crate::actors::bot::stay::{Stay, Work};
use crate::actors::bot::surroundings::{Step, Surroundings};
use crate::actors::bot::tests::{BOT, Site, paused_clock};
use crate::actors::node::committer::{CommitError, CommitResult};
use crate::actors::node::voices::Voice;
use crate::domain::commit::operations::{Operation, Settle};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::commit::start::{SendRules, Start};
use crate::domain::ids::{AttemptId, ChatId, MessageId, OutboxId, TelegramChatId, TurnId};
use crate::domain::outbox::{OnUnknown, OutboxMessage, OutboxState, SendProgress, SendResult};
use crate::domain::pause::Pause;
use crate::domain::silence::Silence;
use crate::ports::telegram::TelegramError;

/// A message in the store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Row {
    Waiting,
    Sending(AttemptId),
    Sent,
    Unknown,
    Ended,
}

/// A store and a Telegram; what they answer is a run of choices, and good answers once the run is over.
struct World {
    site: Site,
    outbox: Outbox,
    rows: BTreeMap<OutboxId, Row>,
    messages: BTreeMap<OutboxId, OutboxMessage>,
    /// The messages that will reach the outbox, each with its time.
    coming: Vec<(Instant, OutboxMsg)>,
    choices: std::vec::IntoIter<u8>,
    /// Attempts that Telegram saw.
    seen: Vec<AttemptId>,
    /// Messages that Telegram has, and those that it may have.
    accepted: BTreeSet<OutboxId>,
    doubtful: BTreeSet<OutboxId>,
    paused: BTreeMap<ChatId, Instant>,
    /// True when the store does not say that it took the next end of an attempt.
    next_end_in_doubt: bool,
    /// True when the store does not say that it took the next begin of an attempt.
    next_begin_in_doubt: bool,
}

impl World {
    fn new(choices: Vec<u8>) -> Self {
        let site = Site::new(|_| {});
        let outbox = Outbox::new(&site.settings);
        Self {
            site,
            outbox,
            rows: BTreeMap::new(),
            messages: BTreeMap::new(),
            coming: Vec::new(),
            choices: choices.into_iter(),
            seen: Vec::new(),
            accepted: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            paused: BTreeMap::new(),
            next_end_in_doubt: false,
            next_begin_in_doubt: false,
        }
    }

    fn choose(&mut self, of: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % of)
    }

    fn step(&mut self, act: impl FnOnce(&mut Outbox, &mut Step<'_>)) {
        let mut effects = Vec::new();
        act(&mut self.outbox, &mut Step { site: &self.site, effects: &mut effects });
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn comes(&mut self, message: OutboxMsg) {
        let wait = Duration::from_millis(u64::from(self.choose(200)));
        self.coming.push((Instant::now() + wait, message));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Commit(operation, then) => {
                let result = self.commit(operation);
                match then {
                    Then::Begun(outbox, attempt) => self.comes(OutboxMsg::Begun(outbox, attempt, result)),
                    Then::Settled(outbox) => self.comes(OutboxMsg::Settled(outbox, result)),
                    _ => {}
                }
            }
            Effect::After(wait, BotMsg::Outbox(message)) => self.coming.push((Instant::now() + wait, message)),
            Effect::Send(outbox, attempt, _) => {
                let answer = self.send(outbox, attempt);
                self.comes(OutboxMsg::Answered(outbox, attempt, Instant::now(), answer));
            }
            Effect::LookAgain(outbox, _, pending) => self.comes(OutboxMsg::LookedAgain(outbox, pending, None)),
            _ => {}
        }
    }

    /// Commits, refuses, or does not answer: then the operation may be committed all the same.
    fn commit(&mut self, operation: Operation) -> CommitResult {
        let in_doubt = matches!(operation, Operation::Settle(_)) && std::mem::take(&mut self.next_end_in_doubt);
        let in_doubt =
            in_doubt || matches!(operation, Operation::Begin(_)) && std::mem::take(&mut self.next_begin_in_doubt);
        let weather = if in_doubt { 2 } else { self.choose(10) };
        if weather == 1 {
            return Err(CommitError::Unavailable("gone".to_owned()));
        }
        let result = self.judge(operation);
        if weather == 2 { Err(CommitError::Unavailable("answer lost".to_owned())) } else { result }
    }

    fn judge(&mut self, operation: Operation) -> CommitResult {
        let conflict = || Err(CommitError::Refused(Refusal::Conflict("another state".to_owned())));
        match operation {
            Operation::Begin(begin) => {
                if self.rows[&begin.outbox] != Row::Waiting {
                    return conflict();
                }
                let now = self.site.now();
                let (row, verdict) = match self.choose(10) {
                    8 => (Row::Waiting, Verdict::Wait(now + Duration::from_secs(2))),
                    9 => (Row::Ended, Verdict::Cancelled("stopped".to_owned())),
                    _ => (Row::Sending(begin.start.attempt), Verdict::Send),
                };
                self.rows.insert(begin.outbox, row);
                Ok(Applied::Begun(verdict))
            }
            Operation::Settle(Settle { outbox, attempt, result, .. }) => {
                if self.rows[&outbox] != Row::Sending(attempt) {
                    return conflict();
                }
                let row = match result {
                    SendResult::Sent(_) => Row::Sent,
                    SendResult::Rejected(_) => Row::Ended,
                    SendResult::RetryAt(..) => Row::Waiting,
                    SendResult::Unknown(_) => Row::Unknown,
                };
                self.rows.insert(outbox, row);
                Ok(Applied::Done)
            }
            Operation::Cancel(cancel) => {
                if self.rows[&cancel.outbox] != Row::Waiting {
                    return conflict();
                }
                self.rows.insert(cancel.outbox, Row::Ended);
                Ok(Applied::Done)
            }
            _ => Ok(Applied::Done),
        }
    }

    /// Answers a send, and checks that it may be.
    fn send(&mut self, outbox: OutboxId, attempt: AttemptId) -> Result<MessageId, TelegramError> {
        let message = self.messages[&outbox].clone();
        assert_eq!(self.rows[&outbox], Row::Sending(attempt), "{outbox} goes out without a stored intent");
        assert!(!self.seen.contains(&attempt), "one attempt is sent twice");
        assert!(self.paused.get(&message.chat).is_none_or(|until| *until <= Instant::now()), "a pause is ignored");
        assert!(!self.site.stay.get().holds_sends(), "a send begins although sends are held");
        for before in self.messages.values().filter(|one| one.turn == message.turn && one.part < message.part) {
            assert_eq!(self.rows[&before.id], Row::Sent, "part {} overtakes part {}", message.part, before.part);
        }
        assert!(!self.accepted.contains(&outbox) && !self.doubtful.contains(&outbox), "{outbox} is posted twice");
        self.seen.push(attempt);
        match self.choose(12) {
            7 => {
                let retry_after = Duration::from_secs(3);
                // The pause binds once the answer has reached the bot: what is under way by then is no breach.
                Err(TelegramError::RateLimited { retry_after })
            }
            8 => Err(TelegramError::Unreachable("refused".to_owned())),
            9 => {
                self.doubtful.insert(outbox);
                Err(TelegramError::Unknown("reset".to_owned()))
            }
            10 => Err(TelegramError::Rejected { code: 400, description: "bad".to_owned() }),
            11 => Err(TelegramError::Unauthorized("401".to_owned())),
            _ => {
                self.accepted.insert(outbox);
                Ok(MessageId(self.site.id()))
            }
        }
    }

    fn turn(&mut self, turn: i64, parts: u32, begun: bool) {
        let now = self.site.now();
        let messages: Vec<OutboxMessage> = (0..parts)
            .map(|part| OutboxMessage {
                id: OutboxId(self.site.id()),
                turn: TurnId(turn),
                part,
                parts,
                bot: BOT,
                chat: ChatId(turn % 2 + 1),
                telegram_chat: TelegramChatId(-2001),
                thread: None,
                reply_to: None,
                text: format!("{turn}.{part}"),
                marks: Vec::new(),
                answers_bot: None,
                chain_depth: 0,
                root: None,
                expires_at: now + Duration::from_mins(20),
                created_at: now,
                on_unknown: OnUnknown::Report,
                by_operator: false,
                progress: SendProgress::queued(now),
            })
            .collect();
        let attempt = (begun && self.outbox.permit_now(&messages)).then(|| self.site.attempt_id());
        for message in &messages {
            self.rows.insert(message.id, Row::Waiting);
            self.messages.insert(message.id, message.clone());
        }
        self.outbox.prepare(&messages, attempt);
        if let Some(attempt) = attempt {
            self.rows.insert(messages[0].id, Row::Sending(attempt));
        }
        let rules = SendRules::default();
        let start = attempt.map(|attempt| Start { attempt, rules, now });
        let verdict = attempt.map(|_| Verdict::Send);
        self.step(|outbox, step| outbox.on_said(TurnId(turn), verdict, start, step));
    }

    /// Hands over what comes next; returns false when nothing comes any more.
    async fn next(&mut self) -> bool {
        let Some(first) = (0..self.coming.len()).min_by_key(|place| self.coming[*place].0) else {
            return false;
        };
        let (due, message) = self.coming.remove(first);
        tokio::time::sleep_until(due).await;
        if let OutboxMsg::Answered(outbox, _, _, Err(TelegramError::RateLimited { retry_after })) = &message {
            let chat = self.messages[outbox].chat;
            self.paused.insert(chat, Instant::now() + *retry_after);
        }
        self.step(|outbox, step| outbox.handle(message, step));
        true
    }

    /// Queues what waits in the store and nobody works on, as the bot does now and then.
    fn reconcile(&mut self) {
        let stored: Vec<OutboxMessage> = self.messages.values().map(|message| self.stored(message)).collect();
        for message in &stored {
            let waits = self.rows[&message.id] == Row::Waiting && !self.outbox.knows(message.id);
            let parts: Vec<OutboxMessage> = stored.iter().filter(|one| one.turn == message.turn).cloned().collect();
            if waits && message.part > 0 && !self.outbox.knows_turn(message.turn) {
                self.step(|outbox, step| outbox.resume_part(message.clone(), &parts, step));
            } else if waits {
                self.step(|outbox, step| outbox.queue(message.clone(), step));
            }
        }
    }

    /// Returns a message as the store has it.
    fn stored(&self, message: &OutboxMessage) -> OutboxMessage {
        let mut message = message.clone();
        message.progress.state = match self.rows[&message.id] {
            Row::Waiting => OutboxState::RetryAt,
            Row::Sending(_) => OutboxState::Sending,
            Row::Sent => OutboxState::Sent,
            Row::Unknown => OutboxState::Unknown,
            Row::Ended => OutboxState::Cancelled,
        };
        message
    }

    async fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            if !self.next().await {
                return;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever store and Telegram answer: no send without its stored intent, none twice, none out of order, none in a
    /// pause; and once both answer well, every message comes to an end.
    #[test]
    fn i4_a_send_has_a_stored_intent_and_every_message_ends(choices in prop::collection::vec(any::<u8>(), 0..300)) {
        paused_clock().block_on(async {
            let mut world = World::new(choices);
            for (turn, parts) in [(1, 3), (2, 1), (3, 2), (4, 1)] {
                let begun = world.choose(2) == 1;
                world.turn(turn, parts, begun);
                world.run(3).await;
            }
            for _ in 0..8 {
                world.run(500).await;
                world.reconcile();
            }
            assert!(world.coming.is_empty(), "it never comes to rest");
            assert_eq!((world.outbox.waiting(), world.outbox.in_flight()), (0, 0));
            for (outbox, row) in &world.rows {
                assert!(matches!(row, Row::Sent | Row::Unknown | Row::Ended), "{outbox} is left {row:?}");
                assert_eq!(*row == Row::Sent, world.accepted.contains(outbox), "{outbox} is {row:?}");
            }
        });
    }

    /// Once sends are held, none begins; what is being sent is settled, and the rest waits in the store.
    #[test]
    fn i8_held_sends_stay_in_the_store(choices in prop::collection::vec(any::<u8>(), 0..120), after in 0usize..30) {
        paused_clock().block_on(async {
            let mut world = World::new(choices);
            for turn in 1..=4 {
                world.turn(turn, 2, false);
            }
            world.run(after).await;
            // Begins that are under way are still sent: the stop waits for them. Those after them are not.
            while world.outbox.in_flight() > 0 && world.next().await {}
            world.site.stay.set(Stay::Here(Work::Nothing));
            let seen = world.seen.len();
            world.run(500).await;
            assert_eq!(world.seen.len(), seen);
            assert_eq!(world.outbox.in_flight(), 0);
        });
    }
}

#[test]
fn a_pause_of_an_earlier_process_is_kept_and_shortened_to_a_day() {
    paused_clock().block_on(async {
        let mut world = World::new(Vec::new());
        let pause =
            |chat, days: u64| Pause { bot: BOT, chat, until: world.site.now() + Duration::from_secs(86_400 * days) };
        let pauses = vec![pause(Some(ChatId(1)), 11_000), pause(Some(ChatId(2)), 0)];
        let mut effects = Vec::new();
        world.outbox.resume_pauses(pauses, &mut Step { site: &world.site, effects: &mut effects });
        let left = world.outbox.limiter().pause_left(ChatId(1)).unwrap();
        assert!(left <= Duration::from_secs(86_400), "{left:?}");
        assert!(world.outbox.limiter().pause_left(ChatId(2)).is_none(), "a pause that is over counts no more");
        let shortened = |effect: &Effect| matches!(effect, Effect::Commit(Operation::LiftPauses(_), _));
        assert_eq!(effects.iter().filter(|effect| shortened(effect)).count(), 1);
        world.outbox.forget_pauses();
        effects.clear();
        let late = Pause { bot: BOT, chat: Some(ChatId(1)), until: world.site.now() + Duration::from_secs(60) };
        world.outbox.resume_pauses(vec![late], &mut Step { site: &world.site, effects: &mut effects });
        assert!(world.outbox.limiter().pause_left(ChatId(1)).is_none() && effects.is_empty(), "a person lifted them");
    });
}

#[test]
fn nothing_is_begun_while_telegram_is_out_of_reach() {
    paused_clock().block_on(async {
        let mut world = World::new(Vec::new());
        world.site.cannot.set(Some(Duration::from_secs(1)));
        world.turn(1, 1, false);
        world.run(20).await;
        assert!(world.seen.is_empty() && world.rows.values().all(|row| *row == Row::Waiting));
        world.site.cannot.set(None);
        world.run(20).await;
        assert_eq!(world.seen.len(), 1);
    });
}

#[test]
fn i4_an_end_in_doubt_lets_the_next_part_go() {
    paused_clock().block_on(async {
        let mut world = World::new(Vec::new());
        world.next_end_in_doubt = true;
        world.turn(1, 3, false);
        world.run(50).await;
        assert!(world.rows.values().all(|row| *row == Row::Sent), "{:?}", world.rows);
        assert_eq!(world.seen.len(), 3);
    });
}

#[test]
fn i4_a_begin_in_doubt_is_ended_when_its_message_is_given_up() {
    paused_clock().block_on(async {
        let mut world = World::new(Vec::new());
        world.next_begin_in_doubt = true;
        world.turn(1, 2, false);
        world.run(1).await;
        assert!(world.rows.values().any(|row| matches!(row, Row::Sending(_))), "{:?}", world.rows);
        world.site.voice.set(Voice::Not(Silence::Absent));
        for _ in 0..4 {
            world.run(2_000).await;
            world.reconcile();
        }
        assert!(world.rows.values().all(|row| *row == Row::Ended), "{:?}", world.rows);
        assert!(world.seen.is_empty());
    });
}

#[test]
fn i4_a_begin_in_doubt_is_ended_when_sends_are_held() {
    paused_clock().block_on(async {
        let mut world = World::new(Vec::new());
        world.next_begin_in_doubt = true;
        world.turn(1, 1, false);
        world.run(1).await;
        world.site.stay.set(Stay::Here(Work::Nothing));
        world.step(Outbox::release_doubtful);
        world.run(50).await;
        assert!(world.rows.values().all(|row| *row == Row::Waiting), "{:?}", world.rows);
    });
}
