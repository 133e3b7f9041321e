//! Asks the director, and gives turns to its speakers. Layer `actors`. Keeps I7, I9.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ractor::ActorRef;

use super::actor::{ChatState, Step};
use super::engine::{Decided, Question};
use crate::actors::chat::messages::ChatMsg;
use crate::behaviour::note::Note;
use crate::behaviour::scene::{CastMember, Occasion};
use crate::domain::decision::Standing;
use crate::domain::ids::{BotId, DecisionNumber, Number};
use crate::domain::roster::ChatPolicy;
use crate::domain::silence::Silence;
use crate::domain::turn::{Act, TurnProgress};
use crate::ports::metrics;

impl ChatState {
    /// Plans when the chat speaks up by itself.
    pub(super) fn plan_tick(&mut self) {
        let now = self.node.clock.now();
        let memory = self.memory.as_ref();
        self.next_tick_at = memory.and_then(|memory| memory.next_tick(&self.profile, &self.cast, now));
    }

    /// Calms the chat down since a budget is spent, as after any other limit of loop physics.
    pub(super) fn on_spent(&mut self, myself: &ActorRef<ChatMsg>) {
        let (now, cool_down) = (self.node.clock.now(), self.profile.spec.physics.cool_down);
        let guarded = self.profile.spec.policy.is_guarded();
        let Some(memory) = self.memory.as_mut().filter(|_| guarded && !cool_down.is_zero()) else {
            return;
        };
        if memory.calm_until.is_none_or(|until| until <= now) {
            memory.calm_until = Some(now + cool_down);
            let base = memory.last_number;
            tracing::info!(chat.id = %self.profile.id, "a budget is spent, the chat calms down");
            self.commit(myself, base, Step::default());
        }
    }

    /// Notes a bot's copy; returns whether the director is to see it. Only policy `every` looks at more than the first
    /// copy of an entry: at one for each bot.
    pub(super) fn hears(&mut self, number: Number, bot: BotId) -> bool {
        let every = self.profile.spec.policy == ChatPolicy::Every;
        self.memory.as_mut().is_some_and(|memory| every && memory.hears(number, bot))
    }

    /// Asks the director; the turns of its speakers join the step.
    pub(super) fn decide(
        &mut self,
        occasion: Occasion<'_>,
        at: Option<&Arc<Note>>,
        step: &mut Step,
    ) -> Option<DecisionNumber> {
        let now = self.node.clock.now();
        let silent = self.silent_here(at.and_then(|note| note.thread), now);
        self.want_the_absent(&silent);
        let here: Vec<CastMember>;
        let cast = if silent.is_empty() {
            &self.cast
        } else {
            here = self.cast.iter().filter(|member| !silent.contains_key(&member.profile.id)).cloned().collect();
            &here
        };
        // Policy `every` looks at nothing but the entry.
        let author = at.filter(|note| self.profile.spec.policy != ChatPolicy::Every && is_of_person(note));
        let author = author.map(|note| note.author.id);
        let standing = Standing {
            absent: silent.keys().copied().collect(),
            silent: silent.into_iter().filter(|(_, why)| *why != Silence::Absent).collect(),
            stopped: self.node.people.is_stopped(self.profile.id, now),
            ahead_ms: Some(self.node.clock.telegram_ahead()),
            superseded: step.superseded,
            turns_for_author: author.map_or(0, |author| {
                let of_step = step.begun.iter().filter(|(_, of)| *of == author).count() as u32;
                self.shares.of(author, now) + of_step
            }),
            ..Standing::default()
        };
        let (node, chat) = (&self.node, &*self.profile);
        let config_seq = node.directory.known().config_seq;
        let question = Question { chat, cast, occasion, at, standing, config_seq, now };
        let cause = at.map(|entry| entry.number);
        let memory = self.memory.as_mut()?;
        // A poison message must not take its chat along (I7): the message keeps its entry, and nobody answers.
        let asked = AssertUnwindSafe(|| memory.decide(question, || node.turn_id()));
        let Ok(decided) = catch_unwind(asked) else {
            tracing::error!(chat.id = %self.profile.id, cause = ?cause, "the director panicked, nobody answers");
            metrics::behaviour_panics_total.increment(1);
            step.panicked = true;
            return None;
        };
        let Decided { decision, jobs, superseded, is_history } = decided?;
        step.dropped.extend(superseded);
        if is_history {
            metrics::calls_too_old_total.increment(1);
            step.history = Some(decision.reason.clone());
        }
        if let Some(author) = author {
            let paid = jobs.iter().filter(|job| !matches!(job.turn.act, Act::React { .. }));
            step.begun.extend(paid.map(|_| (now, author)));
        }
        metrics::decisions_total { verdict: decision.verdict.as_str() }.increment(1);
        for mut job in jobs {
            if let Some(reason) = self.shed(job.turn.priority) {
                job.turn.progress = TurnProgress::dropped(reason);
                step.turns.push(job.turn);
            } else {
                step.turns.push(job.turn.clone());
                step.jobs.entry(job.turn.bot).or_default().push(job);
            }
        }
        let number = decision.number;
        step.decisions.push(decision);
        Some(number)
    }

    /// Counts a turn as open, or returns why it is shed: too many are open (I9). People's turns are the last to be
    /// shed.
    fn shed(&self, priority: u8) -> Option<String> {
        // The limit is the fleet's: each node sheds beyond its part of it.
        let most = (self.settings.turns_open_max.get() / self.node.leases.sharers()).max(1);
        let room = match priority {
            0 => most,
            1 => most - most / 4,
            _ => most.div_ceil(2),
        };
        let open = self.node.turns_open.load(Ordering::Relaxed);
        if open < room {
            self.node.turns_open.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        metrics::turns_shed_total { priority: priority.to_string() }.increment(1);
        Some(format!("shed: {open} turns are open, of which {most} may be"))
    }
}

fn is_of_person(note: &Note) -> bool {
    note.fleet_bot.is_none() && note.author.kind.is_person()
}
