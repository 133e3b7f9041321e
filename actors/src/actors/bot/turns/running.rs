//! Runs turns: claim -> act -> finish. Layer `actors`. Keeps I7, I8.
//!
//! The claim's commit and the provider's call run side by side: the call is no outside effect. A refused claim
//! withdraws the call and discards the completion. While the store does not commit, turns begin one after the other,
//! and ask only once claimed. While no provider answers, a turn keeps its claim and waits, until it is stale.

use std::time::Duration;

use tokio::time::Instant;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::ticket::Ticket;
use crate::actors::bot::turns::job::{Job, Phase};
use crate::actors::bot::turns::messages::TurnMsg;
use crate::actors::bot::turns::{Claims, Turns};
use crate::actors::node::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::behaviour::job::TurnJob;
use crate::domain::commit::operations::{Claim, Finish, Operation, Settle, TurnEnding, Unclaim};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::commit::start::Start;
use crate::domain::ids::{OutboxId, TurnId};
use crate::domain::outbox::SendResult;
use crate::domain::time::Timestamp;
use crate::ports::metrics;

impl Turns {
    pub(super) fn on_due(&mut self, desk: &mut Desk<'_, '_>) {
        self.waiting.timer_ended();
        self.pump(desk);
    }

    /// Begins turns that are due, as far as there is room; sets a timer for the next one.
    pub(in crate::actors::bot) fn pump(&mut self, desk: &mut Desk<'_, '_>) {
        if desk.site().stay().is_closing() {
            return;
        }
        let room = match self.claims {
            Claims::Committed => desk.site().settings().turns_in_flight.get(),
            Claims::Failed(until) if until > Instant::now() => 0,
            Claims::Failed(_) => 1,
        };
        let now = desk.site().now();
        self.waiting.ripen(now);
        while self.jobs.len() < room {
            let Some(job) = self.waiting.pop() else {
                break;
            };
            self.begin(job, now, desk);
        }
        if let Some(wait) = self.waiting.timer(now) {
            desk.ask(Effect::After(wait, BotMsg::Turn(TurnMsg::Due)));
        }
    }

    fn begin(&mut self, job: TurnJob, now: Timestamp, desk: &mut Desk<'_, '_>) {
        desk.ask(Effect::Waited(now.since(job.turn.due_at)));
        self.recall(desk);
        let (turn, chat, stale) = (job.turn.id, job.turn.chat, job.turn.expires_at <= now);
        let yields = job.turn.yields();
        let ticket = self.tickets.take();
        let claim = Claim { bot: desk.site().profile().id, epoch: desk.site().epoch(), turn, chat, yields, now };
        desk.ask(Effect::Commit(Operation::Claim(claim), Then::Claimed(turn, ticket)));
        self.jobs.insert(turn, Job::new(job, ticket));
        if stale {
            self.finish(turn, TurnEnding::Expired, desk);
        } else if matches!(self.claims, Claims::Committed) {
            self.act(turn, false, desk);
        }
    }

    /// Returns whether a result is of the job in hand, and not of an earlier one of the same turn, or of one that is
    /// given back.
    fn is_current(&self, turn: TurnId, ticket: Ticket) -> bool {
        self.jobs.get(&turn).is_some_and(|job| job.ticket == ticket && !matches!(job.phase, Phase::GivingBack))
    }

    pub(super) fn on_claimed(&mut self, turn: TurnId, ticket: Ticket, result: &CommitResult, desk: &mut Desk<'_, '_>) {
        if let Err(CommitError::Unavailable(_)) = result {
            self.claims = Claims::Failed(Instant::now() + STORE_RETRY);
            desk.ask(Effect::After(STORE_RETRY, BotMsg::Turn(TurnMsg::Due)));
        } else if matches!(self.claims, Claims::Failed(_)) {
            self.claims = Claims::Committed;
            self.pump(desk);
        }
        if matches!(result, Err(CommitError::Refused(Refusal::Fenced))) {
            return desk.ask(Effect::Fenced);
        }
        if !self.is_current(turn, ticket) {
            return;
        }
        match result {
            Err(error) => self.not_claimed(turn, error, desk),
            Ok(Applied::Stopped(scope)) => self.on_stopped(turn, *scope, desk),
            Ok(Applied::GaveWay) => self.on_gave_way(turn, desk),
            Ok(_) => {
                if self.jobs.get(&turn).is_some_and(|job| matches!(job.phase, Phase::Claiming)) {
                    self.act(turn, true, desk);
                }
            }
        }
    }

    /// Gives up a turn whose claim was refused, and gives back one whose claim is in doubt: nobody else would take up a
    /// turn that is claimed.
    fn not_claimed(&mut self, turn: TurnId, error: &CommitError, desk: &mut Desk<'_, '_>) {
        let in_doubt = matches!(error, CommitError::Unavailable(_));
        if in_doubt {
            release(self.jobs.get(&turn).and_then(|job| job.begun.clone()), desk);
            desk.ask(Effect::StoreWaits("claims", error.to_string()));
        } else {
            let bot = desk.site().profile().id;
            tracing::warn!(bot.id = %bot, turn.id = %turn, error = %error, "turn could not be claimed, its completion is discarded");
        }
        if self.jobs.get(&turn).is_some_and(|job| job.usage.is_some() || job.is_ending()) {
            metrics::completions_wasted_total.increment(1);
        }
        desk.outbox.discard_turn(turn);
        if in_doubt { self.give_back(turn, desk) } else { self.forget(turn, desk) }
    }

    pub(super) fn forget(&mut self, turn: TurnId, desk: &mut Desk<'_, '_>) {
        if let Some(job) = self.jobs.remove(&turn) {
            job.wanted.withdraw();
        }
        self.waiting.forget(turn);
        self.pump(desk);
    }

    /// Ends a turn that has an outcome, once that is committed.
    pub(super) fn finish(&mut self, turn: TurnId, ending: TurnEnding, desk: &mut Desk<'_, '_>) {
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        let usage = job.usage.take();
        let (bot, epoch) = (desk.site().profile().id, desk.site().epoch());
        job.phase = Phase::Ending(Finish { bot, epoch, turn, ending, usage });
        self.commit_end(turn, desk);
    }

    /// Commits the end of a turn; while the store does not answer, the completion waits here for another try.
    fn commit_end(&mut self, turn: TurnId, desk: &mut Desk<'_, '_>) {
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        let Phase::Ending(finish) = &job.phase else {
            return;
        };
        let mut finish = finish.clone();
        if let TurnEnding::Said { messages, begin: Some(start) } = &mut finish.ending {
            start.now = desk.site().now();
            job.begun = messages.first().map(|first| (first.id, Box::new(start.clone())));
        }
        let then = Then::Finished(turn, job.ticket, job.begun.clone());
        desk.ask(Effect::Commit(Operation::Finish(finish), then));
    }

    /// Commits the end of a turn again. The permit for its first message is stale by then, so the message waits for
    /// another.
    pub(super) fn finish_again(&mut self, turn: TurnId, ticket: Ticket, desk: &mut Desk<'_, '_>) {
        if !self.is_current(turn, ticket) {
            return;
        }
        if let Some(Job { phase: Phase::Ending(finish), .. }) = self.jobs.get_mut(&turn)
            && let TurnEnding::Said { begin, .. } = &mut finish.ending
        {
            *begin = None;
            desk.outbox.unbegin(turn);
        }
        self.commit_end(turn, desk);
    }

    pub(super) fn on_finished(
        &mut self,
        turn: TurnId,
        ticket: Ticket,
        begun: Option<(OutboxId, Box<Start>)>,
        result: CommitResult,
        desk: &mut Desk<'_, '_>,
    ) {
        // A turn whose claim was not committed is forgotten, and its end with it.
        if !self.is_current(turn, ticket) {
            if !matches!(result, Err(CommitError::Refused(_))) {
                release(begun, desk);
            }
            return;
        }
        let bot = desk.site().profile().id;
        match result {
            Ok(Applied::Said(verdict)) => {
                desk.outbox.on_said(turn, verdict, begun.map(|(_, start)| *start), desk.step);
            }
            Ok(Applied::Failed { dead }) => {
                if dead {
                    tracing::error!(bot.id = %bot, turn.id = %turn, "turn failed too often, it is a dead letter now");
                    metrics::turns_dead_total.increment(1);
                }
            }
            Ok(_) => {}
            Err(CommitError::Refused(refusal)) => {
                tracing::warn!(bot.id = %bot, turn.id = %turn, error = %refusal, "turn could not be finished, its completion is discarded");
                metrics::completions_wasted_total.increment(1);
                desk.outbox.discard_turn(turn);
                release(begun, desk);
                if refusal == Refusal::Fenced {
                    self.forget(turn, desk);
                    return desk.ask(Effect::Fenced);
                }
            }
            Err(CommitError::Unavailable(_)) => {
                desk.ask(Effect::After(STORE_RETRY, BotMsg::Turn(TurnMsg::FinishAgain(turn, ticket))));
                return;
            }
        }
        self.forget(turn, desk);
    }

    /// Tries the turn again after `wait`, or ends the turn when it is stale by then.
    pub(super) fn again_after(&mut self, turn: TurnId, wait: Duration, desk: &mut Desk<'_, '_>) {
        let now = desk.site().now();
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        if now + wait >= job.given.turn.expires_at {
            return self.finish(turn, TurnEnding::Expired, desk);
        }
        let ticket = self.tickets.take();
        job.phase = Phase::Asking(ticket);
        desk.ask(Effect::After(wait, BotMsg::Turn(TurnMsg::Retry(turn, ticket))));
    }

    pub(super) fn on_retry(&mut self, turn: TurnId, ticket: Ticket, desk: &mut Desk<'_, '_>) {
        if self.jobs.get(&turn).is_some_and(|job| job.awaits(ticket)) {
            self.act(turn, true, desk);
        }
    }

    /// Gives back claimed turns that have not ended: a stop of the process costs them no attempt.
    pub(in crate::actors::bot) fn give_all_back(&mut self, desk: &mut Desk<'_, '_>) {
        let open: Vec<TurnId> = self.jobs.iter().filter(|(_, job)| !job.is_ending()).map(|(turn, _)| *turn).collect();
        for turn in open {
            self.give_back(turn, desk);
        }
    }

    pub(super) fn give_back(&mut self, turn: TurnId, desk: &mut Desk<'_, '_>) {
        if let Some(job) = self.jobs.get_mut(&turn) {
            job.phase = Phase::GivingBack;
            job.wanted.withdraw();
            let back = Unclaim { bot: desk.site().profile().id, epoch: desk.site().epoch(), turn };
            desk.ask(Effect::Commit(Operation::Unclaim(back), Then::GivenBack(turn)));
        }
    }

    /// Forgets a turn that was given back. The store is asked until it answers, while the bot works: a turn that stays
    /// claimed is taken up by nobody. When the bot goes, its successor finds the turn.
    pub(super) fn on_given_back(&mut self, turn: TurnId, result: &CommitResult, desk: &mut Desk<'_, '_>) {
        let is_known = self.jobs.get(&turn).is_some_and(|job| matches!(job.phase, Phase::GivingBack));
        // A hand-over that fails leaves the bot here, with its turns.
        let stay = desk.site().stay();
        match result {
            Err(CommitError::Refused(Refusal::Fenced)) => return desk.ask(Effect::Fenced),
            Err(CommitError::Refused(refusal)) => {
                tracing::debug!(turn.id = %turn, error = %refusal, "a turn was not claimed that was to be given back");
            }
            Ok(_) => metrics::turns_given_back_total.increment(1),
            Err(CommitError::Unavailable(_)) if is_known && !(stay.is_gone() || stay.is_quiescing()) => {
                return desk.ask(Effect::After(STORE_RETRY, BotMsg::Turn(TurnMsg::GiveBackAgain(turn))));
            }
            Err(error) => {
                let bot = desk.site().profile().id;
                tracing::warn!(bot.id = %bot, turn.id = %turn, error = %error, "turn could not be given back");
            }
        }
        if is_known {
            self.forget(turn, desk);
        }
    }

    pub(super) fn give_back_again(&mut self, turn: TurnId, desk: &mut Desk<'_, '_>) {
        if self.jobs.get(&turn).is_some_and(|job| matches!(job.phase, Phase::GivingBack)) {
            self.give_back(turn, desk);
        }
    }
}

/// Makes a message due again that nobody sends, although a commit whose answer got lost may have made it `sending`.
fn release(begun: Option<(OutboxId, Box<Start>)>, desk: &mut Desk<'_, '_>) {
    if let Some((outbox, start)) = begun {
        let result = SendResult::RetryAt(desk.site().now(), "its begin was in doubt".to_owned());
        let settle = Settle::unsent(outbox, &start, result);
        desk.ask(Effect::Commit(Operation::Settle(settle), Then::Nobody));
    }
}
