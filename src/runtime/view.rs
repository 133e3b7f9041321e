//! What operators see of a node. Layer `runtime`.

use botfleet_actors::actors::bot::actor::BotSnapshot;
use botfleet_actors::actors::chat::actor::ChatSnapshot;
use botfleet_actors::actors::fleet::actor::FleetSnapshot;
use botfleet_actors::actors::provider::snapshot::ProviderSnapshot;
use botfleet_actors::domain::dead_letter::DeadLetterState;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::policy::treasury::BudgetSnapshot;
use botfleet_actors::ports::store::QueueDepths;
use serde::Serialize;

/// A budget with the name of its bot or chat.
#[derive(Clone, Debug, Serialize)]
pub struct BudgetView {
    /// The bot's or chat's name in the manifest.
    pub name: Option<String>,
    /// What it is and how much of it is used.
    #[serde(flatten)]
    pub budget: BudgetSnapshot,
}

/// The whole node at one glance.
#[derive(Clone, Debug, Serialize)]
pub struct FleetView {
    /// The supervision tree.
    pub fleet: FleetSnapshot,
    /// Every bot that runs, by name.
    pub bots: Vec<BotSnapshot>,
    /// Every chat in memory, by name.
    pub chats: Vec<ChatSnapshot>,
    /// Every provider, by name.
    pub providers: Vec<ProviderSnapshot>,
    /// What may be spent on models, and what was.
    pub budgets: Vec<BudgetView>,
    /// Stops in force: `fleet`, `chat NAME`, `bot NAME`.
    pub stops: Vec<String>,
    /// How much waits in the store.
    pub queues: QueueDepths,
}

/// A dead letter.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetterView {
    /// Its name: `turn-ID` or `message-ID`.
    pub id: String,
    /// How it ended.
    pub state: DeadLetterState,
    /// Why.
    pub reason: Option<String>,
    /// The bot's name in the manifest; absent when it is no longer there.
    pub bot: Option<String>,
    /// The chat's name in the manifest; absent when it is no longer there.
    pub chat: Option<String>,
    /// Times that it was tried.
    pub attempts: u32,
    /// When it was made, in milliseconds since 1970.
    pub created_at: Timestamp,
}

/// Health of one part.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Which part.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// What is wrong.
    pub detail: Option<String>,
}

impl Check {
    /// Its name, and what is wrong with it.
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
    /// Of the program.
    pub version: &'static str,
    /// Seconds since start.
    pub uptime_seconds: u64,
    /// Parts.
    pub checks: Vec<Check>,
}
