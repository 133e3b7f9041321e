//! Decisions of a chat's director: who speaks to what, or nobody, and why. Layer `domain`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::{BotId, ChatId, ConfigSeq, DecisionNumber, Number, ThreadId};
use super::silence::Silence;
use super::time::Timestamp;

/// One decision, with all that is needed to make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The chat.
    pub chat: ChatId,
    /// Its place among the chat's decisions.
    pub number: DecisionNumber,
    /// What asked for it.
    pub cause: Cause,
    /// Seed of its randomness.
    pub seed: u64,
    /// The engine's time.
    pub at: Timestamp,
    /// The configuration in force.
    pub config_seq: ConfigSeq,
    /// The policy that decided.
    pub policy: String,
    /// Who speaks, or nobody.
    pub verdict: Verdict,
    /// Why, in plain words.
    pub reason: String,
    /// What it depends on besides the transcript.
    #[serde(default)]
    pub standing: Standing,
    /// What the policy looked at.
    pub inputs: Value,
    /// What each bot scored.
    pub scores: Value,
    /// The entry that started the chain.
    pub root: Option<Number>,
    /// Length of the chain of bot messages before it.
    pub chain_depth: u32,
}

/// What a decision depends on besides transcript, roster and seed: known to the chat's owner alone, and recorded with
/// it, so that it can be made again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// First entry that the director saw.
    pub first: Number,
    /// Last entry that it saw.
    pub last: Number,
    /// Bots that could not speak there in their time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<BotId>,
    /// Why those of them that are in the chat could not speak there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<(BotId, Silence)>,
    /// Turns that were about to be taken, in its topic.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenTurn>,
    /// The chat, or its topic, calms down until then, after a limit of loop physics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calm_until: Option<Timestamp>,
    /// The forum topic that it is about, `None` for the General topic and plain chats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// The entries that the director saw are of several topics, of which it looked at that one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub topics: bool,
    /// A stop that keeps everybody in the chat silent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// Milliseconds by which Telegram's time was ahead of the decision's clock; `None` when nothing was judged by its age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_ms: Option<i64>,
    /// The entry was read late, and its author has called again since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
    /// Turns that were begun in ten minutes for whoever wrote the entry, whatever came of them; what its owner before this
    /// one began is not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub turns_for_author: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A turn that a chat waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTurn {
    /// Its bot.
    pub bot: BotId,
    /// The entry that it answers.
    pub target: Option<Number>,
    /// The forum topic that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// It is given up then, if nothing came.
    pub until: Timestamp,
}

/// What asked for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A transcript entry.
    Entry(Number),
    /// The chat was quiet until its tick.
    Tick,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// One or more bots speak.
    Speak,
    /// Nobody does.
    Silent,
}

impl Verdict {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Speak => "speak",
            Self::Silent => "silent",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Speak, Self::Silent].into_iter().find(|verdict| verdict.as_str() == name)
    }
}
