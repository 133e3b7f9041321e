//! The fleet as operators see it. Layer `actors`.

use serde::Serialize;

use crate::actors::fleet::child::Quarantined;
use crate::actors::node::strangers::StrangeChat;

/// A snapshot of the fleet.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FleetSnapshot {
    /// Number of bots, chats and providers that run.
    pub running: usize,
    /// Number of actors whose lease has left this node and that still settle their sends here.
    pub lingering: usize,
    /// Number of restarts since the start.
    pub restarts: u64,
    /// Children that wait for a person to release them.
    pub quarantined: Vec<Quarantined>,
    /// Chats that the manifest does not name and that this node's bots stay in, with the reasons.
    pub strange_chats: Vec<StrangeChat>,
}
