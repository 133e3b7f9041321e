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

use std::time::Duration;

use crate::actors::bot::effect::Effect;
use crate::actors::bot::outbox::SEND_BACKOFF;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::ticket::Ticket;
use crate::actors::bot::turns::Turns;
use crate::actors::bot::turns::job::Phase;
use crate::domain::commit::operations::TurnEnding;
use crate::domain::control::StopScope;
use crate::domain::ids::{ChatId, TurnId};
use crate::domain::silence::Silence;
use crate::domain::turn::Act;
use crate::ports::metrics;
use crate::ports::telegram::{Shut, TelegramError};

/// Wait of a turn of a bot without an accepted token or in quarantine: a person may mend that before it is stale.
const REFUSED_RETRY: Duration = Duration::from_secs(15);

impl Turns {
    /// Performs the turn's act. `claimed`: the claim is committed, so that Telegram may see an effect of the act.
    pub(super) fn act(&mut self, turn: TurnId, claimed: bool, desk: &mut Desk<'_, '_>) {
        if let Some(why) = self.silenced(turn, desk) {
            return self.hold_tongue(turn, why, desk);
        }
        let Some(job) = self.jobs.get(&turn) else {
            return;
        };
        match &job.given.turn.act {
            Act::Answer | Act::Open { .. } => self.ask_model(turn, desk),
            Act::Say { text, .. } => {
                let text = text.clone();
                self.say(turn, &text, desk);
            }
            Act::React { .. } if claimed => self.react(turn, desk),
            Act::React { .. } => {}
        }
    }

    /// Returns why the bot cannot speak in the turn's time, whatever a model would say.
    pub(super) fn silenced(&self, turn: TurnId, desk: &Desk<'_, '_>) -> Option<Silence> {
        let given = &self.jobs.get(&turn)?.given;
        if given.turn.yields() && desk.site().is_taken_over(given.turn.chat) {
            return Some(Silence::TakenOver);
        }
        if desk.site().all_speak() {
            return None;
        }
        let thread = given.target.as_ref().and_then(|target| target.thread);
        desk.site().voice(given.turn.chat, thread).silent_until(given.turn.expires_at)
    }

    /// Drops a turn that cannot be spoken, or tries it again later, so that nothing is paid for it.
    pub(super) fn hold_tongue(&mut self, turn: TurnId, why: Silence, desk: &mut Desk<'_, '_>) {
        match why {
            Silence::NoToken | Silence::Sealed | Silence::Refused | Silence::Quarantined => {
                self.again_after(turn, REFUSED_RETRY, desk);
            }
            Silence::Stopped | Silence::Absent | Silence::TopicShut | Silence::Paused(_) | Silence::TakenOver => {
                let bot = desk.site().profile().id;
                tracing::info!(bot.id = %bot, turn.id = %turn, why = why.label(), "turn dropped: the bot cannot speak");
                self.drop_turn(turn, why.label(), format!("could not speak: {why}"), desk);
            }
        }
    }

    /// Forgets a turn that the store dropped instead of claiming it, because a stop was in force.
    pub(super) fn on_stopped(&mut self, turn: TurnId, scope: StopScope, desk: &mut Desk<'_, '_>) {
        let bot = desk.site().profile().id;
        tracing::info!(bot.id = %bot, turn.id = %turn, stop = ?scope, "turn dropped by a stop");
        metrics::turns_dropped_total { reason: "stopped" }.increment(1);
        desk.outbox.discard_turn(turn);
        self.forget(turn, desk);
    }

    /// Forgets a turn that the store dropped instead of claiming it, because an operator has taken the bot over.
    pub(super) fn on_gave_way(&mut self, turn: TurnId, desk: &mut Desk<'_, '_>) {
        let bot = desk.site().profile().id;
        tracing::info!(bot.id = %bot, turn.id = %turn, "turn dropped: an operator speaks as the bot");
        metrics::turns_dropped_total { reason: Silence::TakenOver.label() }.increment(1);
        desk.outbox.discard_turn(turn);
        self.forget(turn, desk);
    }

    /// Drops the turn on purpose, with a reason.
    pub(super) fn drop_turn(&mut self, turn: TurnId, kind: &'static str, reason: String, desk: &mut Desk<'_, '_>) {
        metrics::turns_dropped_total { reason: kind }.increment(1);
        self.finish(turn, TurnEnding::Dropped(reason), desk);
    }

    fn react(&mut self, turn: TurnId, desk: &mut Desk<'_, '_>) {
        let site = desk.site();
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        let Act::React { emoji } = &job.given.turn.act else {
            return;
        };
        let (place, emoji) = (job.given.turn.chat, emoji.clone());
        let Some(target) = job.given.target.clone() else {
            return self.drop_turn(turn, "reaction", "there is nothing to react to".to_owned(), desk);
        };
        if site.chat(place).is_none() {
            return self.finish(turn, gone_from_manifest(), desk);
        }
        if !target.message_id.is_of_one() {
            return self.drop_turn(turn, "reaction", "the message bears no id to react to".to_owned(), desk);
        }
        let chat = site.telegram_chat(place).unwrap_or(target.telegram_chat);
        if chat != target.telegram_chat {
            let reason = "the group became a supergroup: what was said before cannot be reached".to_owned();
            return self.drop_turn(turn, "reaction", reason, desk);
        }
        if site.stay().holds_sends() {
            return self.give_back(turn, desk);
        }
        // A stop may have come since the claim, while the reaction waited to be tried again.
        if let Some(scope) = site.stop(place) {
            return self.drop_turn(turn, "stopped", format!("stopped: {scope:?}"), desk);
        }
        let wait = site.cannot_act().or_else(|| desk.outbox.limiter().pause_left(place));
        if let Some(wait) = wait {
            return self.again_after(turn, wait, desk);
        }
        let ticket = self.tickets.take();
        job.phase = Phase::Asking(ticket);
        desk.ask(Effect::React { turn, ticket, chat, message: target.message_id, emoji });
    }

    pub(super) fn on_reacted(
        &mut self,
        turn: TurnId,
        ticket: Ticket,
        result: Result<(), TelegramError>,
        desk: &mut Desk<'_, '_>,
    ) {
        let site = desk.site();
        let Some(job) = self.jobs.get_mut(&turn).filter(|job| job.awaits(ticket)) else {
            return;
        };
        let place = job.given.turn.chat;
        let Err(error) = result else {
            metrics::reactions_total { status: "set" }.increment(1);
            return self.finish(turn, TurnEnding::Acted, desk);
        };
        tracing::debug!(bot.id = %site.profile().id, turn.id = %turn, error = %error, "a reaction could not be set");
        job.rounds += 1;
        let backoff = SEND_BACKOFF.wait(job.rounds, site.random());
        match &error {
            TelegramError::RateLimited { retry_after } => {
                desk.outbox.limited(Some(place), *retry_after, desk.step);
                self.again_after(turn, *retry_after, desk);
            }
            TelegramError::Unreachable(_) | TelegramError::Unknown(_) | TelegramError::Unauthorized(_) => {
                self.again_after(turn, backoff, desk);
            }
            TelegramError::Migrated(to) => {
                desk.ask(Effect::Migrate(place, *to));
                self.refused_reaction(turn, place, &error, desk);
            }
            TelegramError::CannotWrite { .. }
            | TelegramError::WebhookSet(_)
            | TelegramError::Conflict(_)
            | TelegramError::Rejected { .. } => {
                self.refused_reaction(turn, place, &error, desk);
            }
        }
    }

    /// Drops a turn whose reaction Telegram refuses: nobody waits for the reaction.
    fn refused_reaction(&mut self, turn: TurnId, place: ChatId, error: &TelegramError, desk: &mut Desk<'_, '_>) {
        // A bot that may not react may still write; a bot that is not in the chat can do neither.
        if let TelegramError::CannotWrite { place: shut @ (Shut::Outside | Shut::Gone), .. } = error {
            desk.ask(Effect::Shut(place, None, *shut));
        }
        metrics::reactions_total { status: "refused" }.increment(1);
        self.drop_turn(turn, "reaction", error.to_string(), desk);
    }
}

/// Returns the end of a turn whose chat the manifest has dropped.
pub(super) fn gone_from_manifest() -> TurnEnding {
    TurnEnding::Dropped("the chat is no longer in the manifest".to_owned())
}
