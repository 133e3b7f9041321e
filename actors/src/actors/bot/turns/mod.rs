//! The turns of a bot as a pure machine: it is told what happened, and asks for effects. Layer `actors`. Keeps I7, I8.
//!
//! | file | holds |
//! |---|---|
//! | `mod`, `messages` | the turns in memory, and the messages about them |
//! | `queue` | turns that wait: for their time, then for room |
//! | `job` | one turn at work, and what it waits for |
//! | `running` | claim -> act -> finish, and giving back |
//! | `acts` | what a turn asks for: to answer, to say a given text, to react (I4) |
//! | `models` | prompt -> provider -> firewall, tries and fallbacks (I15) |
//! | `reviewing` | the guards' verdicts on what a model wrote |
//! | `saying` | text -> messages of the outbox |
//! | `own_texts` | the bot's own texts, which later ones are compared with |

mod acts;
mod job;
pub(crate) mod messages;
mod models;
mod own_texts;
mod queue;
mod reviewing;
mod running;
mod saying;

use std::collections::HashMap;

use tokio::time::Instant;

use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::settings::BotSettings;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::ticket::Tickets;
use crate::actors::bot::turns::job::{Job, Phase};
use crate::actors::bot::turns::messages::TurnMsg;
use crate::actors::bot::turns::own_texts::OwnTexts;
use crate::actors::bot::turns::queue::WaitingTurns;
pub(super) use crate::actors::bot::turns::reviewing::compares_with;
use crate::behaviour::job::TurnJob;
use crate::domain::ids::TurnId;
use crate::ports::metrics;

/// The turns of a bot.
pub(super) struct Turns {
    /// Turns at work.
    jobs: HashMap<TurnId, Job>,
    waiting: WaitingTurns,
    claims: Claims,
    tickets: Tickets,
    own: OwnTexts,
}

/// The store's latest answer to a claim.
#[derive(Clone, Copy, Debug)]
enum Claims {
    /// The store took the claim, or refused it.
    Committed,
    /// The store did not answer; no turn begins before that time.
    Failed(Instant),
}

impl Turns {
    /// Creates the turns of a bot that has none.
    pub(super) fn new(settings: &BotSettings) -> Self {
        Self {
            jobs: HashMap::new(),
            waiting: WaitingTurns::new(settings.turns_waiting),
            claims: Claims::Committed,
            tickets: Tickets::default(),
            own: OwnTexts::default(),
        }
    }

    /// Handles a message.
    pub(super) fn handle(&mut self, message: TurnMsg, desk: &mut Desk<'_, '_>) {
        match message {
            TurnMsg::Due => self.on_due(desk),
            TurnMsg::Claimed(turn, ticket, result) => self.on_claimed(turn, ticket, &result, desk),
            TurnMsg::Completed(turn, ticket, result) => self.on_completed(turn, ticket, result, desk),
            TurnMsg::NewsRead(draft, tail) => self.on_news(draft, tail, desk),
            TurnMsg::Judged(draft, objection) => self.on_judged(&draft, objection, desk),
            TurnMsg::Recalled(ticket, texts) => self.own.on_read(ticket, texts.as_deref()),
            TurnMsg::Reacted(turn, ticket, result) => self.on_reacted(turn, ticket, result, desk),
            TurnMsg::Retry(turn, ticket) => self.on_retry(turn, ticket, desk),
            TurnMsg::Finished(turn, ticket, begun, result) => self.on_finished(turn, ticket, begun, result, desk),
            TurnMsg::FinishAgain(turn, ticket) => self.finish_again(turn, ticket, desk),
            TurnMsg::GiveBackAgain(turn) => self.give_back_again(turn, desk),
            TurnMsg::GivenBack(turn, result) => self.on_given_back(turn, &result, desk),
        }
    }

    /// Takes turns that were decided, as far as there is room: the rest stays in the store.
    pub(super) fn take(&mut self, jobs: Vec<TurnJob>, desk: &mut Desk<'_, '_>) {
        for job in jobs {
            if self.room(desk.site().settings()) == 0 || desk.site().stay().is_closing() {
                return;
            }
            self.waiting.take(job);
        }
        self.pump(desk);
    }

    /// Returns the number of turns that memory still takes.
    pub(super) fn room(&self, settings: &BotSettings) -> usize {
        settings.turns_waiting.get().saturating_sub(self.waiting.len())
    }

    /// Returns the number of turns that wait in memory.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the number of turns at work.
    pub(super) fn in_flight(&self) -> usize {
        self.jobs.len()
    }

    /// Returns whether the turn is in memory.
    pub(super) fn knows(&self, turn: TurnId) -> bool {
        self.waiting.knows(turn)
    }

    /// Returns the turns in memory.
    pub(super) fn known(&self) -> Vec<TurnId> {
        self.waiting.known()
    }

    /// Takes the bot's own texts that were read when it started, oldest first.
    pub(super) fn begin_with(&mut self, texts: &[String]) {
        self.own.begin_with(texts);
    }

    /// Forgets a text that was given up before anybody saw it.
    pub(super) fn unsay(&mut self, text: &str) {
        self.own.unsay(text);
    }

    /// Lets go of all turns, since the bot lives elsewhere: withdraws calls to models, which are of no use any more.
    /// Ends that are being committed are waited for.
    pub(super) fn let_go(&mut self, outbox: &mut Outbox) {
        let dropped = self.jobs.extract_if(|_, job| !job.is_ending());
        for (turn, job) in dropped {
            let counted = matches!(job.phase, Phase::GivingBack);
            if !counted && (job.usage.is_some() || job.request.is_some()) {
                metrics::completions_wasted_total.increment(1);
            }
            job.wanted.withdraw();
            outbox.discard_turn(turn);
        }
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests;
