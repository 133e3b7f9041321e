//! The views of a node for operators. Layer `runtime`.

use botfleet_actors::actors::bot::snapshot::BotSnapshot;
use botfleet_actors::actors::chat::snapshot::ChatSnapshot;
use botfleet_actors::actors::fleet::snapshot::FleetSnapshot;
use botfleet_actors::actors::provider::snapshot::ProviderSnapshot;
use botfleet_actors::domain::dead_letter::DeadLetterState;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::policy::treasury::BudgetSnapshot;
use botfleet_actors::ports::store::QueueDepths;
use serde::{Deserialize, Serialize};

/// A budget with the name of its bot or chat.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BudgetView {
    /// The bot's or chat's name in the manifest.
    pub name: Option<String>,
    /// The budget, and how much of it is used.
    #[serde(flatten)]
    pub budget: BudgetSnapshot,
}

/// A bot of the node that can speak nowhere.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SilentBot {
    /// The bot's name in the manifest.
    pub bot: String,
    /// The reason: `no_token`, `sealed`, `refused`, `quarantined` or `paused`.
    pub why: &'static str,
}

/// The view of the whole node.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FleetView {
    /// The supervision tree.
    pub fleet: FleetSnapshot,
    /// Every bot that runs, by name.
    pub bots: Vec<BotSnapshot>,
    /// Every bot that can speak nowhere, and why, by name; one without a usable token does not run.
    pub silent: Vec<SilentBot>,
    /// Every chat in memory, by name.
    pub chats: Vec<ChatSnapshot>,
    /// Every provider, by name.
    pub providers: Vec<ProviderSnapshot>,
    /// Budgets of models, and what is used of them.
    pub budgets: Vec<BudgetView>,
    /// Stops in force: `fleet`, `chat NAME`, `bot NAME`.
    pub stops: Vec<String>,
    /// Numbers of rows that wait in the store.
    pub queues: QueueDepths,
}

/// A dead letter.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeadLetterView {
    /// Id: `turn-ID`, `message-ID` or `update-ID`.
    pub id: String,
    /// State in which the letter ended.
    pub state: DeadLetterState,
    /// Reason why it ended so.
    pub reason: Option<String>,
    /// The bot's name in the manifest; absent when the manifest does not name the bot.
    pub bot: Option<String>,
    /// The chat's name in the manifest; absent when the manifest does not name the chat.
    pub chat: Option<String>,
    /// Number of tries.
    pub attempts: u32,
    /// Time at which the letter was made, in milliseconds since 1970.
    pub created_at: Timestamp,
}

/// Health of one part.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Name of the part.
    pub name: String,
    /// Set when the part works.
    pub ok: bool,
    /// The fault, or figures of a part that works.
    pub detail: Option<String>,
}

impl Check {
    /// Formats the part's name and detail.
    pub fn line(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Health of the node.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// Seconds since start.
    pub uptime_seconds: u64,
    /// The parts.
    pub checks: Vec<Check>,
}
