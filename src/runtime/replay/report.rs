//! What a replay comes to. Layer `runtime`.

use std::collections::BTreeMap;

use botfleet_actors::behaviour::replay::{Aspect, Difference};
use botfleet_actors::domain::ids::{DecisionNumber, Number};
use botfleet_actors::domain::time::Timestamp;
use serde::Serialize;

/// What turns that ask models come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// Turns that ask a model.
    pub turns: u64,
    /// Tokens of their prompts, estimated.
    pub prompt_tokens: u64,
    /// Tokens of their answers, by the average of the recorded ones.
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
    /// As recorded, under the stored configuration.
    pub before: T,
    /// Under the given manifest.
    pub after: T,
}

/// What one bot would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BotCount {
    /// Times that it acts at all.
    pub acts: Both<u64>,
    /// What its turns come to.
    pub spent: Both<Spent>,
}

/// A text that a model wrote for a turn that differs.
#[derive(Clone, Debug, Serialize)]
pub struct NewText {
    /// The bot.
    pub bot: String,
    /// The text, or nothing.
    pub text: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
}

/// One decision that would be another.
#[derive(Clone, Debug, Serialize)]
pub struct Differing {
    /// Its number.
    pub decision: DecisionNumber,
    /// When it was made.
    pub at: Timestamp,
    /// The entry that asked for it; absent for a tick.
    pub entry: Option<Number>,
    /// Who did what, as recorded.
    pub recorded: String,
    /// Who would.
    pub replayed: String,
    /// All that differs.
    pub differences: Vec<Difference>,
    /// What models would say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<NewText>,
}

impl Differing {
    /// Whether somebody would do something else; otherwise only the reasons differ.
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
    /// Always: the transcript stays as it was recorded.
    pub teacher_forced: bool,
    /// Recorded decisions in question.
    pub decisions: u64,
    /// Those that were made again.
    pub replayed: u64,
    /// Those that came out exactly the same, field by field.
    pub same: u64,
    /// Why the others could not be made again, and how many.
    pub not_replayed: BTreeMap<&'static str, u64>,
    /// How many decisions differ in what.
    pub aspects: BTreeMap<Aspect, u64>,
    /// Bots by name.
    pub bots: BTreeMap<String, BotCount>,
    /// All bots together.
    pub total: BotCount,
    /// Calls of models that were made.
    pub calls: u32,
    /// Decisions that differ.
    pub differing: Vec<Differing>,
}
