//! How a bot comes to its node and leaves it: what it reads first, hand-off, fences, the node's bound. Layer `actors`.
//! Keeps I1, I4, I5, I6, I8.
//!
//! | on | the bot |
//! |---|---|
//! | start | reads offset, way and pauses, then polls; a warm one asks nobody who it is |
//! | hand-off | closes its poll, whose last ingest is queued before; then commits `HandOver`; the new owner is told by that commit's answer |
//! | a fence | acts no more |
//! | either | lets calls to models go, settles what is being sent, and ends |
//! | the node's bound passed | closes its poll and begins no send until the next beat |

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::actor::{BotHealth, BotMsg, BotState};
use crate::actors::chat::actor::in_time;
use crate::actors::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::actors::fleet::actor::FleetMsg;
use crate::domain::commit::operation::{HandOver, Operation, Refusal};
use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::pause::Pause;
use crate::domain::roster::{BotProfile, DeliveryChoice, DeliveryMode};
use crate::ports::bus::{Audience, BusMessage, Hint};
use crate::ports::store::StoreError;
use crate::ports::telegram::{BotApi, Me};

/// How often others' sends for this bot are looked after while there are any.
const ABANDONED_EVERY: Duration = Duration::from_millis(500);

/// Most time for reading pauses alone: they are only a prediction.
const PAUSES_WITHIN: Duration = Duration::from_secs(1);

/// Whether the bot stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It does.
    No,
    /// It closes its poll, then it is handed over.
    Closing(Incarnation),
    /// `HandOver` is being committed.
    Handing(Incarnation),
    /// It lives elsewhere, or nowhere; what is being sent here is still settled.
    Gone,
}

/// What a bot reads from the store when it starts.
pub struct Loaded {
    /// Pauses that Telegram asked for.
    pauses: Vec<Pause>,
    /// Offset and way; `None` when the profile has them.
    stands: Option<(Option<i64>, Option<DeliveryChoice>)>,
    /// What it said lately, oldest first; `None` where nobody compares, or the store did not say.
    said: Option<Vec<String>>,
}

impl BotState {
    /// Whether it takes no updates and begins no turns.
    pub(super) fn is_closing(&self) -> bool {
        self.quiescing || self.leaving != Leaving::No
    }

    pub(super) fn is_gone(&self) -> bool {
        self.leaving == Leaving::Gone
    }

    pub(super) fn key(&self) -> LeaseKey {
        LeaseKey::Bot(self.profile.id)
    }

    fn tell_fleet(&self, news: FleetMsg) {
        if let Some(fleet) = self.node.directory.fleet() {
            let _ = fleet.cast(news);
        }
    }

    /// Reads where the bot stands.
    pub(super) fn load(&mut self) {
        let (node, myself, bot, stored) = (Arc::clone(&self.node), self.myself.clone(), self.profile.id, self.stored);
        let compared = self.compares_with();
        self.tasks.spawn(async move {
            let said =
                async { if compared == 0 { None } else { in_time(node.store.said_lately(bot, compared)).await.ok() } };
            // Pauses are only a prediction: without them the store still makes paused messages wait.
            let pauses = tokio::time::timeout(PAUSES_WITHIN, node.store.pauses(bot));
            let read = async {
                if !stored {
                    return Ok((pauses.await, None));
                }
                let stands = async { tokio::try_join!(node.store.next_offset(bot), node.store.delivery(bot)) };
                let (pauses, stands) = tokio::join!(pauses, in_time(stands));
                Ok::<_, StoreError>((pauses, Some(stands?)))
            };
            match read.await {
                Ok((pauses, stands)) => {
                    let pauses = pauses.ok().and_then(Result::ok).unwrap_or_default();
                    let _ = myself.cast(BotMsg::Loaded(Loaded { pauses, stands, said: said.await }));
                }
                Err(error) => {
                    tracing::warn!(bot.id = %bot, error = %error, "the bot waits for the store");
                    drop(myself.send_after(STORE_RETRY, || BotMsg::Load));
                }
            }
        });
    }

    pub(super) fn on_loaded(&mut self, loaded: Loaded) {
        self.resume_pauses(loaded.pauses);
        if let Some(said) = &loaded.said {
            self.on_recalled(0, said);
        }
        if let (Some((offset, choice)), 0) = (loaded.stands, self.intake.generation) {
            self.polling.go_on_from(offset);
            self.intake.choice = choice.unwrap_or_default();
        }
        if let Some(me) = self.warm.take() {
            self.on_identified(Ok(me));
        } else {
            self.tell_doubts();
            self.identify();
        }
        // Polls go first: reading what waits takes this handler's time.
        let _ = self.myself.cast(BotMsg::Reconcile);
        self.look_after_abandoned();
    }

    /// What a dead owner was sending is of unknown fate now: chats that saw it meanwhile may tell.
    fn tell_doubts(&self) {
        if self.node.cluster.is_some() {
            let known = self.node.directory.known();
            let chats = known.chats.values().filter(|chat| chat.members.contains(&self.profile.id));
            self.node.tell(chats.map(|chat| Hint::SendUnknown(chat.id)));
        }
    }

    /// Looks after what other incarnations are still sending for the bot.
    pub(super) fn look_after_abandoned(&mut self) {
        let Some(cluster) = self.node.cluster.clone().filter(|_| !self.is_closing()) else {
            return;
        };
        let (me, bot, myself) = (self.node.me, self.profile.id, self.myself.clone());
        let overdue = self.since.elapsed() >= self.send_patience;
        self.tasks.spawn(async move {
            let left = in_time(cluster.settle_abandoned(me, bot, overdue)).await;
            let _ = myself.cast(BotMsg::AbandonedLeft(left.ok()));
        });
    }

    pub(super) fn on_abandoned_left(&mut self, left: Option<u64>) {
        let before = self.abandoned;
        self.abandoned = left.unwrap_or(before.max(1));
        if self.abandoned > 0 {
            drop(self.myself.send_after(ABANDONED_EVERY, || BotMsg::LookAfterAbandoned));
        }
        if self.abandoned < before {
            // What they were sending has ended: later parts may go, chats may know more.
            self.tell_doubts();
            let _ = self.myself.cast(BotMsg::Reconcile);
        }
    }

    /// Another node waits for the bot: no poll, no turn, no send is begun from here on.
    pub(super) fn on_hand_over(&mut self, epoch: Epoch, to: Incarnation) {
        if epoch != self.epoch || !matches!(self.leaving, Leaving::No) {
            return;
        }
        self.leaving = Leaving::Closing(to);
        self.polling.cancel();
        self.intake.generation += 1;
        self.hand_over_if_closed();
    }

    pub(super) fn on_poll_closed(&mut self) {
        if self.polling.closed() {
            self.poll();
        }
        self.hand_over_if_closed();
    }

    /// The last ingest stands in the queue before it: the committer keeps their order.
    fn hand_over_if_closed(&mut self) {
        let Leaving::Closing(to) = self.leaving else {
            return;
        };
        if self.polling.open > 0 {
            return;
        }
        self.leaving = Leaving::Handing(to);
        let (node, myself, key) = (Arc::clone(&self.node), self.myself.clone(), self.key());
        let operation = Operation::HandOver(HandOver { key, epoch: self.epoch, to });
        self.node.committer.submit(operation, move |result| {
            if result.is_ok() {
                node.bus.publish(Audience::Node(to), BusMessage::Hints(vec![Hint::Lease(key)]));
            }
            let _ = myself.cast(BotMsg::HandedOver(result));
        });
    }

    pub(super) fn on_handed_over(&mut self, result: &CommitResult) {
        let Leaving::Handing(to) = self.leaving else {
            return;
        };
        match result {
            Ok(_) => {
                self.tell_fleet(FleetMsg::HandedOver(self.key(), self.epoch, Some(to)));
                self.let_go();
            }
            Err(CommitError::Refused(Refusal::Fenced)) => self.on_fenced(),
            Err(error) => {
                tracing::warn!(bot.id = %self.profile.id, error = %error, "the bot could not be handed over, it goes on here");
                self.leaving = Leaving::No;
                self.tell_fleet(FleetMsg::NotHandedOver(self.key()));
                self.open_intake();
                self.pump_turns();
                let _ = self.myself.cast(BotMsg::Reconcile);
            }
        }
    }

    /// A write was refused: somebody else owns the bot.
    pub(super) fn on_fenced(&mut self) {
        if self.is_gone() {
            return;
        }
        tracing::warn!(bot.id = %self.profile.id, "another epoch owns this bot, it leaves this node");
        self.tell_fleet(FleetMsg::Fenced(self.key(), self.epoch));
        self.let_go();
    }

    /// The bot lives elsewhere, or is no longer in use.
    pub(super) fn on_leave(&mut self, epoch: Epoch) {
        if epoch == self.epoch && !self.is_gone() {
            self.let_go();
        }
    }

    /// The bot is no longer in the manifest: its claimed turns go back, and it leaves.
    pub(super) fn on_retire(&mut self) {
        self.give_back_turns();
        self.let_go();
    }

    /// Nothing is begun any more. Calls to models are of no use; what is being sent is settled.
    fn let_go(&mut self) {
        self.leaving = Leaving::Gone;
        self.health = BotHealth::Quiescing;
        self.holding_sends = true;
        self.polling.cancel();
        self.intake.generation += 1;
        let (not_ended, ending): (Vec<_>, Vec<_>) = self.jobs.drain().partition(|(_, job)| job.finish.is_none());
        self.jobs.extend(ending);
        for (turn, job) in not_ended {
            if job.usage.is_some() || job.request.is_some() {
                metrics::counter!("botfleet_completions_wasted_total").increment(1);
            }
            job.wanted.withdraw();
            self.sending.discard_turn(turn);
        }
        self.not_due.clear();
        self.known_turns.clear();
        self.sending.end_typing(None);
    }

    /// Whether a bot that has left has nothing more to settle.
    pub(super) fn is_done(&self) -> bool {
        self.is_gone() && self.jobs.is_empty() && self.sending.in_flight() == 0
    }

    /// The node may not act: its poll is closed within the time that this message takes, others do the same by
    /// themselves.
    pub(super) fn on_suspend(&mut self) {
        if self.intake.polls() && !self.is_closing() {
            self.polling.cancel();
            self.intake.generation += 1;
            self.poll();
        }
    }

    /// The node may act again.
    pub(super) fn on_resume(&mut self) {
        let generation = self.intake.generation;
        self.on_poll(generation);
    }

    /// The configuration says something else of the bot. What is under way goes on as it was begun.
    pub(super) fn on_profile_changed(&mut self, profile: Arc<BotProfile>, api: Option<Arc<dyn BotApi>>) {
        let before = std::mem::replace(&mut self.profile, profile);
        let replaced = api.is_some();
        if let Some(api) = api {
            self.api = api;
        }
        let way_changed =
            before.spec.delivery != self.profile.spec.delivery && self.profile.delivery.mode != self.intake.mode();
        if way_changed {
            self.intake.choice = self.profile.delivery.clone();
            self.polling.forget_offset();
        }
        // The address of a webhook holds the bot's name.
        let renamed = before.spec.name != self.profile.spec.name && self.intake.mode() == DeliveryMode::Webhook;
        if self.is_closing() {
        } else if replaced {
            self.intake.generation += 1;
            self.polling.cancel();
            self.identify();
        } else if way_changed || renamed {
            self.open_intake();
        }
    }
}

impl BotState {
    /// What a bot is when it starts: who it is, when the node warmed up for it.
    pub(super) fn begin(&mut self, warm: Option<Me>) {
        self.warm = warm;
        self.since = Instant::now();
        self.load();
    }
}
