//! Decisions of a chat's director: which bots answer what, or that nobody speaks, and why. Layer `domain`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::{BotId, ChatId, ConfigSeq, DecisionNumber, Number, ThreadId, TurnId};
use super::names::names;
use super::silence::Silence;
use super::time::Timestamp;

/// One decision, with everything that is needed to make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Decision {
    /// The chat.
    pub chat: ChatId,
    /// Place of the decision among the chat's decisions.
    pub number: DecisionNumber,
    /// Cause of the decision.
    pub cause: Cause,
    /// Seed of the decision's randomness.
    #[cfg_attr(feature = "schema", schema(format = "uint64"))]
    pub seed: u64,
    /// Time of the decision, on the engine's clock.
    pub at: Timestamp,
    /// The configuration in force.
    pub config_seq: ConfigSeq,
    /// The policy that decided.
    pub policy: String,
    /// Verdict: somebody speaks, or nobody.
    pub verdict: Verdict,
    /// Reason in plain words.
    pub reason: String,
    /// State that the decision depends on besides the transcript.
    #[serde(default)]
    pub standing: Standing,
    /// Inputs of the policy.
    pub inputs: Value,
    /// Score of each bot.
    pub scores: Value,
    /// The entry that started the chain.
    pub root: Option<Number>,
    /// Length of the chain of bot messages that an answer would end.
    pub chain_depth: u32,
}

/// State that a decision depends on besides transcript, roster and seed. Only the chat's owner knows this state; it is
/// recorded so that the decision can be made again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Standing {
    /// First entry that the director saw.
    pub first: Number,
    /// Last entry that the director saw.
    pub last: Number,
    /// Bots that could not speak in the chat at that time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<BotId>,
    /// Reasons why those of them that are in the chat could not speak.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<(BotId, Silence)>,
    /// Open turns in the topic of the decision.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenTurn>,
    /// Time until which the chat, or its topic, calms down after a limit of loop physics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calm_until: Option<Timestamp>,
    /// Forum topic of the decision; absent for the General topic and plain chats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// The entries that the director saw are of several topics; the director looked at `thread` alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub topics: bool,
    /// A stop that keeps everybody in the chat silent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// Milliseconds by which Telegram's time was ahead of the decision's clock; absent when the decision judged no age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_ms: Option<i64>,
    /// The entry was read late, and its author called again since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
    /// Turns that were begun within ten minutes for the author of the entry, whatever came of them. Turns that an
    /// earlier owner of the chat began are not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub turns_for_author: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A turn that a chat waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenTurn {
    /// Bot of the turn.
    pub bot: BotId,
    /// The turn; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// The entry that the turn answers.
    pub target: Option<Number>,
    /// Forum topic of the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// Time at which the chat gives up waiting for the turn.
    pub until: Timestamp,
}

/// Cause of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Cause {
    /// A transcript entry.
    Entry(Number),
    /// The chat was quiet until its tick.
    Tick,
}

/// Verdict of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// One or more bots speak.
    Speak,
    /// Nobody speaks.
    Silent,
}

names! { Verdict { Speak = "speak", Silent = "silent" } }
