//! Director: for each new message and each tick it decides who speaks, to what, or nobody. Layer `behaviour`; pure.
//!
//! One decision per entry over the whole fleet; each records what it looked at and what each bot scored, so that one
//! can read later why a bot spoke or stayed silent.

pub mod address;
mod every;
mod mention;
mod natural;

use std::time::Duration;

use serde_json::{Value, json};

use super::scene::{Occasion, Scene};
use crate::domain::decision::Verdict;
use crate::domain::ids::{BotId, Number};
use crate::domain::roster::ChatPolicy;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Priority of an answer to a person who waits for it.
pub(super) const TO_PERSON: u8 = 0;
/// Priority of an answer to a bot.
pub(super) const TO_BOT: u8 = 1;
/// Priority of talk that nobody asked for.
pub(super) const UNASKED: u8 = 2;

/// A bot that speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Speaker {
    /// The bot.
    pub bot: BotId,
    /// The entry that it answers; `None` when it opens a topic.
    pub target: Option<Number>,
    /// The fleet's bot that it answers.
    pub answers_bot: Option<BotId>,
    /// 0 for people who wait, 1 for bots, 2 for talk that nobody asked for.
    pub priority: u8,
    /// How long it reads before it begins.
    pub delay: Duration,
}

/// A decision, before the chat numbers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// Whether anybody speaks.
    pub verdict: Verdict,
    /// Why, in plain words.
    pub reason: String,
    /// What was looked at.
    pub inputs: Value,
    /// What each bot scored.
    pub scores: Value,
    /// Who speaks, in order.
    pub speakers: Vec<Speaker>,
    /// Length of the bot chain that their messages end.
    pub chain_depth: u32,
    /// The entry that started the chain.
    pub root: Option<Number>,
}

impl Direction {
    /// Nobody speaks.
    fn silence(reason: impl Into<String>, entry: Option<&TranscriptEntry>) -> Self {
        Self::of(Vec::new(), reason, entry)
    }

    fn of(speakers: Vec<Speaker>, reason: impl Into<String>, entry: Option<&TranscriptEntry>) -> Self {
        Self {
            verdict: if speakers.is_empty() { Verdict::Silent } else { Verdict::Speak },
            reason: reason.into(),
            inputs: Value::Null,
            scores: Value::Null,
            speakers,
            chain_depth: entry.map_or(1, |entry| entry.chain_depth + 1),
            root: entry.map(|entry| entry.root),
        }
    }

    fn with_inputs(mut self, inputs: Value) -> Self {
        self.inputs = inputs;
        self
    }

    fn with_scores(mut self, scores: Value) -> Self {
        self.scores = scores;
        self
    }
}

/// Decides; `None` when nothing asks for a decision (edits, reactions, members, copies that change nothing).
pub fn direct(scene: &Scene<'_>, occasion: Occasion<'_>, seed: u64) -> Option<Direction> {
    let policy = scene.chat.spec.policy;
    match occasion {
        Occasion::Tick if policy == ChatPolicy::Natural => Some(natural::on_tick(scene, seed)),
        Occasion::Tick => None,
        Occasion::Copy { entry, heard_by } => {
            (policy == ChatPolicy::Every).then(|| every::on_entry(entry, heard_by)).flatten()
        }
        Occasion::Entry { entry, heard_by } => {
            if entry.kind != EntryKind::Message || entry.text.as_deref().is_none_or(|text| text.trim().is_empty()) {
                return None;
            }
            if policy == ChatPolicy::Every {
                return heard_by.and_then(|bot| every::on_entry(entry, bot));
            }
            let depth = entry.chain_depth + 1;
            if let Some(max) = scene.chat.spec.physics.chain_depth_max.filter(|max| depth > *max) {
                let reason = format!("the chain of bot messages is {} long, {max} is the most", entry.chain_depth);
                return Some(
                    Direction::silence(reason, Some(entry)).with_inputs(json!({ "chain_depth": entry.chain_depth })),
                );
            }
            Some(match policy {
                ChatPolicy::Mention => mention::on_entry(scene, entry, seed),
                _ => natural::on_entry(scene, entry, seed),
            })
        }
    }
}

/// Reading time: by the length of the message, with jitter; none when pacing is off.
fn reading_time(scene: &Scene<'_>, text: &str, rng: &mut fastrand::Rng) -> Duration {
    if !scene.chat.spec.pacing.enabled {
        return Duration::ZERO;
    }
    let words = text.split_whitespace().count() as f64;
    Duration::from_secs_f64((0.3 + words * 0.04) * (0.6 + 0.8 * rng.f64()))
}

#[cfg(test)]
mod tests;
