//! Director: for each new message and each tick it decides who speaks, to what, or nobody. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `gate` | what keeps a whole chat silent: stops, quiet hours, loop physics |
//! | `address`, `suffix`, `thread` | who is called, and which message a message belongs to |
//! | `edit` | calls that an edit adds |
//! | `factors`, `disagree`, `lately`, `energy` | how much each bot wishes to speak |
//! | `filters` | who may not, whatever it wishes |
//! | `natural`, `opening`, `reaction`, `mention`, `every` | the policies |
//!
//! One decision per entry over the whole fleet; each records what it looked at and what each bot scored, so that one
//! can read later why a bot spoke or stayed silent.

pub mod address;
mod disagree;
mod edit;
pub mod energy;
pub mod every;
mod factors;
mod filters;
mod gate;
pub mod lately;
mod mention;
mod natural;
mod opening;
mod reaction;
pub(in crate::behaviour) mod suffix;
mod thread;

use std::time::Duration;

use serde_json::Value;

use super::freshness::{HISTORY, history};
use super::local::minute_of_day;
use super::scene::{Occasion, Scene};
use crate::domain::decision::Verdict;
use crate::domain::ids::{BotId, Number};
use crate::domain::roster::ChatPolicy;
use crate::domain::text::shows;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::Act;

/// Priority of an answer to a person who waits for it.
pub(super) const TO_PERSON: u8 = 0;
/// Priority of an answer to a bot.
pub(super) const TO_BOT: u8 = 1;
/// Priority of talk that nobody asked for.
pub(super) const UNASKED: u8 = 2;

/// Time to notice a message, and to read one word of it (people read about 250 words a minute; bots skim).
const READING_BASE_SECONDS: f64 = 0.3;
const READING_WORD_SECONDS: f64 = 0.04;
/// Longest time spent reading.
const READING_MAX: Duration = Duration::from_secs(6);

/// A bot that speaks, or acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Speaker {
    /// The bot.
    pub bot: BotId,
    /// What it shall do.
    pub act: Act,
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
    /// From here the chat calms down until then, or as long as it did already.
    pub calm_until: Option<Timestamp>,
}

impl Direction {
    /// Nobody speaks.
    pub(in crate::behaviour) fn silence(reason: impl Into<String>, entry: Option<&TranscriptEntry>) -> Self {
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
            calm_until: None,
        }
    }

    /// Whether it is silence because what it looked at is no call any more, but history.
    pub fn is_history(&self) -> bool {
        self.inputs.get("gate").and_then(Value::as_str).is_some_and(|gate| HISTORY.contains(&gate))
    }

    pub(in crate::behaviour) fn with_inputs(mut self, inputs: Value) -> Self {
        self.inputs = inputs;
        self
    }

    /// The same, with what else was looked at.
    fn also_of(mut self, more: Value) -> Self {
        if let (Value::Object(inputs), Value::Object(more)) = (&mut self.inputs, more) {
            inputs.extend(more);
        }
        self
    }

    fn with_scores(mut self, scores: Value) -> Self {
        self.scores = scores;
        self
    }
}

/// Decides; `None` when nothing asks for a decision (edits, reactions, members, copies that change nothing).
///
/// Where a chat has forum topics, each is a conversation of its own: what was said in another one is not looked at, but
/// for what is limited in the chat as a whole.
pub fn direct(scene: &Scene<'_>, occasion: Occasion<'_>, seed: u64) -> Option<Direction> {
    if !scene.standing.topics {
        return direct_within(scene, occasion, seed);
    }
    let thread = match occasion {
        Occasion::Entry { entry, .. } | Occasion::Copy { entry, .. } => entry.thread,
        Occasion::Tick => scene.standing.thread,
    };
    let window = scene.window.iter().filter(|note| note.thread == thread).cloned().collect();
    direct_within(&Scene { window: &window, ..*scene }, occasion, seed)
}

fn direct_within(scene: &Scene<'_>, occasion: Occasion<'_>, seed: u64) -> Option<Direction> {
    let policy = scene.chat.spec.policy;
    let minute = || minute_of_day(&scene.chat.spec.time_zone, scene.now);
    match (policy, occasion) {
        (
            ChatPolicy::Every,
            Occasion::Entry { entry, heard_by: Some(bot) } | Occasion::Copy { entry, heard_by: bot },
        ) => {
            let decided = every::on_entry(scene, entry, bot, seed)?;
            Some(match history(scene, entry) {
                None => decided,
                Some(silence) => silence.also_of(decided.inputs),
            })
        }
        (ChatPolicy::Every, _) | (_, Occasion::Copy { .. }) | (ChatPolicy::Mention, Occasion::Tick) => None,
        (ChatPolicy::Natural, Occasion::Tick) => {
            let minute = minute();
            Some(gate::shut(scene, None, minute).unwrap_or_else(|| opening::on_tick(scene, minute, seed)))
        }
        (_, Occasion::Entry { entry, .. }) => {
            if !says_something(entry) && !edit::adds_call(scene, entry) {
                return None;
            }
            if let Some(silence) = history(scene, entry) {
                return Some(silence);
            }
            let minute = minute();
            let decided = gate::shut(scene, Some(entry), minute).unwrap_or_else(|| match policy {
                ChatPolicy::Mention => mention::on_entry(scene, entry, minute, seed),
                _ => natural::on_entry(scene, entry, minute, seed),
            });
            Some(decided)
        }
    }
}

/// Whether the entry is a post that can be answered: with a text, or with something to see or hear. Notices are not: they
/// are for people.
fn says_something(entry: &TranscriptEntry) -> bool {
    entry.kind == EntryKind::Message && !entry.is_notice() && (entry.media.is_some() || has_text(entry))
}

/// Whether the entry has a text that shows.
fn has_text(entry: &TranscriptEntry) -> bool {
    entry.text.as_deref().is_some_and(shows)
}

/// Reading time: by the length of the message, with jitter; none when pacing is off.
fn reading_time(scene: &Scene<'_>, text: &str, rng: &mut fastrand::Rng) -> Duration {
    if !scene.chat.spec.pacing.enabled {
        return Duration::ZERO;
    }
    let seconds = READING_BASE_SECONDS + text.split_whitespace().count() as f64 * READING_WORD_SECONDS;
    Duration::from_secs_f64(seconds * (0.6 + 0.8 * rng.f64())).min(READING_MAX)
}

/// An index by weight.
fn draw(weights: impl Iterator<Item = f64> + Clone, rng: &mut fastrand::Rng) -> Option<usize> {
    let mut left = rng.f64() * weights.clone().sum::<f64>();
    let mut last = None;
    for (at, weight) in weights.enumerate() {
        left -= weight;
        last = Some(at);
        if left < 0.0 {
            break;
        }
    }
    last
}

/// As many digits as a record needs.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
