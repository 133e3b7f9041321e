//! The state of the fleet's actor, and the parts that it is built from. Layer `actors`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ractor::ActorId;
use tokio::time::Instant;

use crate::actors::bot::settings::BotSettings;
use crate::actors::chat::settings::ChatSettings;
use crate::actors::fleet::apis::ApiFactory;
use crate::actors::fleet::leasing::Leasing;
use crate::actors::fleet::roster::RosterReading;
use crate::actors::fleet::settings::FleetSettings;
use crate::actors::fleet::setup::ProviderSetup;
use crate::actors::fleet::starting::Ramp;
use crate::actors::fleet::supervision::Book;
use crate::actors::node::Node;
use crate::actors::node::tasks::Tasks;
use crate::actors::node::webhooks::Webhooks;
use crate::domain::ids::{BotId, TelegramUserId};
use crate::domain::operator_order::OrderTarget;
use crate::policy::ownership::settings::OwnershipSettings;

/// Arguments of the fleet.
pub struct FleetArgs {
    /// The node, whose directory names all bots and chats.
    pub node: Arc<Node>,
    /// Makes the client of the Telegram API for a bot, since bots come and go.
    pub apis: ApiFactory,
    /// All providers.
    pub providers: Vec<ProviderSetup>,
    /// Addresses and secrets of bots whose updates come by webhook.
    pub webhooks: Arc<Webhooks>,
    /// Settings of the fleet.
    pub settings: FleetSettings,
    /// Settings of all bots.
    pub bots: BotSettings,
    /// Settings of all chats.
    pub chats: ChatSettings,
    /// Settings of ownership; unused where one process owns everything.
    pub ownership: OwnershipSettings,
}

/// State of the fleet.
pub struct FleetState {
    pub(super) args: FleetArgs,
    pub(super) bot_settings: Arc<BotSettings>,
    pub(super) book: Book,
    pub(super) tasks: Tasks,
    /// Bots that were started before, for whom a further start is a restart.
    pub(super) started_bots: BTreeSet<BotId>,
    pub(super) reconciling: bool,
    /// The clock's count of steps at the last look.
    pub(super) clock_steps: u64,
    pub(super) probing: bool,
    pub(super) quiescing: bool,
    /// Erasure requests that are being carried out here.
    pub(super) forgetting: BTreeSet<i64>,
    /// People whose words were removed lately: since when, and by which erasure request.
    pub(super) forgot: HashMap<TelegramUserId, (Instant, i64)>,
    /// Lets one erasure request run at a time.
    pub(super) forget_lane: Arc<tokio::sync::Mutex<()>>,
    /// Lets one housekeeping run at a time.
    pub(super) tidying: Arc<tokio::sync::Mutex<()>>,
    /// Targets whose orders are being carried out, and whether to look again after that.
    pub(super) obeying: BTreeMap<OrderTarget, bool>,
    pub(super) leasing: Leasing,
    pub(super) roster: RosterReading,
    pub(super) ramp: Option<Ramp>,
    pub(super) ownership: Option<ActorId>,
}
