//! The state of a bot's actor, and the parts that it is built from. Layer `actors`.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::actors::bot::effect::Effect;
use crate::actors::bot::intake::Intake;
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::perform::Typing;
use crate::actors::bot::retracting::Retracting;
use crate::actors::bot::settings::BotSettings;
use crate::actors::bot::stay::Stay;
use crate::actors::bot::turns::Turns;
use crate::actors::node::Node;
use crate::actors::node::tasks::Tasks;
use crate::actors::node::webhooks::Webhooks;
use crate::domain::ids::Epoch;
use crate::domain::roster::BotProfile;
use crate::ports::telegram::{BotApi, Me};

/// The parts that a bot is built from.
pub struct BotArgs {
    /// The node that runs the bot.
    pub node: Arc<Node>,
    /// The bot's profile.
    pub profile: Arc<BotProfile>,
    /// Telegram's Bot API, with the bot's token.
    pub api: Arc<dyn BotApi>,
    /// Settings of all bots.
    pub settings: Arc<BotSettings>,
    /// Addresses and secrets of webhooks, for bots whose updates Telegram delivers.
    pub webhooks: Arc<Webhooks>,
    /// The epoch of the bot's lease: the fence of its writes.
    pub epoch: Epoch,
    /// True when offset and delivery mode are read from the store, since the profile's may be old.
    pub stored: bool,
    /// The bot's identity at Telegram, when it is known already.
    pub warm: Option<Me>,
    /// Time after which this bot settles sends that a living former owner has not ended.
    pub send_patience: Duration,
}

/// State of a bot: three machines, and what they stand on.
pub struct BotState {
    pub(super) node: Arc<Node>,
    pub(super) identity: Identity,
    pub(super) stay: Stay,
    pub(super) arrival: Arrival,
    pub(super) intake: Intake,
    pub(super) turns: Turns,
    pub(super) outbox: Outbox,
    pub(super) retracting: Retracting,
    pub(super) hands: Hands,
}

/// The identity of a bot: its configuration, its client of Telegram, and the fence of its writes.
pub(super) struct Identity {
    pub(super) profile: Arc<BotProfile>,
    pub(super) api: Arc<dyn BotApi>,
    pub(super) settings: Arc<BotSettings>,
    pub(super) webhooks: Arc<Webhooks>,
    pub(super) epoch: Epoch,
}

/// The circumstances under which the bot came to this node.
pub(super) struct Arrival {
    /// True when offset and delivery mode are read from the store.
    pub(super) stored: bool,
    /// The bot's identity at Telegram, when the node warmed up for the bot.
    pub(super) warm: Option<Me>,
    pub(super) since: Instant,
    pub(super) send_patience: Duration,
    /// Messages that other incarnations were still sending for the bot when the store was asked last.
    pub(super) abandoned: u64,
}

/// The means of a bot to act: its mailbox, its tasks, and the effects of the step under way.
pub(super) struct Hands {
    pub(super) myself: ActorRef<BotMsg>,
    pub(super) tasks: Tasks,
    pub(super) typing: Typing,
    /// The open poll.
    pub(super) poll: Option<AbortHandle>,
    /// Effects that a step asks for; empty between steps.
    pub(super) effects: Vec<Effect>,
}
