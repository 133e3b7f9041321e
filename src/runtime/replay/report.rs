//! The result of a replay. Layer `runtime`.

use std::collections::BTreeMap;

use botfleet_actors::behaviour::replay::{Aspect, Difference};
use botfleet_actors::domain::ids::{DecisionNumber, Number};
use botfleet_actors::domain::time::Timestamp;
use serde::Serialize;

/// Use of models by a number of turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// Turns that ask a model.
    pub turns: u64,
    /// Tokens of the prompts, estimated.
    pub prompt_tokens: u64,
    /// Tokens of the answers, by the average of the recorded ones.
    pub answer_tokens: u64,
    /// Billionths of the money's unit, by the manifest's prices.
    pub nanos: i64,
}

impl Spent {
    /// Adds another sum.
    pub fn add(&mut self, other: Self) {
        self.turns += other.turns;
        self.prompt_tokens += other.prompt_tokens;
        self.answer_tokens += other.answer_tokens;
        self.nanos += other.nanos;
    }
}

/// A number before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Both<T> {
    /// Under the stored configuration, as recorded.
    pub before: T,
    /// Under the given manifest.
    pub after: T,
}

/// Acts of one bot.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BotCount {
    /// Number of acts.
    pub acts: Both<u64>,
    /// Use of models by the bot's turns.
    pub spent: Both<Spent>,
}

/// A text that a model wrote for a turn that differs.
#[derive(Clone, Debug, Serialize)]
pub struct NewText {
    /// The bot.
    pub bot: String,
    /// The text, if there is one.
    pub text: Option<String>,
    /// Reason why there is no text.
    pub error: Option<String>,
}

/// A decision that would be another.
#[derive(Clone, Debug, Serialize)]
pub struct Differing {
    /// Number of the decision.
    pub decision: DecisionNumber,
    /// Time at which the decision was made.
    pub at: Timestamp,
    /// The entry that asked for the decision; absent for a tick.
    pub entry: Option<Number>,
    /// Bots and their acts, as recorded.
    pub recorded: String,
    /// Bots and their acts under the given manifest.
    pub replayed: String,
    /// All differences.
    pub differences: Vec<Difference>,
    /// Texts that models wrote for the new acts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<NewText>,
}

impl Differing {
    /// Returns whether a bot would do something else; otherwise only the reasons differ.
    pub fn is_of_deeds(&self) -> bool {
        let words = [Aspect::Reason, Aspect::Inputs, Aspect::Scores];
        self.differences.iter().any(|difference| !words.contains(&difference.aspect))
    }
}

/// The whole replay.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The chat.
    pub chat: String,
    /// Always true: the transcript stays as it was recorded.
    pub teacher_forced: bool,
    /// Number of recorded decisions in the range.
    pub decisions: u64,
    /// Number of decisions that were made again.
    pub replayed: u64,
    /// Number of decisions that came out exactly the same, field by field.
    pub same: u64,
    /// Number of decisions made again that saw messages which have been forgotten since, and may differ for that alone.
    pub with_forgotten: u64,
    /// Number of decisions that could not be made again, by the reason.
    pub not_replayed: BTreeMap<&'static str, u64>,
    /// Number of differences by aspect.
    pub aspects: BTreeMap<Aspect, u64>,
    /// Acts of each bot, by its name.
    pub bots: BTreeMap<String, BotCount>,
    /// Acts of all bots together.
    pub total: BotCount,
    /// Number of calls of models that were made.
    pub calls: u32,
    /// The decisions that differ.
    pub differing: Vec<Differing>,
}
