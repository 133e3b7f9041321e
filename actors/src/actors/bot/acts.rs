//! Performs the acts that turns ask of their bot. Layer `actors`. Keeps I4, I7, I9.
//!
//! | act | done |
//! |---|---|
//! | answer, open | the models are asked while the claim is committed: a call to a model is no outside effect |
//! | say | the given text goes to the outbox at once, with neither model nor typing |
//! | react | once the claim is committed; setting a reaction again changes nothing, so a doubtful one is set again |
//!
//! A stop that is in force when the claim is committed drops the turn, whatever its act. A reaction that is tried again
//! is no outbox message, so each try looks for stops itself.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::SEND_BACKOFF;
use crate::actors::bot::state::BotState;
use crate::domain::commit::operations::TurnEnding;
use crate::domain::control::StopScope;
use crate::domain::ids::{ChatId, TurnId};
use crate::domain::turn::Act;
use crate::ports::bus::Hint;
use crate::ports::telegram::{Shut, TelegramError};

impl BotState {
    /// Performs the turn's act. `claimed`: the claim is committed, so that Telegram may see an effect of the act.
    pub(super) fn perform(&mut self, turn: TurnId, claimed: bool) {
        if let Some(why) = self.silenced(turn) {
            return self.hold_tongue(turn, why);
        }
        let Some(job) = self.jobs.get(&turn) else {
            return;
        };
        match &job.given.turn.act {
            Act::Answer | Act::Open { .. } => self.ask_model(turn),
            Act::Say { text } => {
                let text = text.clone();
                self.say(turn, &text);
            }
            Act::React { .. } if claimed => self.react(turn),
            Act::React { .. } => {}
        }
    }

    /// Forgets a turn that the store dropped instead of claiming it, because a stop was in force.
    pub(super) fn on_stopped(&mut self, turn: TurnId, scope: StopScope) {
        tracing::info!(bot.id = %self.profile.id, turn.id = %turn, stop = ?scope, "turn dropped by a stop");
        metrics::counter!("botfleet_turns_dropped_total", "reason" => "stopped").increment(1);
        self.outbox.discard_turn(turn);
        self.forget_turn(turn);
    }

    /// Drops the turn on purpose, with a reason.
    pub(super) fn drop_turn(&mut self, turn: TurnId, kind: &'static str, reason: String) {
        metrics::counter!("botfleet_turns_dropped_total", "reason" => kind).increment(1);
        self.finish(turn, TurnEnding::Dropped(reason));
    }

    fn react(&mut self, turn: TurnId) {
        let node = Arc::clone(&self.node);
        let cannot = self.outbox(|_, step| step.site.cannot_act());
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        let Act::React { emoji } = &job.given.turn.act else {
            return;
        };
        let (place, emoji) = (job.given.turn.chat, emoji.clone());
        let Some(target) = job.given.target.clone() else {
            return self.drop_turn(turn, "reaction", "there is nothing to react to".to_owned());
        };
        if node.directory.chat_profile(place).is_none() {
            return self.finish(turn, TurnEnding::Dropped("the chat is no longer in the manifest".to_owned()));
        }
        if !target.message_id.is_of_one() {
            return self.drop_turn(turn, "reaction", "the message bears no id to react to".to_owned());
        }
        let chat = node.directory.telegram_chat(place).unwrap_or(target.telegram_chat);
        if chat != target.telegram_chat {
            let reason = "the group became a supergroup: what was said before cannot be reached".to_owned();
            return self.drop_turn(turn, "reaction", reason);
        }
        if self.stay.holds_sends() {
            return self.give_back(turn);
        }
        // A stop may have come since the claim, while the reaction waited to be tried again.
        if let Some(scope) = node.people.stops().blocking(place, self.profile.id, node.clock.now()) {
            return self.drop_turn(turn, "stopped", format!("stopped: {scope:?}"));
        }
        let wait = cannot.or_else(|| self.outbox.limiter().pause_left(place));
        if let Some(wait) = wait {
            return self.again_after(turn, wait);
        }
        self.generation += 1;
        job.generation = self.generation;
        let (api, myself, generation) = (Arc::clone(&self.api), self.myself.clone(), job.generation);
        self.tasks.spawn(async move {
            let result = api.set_reaction(chat, target.message_id, &emoji).await;
            let _ = myself.cast(BotMsg::Reacted(turn, generation, result));
        });
    }

    pub(super) fn on_reacted(&mut self, turn: TurnId, generation: u64, result: Result<(), TelegramError>) {
        let random = self.node.jitter.next();
        let Some(job) = self.jobs.get_mut(&turn).filter(|job| job.generation == generation && job.finish.is_none())
        else {
            return;
        };
        let place = job.given.turn.chat;
        let Err(error) = result else {
            metrics::counter!("botfleet_reactions_total", "status" => "set").increment(1);
            return self.finish(turn, TurnEnding::Acted);
        };
        tracing::debug!(bot.id = %self.profile.id, turn.id = %turn, error = %error, "a reaction could not be set");
        job.rounds += 1;
        let backoff = SEND_BACKOFF.wait(job.rounds, random);
        match &error {
            TelegramError::RateLimited { retry_after } => {
                self.on_limited(Some(place), *retry_after);
                self.again_after(turn, *retry_after);
            }
            TelegramError::Unreachable(_) | TelegramError::Unknown(_) | TelegramError::Unauthorized(_) => {
                self.again_after(turn, backoff);
            }
            TelegramError::Migrated(to) => {
                self.node.directory.migrate(place, *to);
                self.node.tell([Hint::Migrated(place, *to)]);
                self.refused_reaction(turn, place, &error);
            }
            TelegramError::CannotWrite { .. } | TelegramError::Conflict(_) | TelegramError::Rejected { .. } => {
                self.refused_reaction(turn, place, &error);
            }
        }
    }

    /// Drops a turn whose reaction Telegram refuses: nobody waits for the reaction.
    fn refused_reaction(&mut self, turn: TurnId, place: ChatId, error: &TelegramError) {
        // A bot that may not react may still write; a bot that is not in the chat can do neither.
        if let TelegramError::CannotWrite { place: shut @ (Shut::Outside | Shut::Gone), .. } = error {
            self.on_shut(place, None, *shut);
        }
        metrics::counter!("botfleet_reactions_total", "status" => "refused").increment(1);
        self.drop_turn(turn, "reaction", error.to_string());
    }

    /// Tries the turn again after `wait`, or ends the turn when it is stale by then.
    pub(super) fn again_after(&mut self, turn: TurnId, wait: Duration) {
        let now = self.node.clock.now();
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        if now + wait >= job.given.turn.expires_at {
            return self.finish(turn, TurnEnding::Expired);
        }
        self.generation += 1;
        job.generation = self.generation;
        let (myself, generation) = (self.myself.clone(), job.generation);
        self.tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = myself.cast(BotMsg::RetryTurn(turn, generation));
        });
    }

    pub(super) fn on_retry_turn(&mut self, turn: TurnId, generation: u64) {
        if self.jobs.get(&turn).is_some_and(|job| job.generation == generation && job.finish.is_none()) {
            self.perform(turn, true);
        }
    }
}
