//! Carries out the errands of ownership: calls to the cluster's port and to Telegram. Layer `actors`. Keeps I5, I6.
//!
//! | errand | deadline | on failure |
//! |---|---|---|
//! | beat | three quarters of `act_within` | no beat; the bound stays where it is |
//! | read beats | 1 s | the observer starts all its clocks anew |
//! | read leases, plan, declare dead, drain | 2 s | again when the machine asks |
//! | take | 5 s | leases taken or not: the next view shows |
//! | warm up | 5 s | again with the next view |

use std::sync::Arc;
use std::time::Duration;

use super::actor::{OwnershipState, PROBE_EVERY};
use crate::actors::ownership::messages::OwnershipMsg;
use crate::domain::ids::BotId;
use crate::domain::ownership::{Incarnation, LeaseKey, NodeState};
use crate::policy::ownership::event::Event;
use crate::policy::ownership::planner;
use crate::ports::bus::{Audience, BusMessage, Hint};
use crate::ports::event::EventKind;
use crate::ports::metrics;
use crate::ports::store::StoreError;
use crate::ports::telegram::{Me, TelegramError};

const OBSERVE_WITHIN: Duration = Duration::from_secs(1);
const LOOK_WITHIN: Duration = Duration::from_secs(2);
const TAKE_WITHIN: Duration = Duration::from_secs(5);
const WARM_WITHIN: Duration = Duration::from_secs(5);

/// Time within which Telegram must answer a `getMe`, or it counts as silent.
const PROBE_WITHIN: Duration = Duration::from_millis(1_500);

/// Returns the answer if it comes in time; logs why there is none.
async fn within<T>(deadline: Duration, what: &str, call: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "{what} failed");
            None
        }
        Err(_) => {
            tracing::warn!(deadline_ms = deadline.as_millis() as u64, "{what} got no answer in time");
            None
        }
    }
}

impl OwnershipState {
    pub(super) fn beat(&mut self) {
        let (node, cluster, myself) =
            (Arc::clone(&self.args.node), Arc::clone(&self.args.cluster), self.myself.clone());
        let act_within = self.args.settings.act_within;
        self.tasks.spawn(async move {
            let report = node.traffic.report();
            let sent_at = node.clock.boot_time();
            let answer = within(act_within.mul_f64(0.75), "a beat", cluster.beat(node.me, &report)).await;
            if let Some(answer) = &answer {
                if answer.state == NodeState::Dead {
                    node.bound.end();
                } else {
                    node.bound.extend(sent_at + act_within);
                }
                node.traffic.heard_of_low_water(answer.low_water);
                let _ = myself.cast(OwnershipMsg::Configured(answer.config_seq));
            }
            let state = answer.map(|answer| answer.state);
            let _ = myself.cast(OwnershipMsg::Heard(Event::Beaten { sent_at, state }));
        });
    }

    pub(super) fn observe(&mut self) {
        let (node, cluster, myself) =
            (Arc::clone(&self.args.node), Arc::clone(&self.args.cluster), self.myself.clone());
        self.tasks.spawn(async move {
            let asked_at = node.clock.boot_time();
            let nodes = within(OBSERVE_WITHIN, "a look at the other nodes' beats", cluster.nodes()).await;
            let _ = myself.cast(OwnershipMsg::Heard(Event::Observed { asked_at, nodes }));
        });
    }

    pub(super) fn read(&mut self) {
        let (node, cluster, myself) =
            (Arc::clone(&self.args.node), Arc::clone(&self.args.cluster), self.myself.clone());
        self.tasks.spawn(async move {
            let asked_at = node.clock.boot_time();
            let picture = within(LOOK_WITHIN, "a look at nodes and leases", cluster.picture()).await;
            if let Some(picture) = &picture {
                let _ = myself.cast(OwnershipMsg::Configured(picture.config_seq));
            }
            let _ = myself.cast(OwnershipMsg::Heard(Event::Read { asked_at, picture }));
        });
    }

    pub(super) fn bury(&mut self, silent: Vec<(Incarnation, i64)>) {
        let (node, cluster, myself) =
            (Arc::clone(&self.args.node), Arc::clone(&self.args.cluster), self.myself.clone());
        self.tasks.spawn(async move {
            let dead =
                within(LOOK_WITHIN, "declaring silent nodes dead", cluster.bury(&silent)).await.unwrap_or_default();
            for incarnation in &dead {
                tracing::warn!(node.incarnation = %incarnation, "a node was silent for too long, it is dead");
                metrics::nodes_buried_total.increment(1);
                let name = node.leases.picture().and_then(|picture| Some(picture.node(*incarnation)?.name.clone()));
                node.announce(EventKind::NodeDead, name.unwrap_or_else(|| incarnation.to_string()));
            }
            if !dead.is_empty() {
                node.tell([Hint::Nodes]);
            }
            let _ = myself.cast(OwnershipMsg::Heard(Event::Buried));
        });
    }

    pub(super) fn plan(&mut self) {
        let (node, cluster, myself) =
            (Arc::clone(&self.args.node), Arc::clone(&self.args.cluster), self.myself.clone());
        let settings = self.args.settings.clone();
        self.tasks.spawn(async move {
            let planner = move |picture: &crate::domain::ownership::Picture| planner::plan(picture, &settings);
            if within(LOOK_WITHIN, "planning", cluster.plan(&planner)).await == Some(true) {
                node.tell([Hint::Nodes]);
            }
            let _ = myself.cast(OwnershipMsg::Heard(Event::Planned));
        });
    }

    pub(super) fn take(&mut self, keys: Vec<LeaseKey>) {
        let (node, cluster, myself) =
            (Arc::clone(&self.args.node), Arc::clone(&self.args.cluster), self.myself.clone());
        self.tasks.spawn(async move {
            let taken = within(TAKE_WITHIN, "taking leases", cluster.take(node.me, &keys)).await.unwrap_or_default();
            metrics::leases_taken_total.increment(taken.len() as u64);
            let hints: Vec<Hint> = taken.iter().map(|(key, _)| Hint::Lease(*key)).collect();
            let _ = myself.cast(OwnershipMsg::Heard(Event::Taken { asked: keys, taken }));
            if !hints.is_empty() {
                node.bus.publish(Audience::Everybody, BusMessage::Hints(hints));
            }
        });
    }

    /// Warms up for a lease: asks for a bot's identity, which also opens a connection; a chat needs nothing. Then tells
    /// the owner.
    pub(super) fn warm_up(&mut self, key: LeaseKey) {
        let (node, cluster, myself) =
            (Arc::clone(&self.args.node), Arc::clone(&self.args.cluster), self.myself.clone());
        let question = match key {
            LeaseKey::Bot(bot) => self.question(bot).map(|ask| (bot, ask)),
            LeaseKey::Chat(_) => None,
        };
        self.tasks.spawn(async move {
            if let Some((bot, ask)) = question {
                let answer = tokio::time::timeout(WARM_WITHIN, ask).await;
                let Ok(Ok(_) | Err(TelegramError::RateLimited { .. } | TelegramError::Unauthorized(_))) = &answer
                else {
                    let _ = myself.cast(OwnershipMsg::Heard(Event::NotWarmed(key)));
                    return;
                };
                let _ = myself.cast(OwnershipMsg::Warm(bot, answer.ok().and_then(Result::ok)));
            }
            let told = within(LOOK_WITHIN, "telling that a lease may come", cluster.ready(node.me, &[key])).await;
            if told.is_some() {
                if let Some(owner) = node.leases.elsewhere(key) {
                    node.bus.publish(Audience::Node(owner), BusMessage::Hints(vec![Hint::Lease(key)]));
                }
                let _ = myself.cast(OwnershipMsg::Heard(Event::Warmed(key)));
            } else {
                let _ = myself.cast(OwnershipMsg::Heard(Event::NotWarmed(key)));
            }
        });
    }

    /// Asks Telegram for a bot's identity. Returns `None` when the bot has no API here: its new owner will report why.
    fn question(&self, bot: BotId) -> Option<impl Future<Output = Result<Me, TelegramError>> + Send + use<>> {
        let profile = self.args.node.directory.bot_profile(bot)?;
        let api = self.args.node.bounded((self.args.apis)(&profile).ok()?);
        Some(async move { api.get_me().await })
    }

    pub(super) fn drain(&mut self) {
        let (node, cluster) = (Arc::clone(&self.args.node), Arc::clone(&self.args.cluster));
        self.tasks.spawn(async move {
            if within(LOOK_WITHIN, "draining", cluster.set_draining(&node.name, true)).await.is_some() {
                node.announce(EventKind::NodeDraining, node.name.as_str());
                node.tell([Hint::Nodes]);
            }
        });
    }

    /// Asks Telegram for the identity of a random bot of the configuration when Telegram has not answered for a while.
    /// So a node that has given its bots up finds out that it may have some again.
    pub(super) fn probe(&mut self) {
        let node = Arc::clone(&self.args.node);
        if self.probing || node.traffic.telegram_silence() < PROBE_EVERY {
            return;
        }
        let known = node.directory.known();
        let count = known.bots.len();
        if count == 0 {
            return;
        }
        let at = (node.jitter.next() * count as f64) as usize;
        let Some(ask) = known.bots.keys().nth(at.min(count - 1)).and_then(|bot| self.question(*bot)) else {
            return;
        };
        self.probing = true;
        let myself = self.myself.clone();
        self.tasks.spawn(async move {
            let answer = tokio::time::timeout(PROBE_WITHIN, ask).await;
            if matches!(&answer, Err(_) | Ok(Err(TelegramError::Unreachable(_) | TelegramError::Unknown(_)))) {
                node.traffic.telegram_was_silent();
            }
            let _ = myself.cast(OwnershipMsg::Probed(answer.is_ok()));
        });
    }
}
