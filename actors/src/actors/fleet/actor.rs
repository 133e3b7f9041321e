//! Fleet actor: the root of a node's supervision tree. Layer `actors`. Keeps I7, I8, I9.
//!
//! Children: all bots and providers, chats on demand. The fleet runs the committer and every `reconcile_every` looks
//! for work that no hint announced. Load bound: control messages and one reconcile at a time. On failure: the process
//! ends and starts again from the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::leasing::Leasing;
use super::people::learn;
use super::roster::RosterReading;
use super::starting::Ramp;
use super::supervision::Book;
use crate::actors::bot::messages::BotMsg;
use crate::actors::fleet::child::Child;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::snapshot::FleetSnapshot;
use crate::actors::fleet::state::{FleetArgs, FleetState};
use crate::actors::node::ended::Ended;
use crate::actors::node::tasks::{TaskPanicked, Tasks};
use crate::actors::orders::submit::{claim, order};
use crate::actors::ownership::actor::{OwnershipActor, OwnershipArgs};
use crate::domain::ids::BotId;
use crate::domain::silence::Silence;
use crate::policy::restart::Remedy;
use crate::ports::bus::Hint;
use crate::ports::metrics;

/// How often idle chats are asked to leave memory, and old rows are pruned.
const HOUSEKEEPING_EVERY: Duration = Duration::from_mins(1);

/// How often every actor is probed.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// How often to look for work that no hint announced while the bus is down.
const RECONCILE_WITHOUT_BUS: Duration = Duration::from_millis(150);

/// The fleet actor.
pub struct FleetActor;

impl Actor for FleetActor {
    type Msg = FleetMsg;
    type State = FleetState;
    type Arguments = FleetArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        args.node.directory.set_fleet(myself.clone());
        args.node.voices.try_first_after(args.bots.shut_retry);
        let alarm = myself.clone();
        let mut tasks = Tasks::new(move || drop(alarm.cast(FleetMsg::TaskPanicked)));
        let node = Arc::clone(&args.node);
        tasks.spawn(async move { node.committer.run(node.store.as_ref()).await });
        drop(myself.send_interval(args.settings.reconcile_every, || FleetMsg::Reconcile));
        drop(myself.send_interval(PROBE_EVERY, || FleetMsg::Probe));
        drop(myself.send_interval(HOUSEKEEPING_EVERY, || FleetMsg::Housekeeping));
        if args.node.cluster.is_some() {
            drop(myself.send_interval(RECONCILE_WITHOUT_BUS, || FleetMsg::ReconcileWithoutBus));
        }
        let bot_settings = Arc::new(args.bots.clone());
        let mut state = FleetState {
            ramp: args.settings.ramp_per_minute.map(Ramp::new),
            leasing: Leasing::default(),
            roster: RosterReading::default(),
            ownership: None,
            args,
            bot_settings,
            book: Book::default(),
            tasks,
            started_bots: BTreeSet::new(),
            reconciling: false,
            clock_steps: 0,
            probing: false,
            quiescing: false,
            forgetting: BTreeSet::new(),
            forgot: HashMap::new(),
            forget_lane: Arc::default(),
            tidying: Arc::default(),
            obeying: BTreeMap::new(),
        };
        // People who have opted out must be known before anything is taken.
        learn(&state.args.node).await;
        state.book.tell();
        state.start_all(&myself).await;
        if let Some(cluster) = state.args.node.cluster.clone() {
            let args = OwnershipArgs {
                node: Arc::clone(&state.args.node),
                cluster,
                fleet: myself.clone(),
                apis: Arc::clone(&state.args.apis),
                settings: state.args.ownership.clone(),
            };
            let (actor, _) = OwnershipActor::spawn_linked(None, OwnershipActor, args, myself.get_cell()).await?;
            state.ownership = Some(actor.get_id());
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            FleetMsg::Start(child) => state.start(&myself, child).await,
            FleetMsg::WakeChat(chat) => state.start(&myself, Child::Chat(chat)).await,
            FleetMsg::Acquire(key, epoch, warm) => state.acquire(&myself, key, epoch, warm).await,
            FleetMsg::Leave(key, epoch) => state.leave(key, epoch),
            FleetMsg::HandOver(key, epoch, to) => state.hand_over(&myself, key, epoch, to),
            FleetMsg::HandedOver(key, epoch, to) => state.on_handed_over(key, epoch, to),
            FleetMsg::NotHandedOver(key) => state.on_not_handed_over(&myself, key).await,
            FleetMsg::Fenced(key, epoch) => state.on_fenced(key, epoch),
            FleetMsg::Doubted(bot, doubt) => state.verify(bot, doubt),
            FleetMsg::LeaveChats(bot, strange) => state.leave_chats(bot, strange),
            FleetMsg::Order(again) => order(&state.args.node, again),
            FleetMsg::Claim(right) => claim(&state.args.node, right),
            FleetMsg::LookAtOrders(target) => state.look_at_orders(&myself, target),
            FleetMsg::Obeyed(target) => state.on_obeyed(&myself, target),
            FleetMsg::LookAtPeople => state.look_at_people(&myself),
            FleetMsg::PeopleLearned(anew) => state.on_people_learned(&myself, anew),
            FleetMsg::Forgot(wish) => state.on_forgot(&myself, wish),
            FleetMsg::Suspend => state.tell_bots(|| BotMsg::Suspend),
            FleetMsg::Resume => state.tell_bots(|| BotMsg::Resume),
            FleetMsg::Drain => state.drain(),
            FleetMsg::End(ended) => state.on_end(&myself, ended),
            FleetMsg::ReadRoster => state.read_roster(&myself),
            FleetMsg::TokenChanged(bot) => state.on_token_changed(&myself, bot).await,
            FleetMsg::RosterRead(read) => state.on_roster_read(&myself, read).await,
            FleetMsg::ProvidersChanged(setups, gone) => state.on_providers_changed(&myself, setups, gone).await,
            FleetMsg::Shared(nodes) => state.on_shared(nodes),
            FleetMsg::ReconcileWithoutBus if state.args.node.bus.is_up() => {}
            FleetMsg::Reconcile | FleetMsg::ReconcileWithoutBus => state.reconcile(&myself),
            FleetMsg::Reconciled(backlog) => state.on_reconciled(&myself, backlog).await,
            FleetMsg::Housekeeping => state.housekeeping(),
            FleetMsg::Release(child, reply) => {
                let released = state.book.release(&child);
                if released {
                    state.start(&myself, child).await;
                }
                let _ = reply.send(released);
            }
            FleetMsg::Probe => state.probe(&myself),
            FleetMsg::Probed => state.probing = false,
            FleetMsg::Unresponsive(cell) => state.on_unresponsive(&cell),
            FleetMsg::TaskPanicked => return Err(TaskPanicked.into()),
            FleetMsg::Quiesce => {
                state.quiescing = true;
                state.tell_bots(|| BotMsg::Quiesce);
            }
            FleetMsg::GiveBack => state.tell_bots(|| BotMsg::GiveBack),
            FleetMsg::HoldSends => state.tell_bots(|| BotMsg::HoldSends),
            FleetMsg::GetSnapshot(reply) => {
                let directory = &state.args.node.directory;
                let running =
                    directory.live_bot_count() + directory.live_chats().len() + directory.live_providers().len();
                let _ = reply.send(FleetSnapshot {
                    running,
                    lingering: state.leasing.lingering.len(),
                    restarts: state.book.restarts(),
                    quarantined: state.book.quarantined(|child| child.name(directory)),
                    strange_chats: state.args.node.strangers.all(|chat| directory.chat_of(chat).is_some()),
                });
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(cell, error) if state.ownership == Some(cell.get_id()) => {
                state.args.node.end(Ended::Failed);
                return Err(error);
            }
            SupervisionEvent::ActorFailed(cell, _) | SupervisionEvent::ActorTerminated(cell, ..)
                if state.leasing.lingering.remove(&cell.get_id()) =>
            {
                state.end_if_drained();
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                if let Some(child) = state.book.ended(&cell) {
                    state.child_failed(&myself, child, &error.to_string());
                }
            }
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                let killed = state.book.why_killed(&cell);
                if let (Some(why), Some(child)) = (killed, state.book.child(&cell)) {
                    state.book.ended(&cell);
                    state.child_failed(&myself, child, &why);
                } else if let Some(child) = state.book.ended(&cell) {
                    tracing::debug!(child = %child, reason = reason.as_deref().unwrap_or("stopped"), "actor ended");
                    state.unlist(&child);
                    state.hand_over_without_actor(&myself, &child);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl FleetState {
    fn tell_bots(&self, news: impl Fn() -> BotMsg) {
        for (_, bot) in self.args.node.directory.live_bots() {
            let _ = bot.cast(news());
        }
    }

    pub(super) fn unlist(&self, child: &Child) {
        let directory = &self.args.node.directory;
        match child {
            Child::Bot(id) => directory.set_bot(*id, None),
            Child::Chat(id) => directory.set_chat(*id, None),
            Child::Provider(name) => directory.set_provider(name, None),
        }
        metrics::active_bots.handle().set(directory.live_bot_count() as f64);
    }

    pub(super) fn child_failed(&mut self, myself: &ActorRef<FleetMsg>, child: Child, reason: &str) {
        self.unlist(&child);
        self.hand_over_without_actor(myself, &child);
        let (now, random) = (self.args.node.clock.now(), self.args.node.jitter.next());
        match self.book.failed(&child, reason, &self.args.settings.restart, now, random) {
            Remedy::RestartAfter(wait) => drop(myself.send_after(wait, move || FleetMsg::Start(child))),
            Remedy::Quarantine => {
                if let Child::Bot(bot) = child {
                    self.set_silence(bot, Some(Silence::Quarantined));
                }
            }
        }
    }

    /// Sets why a bot without an actor is silent, or that it starts now.
    pub(super) fn set_silence(&self, bot: BotId, why: Option<Silence>) {
        let node = &self.args.node;
        if node.voices.set(bot, why) {
            node.tell([Hint::Silent(bot, why)]);
        }
    }
}
