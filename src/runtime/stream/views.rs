//! The data of frames. Layer `runtime`. None depends on who reads, except `start`, `reset` and `dropped`.

use std::borrow::Cow;

use botfleet_actors::domain::audit::{Act, AuditObject, Phase};
use botfleet_actors::domain::decision::{Cause, Verdict};
use botfleet_actors::domain::ids::{DecisionNumber, Number};
use botfleet_actors::domain::ownership::NodeState;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::watching::WorkStep;
use serde::{Deserialize, Serialize};

/// A decision: whether somebody speaks. Event `decision`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DecisionNews {
    /// Name of the chat in the manifest, or its id.
    pub chat: String,
    /// Place of the decision among the chat's decisions.
    pub decision: DecisionNumber,
    /// Cause of the decision.
    pub cause: Cause,
    /// Time of the decision.
    pub at: Timestamp,
    /// The verdict.
    pub verdict: Verdict,
    /// The policy that decided.
    pub policy: String,
    /// Reason in plain words, which may quote people; absent without the permission `messages:read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A block of the audit. Event `audit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditNews {
    /// Number of the block.
    pub block: i64,
    /// Entries of the block, the first hundred.
    pub acts: Vec<ActNews>,
    /// Set when the block holds more.
    pub more: bool,
}

/// An entry of the audit, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ActNews {
    /// Place in the chain.
    pub place: String,
    /// Time of the act.
    pub at: Timestamp,
    /// The act.
    pub act: Act,
    /// Phase of the act.
    pub phase: Phase,
    /// Name of whoever did it.
    pub by: String,
    /// The thing that it was done to.
    pub object: AuditObject,
}

/// The bots at work in a chat; none is at work any more when the list is empty. Event `typing`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TypingNow {
    /// Name of the chat in the manifest, or its id.
    pub chat: String,
    /// The bots.
    pub at_work: Vec<BotAtWork>,
}

/// A bot at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BotAtWork {
    /// Name of the bot in the manifest, or its id.
    pub bot: String,
    /// The step of its work.
    pub step: WorkStep,
}

/// The health of the node that is asked. Event `health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HealthNow {
    /// Name of the node.
    pub node: String,
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: Cow<'static, str>,
}

/// The parts of the node that do not work. Event `alerts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AlertsNow {
    /// Name of the node.
    pub node: String,
    /// The parts, by name.
    pub wrong: Vec<PartDown>,
}

/// A part that does not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PartDown {
    /// Name of the part.
    pub part: String,
    /// The fault.
    pub fault: Option<String>,
}

/// The nodes of the fleet. Event `cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClusterNow {
    /// The nodes that are not dead, by name.
    pub nodes: Vec<NodeNow>,
    /// Number of moves under way.
    pub moves: usize,
    /// Number of bots and chats that no living node owns.
    pub unowned: usize,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeNow {
    /// Name of the node.
    pub name: String,
    /// State of the node.
    pub state: NodeState,
    /// Number of bots that the node owns.
    pub bots: usize,
    /// Number of chats that the node owns.
    pub chats: usize,
}

/// The beginning of a stream. Event `start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StreamStart {
    /// Name of the node.
    pub node: String,
    /// The chats whose history the stream tells.
    pub chats: Vec<String>,
}

/// A part of the history that the stream leaves out: read it anew. Event `reset`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StreamReset {
    /// The chat; absent when it concerns the audit, or all chats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// Reason of the reset.
    pub why: ResetReason,
    /// The last entry that is left out: the stream goes on after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Number>,
}

/// Reason why a part of the history is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ResetReason {
    /// The reader was away for more than 2,000 numbers of the chat.
    Old,
    /// The reader has more than the store holds: a backup was restored.
    Ahead,
    /// The reader may see more than 50 chats and named none: name them.
    Chats,
    /// Rows of the audit's blocks are gone.
    Audit,
}

/// The end of a stream whose reader did not keep up: connect again, with the last id. Event `dropped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StreamDropped {
    /// Number of frames that the reader was behind when it was dropped.
    pub behind: u64,
}
