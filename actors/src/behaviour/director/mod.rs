//! Decides for each new message and each tick which bots speak, to what, or nobody. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `gate` | conditions that keep a whole chat silent: stops, quiet hours, loop physics |
//! | `address`, `suffix`, `thread` | the bots that are called, and the message that another one belongs to |
//! | `edit` | calls that an edit adds |
//! | `factors`, `disagree`, `lately`, `energy` | how much each bot wishes to speak |
//! | `filters` | reasons why a bot may not speak, whatever it wishes |
//! | `natural`, `opening`, `reaction`, `mention`, `every` | the policies |
//!
//! One decision per entry over all bots of the chat (under policy `every`, one per bot that received it). Each decision
//! records its inputs and each bot's score, so that one can read later why a bot spoke or stayed silent.

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

/// Priority of an answer to a person.
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

/// A bot that speaks or reacts.
#[derive(Clone, Debug, PartialEq)]
pub struct Speaker {
    /// The bot.
    pub bot: BotId,
    /// The act asked of the bot.
    pub act: Act,
    /// The entry that the act answers; `None` when the bot opens a topic.
    pub target: Option<Number>,
    /// The fleet's bot that the act answers.
    pub answers_bot: Option<BotId>,
    /// 0 for answers to people, 1 for answers to bots, 2 for talk that nobody asked for.
    pub priority: u8,
    /// Time before the bot begins: for reading, and for bots that go first.
    pub delay: Duration,
}

/// A decision, before the chat numbers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// Verdict: somebody speaks, or nobody.
    pub verdict: Verdict,
    /// Reason in plain words.
    pub reason: String,
    /// Inputs of the policy.
    pub inputs: Value,
    /// Score of each bot.
    pub scores: Value,
    /// Bots that speak, in order.
    pub speakers: Vec<Speaker>,
    /// Length of the bot chain that the messages end.
    pub chain_depth: u32,
    /// The entry that started the chain.
    pub root: Option<Number>,
    /// New end of the chat's calm; `None` leaves the calm as it is.
    pub calm_until: Option<Timestamp>,
}

impl Direction {
    /// Creates a decision that nobody speaks.
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

    /// Returns whether nobody speaks because the message is history, and no call.
    pub fn is_history(&self) -> bool {
        self.inputs.get("gate").and_then(Value::as_str).is_some_and(|gate| HISTORY.contains(&gate))
    }

    pub(in crate::behaviour) fn with_inputs(mut self, inputs: Value) -> Self {
        self.inputs = inputs;
        self
    }

    /// Adds further inputs to the record.
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

/// Decides; `None` when nothing asks for a decision (most edits, reactions, members, copies that change nothing).
///
/// Where a chat has forum topics, each topic is a conversation of its own: messages of other topics count only for
/// limits of the chat as a whole.
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

/// Returns whether the entry is a post that can be answered: with a text, or with something to see or hear. Notices
/// cannot: they are for people.
fn says_something(entry: &TranscriptEntry) -> bool {
    entry.kind == EntryKind::Message && !entry.is_notice() && (entry.media.is_some() || has_text(entry))
}

/// Returns whether the entry has a visible text.
fn has_text(entry: &TranscriptEntry) -> bool {
    entry.text.as_deref().is_some_and(shows)
}

/// Returns the reading time: by the length of the message, with jitter; none when pacing is off.
fn reading_time(scene: &Scene<'_>, text: &str, rng: &mut fastrand::Rng) -> Duration {
    if !scene.chat.spec.pacing.enabled {
        return Duration::ZERO;
    }
    let seconds = READING_BASE_SECONDS + text.split_whitespace().count() as f64 * READING_WORD_SECONDS;
    Duration::from_secs_f64(seconds * (0.6 + 0.8 * rng.f64())).min(READING_MAX)
}

/// Draws an index by weight; `None` when there are no weights.
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

/// Rounds to the three decimals that a record needs.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
