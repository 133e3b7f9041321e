//! Tests the turns alone: a store and a model of a few lines answer as a run of choices says, and hold them to I7, I8.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::stay::{Stay, Work};
use crate::actors::bot::surroundings::{Desk, Step, Surroundings};
use crate::actors::bot::tests::{BOT, Site, paused_clock};
use crate::actors::bot::turns::Turns;
use crate::actors::bot::turns::messages::TurnMsg;
use crate::actors::node::committer::{CommitError, CommitResult};
use crate::actors::provider::call::{Answered, CallError, Reply};
use crate::behaviour::job::TurnJob;
use crate::domain::commit::operations::{Operation, TurnEnding};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::control::StopScope;
use crate::domain::ids::{ChatId, TurnId};
use crate::domain::roster::ChatPolicy;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{Act, Turn};
use crate::policy::breaker::{Breaker, BreakerSettings};
use crate::ports::llm::{Completion, FinishReason, LlmError};
use crate::ports::telegram::TelegramError;
use crate::testkit::rows::{entry, turn};

/// A turn in the store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Row {
    Queued,
    Claimed,
    Ended,
}

/// A store, a model and a Telegram; what they answer is a run of choices, and good answers once the run is over.
struct World {
    site: Site,
    outbox: Outbox,
    turns: Turns,
    rows: BTreeMap<TurnId, Row>,
    given: BTreeMap<TurnId, Turn>,
    /// The messages that will reach the turns, each with its time.
    coming: Vec<(Instant, TurnMsg)>,
    choices: std::vec::IntoIter<u8>,
    /// Calls to models for each turn.
    calls: BTreeMap<TurnId, u32>,
    /// Texts that went to the outbox.
    said: u32,
    /// Entries that came while the model thought.
    news: Vec<std::sync::Arc<TranscriptEntry>>,
    breaker: Breaker,
}

impl World {
    fn new(choices: Vec<u8>) -> Self {
        let site = Site::new(|chat| {
            chat.spec.policy = ChatPolicy::Natural;
            chat.spec.pacing.chars_per_second = 1_000.0;
        });
        Self {
            outbox: Outbox::new(&site.settings),
            turns: Turns::new(&site.settings),
            site,
            rows: BTreeMap::new(),
            given: BTreeMap::new(),
            coming: Vec::new(),
            choices: choices.into_iter(),
            calls: BTreeMap::new(),
            said: 0,
            news: Vec::new(),
            breaker: Breaker::new(BreakerSettings::default()),
        }
    }

    fn choose(&mut self, of: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % of)
    }

    fn step(&mut self, act: impl FnOnce(&mut Turns, &mut Desk<'_, '_>)) {
        let mut effects = Vec::new();
        let mut step = Step { site: &self.site, effects: &mut effects };
        act(&mut self.turns, &mut Desk { outbox: &mut self.outbox, step: &mut step });
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn comes(&mut self, message: TurnMsg) {
        let wait = Duration::from_millis(u64::from(self.choose(250)));
        self.coming.push((Instant::now() + wait, message));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Commit(operation, then) => {
                let result = self.commit(operation);
                match then {
                    Then::Claimed(turn, ticket) => self.comes(TurnMsg::Claimed(turn, ticket, result)),
                    Then::Finished(turn, ticket, begun) => self.comes(TurnMsg::Finished(turn, ticket, begun, result)),
                    Then::GivenBack(turn) => self.comes(TurnMsg::GivenBack(turn, result)),
                    _ => {}
                }
            }
            Effect::After(wait, BotMsg::Turn(message)) => self.coming.push((Instant::now() + wait, message)),
            Effect::Complete { turn, ticket, .. } => {
                *self.calls.entry(turn).or_default() += 1;
                let answer = self.answer();
                // A provider may answer twice: the second answer is nobody's.
                if let (Err(error), 1) = (&answer, self.choose(3)) {
                    self.comes(TurnMsg::Completed(turn, ticket, Err(error.clone())));
                }
                self.comes(TurnMsg::Completed(turn, ticket, answer));
            }
            Effect::ReadNews(draft, _) => self.comes(TurnMsg::NewsRead(draft, Some(self.news.clone()))),
            Effect::Recall(ticket, _) => self.comes(TurnMsg::Recalled(ticket, Some(Vec::new()))),
            Effect::React { turn, ticket, .. } => {
                let result = match self.choose(6) {
                    3 => Err(TelegramError::Unknown("reset".to_owned())),
                    4 => Err(TelegramError::RateLimited { retry_after: Duration::from_secs(2) }),
                    5 => Err(TelegramError::Rejected { code: 400, description: "bad".to_owned() }),
                    _ => Ok(()),
                };
                self.comes(TurnMsg::Reacted(turn, ticket, result));
            }
            _ => {}
        }
    }

    fn answer(&mut self) -> Result<Answered, CallError> {
        let text = match self.choose(12) {
            6 => return Err(CallError::Llm(LlmError::Garbage("none".to_owned()))),
            7 => return Err(CallError::Llm(LlmError::Unreachable("refused".to_owned()))),
            8 => {
                let retry_after = Some(Duration::from_secs(1));
                return Err(CallError::Llm(LlmError::RateLimited { retry_after }));
            }
            9 => "As an AI language model, I am happy to help!".to_owned(),
            10 => "I am human, not a bot.".to_owned(),
            11 => "Coffee is better than çay, is it not?".to_owned(),
            _ => format!("The garden looked lovely {} days ago.", self.site.id()),
        };
        let reply = Reply::Completion(Completion {
            text,
            finish_reason: FinishReason::Stop,
            prompt_tokens: Some(10),
            cached_tokens: Some(4),
            completion_tokens: Some(5),
        });
        Ok(Answered { reply, worth: self.breaker.admit().unwrap() })
    }

    /// Commits, refuses, or does not answer: then the operation may be committed all the same.
    fn commit(&mut self, operation: Operation) -> CommitResult {
        let weather = self.choose(12);
        if weather == 1 {
            return Err(CommitError::Unavailable("gone".to_owned()));
        }
        let result = self.judge(operation);
        if weather == 2 { Err(CommitError::Unavailable("answer lost".to_owned())) } else { result }
    }

    fn judge(&mut self, operation: Operation) -> CommitResult {
        let (turn, from, to) = match &operation {
            Operation::Claim(claim) => (claim.turn, Row::Queued, Row::Claimed),
            Operation::Unclaim(back) => (back.turn, Row::Claimed, Row::Queued),
            Operation::Finish(finish) => (finish.turn, Row::Claimed, Row::Ended),
            _ => return Ok(Applied::Done),
        };
        if self.rows[&turn] != from {
            return Err(CommitError::Refused(Refusal::Conflict("another state".to_owned())));
        }
        if let (Operation::Claim(_), 9) = (&operation, self.choose(20)) {
            self.rows.insert(turn, Row::Ended);
            return Ok(Applied::Stopped(StopScope::Fleet));
        }
        self.rows.insert(turn, to);
        match operation {
            Operation::Finish(finish) => match finish.ending {
                TurnEnding::Said { begin, .. } => {
                    self.said += 1;
                    Ok(Applied::Said(begin.map(|_| Verdict::Cancelled("not of interest here".to_owned()))))
                }
                TurnEnding::Failed(_) => Ok(Applied::Failed { dead: true }),
                _ => Ok(Applied::Done),
            },
            _ => Ok(Applied::Done),
        }
    }

    /// Gives turns as the chat does; `ids` may be there already.
    fn give(&mut self, ids: &[i64]) {
        let now = self.site.now();
        let jobs = ids.iter().map(|id| {
            let made = self.given.entry(TurnId(*id)).or_insert_with(|| {
                let act = if id % 4 == 3 { Act::React { emoji: "👍".to_owned() } } else { Act::Answer };
                let spec = turn(*id, ChatId(id % 2 + 1), 1, BOT);
                Turn { act, due_at: now, expires_at: now + Duration::from_mins(10), ..spec }
            });
            let mut target = entry(made.chat, 1, 1);
            target.telegram_chat = crate::domain::ids::TelegramChatId(-2000 - made.chat.0);
            TurnJob { turn: made.clone(), window: Vec::new(), target: Some(std::sync::Arc::new(target)) }
        });
        let jobs: Vec<TurnJob> = jobs.collect();
        for job in &jobs {
            self.rows.entry(job.turn.id).or_insert(Row::Queued);
        }
        self.step(|turns, desk| turns.take(jobs, desk));
    }

    /// Gives what waits in the store and is not in memory, as the bot's look into the store does.
    fn reconcile(&mut self) {
        let waits = self.rows.iter().filter(|(turn, row)| **row == Row::Queued && !self.turns.knows(**turn));
        let ids: Vec<i64> = waits.map(|(turn, _)| turn.0).collect();
        self.give(&ids);
    }

    async fn next(&mut self) -> bool {
        let Some(first) = (0..self.coming.len()).min_by_key(|place| self.coming[*place].0) else {
            return false;
        };
        let (due, message) = self.coming.remove(first);
        tokio::time::sleep_until(due).await;
        self.step(|turns, desk| turns.handle(message, desk));
        true
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
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever store, model and Telegram answer: no turn is left claimed with nobody at work on it, every turn ends
    /// once all answer well, and two texts that are kept back, or objected to twice, end it.
    #[test]
    fn i8_every_turn_ends_and_none_is_left_claimed(choices in prop::collection::vec(any::<u8>(), 0..400)) {
        paused_clock().block_on(async {
            let mut world = World::new(choices);
            for turns in [[1, 2], [3, 4], [5, 6], [6, 7]] {
                world.give(&turns);
                world.run(5).await;
            }
            for _ in 0..10 {
                world.run(400).await;
                world.reconcile();
            }
            assert!(world.coming.is_empty(), "it never comes to rest");
            assert_eq!((world.turns.in_flight(), world.turns.waiting()), (0, 0));
            assert!(world.rows.values().all(|row| *row == Row::Ended), "{:?}", world.rows);
        });
    }

    /// A stop gives back what has not ended: nothing stays claimed, and nothing new begins.
    #[test]
    fn i8_what_is_given_back_waits_in_the_store(choices in prop::collection::vec(0u8..12, 0..80), after in 0usize..25) {
        // The store answers: a claim whose fate nobody knows is the matter of the test above.
        let choices = choices.into_iter().map(|choice| if choice % 12 == 1 || choice % 12 == 2 { 0 } else { choice });
        paused_clock().block_on(async {
            let mut world = World::new(choices.collect());
            world.give(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
            world.run(after).await;
            world.site.stay.set(Stay::Here(Work::Sends));
            world.step(Turns::give_all_back);
            let calls: u32 = world.calls.values().sum();
            world.run(2_000).await;
            assert_eq!(world.turns.in_flight(), 0);
            assert!(world.rows.values().all(|row| *row != Row::Claimed), "{:?}", world.rows);
            assert_eq!(world.calls.values().sum::<u32>(), calls, "a model is asked for a turn that was given back");
        });
    }
}

#[test]
fn i15_two_texts_that_are_kept_back_end_a_turn() {
    paused_clock().block_on(async {
        // Claim: at once; model: "I am human", again and again.
        let mut world = World::new(vec![0, 0, 0, 10, 0, 0, 0, 10, 0, 0, 0, 10, 0, 0, 0, 10]);
        world.give(&[1]);
        world.run(100).await;
        assert!(world.calls[&TurnId(1)] <= 3 && world.coming.is_empty(), "{:?}", world.calls);
        assert_eq!(world.rows[&TurnId(1)], Row::Ended);
    });
}

#[test]
fn a_stop_drops_a_reaction_that_waits_to_be_tried_again() {
    paused_clock().block_on(async {
        let mut world = World::new(Vec::new());
        world.site.cannot.set(Some(Duration::from_secs(1)));
        world.give(&[3]);
        world.run(3).await;
        world.site.stop.set(Some(StopScope::Fleet));
        world.site.cannot.set(None);
        world.run(50).await;
        assert_eq!((world.rows[&TurnId(3)], world.turns.in_flight()), (Row::Ended, 0));
    });
}

#[test]
fn an_answer_that_nobody_needs_is_dropped_although_its_text_is_a_lie() {
    paused_clock().block_on(async {
        // Own texts and claim: at once; model: "I am human", then a good text.
        let mut world = World::new(vec![0, 0, 0, 0, 10]);
        let mut news = entry(ChatId(2), 2, 2);
        (news.text, news.reply_to, news.media) = (Some("boşver".to_owned()), None, None);
        news.entities.clear();
        news.telegram_chat = crate::domain::ids::TelegramChatId(-2002);
        world.news = vec![std::sync::Arc::new(news)];
        world.give(&[1]);
        world.run(100).await;
        assert_eq!((world.said, world.calls[&TurnId(1)]), (0, 1), "the answer is dropped at once");
        assert_eq!(world.rows[&TurnId(1)], Row::Ended);
    });
}
