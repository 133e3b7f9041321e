//! The state of a bot's actor, and the parts that it is built from. Layer `actors`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use tokio::time::Instant;

use crate::actors::bot::effect::Effect;
use crate::actors::bot::intake::Intake;
use crate::actors::bot::job::{Claims, Job};
use crate::actors::bot::messages::{BotMsg, TurnJob};
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::own_texts::OwnTexts;
use crate::actors::bot::perform::Typing;
use crate::actors::bot::polling::Polling;
use crate::actors::bot::settings::BotSettings;
use crate::actors::bot::snapshot::BotHealth;
use crate::actors::bot::stay::Stay;
use crate::actors::node::Node;
use crate::actors::node::tasks::Tasks;
use crate::actors::node::webhooks::Webhooks;
use crate::domain::ids::{ChatId, Epoch, TurnId};
use crate::domain::roster::BotProfile;
use crate::policy::queue::FairQueue;
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

/// State of a bot.
pub struct BotState {
    pub(super) node: Arc<Node>,
    pub(super) profile: Arc<BotProfile>,
    pub(super) api: Arc<dyn BotApi>,
    pub(super) settings: Arc<BotSettings>,
    pub(super) myself: ActorRef<BotMsg>,
    pub(super) tasks: Tasks,
    pub(super) health: BotHealth,
    pub(super) me: Option<Me>,
    pub(super) webhooks: Arc<Webhooks>,
    pub(super) intake: Intake,
    pub(super) polling: Polling,
    /// Turns at work.
    pub(super) jobs: HashMap<TurnId, Job>,
    /// Turns that are not due yet.
    pub(super) not_due: Vec<TurnJob>,
    /// Turns that are due and wait for room.
    pub(super) due: FairQueue<ChatId, TurnJob>,
    /// All turns in memory, so that reading the store does not take a turn twice.
    pub(super) known_turns: HashSet<TurnId>,
    pub(super) generation: u64,
    pub(super) claims: Claims,
    pub(super) turn_timer: Option<crate::domain::time::Timestamp>,
    /// The bot's own texts.
    pub(super) said: OwnTexts,
    pub(super) outbox: Outbox,
    pub(super) typing: Typing,
    /// Effects that a step asks for; empty between steps.
    pub(super) effects: Vec<Effect>,
    pub(super) stay: Stay,
    pub(super) epoch: Epoch,
    pub(super) stored: bool,
    pub(super) warm: Option<Me>,
    pub(super) since: Instant,
    pub(super) send_patience: Duration,
    /// Messages that other incarnations were still sending for the bot when the store was asked last.
    pub(super) abandoned: u64,
}
