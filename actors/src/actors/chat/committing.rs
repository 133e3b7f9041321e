//! Commits what a chat made of its rows, and hands turns to their bots. Layer `actors`. Keeps I3.

use std::sync::Arc;

use ractor::ActorRef;

use super::actor::{ChatState, Step};
use super::memory::Memory;
use super::shares::Begun;
use crate::actors::bot::messages::BotMsg;
use crate::actors::chat::messages::ChatMsg;
use crate::actors::node::committer::{CommitError, CommitResult};
use crate::domain::commit::operations::{Advance, Operation};
use crate::domain::commit::outcome::Refusal;
use crate::domain::ids::{BotId, Number};
use crate::ports::store::StoreError;

impl ChatState {
    pub(super) fn commit(&mut self, myself: &ActorRef<ChatMsg>, base: Number, step: Step) {
        self.commit_as(myself, base, step, Operation::Advance, |_| {});
    }

    /// Commits a step as part of the operation that `operation` makes of it; `told` hears the result.
    pub(super) fn commit_as(
        &mut self,
        myself: &ActorRef<ChatMsg>,
        base: Number,
        step: Step,
        operation: impl FnOnce(Advance) -> Operation,
        told: impl FnOnce(&CommitResult) + Send + 'static,
    ) {
        let (id, last) = (self.profile.id, Number(base.0 + step.entries.len() as i64));
        let advance = Advance {
            chat: self.profile.id,
            epoch: self.epoch,
            base,
            entries: step.entries,
            handled: step.handled,
            decisions: step.decisions,
            turns: step.turns,
            superseded: step.dropped,
            next_tick_at: self.next_tick_at,
            absences: step.absences,
            calm_until: self.memory.as_ref().and_then(Memory::calm_stored),
            disclosed: self.memory.as_ref().is_some_and(|memory| memory.disclosed),
        };
        self.commits_in_flight += 1;
        self.commits_unanswered += 1;
        let (here, away): (Vec<_>, Vec<_>) = step
            .jobs
            .into_iter()
            .map(|(bot, jobs)| (bot, self.node.directory.bot(bot), jobs))
            .partition(|(_, actor, _)| actor.is_some());
        let away: Vec<BotId> = away.into_iter().map(|(bot, ..)| bot).collect();
        let (node, chat, generation) = (Arc::clone(&self.node), myself.clone(), self.generation);
        let begun = step.begun;
        self.shares.count(&begun);
        self.node.committer.submit(operation(advance), move |result| {
            told(&result);
            if result.is_ok() {
                node.appended(id, last);
                if !away.is_empty() {
                    // Bots that live elsewhere find their turns in the store.
                    node.wake_bots(away);
                }
            }
            let _ = chat.cast(ChatMsg::Advanced(generation, result, begun));
        });
        for (_, actor, jobs) in here {
            if let Some(actor) = actor {
                let _ = actor.cast(BotMsg::Turns(jobs));
            }
        }
    }

    pub(super) async fn on_advanced(
        &mut self,
        myself: &ActorRef<ChatMsg>,
        generation: u64,
        result: &CommitResult,
        begun: &[Begun],
    ) {
        if result.is_err() {
            self.shares.take_back(begun);
        }
        if generation != self.generation {
            return self.on_answered(myself).await;
        }
        self.commits_unanswered = self.commits_unanswered.saturating_sub(1);
        self.commits_in_flight -= 1;
        match result {
            Ok(_) => self.on_accepted(myself),
            Err(CommitError::Refused(Refusal::Fenced)) => {
                self.on_fenced(myself);
            }
            Err(CommitError::Unavailable(error)) => self.store_failed(myself, &StoreError::Unavailable(error.clone())),
            // What an operator asked for is refused, and no row of the chat.
            Err(CommitError::Refused(Refusal::TakenOver(_))) => self.reload(myself).await,
            Err(CommitError::Refused(refusal)) => self.on_refused(myself, refusal).await,
        }
    }
}
