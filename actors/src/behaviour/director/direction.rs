//! A decision before the chat numbers it, and what policies need to make one. Layer `behaviour`.

use std::time::Duration;

use serde_json::Value;

use crate::behaviour::freshness::HISTORY;
use crate::behaviour::scene::Scene;
use crate::domain::decision::Verdict;
use crate::domain::ids::{BotId, Number};
use crate::domain::text::shows;
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::Act;

/// Priority of an answer to a person.
pub(in crate::behaviour) const TO_PERSON: u8 = 0;

/// Priority of an answer to a bot.
pub(in crate::behaviour) const TO_BOT: u8 = 1;

/// Priority of talk that nobody asked for.
pub(in crate::behaviour) const UNASKED: u8 = 2;

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
    /// Earlier lines of the person's burst, which need no answer of their own any more.
    pub goes_on_from: Vec<Number>,
}

impl Direction {
    /// Creates a decision that nobody speaks.
    pub(in crate::behaviour) fn silence(reason: impl Into<String>, entry: Option<&TranscriptEntry>) -> Self {
        Self::of(Vec::new(), reason, entry)
    }

    pub(super) fn of(speakers: Vec<Speaker>, reason: impl Into<String>, entry: Option<&TranscriptEntry>) -> Self {
        Self {
            verdict: if speakers.is_empty() { Verdict::Silent } else { Verdict::Speak },
            reason: reason.into(),
            inputs: Value::Null,
            scores: Value::Null,
            speakers,
            chain_depth: entry.map_or(1, |entry| entry.chain_depth + 1),
            root: entry.map(|entry| entry.root),
            calm_until: None,
            goes_on_from: Vec::new(),
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
    pub(super) fn also_of(mut self, more: Value) -> Self {
        if let (Value::Object(inputs), Value::Object(more)) = (&mut self.inputs, more) {
            inputs.extend(more);
        }
        self
    }

    pub(super) fn with_scores(mut self, scores: Value) -> Self {
        self.scores = scores;
        self
    }
}

/// Returns whether the entry has a visible text.
pub(super) fn has_text(entry: &TranscriptEntry) -> bool {
    entry.text.as_deref().is_some_and(shows)
}

/// Returns the reading time: by the length of the message, with jitter; none when pacing is off.
pub(super) fn reading_time(scene: &Scene<'_>, text: &str, rng: &mut fastrand::Rng) -> Duration {
    if !scene.chat.spec.pacing.enabled {
        return Duration::ZERO;
    }
    let seconds = READING_BASE_SECONDS + text.split_whitespace().count() as f64 * READING_WORD_SECONDS;
    Duration::from_secs_f64(seconds * (0.6 + 0.8 * rng.f64())).min(READING_MAX)
}

/// Draws an index by weight; `None` when there are no weights.
pub(super) fn draw(weights: impl Iterator<Item = f64> + Clone, rng: &mut fastrand::Rng) -> Option<usize> {
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
pub(super) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
