//! Ownership actor. Layer `actors`. Parent: Fleet. Children: none; calls run in tracked tasks. Keeps I5, I6.
//!
//! The machine decides, by boot time; this actor provides timers, the cluster's port, the bus and the fleet. No handler
//! here waits for a store or for Telegram. The task that receives the answer to a beat extends the bound on effects
//! itself, without waiting for this actor's mailbox, and the bound passes by itself.
//!
//! Load bound: one errand of each kind, one warm-up for each lease to come. On failure: the fleet fails, the process
//! ends, and other nodes take over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::actors::fleet::apis::ApiFactory;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::Node;
use crate::actors::node::ended::Ended;
use crate::actors::node::tasks::{TaskPanicked, Tasks};
use crate::actors::ownership::messages::OwnershipMsg;
use crate::domain::ids::{BotId, ConfigSeq};
use crate::domain::ownership::LeaseKey;
use crate::policy::ownership::event::{Effect, Event};
use crate::policy::ownership::machine::Ownership;
use crate::policy::ownership::settings::OwnershipSettings;
use crate::ports::bus::{BusMessage, Hint};
use crate::ports::cluster::Cluster;
use crate::ports::metrics;
use crate::ports::telegram::Me;

/// The machine is asked at least this often, in case the clock runs differently from the timers.
const TICK_AT_LEAST: Duration = Duration::from_millis(500);

/// How often Telegram is asked something while it has not answered anything for that long.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Arguments of the ownership actor.
pub struct OwnershipArgs {
    /// The actor's node.
    pub node: Arc<Node>,
    /// The state that the nodes share.
    pub cluster: Arc<dyn Cluster>,
    /// The fleet, which starts and ends children.
    pub fleet: ActorRef<FleetMsg>,
    /// Makes the Telegram API for bots that are to come.
    pub apis: ApiFactory,
    /// Settings for beats, bounds, and how many leases move at a time.
    pub settings: OwnershipSettings,
}

/// State of the ownership actor.
pub struct OwnershipState {
    pub(super) args: OwnershipArgs,
    pub(super) myself: ActorRef<OwnershipMsg>,
    pub(super) machine: Ownership,
    pub(super) tasks: Tasks,
    /// Identities of bots that Telegram was asked about.
    pub(super) warm: HashMap<BotId, Me>,
    timer: u64,
    pub(super) probing: bool,
    sharers: u64,
}

/// The ownership actor.
pub struct OwnershipActor;

impl Actor for OwnershipActor {
    type Msg = OwnershipMsg;
    type State = OwnershipState;
    type Arguments = OwnershipArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let alarm = myself.clone();
        let mut tasks = Tasks::new(move || drop(alarm.cast(OwnershipMsg::TaskPanicked)));
        let (node, listener) = (Arc::clone(&args.node), myself.clone());
        let mut news = node.bus.subscribe(node.me).await;
        tasks.spawn(async move {
            while let Some(message) = news.recv().await {
                let _ = listener.cast(OwnershipMsg::Came(message));
            }
        });
        node.directory.set_ownership(myself.clone());
        drop(myself.send_interval(PROBE_EVERY, || OwnershipMsg::Probe));
        myself.cast(OwnershipMsg::Rang(0))?;
        let machine = Ownership::new(node.me, args.settings.clone());
        Ok(OwnershipState { args, myself, machine, tasks, warm: HashMap::new(), timer: 0, probing: false, sharers: 1 })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            OwnershipMsg::Heard(event) => state.on_event(event),
            OwnershipMsg::Came(message) => state.on_message(message),
            OwnershipMsg::Rang(timer) if timer == state.timer => state.on_event(Event::Tick),
            OwnershipMsg::Rang(_) => {}
            OwnershipMsg::Configured(seq) => state.on_configured(seq),
            OwnershipMsg::Warm(bot, me) => state.on_warm(bot, me),
            OwnershipMsg::Probe => state.probe(),
            OwnershipMsg::Probed(answered) => {
                state.probing = false;
                if !answered {
                    state.probe();
                }
            }
            OwnershipMsg::TaskPanicked => return Err(TaskPanicked.into()),
        }
        Ok(())
    }
}

impl OwnershipState {
    pub(super) fn tell_fleet(&self, news: FleetMsg) {
        let _ = self.args.fleet.cast(news);
    }

    fn on_event(&mut self, event: Event) {
        let now = self.args.node.clock.boot_time();
        if let Event::Read { picture: Some(picture), .. } = &event {
            self.args.node.leases.see(Arc::new(picture.clone()));
            self.share();
        }
        for effect in self.machine.handle(now, event) {
            self.carry_out(effect);
        }
        let now = self.args.node.clock.boot_time();
        let wait = self.machine.next_due().saturating_sub(now).min(TICK_AT_LEAST).max(Duration::from_millis(1));
        self.timer += 1;
        let timer = self.timer;
        drop(self.myself.send_after(wait, move || OwnershipMsg::Rang(timer)));
    }

    /// Tells the fleet how many nodes share the work, when that number changes.
    fn share(&mut self) {
        let sharers = self.args.node.leases.sharers();
        if std::mem::replace(&mut self.sharers, sharers) != sharers {
            self.tell_fleet(FleetMsg::Shared(sharers));
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let node = Arc::clone(&self.args.node);
        match effect {
            Effect::Beat => self.beat(),
            Effect::Observe => self.observe(),
            Effect::Read => self.read(),
            Effect::Bury(silent) => self.bury(silent),
            Effect::Plan => self.plan(),
            Effect::Take(keys) => self.take(keys),
            Effect::Warm(key) => self.warm_up(key),
            Effect::Start(key, epoch) => {
                node.leases.hold(key, epoch);
                let warm = match key {
                    LeaseKey::Bot(bot) => self.warm.remove(&bot),
                    LeaseKey::Chat(_) => None,
                };
                self.tell_fleet(FleetMsg::Acquire(key, epoch, warm));
            }
            Effect::Stop(key, epoch) => {
                node.leases.release(key, epoch, None);
                self.tell_fleet(FleetMsg::Leave(key, epoch));
            }
            Effect::HandOver(key, epoch, to) => self.tell_fleet(FleetMsg::HandOver(key, epoch, to)),
            Effect::Suspend => {
                tracing::warn!("beats do not reach the store: this node polls and sends nothing until they do");
                metrics::node_suspensions_total.increment(1);
                self.tell_fleet(FleetMsg::Suspend);
            }
            Effect::Resume => self.tell_fleet(FleetMsg::Resume),
            Effect::Drain => self.drain(),
            Effect::Drained => self.tell_fleet(FleetMsg::End(Ended::Drained)),
            Effect::Superseded => {
                tracing::error!(node.incarnation = %node.me, "other nodes have declared this one dead: its process ends");
                node.bound.end();
                self.tell_fleet(FleetMsg::End(Ended::Superseded));
            }
        }
    }

    fn on_message(&mut self, message: BusMessage) {
        match message {
            BusMessage::Hints(hints) => {
                let node = Arc::clone(&self.args.node);
                let mut ownership = false;
                for hint in hints {
                    ownership |= matches!(hint, Hint::Lease(_) | Hint::Nodes);
                    node.hear(hint);
                }
                if ownership {
                    self.on_event(Event::Hinted);
                }
            }
            BusMessage::ConfigurationChanged(seq) => self.on_configured(seq),
            BusMessage::Event(_) | BusMessage::Watching(_) | BusMessage::Appended(_) => {}
        }
    }

    fn on_configured(&self, seq: ConfigSeq) {
        if seq > self.args.node.directory.known().config_seq {
            self.tell_fleet(FleetMsg::ReadRoster);
        }
    }

    fn on_warm(&mut self, bot: BotId, me: Option<Me>) {
        let same = |me: &Me| {
            let known = self.args.node.directory.bot_profile(bot);
            known.is_some_and(|bot| bot.spec.telegram_id == me.id)
        };
        if let Some(me) = me.filter(same) {
            self.warm.insert(bot, me);
        }
    }
}
