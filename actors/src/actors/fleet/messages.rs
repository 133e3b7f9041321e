//! The messages of the fleet's actor. Layer `actors`.

use std::collections::BTreeSet;

use ractor::{ActorCell, RpcReplyPort};

use crate::actors::fleet::child::Child;
use crate::actors::fleet::setup::ProviderSetup;
use crate::actors::fleet::snapshot::FleetSnapshot;
use crate::actors::node::ended::Ended;
use crate::actors::orders::doubt::{Doubt, Order};
use crate::domain::ids::{BotId, ChatId, Epoch, TelegramChatId};
use crate::domain::operator_order::OrderTarget;
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::people::SetRight;
use crate::domain::roster::Roster;
use crate::ports::store::{Backlog, StoreError};
use crate::ports::telegram::Me;

/// Messages of the fleet.
pub enum FleetMsg {
    /// Start a child, for the first time or again.
    Start(Child),
    /// A chat has rows and is not in memory.
    WakeChat(ChatId),
    /// This node owns the lease under that epoch from now on; with the bot's identity, if this node warmed up for it.
    Acquire(LeaseKey, Epoch, Option<Me>),
    /// The lease belongs to another node: end its actor at once.
    Leave(LeaseKey, Epoch),
    /// Another node waits for the lease.
    HandOver(LeaseKey, Epoch, Incarnation),
    /// The lease was handed over under that epoch, to that node.
    HandedOver(LeaseKey, Epoch, Option<Incarnation>),
    /// The lease could not be handed over at present.
    NotHandedOver(LeaseKey),
    /// A write under that epoch was refused: another node owns the lease.
    Fenced(LeaseKey, Epoch),
    /// Ask Telegram, as this bot, for the rank of an order's author: no bot of the chat runs on this node.
    Doubted(BotId, Doubt),
    /// A webhook told of chats that the manifest does not name: make this bot, which lives elsewhere, leave them.
    LeaveChats(BotId, BTreeSet<TelegramChatId>),
    /// Store an order about a stop, which the store did not take before.
    Order(Order),
    /// Store a person's right, which the store did not take before.
    Claim(SetRight),
    /// Orders of operators may wait for this target.
    LookAtOrders(OrderTarget),
    /// No order waits for the target any more.
    Obeyed(OrderTarget),
    /// Somebody exercised a right: read the rights in force.
    LookAtPeople,
    /// The rights in force were read; `true` when memory that holds a person's words must be read again.
    PeopleLearned(bool),
    /// An attempt to carry out an erasure request ended, with success or without.
    Forgot(i64),
    /// The node may not act.
    Suspend,
    /// The node may act again.
    Resume,
    /// Give up all leases, for other nodes to take; then end the node's work.
    Drain,
    /// The work of the node is over.
    End(Ended),
    /// Read the configuration: it may have changed.
    ReadRoster,
    /// A bot has another token, or none any more.
    TokenChanged(BotId),
    /// The result of reading the configuration.
    RosterRead(Result<Roster, StoreError>),
    /// The configuration has other providers: these are new or described otherwise, and those of these names are gone.
    ProvidersChanged(Vec<ProviderSetup>, Vec<String>),
    /// The number of nodes that share the work.
    Shared(u64),
    /// Look for work that no hint announced, if the bus is down.
    ReconcileWithoutBus,
    /// Look for work that no hint announced.
    Reconcile,
    /// The work that was found; `None` when the store did not answer.
    Reconciled(Option<Backlog>),
    /// Let idle chats leave memory, and delete old rows.
    Housekeeping,
    /// Release a quarantined child, as a person asks; the reply tells whether it was quarantined.
    Release(Child, RpcReplyPort<bool>),
    /// Probe every actor.
    Probe,
    /// The probe of all actors ended.
    Probed,
    /// An actor did not answer.
    Unresponsive(ActorCell),
    /// Stop taking updates and beginning turns; finish what is under way.
    Quiesce,
    /// Give back claimed turns that have not ended.
    GiveBack,
    /// Begin no further send.
    HoldSends,
    /// The committer or another task panicked.
    TaskPanicked,
    /// Return a snapshot.
    GetSnapshot(RpcReplyPort<FleetSnapshot>),
}
