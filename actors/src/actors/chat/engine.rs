//! Asks the director about a chat, makes turns for its speakers, and plans its tick. Layer `actors`; pure, for the actor
//! and the soak alike. Keeps I7.

use std::sync::Arc;
use std::time::Duration;

use super::memory::Memory;
use crate::behaviour::director::direct;
use crate::behaviour::director::direction::{Direction, Speaker};
use crate::behaviour::director::energy::energy;
use crate::behaviour::director::lately::openings_unanswered;
use crate::behaviour::director::seed;
use crate::behaviour::job::TurnJob;
use crate::behaviour::note::Note;
use crate::behaviour::rhythm::{Rhythm, next_tick};
use crate::behaviour::scene::{CastMember, Occasion, Scene};
use crate::domain::decision::{Cause, Decision, OpenTurn, Standing};
use crate::domain::ids::{ConfigSeq, DecisionNumber, Number, ThreadId, TurnId};
use crate::domain::roster::{ChatPolicy, ChatProfile};
use crate::domain::time::Timestamp;
use crate::domain::turn::{Act, Turn, TurnProgress};

/// Time, besides typing, that a chat waits for a bot that is about to speak: turns may also end without a word.
const OPEN_MAX: Duration = Duration::from_secs(30);

/// A question to the director.
pub struct Question<'a> {
    /// The chat.
    pub chat: &'a ChatProfile,
    /// The bots of the chat that can speak.
    pub cast: &'a [CastMember],
    /// The reason for the question.
    pub occasion: Occasion<'a>,
    /// The entry in question; `None` for a tick.
    pub at: Option<&'a Arc<Note>>,
    /// The knowledge of the chat's owner besides its memory; the memory fills in the rest.
    pub standing: Standing,
    /// The configuration in force.
    pub config_seq: ConfigSeq,
    /// Current time.
    pub now: Timestamp,
}

/// A decision with its turns.
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// The turns of the speakers, in order.
    pub jobs: Vec<TurnJob>,
    /// Turns that wait for earlier lines of the same burst: the new ones take their place.
    pub superseded: Vec<TurnId>,
    /// Nobody speaks because the message is history, and no call.
    pub is_history: bool,
}

impl Memory {
    /// Asks the director, and notes the decision; `None` when nothing asks for one. When the director panics, the memory
    /// is as before.
    pub fn decide(&mut self, question: Question<'_>, turn_id: impl FnMut() -> TurnId) -> Option<Decided> {
        let Question { chat, cast, occasion, at, standing, config_seq, now } = question;
        let number = DecisionNumber(self.last_decision.0 + 1);
        let seed = seed::of(chat.id.0, number);
        let thread = at.map_or_else(|| self.lively_topic(), |entry| entry.thread);
        let mut open = self.open_at(now);
        open.retain(|turn| turn.thread == thread);
        let standing = Standing {
            first: self.window.front().map_or(Number(0), |note| note.number),
            last: self.window.back().map_or(Number(0), |note| note.number),
            open,
            calm_until: self.calm_in(thread),
            thread,
            topics: self.has_topics(),
            ..standing
        };
        let window = &self.window;
        let direction = direct(&Scene { chat, cast, window, whole: window, standing: &standing, now }, occasion, seed)?;
        self.last_decision = number;
        self.calms_down(thread, direction.calm_until, now);
        let said = at.map_or(now, |note| standing.when(note).min(now));
        let jobs = self.jobs(&direction, number, (now, said), (chat, at), turn_id);
        let superseded = self.supersede(&direction.goes_on_from);
        // Policy `every` never looks at who is about to speak.
        if chat.spec.policy != ChatPolicy::Every {
            self.wait_for(&jobs, chat, thread, now);
        }
        let is_history = direction.is_history();
        let decision = Decision {
            chat: chat.id,
            number,
            cause: at.map_or(Cause::Tick, |entry| Cause::Entry(entry.number)),
            seed,
            at: now,
            config_seq,
            policy: chat.spec.policy.as_str().to_owned(),
            standing,
            verdict: direction.verdict,
            reason: direction.reason,
            inputs: direction.inputs,
            scores: direction.scores,
            root: direction.root,
            chain_depth: direction.chain_depth,
        };
        Some(Decided { decision, jobs, superseded, is_history })
    }

    fn jobs(
        &self,
        direction: &Direction,
        decision: DecisionNumber,
        (now, said): (Timestamp, Timestamp),
        (chat, at): (&ChatProfile, Option<&Arc<Note>>),
        mut turn_id: impl FnMut() -> TurnId,
    ) -> Vec<TurnJob> {
        let thread = at.map_or_else(|| self.lively_topic(), |entry| entry.thread);
        let job = |(ordinal, speaker): (usize, &Speaker)| {
            let turn = Turn {
                id: turn_id(),
                chat: chat.id,
                decision,
                bot: speaker.bot,
                ordinal: ordinal as u32,
                act: speaker.act.clone(),
                target: speaker.target,
                answers_bot: speaker.answers_bot,
                chain_depth: direction.chain_depth,
                root: direction.root,
                priority: speaker.priority,
                due_at: now + speaker.delay,
                expires_at: said + speaker.delay + chat.spec.pacing.stale_after,
                created_at: now,
                progress: TurnProgress::queued(),
            };
            let of_number = |number| at.filter(|note| note.number == number).or_else(|| self.entry(number));
            let target = speaker.target.and_then(of_number).map(|note| Arc::clone(&note.entry));
            TurnJob { turn, window: self.window_of(thread).iter().cloned().collect(), target }
        };
        direction.speakers.iter().enumerate().map(job).collect()
    }

    /// Waits no more for turns that answer these entries, and returns them.
    fn supersede(&mut self, lines: &[Number]) -> Vec<TurnId> {
        let of_burst = |turn: &OpenTurn| turn.target.is_some_and(|target| lines.contains(&target));
        let turns = self.open.iter().filter(|turn| of_burst(turn)).filter_map(|turn| turn.turn).collect();
        self.open.retain(|turn| !of_burst(turn));
        turns
    }

    /// Notes who is about to speak.
    fn wait_for(&mut self, jobs: &[TurnJob], chat: &ChatProfile, thread: Option<ThreadId>, now: Timestamp) {
        let pacing = &chat.spec.pacing;
        let patience = pacing.stale_after.min(pacing.typing_max + OPEN_MAX);
        let turns = jobs.iter().map(|job| &job.turn).filter(|turn| !matches!(turn.act, Act::React { .. }));
        self.open.extend(turns.map(|turn| OpenTurn {
            bot: turn.bot,
            turn: Some(turn.id),
            target: turn.target,
            thread,
            until: turn.due_at.max(now) + patience,
        }));
    }

    /// Plans when the chat speaks up by itself: at a human rhythm, and at the same time whenever planned again.
    pub fn next_tick(&self, chat: &ChatProfile, cast: &[CastMember], now: Timestamp) -> Option<Timestamp> {
        let spec = &chat.spec;
        let pace = spec.pacing.quiet_tick?;
        let standing = Standing::default();
        let window = &*self.window_of(self.lively_topic());
        let scene = Scene { chat, cast, window, whole: window, standing: &standing, now };
        let (energy, unanswered) = match spec.policy {
            ChatPolicy::Natural => (energy(&scene), openings_unanswered(&scene)),
            ChatPolicy::Mention | ChatPolicy::Every => (1.0, 0),
        };
        let (time_zone, quiet_hours) = (spec.time_zone.as_str(), spec.quiet_hours);
        let seed = seed::of(chat.id.0 ^ self.last_number.0.rotate_left(20), self.last_decision);
        let talkative_hours = spec.talkative_hours.as_ref();
        Some(next_tick(&Rhythm { pace, time_zone, talkative_hours, quiet_hours, energy, unanswered }, now, seed))
    }
}
