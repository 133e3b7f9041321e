//! Replay: makes a recorded decision again, and compares both. Layer `behaviour`; pure.
//!
//! Replay is teacher-forced: the recorded transcript stays as it is, whatever the bots would have said instead. A
//! decision is a function of scene, occasion and seed: the record holds the seed, the time and the standing, the
//! transcript the rest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::director::direct;
use super::note::Note;
use super::scene::{CastMember, Occasion, Scene};
use super::window::Window;
use crate::behaviour::director::direction::{Direction, Speaker};
use crate::domain::decision::{Cause, Decision, Standing};
use crate::domain::ids::{BotId, Number};
use crate::domain::names::names;
use crate::domain::roster::{ChatPolicy, ChatProfile};
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::{Act, Turn};

/// One bot's part in a decision, as a record and a new decision both have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The bot.
    pub bot: BotId,
    /// Act of the bot.
    pub act: Act,
    /// The entry that the bot answers.
    pub target: Option<Number>,
    /// The fleet's bot that the bot answers.
    pub answers_bot: Option<BotId>,
    /// Priority of the turn.
    pub priority: u8,
    /// Wait of the turn, in whole milliseconds as records keep it.
    pub delay_ms: u64,
}

impl Part {
    fn of_turn(turn: &Turn) -> Self {
        Self {
            bot: turn.bot,
            act: turn.act.clone(),
            target: turn.target,
            answers_bot: turn.answers_bot,
            priority: turn.priority,
            delay_ms: millis(turn.due_at.since(turn.created_at)),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the parts of a recorded decision, in order; `turns` are the decision's turns.
pub fn recorded_parts(turns: &[Turn]) -> Vec<Part> {
    let mut turns: Vec<&Turn> = turns.iter().collect();
    turns.sort_by_key(|turn| turn.ordinal);
    turns.into_iter().map(Part::of_turn).collect()
}

/// Returns the parts of a new decision, in order.
pub fn directed_parts(direction: Option<&Direction>) -> Vec<Part> {
    let part = |speaker: &Speaker| Part {
        bot: speaker.bot,
        act: speaker.act.clone(),
        target: speaker.target,
        answers_bot: speaker.answers_bot,
        priority: speaker.priority,
        delay_ms: millis(speaker.delay),
    };
    direction.map(|direction| direction.speakers.iter().map(part).collect()).unwrap_or_default()
}

/// Aspect of a decision that may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// No decision would be made at all.
    Decision,
    /// Verdict: somebody speaks, or nobody.
    Verdict,
    /// Speakers, and their order.
    Speakers,
    /// Acts of the speakers.
    Acts,
    /// Targets of the speakers.
    Targets,
    /// Waits of the speakers.
    Delays,
    /// Priorities of the turns.
    Priorities,
    /// Depth and root of the chain.
    Chain,
    /// Reason, in words.
    Reason,
    /// Inputs of the policy.
    Inputs,
    /// Scores of the bots.
    Scores,
}

/// One difference between a record and the decision made again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Aspect that differs.
    pub aspect: Aspect,
    /// Recorded value.
    pub recorded: Value,
    /// Value of the decision made again.
    pub replayed: Value,
}

/// Returns how a decision made again differs from its record: nothing when both are exactly the same.
pub fn differences(decision: &Decision, turns: &[Turn], again: Option<&Direction>) -> Vec<Difference> {
    let Some(direction) = again else {
        return vec![Difference {
            aspect: Aspect::Decision,
            recorded: json!(decision.verdict.as_str()),
            replayed: Value::Null,
        }];
    };
    let (before, after) = (recorded_parts(turns), directed_parts(again));
    let mut found = Vec::new();
    let mut compare = |aspect, recorded: Value, replayed: Value| {
        if recorded != replayed {
            found.push(Difference { aspect, recorded, replayed });
        }
    };
    compare(Aspect::Verdict, json!(decision.verdict.as_str()), json!(direction.verdict.as_str()));
    let of = |parts: &[Part], what: fn(&Part) -> Value| Value::Array(parts.iter().map(what).collect());
    let bots: fn(&Part) -> Value = |part| json!(part.bot);
    compare(Aspect::Speakers, of(&before, bots), of(&after, bots));
    if of(&before, bots) == of(&after, bots) {
        let mut each = |aspect, what: fn(&Part) -> Value| compare(aspect, of(&before, what), of(&after, what));
        each(Aspect::Acts, |part| json!(part.act));
        each(Aspect::Targets, |part| json!([part.target, part.answers_bot]));
        each(Aspect::Delays, |part| json!(part.delay_ms));
        each(Aspect::Priorities, |part| json!(part.priority));
    }
    let chain = |depth: u32, root: Option<Number>| json!({ "depth": depth, "root": root });
    compare(Aspect::Chain, chain(decision.chain_depth, decision.root), chain(direction.chain_depth, direction.root));
    compare(Aspect::Reason, json!(decision.reason), json!(direction.reason));
    compare(Aspect::Inputs, stored(&decision.inputs), stored(&direction.inputs));
    compare(Aspect::Scores, stored(&decision.scores), stored(&direction.scores));
    found
}

/// Returns a value as a store gives it back, by way of text.
fn stored(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or(Value::Null)
}

/// Reason why a decision cannot be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// An older version recorded the decision without its standing.
    NoStanding,
    /// Entries that the director saw are not stored any more.
    WindowGone,
    /// The entry that caused the decision has been forgotten, with its text.
    CauseForgotten,
    /// No director made the decision: an answer to a command, or an announcement.
    NotTheDirectors,
    /// The new policy answers by who received a message, which only records under that policy tell.
    ReceiverUnknown,
}

names! { Gap {
    NoStanding = "recorded by an older version, without what they depended on",
    WindowGone = "entries that they saw are no longer stored",
    CauseForgotten = "the message that asked for them has been forgotten",
    NotTheDirectors = "not made by a director (commands, announcements)",
    ReceiverUnknown = "policy every answers by who received a message, which was not recorded",
} }

/// Recorded entries, from the oldest that is still needed on, without gaps.
#[derive(Debug, Default)]
pub struct Reel {
    notes: VecDeque<Arc<Note>>,
}

impl Reel {
    /// Appends entries, oldest first; an entry that does not follow the last one begins anew.
    pub fn append(&mut self, entries: impl IntoIterator<Item = Arc<TranscriptEntry>>) {
        for entry in entries {
            if self.last().is_some_and(|last| last.0 + 1 != entry.number.0) {
                self.notes.clear();
            }
            self.notes.push_back(Arc::new(Note::new(entry)));
        }
    }

    /// Forgets the entries before a number.
    pub fn forget_before(&mut self, number: Number) {
        while self.notes.front().is_some_and(|note| note.number < number) {
            self.notes.pop_front();
        }
    }

    /// Returns the number of the last entry.
    pub fn last(&self) -> Option<Number> {
        self.notes.back().map(|note| note.number)
    }

    /// Returns an entry by its number.
    pub fn note(&self, number: Number) -> Option<&Arc<Note>> {
        let first = self.notes.front()?.number.0;
        self.notes.get(usize::try_from(number.0 - first).ok()?)
    }

    /// Returns the window that the chat had at a decision.
    ///
    /// # Errors
    /// [`Gap::WindowGone`] when some of them are missing.
    pub fn window(&self, standing: &Standing) -> Result<Window, Gap> {
        if standing.last == Number(0) {
            return Ok(Window::default());
        }
        let first = self.notes.front().ok_or(Gap::WindowGone)?.number.0;
        let place = |number: Number| usize::try_from(number.0 - first).map_err(|_| Gap::WindowGone);
        let (from, to) = (place(standing.first)?, place(standing.last)?);
        if to >= self.notes.len() || from > to {
            return Err(Gap::WindowGone);
        }
        let mut window = Window::default();
        self.notes.range(from..=to).for_each(|note| window.push(Arc::clone(note), usize::MAX));
        Ok(window)
    }
}

/// Setting in which decisions are made again.
#[derive(Clone, Copy, Debug)]
pub struct Rerun<'a> {
    /// The chat as the given configuration has it.
    pub chat: &'a ChatProfile,
    /// All bots of the chat.
    pub cast: &'a [CastMember],
    /// Seed that is mixed into every recorded one; 0 leaves those as they are.
    pub seed: u64,
}

impl Rerun<'_> {
    /// Makes a decision again; `None` when nothing would be decided. `copy` tells that another decision was made on the
    /// same entry before.
    ///
    /// # Errors
    /// The reason why the decision cannot be made again.
    pub fn again(
        &self,
        decision: &Decision,
        window: &VecDeque<Arc<Note>>,
        cause: Option<&Arc<Note>>,
        copy: bool,
    ) -> Result<Option<Direction>, Gap> {
        if !is_directors(decision) {
            return Err(Gap::NotTheDirectors);
        }
        let heard_by = decision.inputs["heard_by"].as_i64().map(BotId);
        if self.chat.spec.policy == ChatPolicy::Every && decision.cause != Cause::Tick && heard_by.is_none() {
            return Err(Gap::ReceiverUnknown);
        }
        let absent = &decision.standing.absent;
        let here: Vec<CastMember> =
            self.cast.iter().filter(|member| !absent.contains(&member.profile.id)).cloned().collect();
        let scene = Scene {
            chat: self.chat,
            cast: &here,
            window,
            whole: window,
            standing: &decision.standing,
            now: decision.at,
        };
        let occasion = match (decision.cause, cause) {
            (Cause::Tick, _) => Occasion::Tick,
            (Cause::Entry(_), None) => return Err(Gap::WindowGone),
            (Cause::Entry(_), Some(entry)) if is_forgotten(entry) => return Err(Gap::CauseForgotten),
            (Cause::Entry(_), Some(entry)) => match (copy, heard_by) {
                (true, Some(heard_by)) => Occasion::Copy { entry, heard_by },
                _ => Occasion::Entry { entry, heard_by },
            },
        };
        Ok(direct(&scene, occasion, mixed(decision.seed, self.seed)))
    }
}

/// Returns whether a director made the decision.
fn is_directors(decision: &Decision) -> bool {
    [ChatPolicy::Natural, ChatPolicy::Mention, ChatPolicy::Every]
        .iter()
        .any(|policy| policy.as_str() == decision.policy)
}

/// Returns whether a post has lost its text and media: a person asked to be forgotten, or the post grew too old.
pub fn is_forgotten(entry: &TranscriptEntry) -> bool {
    entry.kind == EntryKind::Message && entry.text.is_none() && entry.media.is_none()
}

/// Mixes a seed into a recorded one; 0 changes nothing.
fn mixed(recorded: u64, seed: u64) -> u64 {
    if seed == 0 { recorded } else { recorded ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17) }
}

#[cfg(test)]
mod tests;
