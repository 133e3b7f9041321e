//! Asks the director, and gives turns to its speakers. Layer `actors`. Keeps I7, I9.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ractor::ActorRef;

use super::actor::{ChatState, Step};
use crate::actors::bot::turns::messages::TurnJob;
use crate::actors::chat::messages::ChatMsg;
use crate::behaviour::director::direct;
use crate::behaviour::director::direction::Direction;
use crate::behaviour::director::energy::energy;
use crate::behaviour::director::lately::openings_unanswered;
use crate::behaviour::director::seed;
use crate::behaviour::note::Note;
use crate::behaviour::rhythm::{Rhythm, next_tick};
use crate::behaviour::scene::{CastMember, Occasion, Scene};
use crate::domain::decision::{Cause, Decision, OpenTurn, Standing};
use crate::domain::ids::{BotId, DecisionNumber, Number, ThreadId};
use crate::domain::roster::ChatPolicy;
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::domain::turn::{Act, Turn, TurnProgress};

/// Time, besides typing, that a chat waits for a bot that is about to speak: turns may also end without a word.
const OPEN_MAX: Duration = Duration::from_secs(30);

impl ChatState {
    /// Plans when the chat speaks up by itself: at a human rhythm, and at the same time whenever planned again.
    pub(super) fn plan_tick(&mut self) {
        let now = self.node.clock.now();
        let spec = &self.profile.spec;
        self.next_tick_at = spec.pacing.quiet_tick.zip(self.memory.as_ref()).map(|(pace, memory)| {
            let standing = Standing::default();
            let window = &*memory.window_of(memory.lively_topic());
            let scene =
                Scene { chat: &self.profile, cast: &self.cast, window, whole: window, standing: &standing, now };
            let (energy, unanswered) = match spec.policy {
                ChatPolicy::Natural => (energy(&scene), openings_unanswered(&scene)),
                ChatPolicy::Mention | ChatPolicy::Every => (1.0, 0),
            };
            let (time_zone, quiet_hours) = (spec.time_zone.as_str(), spec.quiet_hours);
            let seed = seed::of(self.profile.id.0 ^ memory.last_number.0.rotate_left(20), memory.last_decision);
            next_tick(&Rhythm { pace, time_zone, quiet_hours, energy, unanswered }, now, seed)
        });
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
        let memory = self.memory.as_mut()?;
        let number = DecisionNumber(memory.last_decision.0 + 1);
        let seed = seed::of(self.profile.id.0, number);
        let cause = at.map_or(Cause::Tick, |entry| Cause::Entry(entry.number));
        let here: Vec<CastMember>;
        let cast = if silent.is_empty() {
            &self.cast
        } else {
            here = self.cast.iter().filter(|member| !silent.contains_key(&member.profile.id)).cloned().collect();
            &here
        };
        let thread = at.map_or_else(|| memory.lively_topic(), |entry| entry.thread);
        // Policy `every` looks at nothing but the entry.
        let author = at.filter(|note| self.profile.spec.policy != ChatPolicy::Every && is_of_person(note));
        let author = author.map(|note| note.author.id);
        let mut open = memory.open_at(now);
        open.retain(|turn| turn.thread == thread);
        let standing = Standing {
            first: memory.window.front().map_or(Number(0), |note| note.number),
            last: memory.window.back().map_or(Number(0), |note| note.number),
            absent: silent.keys().copied().collect(),
            silent: silent.into_iter().filter(|(_, why)| *why != Silence::Absent).collect(),
            open,
            calm_until: memory.calm_in(thread),
            thread,
            topics: memory.has_topics(),
            stopped: self.node.people.is_stopped(self.profile.id, now),
            ahead_ms: Some(self.node.clock.telegram_ahead()),
            superseded: step.superseded,
            turns_for_author: author.map_or(0, |author| {
                let of_step = step.begun.iter().filter(|(_, of)| *of == author).count() as u32;
                self.shares.of(author, now) + of_step
            }),
        };
        let window = &memory.window;
        let scene = Scene { chat: &self.profile, cast, window, whole: window, standing: &standing, now };
        // A poison message must not take its chat along (I7): the message keeps its entry, and nobody answers.
        let Ok(direction) = catch_unwind(AssertUnwindSafe(|| direct(&scene, occasion, seed))) else {
            tracing::error!(chat.id = %self.profile.id, cause = ?cause, "the director panicked, nobody answers");
            metrics::counter!("botfleet_behaviour_panics_total").increment(1);
            step.panicked = true;
            return None;
        };
        let direction = direction?;
        if direction.is_history() {
            metrics::counter!("botfleet_calls_too_old_total").increment(1);
            step.history = Some(direction.reason.clone());
        }
        memory.last_decision = number;
        memory.calms_down(thread, direction.calm_until, now);
        if let Some(author) = author {
            let paid = direction.speakers.iter().filter(|speaker| !matches!(speaker.act, Act::React { .. }));
            step.begun.extend(paid.map(|_| (now, author)));
        }
        metrics::counter!("botfleet_decisions_total", "verdict" => direction.verdict.as_str()).increment(1);
        let said = at.map_or(now, |note| standing.when(note).min(now));
        self.add_turns(number, &direction, (now, said), at, step);
        self.wait_for(&direction, thread, now);
        step.decisions.push(Decision {
            chat: self.profile.id,
            number,
            cause,
            seed,
            at: now,
            config_seq: self.node.directory.known().config_seq,
            policy: self.profile.spec.policy.as_str().to_owned(),
            standing,
            verdict: direction.verdict,
            reason: direction.reason,
            inputs: direction.inputs,
            scores: direction.scores,
            root: direction.root,
            chain_depth: direction.chain_depth,
        });
        Some(number)
    }

    fn add_turns(
        &self,
        decision: DecisionNumber,
        direction: &Direction,
        (now, said): (Timestamp, Timestamp),
        at: Option<&Arc<Note>>,
        step: &mut Step,
    ) {
        let Some(memory) = &self.memory else {
            return;
        };
        let thread = at.map_or_else(|| memory.lively_topic(), |entry| entry.thread);
        for (ordinal, speaker) in direction.speakers.iter().enumerate() {
            let due_at = now + speaker.delay;
            let shed = self.shed(speaker.priority);
            let turn = Turn {
                id: self.node.turn_id(),
                chat: self.profile.id,
                decision,
                bot: speaker.bot,
                ordinal: ordinal as u32,
                act: speaker.act.clone(),
                target: speaker.target,
                answers_bot: speaker.answers_bot,
                chain_depth: direction.chain_depth,
                root: direction.root,
                priority: speaker.priority,
                due_at,
                expires_at: said + speaker.delay + self.profile.spec.pacing.stale_after,
                created_at: now,
                progress: shed.map_or_else(TurnProgress::queued, TurnProgress::dropped),
            };
            if turn.progress.state.is_final() {
                step.turns.push(turn);
                continue;
            }
            let target = speaker
                .target
                .and_then(|number| at.filter(|note| note.number == number).or_else(|| memory.entry(number)))
                .map(|note| Arc::clone(&note.entry));
            let window = memory.window_of(thread).iter().cloned().collect();
            step.turns.push(turn.clone());
            step.jobs.entry(speaker.bot).or_default().push(TurnJob { turn, window, target });
        }
    }

    /// Notes who is about to speak, but not under policy `every`, which never looks at it.
    fn wait_for(&mut self, direction: &Direction, thread: Option<ThreadId>, now: Timestamp) {
        let Some(memory) = self.memory.as_mut().filter(|_| self.profile.spec.policy != ChatPolicy::Every) else {
            return;
        };
        let pacing = &self.profile.spec.pacing;
        let patience = pacing.stale_after.min(pacing.typing_max + OPEN_MAX);
        let speakers = direction.speakers.iter().filter(|speaker| !matches!(speaker.act, Act::React { .. }));
        memory.open.extend(speakers.map(|speaker| OpenTurn {
            bot: speaker.bot,
            target: speaker.target,
            thread,
            until: now + speaker.delay + patience,
        }));
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
        metrics::counter!("botfleet_turns_shed_total", "priority" => priority.to_string()).increment(1);
        Some(format!("shed: {open} turns are open, of which {most} may be"))
    }
}

fn is_of_person(note: &Note) -> bool {
    note.fleet_bot.is_none() && note.author.kind.is_person()
}
