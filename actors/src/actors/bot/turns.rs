//! Runs turns: claim -> models -> finish. Layer `actors`. Keeps I7, I8.
//!
//! The claim's commit and the provider's call run side by side: the call is no outside effect. A refused claim
//! withdraws the call and discards the completion. While the store does not commit, turns begin one after the other,
//! and ask only once claimed. While no provider answers, a turn keeps its claim and waits, until it is stale.

use std::time::{Duration, Instant};

use tokio::time::Instant as Moment;

use crate::actors::bot::job::{Claims, Job};
use crate::actors::bot::messages::{BotMsg, TurnJob};
use crate::actors::bot::state::BotState;
use crate::actors::node::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::actors::provider::call::Wanted;
use crate::behaviour::pacing::typing_time;
use crate::behaviour::physics::send_rules;
use crate::domain::commit::operations::{Claim, Finish, Operation, Settle, TurnEnding, Unclaim};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::commit::start::Start;
use crate::domain::ids::{OutboxId, TurnId};
use crate::domain::outbox::{OutboxMessage, SendProgress, SendResult};
use crate::domain::text::{MESSAGE_UNITS_MAX, split_message};
use crate::domain::time::Timestamp;
use crate::domain::turn::Act;

/// The least time between the due time of a paced message and its turn's end: it is still to be begun.
const BEFORE_STALE: Duration = Duration::from_millis(500);

impl BotState {
    pub(super) fn on_turns(&mut self, jobs: Vec<TurnJob>) {
        for job in jobs {
            if self.turns_in_memory() >= self.settings.turns_waiting.get() || self.is_closing() {
                return;
            }
            if self.known_turns.insert(job.turn.id) {
                self.not_due.push(job);
            }
        }
        self.pump_turns();
    }

    pub(super) fn on_turn_due(&mut self) {
        self.turn_timer = None;
        self.pump_turns();
    }

    /// Returns the number of turns that wait in memory.
    pub(super) fn turns_in_memory(&self) -> usize {
        self.not_due.len() + self.due.len()
    }

    /// Begins turns that are due, as far as there is room, by priority, age and chat; sets a timer for the next one.
    pub(super) fn pump_turns(&mut self) {
        if self.is_closing() {
            return;
        }
        let room = match self.claims {
            Claims::Committed => self.settings.turns_in_flight.get(),
            Claims::Failed(until) if until > Moment::now() => 0,
            Claims::Failed(_) => 1,
        };
        let now = self.node.clock.now();
        for job in self.not_due.extract_if(.., |job| job.turn.due_at <= now) {
            let (priority, chat) = (usize::from(job.turn.priority), job.turn.chat);
            // The queue takes all that memory holds; should one turn have to go, the store still has it.
            if let Some(shed) = self.due.push(priority, chat, job, Moment::now()) {
                self.known_turns.remove(&shed.turn.id);
            }
        }
        while self.jobs.len() < room {
            let Some(job) = self.due.pop(Moment::now()) else {
                break;
            };
            self.begin_turn(job, now);
        }
        if let Some(next) = self.not_due.iter().map(|job| job.turn.due_at).min()
            && self.turn_timer.is_none_or(|timer| timer > next || timer <= now)
        {
            self.turn_timer = Some(next);
            drop(self.myself.send_after(next.since(now), || BotMsg::TurnDue));
        }
    }

    fn begin_turn(&mut self, job: TurnJob, now: Timestamp) {
        self.node.traffic.waited(now.since(job.turn.due_at));
        self.recall();
        let turn = job.turn.id;
        let claim = self.claim(&job, now);
        self.generation += 1;
        let serial = self.generation;
        let myself = self.myself.clone();
        self.node.committer.submit(Operation::Claim(claim), move |result| {
            let _ = myself.cast(BotMsg::Claimed(turn, serial, result));
        });
        let stale = job.turn.expires_at <= now;
        self.jobs.insert(
            turn,
            Job {
                given: job,
                serial,
                generation: 0,
                request: None,
                model: 0,
                tries: 0,
                rounds: 0,
                kept_back: 0,
                worth_waiting: false,
                retry_after: None,
                usage: None,
                objections: Vec::new(),
                wanted: Wanted::default(),
                started: Instant::now(),
                finish: None,
                begun: None,
            },
        );
        if stale {
            self.finish(turn, TurnEnding::Expired);
        } else if matches!(self.claims, Claims::Committed) {
            self.perform(turn, false);
        }
    }

    fn claim(&self, job: &TurnJob, now: Timestamp) -> Claim {
        Claim { bot: self.profile.id, epoch: self.epoch, turn: job.turn.id, chat: job.turn.chat, now }
    }

    /// Returns whether a result is of the job in hand, and not of an earlier one of the same turn.
    fn is_current(&self, turn: TurnId, serial: u64) -> bool {
        self.jobs.get(&turn).is_some_and(|job| job.serial == serial)
    }

    pub(super) fn on_claimed(&mut self, turn: TurnId, serial: u64, result: &CommitResult) {
        if let Err(CommitError::Unavailable(_)) = result {
            self.claims = Claims::Failed(Moment::now() + STORE_RETRY);
            drop(self.myself.send_after(STORE_RETRY, || BotMsg::TurnDue));
        } else if matches!(self.claims, Claims::Failed(_)) {
            self.claims = Claims::Committed;
            self.pump_turns();
        }
        if !self.is_current(turn, serial) {
            return;
        }
        if let Err(error) = result {
            if matches!(error, CommitError::Unavailable(_)) {
                // The claim may have been committed all the same: nobody would take the turn up again.
                if let Some(job) = self.jobs.get(&turn) {
                    let (bot, epoch, turn) = (self.profile.id, self.epoch, job.given.turn.id);
                    self.node.committer.submit(Operation::Unclaim(Unclaim { bot, epoch, turn }), |_| {});
                }
                self.release(self.jobs.get(&turn).and_then(|job| job.begun.clone()));
            }
            if matches!(error, CommitError::Unavailable(_)) {
                self.node.committer.signs.waits("claims", error);
            } else {
                tracing::warn!(bot.id = %self.profile.id, turn.id = %turn, error = %error, "turn could not be claimed, its completion is discarded");
            }
            if *error == CommitError::Refused(Refusal::Fenced) {
                return self.on_fenced();
            }
            if self.jobs.get(&turn).is_some_and(|job| job.usage.is_some() || job.finish.is_some()) {
                metrics::counter!("botfleet_completions_wasted_total").increment(1);
            }
            self.outbox.discard_turn(turn);
            self.forget_turn(turn);
        } else if let Ok(Applied::Stopped(scope)) = result {
            self.on_stopped(turn, *scope);
        } else if self
            .jobs
            .get(&turn)
            .is_some_and(|job| job.generation == 0 && job.finish.is_none() && !job.wanted.is_withdrawn())
        {
            self.perform(turn, true);
        }
    }

    pub(super) fn forget_turn(&mut self, turn: TurnId) {
        if let Some(job) = self.jobs.remove(&turn) {
            job.wanted.withdraw();
        }
        self.known_turns.remove(&turn);
        self.pump_turns();
    }

    /// Puts the text into the outbox; begins its send in the same commit when nothing makes it wait.
    pub(super) fn say(&mut self, turn: TurnId, text: &str) {
        let node = std::sync::Arc::clone(&self.node);
        let now = node.clock.now();
        let reachable = self.outbox(|_, step| step.site.cannot_act()).is_none();
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        let spec = &job.given.turn;
        let Some(chat) = node.directory.chat_profile(spec.chat) else {
            return self.finish(turn, TurnEnding::Dropped("the chat is no longer in the manifest".to_owned()));
        };
        let typed = !matches!(spec.act, Act::Say { .. });
        let speed = self.profile.spec.persona.chars_per_second;
        let full = if typed { typing_time(text, &chat.spec.pacing, speed, spec.id.0 as u64) } else { Duration::ZERO };
        // Typing fits into the turn's time, and does not lengthen it: a late reply is stale however slowly it is typed.
        let typing = full.min(spec.expires_at.since(now).saturating_sub(BEFORE_STALE));
        let texts = split_message(text, MESSAGE_UNITS_MAX);
        let parts = texts.len() as u32;
        let telegram_chat = node.directory.telegram_chat(chat.id).unwrap_or(chat.spec.telegram_id);
        // A message from before a group became a supergroup cannot be replied to.
        let target = job.given.target.as_deref().filter(|target| target.telegram_chat == telegram_chat);
        let due_at = now + typing;
        // Without pacing a message has a time of its own to wait for limits.
        let unpaced = spec.expires_at.max(now + chat.spec.pacing.stale_after);
        let messages: Vec<OutboxMessage> = texts
            .into_iter()
            .enumerate()
            .map(|(part, text)| OutboxMessage {
                id: node.outbox_id(),
                turn,
                part: part as u32,
                parts,
                bot: spec.bot,
                chat: spec.chat,
                telegram_chat,
                thread: target.map_or_else(|| spec.act.thread(), |target| target.thread),
                reply_to: target.filter(|_| part == 0).map(|target| target.message_id).filter(|id| id.is_of_one()),
                text,
                answers_bot: spec.answers_bot,
                chain_depth: spec.chain_depth,
                root: spec.root,
                expires_at: if chat.spec.pacing.enabled { spec.expires_at } else { unpaced },
                created_at: now,
                on_unknown: chat.spec.on_unknown,
                progress: SendProgress::queued(due_at),
            })
            .collect();
        let status = if typing.is_zero() { "sent_at_once" } else { "paced" };
        metrics::counter!("botfleet_message_generation_total", "bot" => self.profile.spec.name.clone(), "status" => status).increment(1);
        metrics::histogram!("botfleet_message_generation_duration_seconds").record(job.started.elapsed().as_secs_f64());
        let begin = if typing.is_zero() && !self.stay.holds_sends() && reachable && self.outbox.permit_now(&messages) {
            let per_minute = self.settings.sends_per_chat_per_minute;
            let rules = send_rules(&chat, &self.profile, job.given.turn.answers_bot, per_minute);
            Some(Start { attempt: node.attempt_id(), rules, now })
        } else {
            None
        };
        let attempt = begin.as_ref().map(|start| start.attempt);
        let reconsidered = (!typing.is_zero() && Self::is_reconsidered(job, &chat.spec)).then_some(turn);
        self.outbox.prepare(&messages, attempt);
        self.remember_said(text);
        self.reconsider_later(reconsidered, messages.first().map(|first| first.id));
        self.finish(turn, TurnEnding::Said { messages, begin });
    }

    pub(super) fn finish(&mut self, turn: TurnId, ending: TurnEnding) {
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        let usage = job.usage.take();
        job.finish = Some(Finish { bot: self.profile.id, epoch: self.epoch, turn, ending, usage });
        self.submit_finish(turn);
    }

    /// Commits the end of a turn; while the store does not answer, the completion waits here for another try.
    pub(super) fn submit_finish(&mut self, turn: TurnId) {
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        let (serial, Some(mut finish)) = (job.serial, job.finish.clone()) else {
            return;
        };
        if let TurnEnding::Said { messages, begin: Some(start) } = &mut finish.ending {
            start.now = self.node.clock.now();
            job.begun = messages.first().map(|first| (first.id, Box::new(start.clone())));
        }
        let begun = job.begun.clone();
        let myself = self.myself.clone();
        self.node.committer.submit(Operation::Finish(finish), move |result| {
            let _ = myself.cast(BotMsg::Finished(turn, serial, begun, result));
        });
    }

    /// Commits the end of a turn again. The permit for its first message is stale by then, so the message waits for
    /// another.
    pub(super) fn finish_again(&mut self, turn: TurnId, serial: u64) {
        if !self.is_current(turn, serial) {
            return;
        }
        if let Some(Finish { ending: TurnEnding::Said { begin, .. }, .. }) =
            self.jobs.get_mut(&turn).and_then(|job| job.finish.as_mut())
        {
            *begin = None;
            self.outbox.unbegin(turn);
        }
        self.submit_finish(turn);
    }

    /// Gives back claimed turns that have not ended: a stop of the process costs them no attempt.
    pub(super) fn give_back_turns(&mut self) {
        let open: Vec<TurnId> =
            self.jobs.iter().filter(|(_, job)| job.finish.is_none()).map(|(turn, _)| *turn).collect();
        for turn in open {
            self.give_back(turn);
        }
    }

    pub(super) fn give_back(&mut self, turn: TurnId) {
        if let Some(job) = self.jobs.get_mut(&turn) {
            // Anything that the model still says comes too late.
            job.generation = 0;
            job.wanted.withdraw();
            let myself = self.myself.clone();
            let back = Unclaim { bot: self.profile.id, epoch: self.epoch, turn };
            self.node.committer.submit(Operation::Unclaim(back), move |result| {
                let _ = myself.cast(BotMsg::GivenBack(turn, result));
            });
        }
    }

    pub(super) fn on_given_back(&mut self, turn: TurnId, result: &CommitResult) {
        match result {
            Ok(_) => metrics::counter!("botfleet_turns_given_back_total").increment(1),
            Err(error) => {
                tracing::warn!(bot.id = %self.profile.id, turn.id = %turn, error = %error, "turn could not be given back");
            }
        }
        self.forget_turn(turn);
    }

    pub(super) fn on_finished(
        &mut self,
        turn: TurnId,
        serial: u64,
        begun: Option<(OutboxId, Box<Start>)>,
        result: CommitResult,
    ) {
        // A turn whose claim was not committed is forgotten, and its end with it.
        if !self.is_current(turn, serial) {
            if !matches!(result, Err(CommitError::Refused(_))) {
                self.release(begun);
            }
            return;
        }
        match result {
            Ok(Applied::Said(verdict)) => {
                let start = begun.map(|(_, start)| *start);
                self.outbox(|outbox, step| outbox.on_said(turn, verdict, start, step));
            }
            Ok(Applied::Failed { dead }) => {
                if dead {
                    tracing::error!(bot.id = %self.profile.id, turn.id = %turn, "turn failed too often, it is a dead letter now");
                    metrics::counter!("botfleet_turns_dead_total").increment(1);
                }
            }
            Ok(_) => {}
            Err(CommitError::Refused(refusal)) => {
                tracing::warn!(bot.id = %self.profile.id, turn.id = %turn, error = %refusal, "turn could not be finished, its completion is discarded");
                metrics::counter!("botfleet_completions_wasted_total").increment(1);
                self.outbox.discard_turn(turn);
                self.release(begun);
                if refusal == Refusal::Fenced {
                    self.forget_turn(turn);
                    return self.on_fenced();
                }
            }
            Err(CommitError::Unavailable(_)) => {
                drop(self.myself.send_after(STORE_RETRY, move || BotMsg::FinishAgain(turn, serial)));
                return;
            }
        }
        self.forget_turn(turn);
    }

    /// Makes a message due again that nobody sends, although a commit whose answer got lost may have made it `sending`.
    fn release(&self, begun: Option<(OutboxId, Box<Start>)>) {
        if let Some((outbox, start)) = begun {
            let result = SendResult::RetryAt(self.node.clock.now(), "its begin was in doubt".to_owned());
            let settle = Settle::unsent(outbox, &start, result);
            self.node.committer.submit(Operation::Settle(settle), |_| {});
        }
    }
}
