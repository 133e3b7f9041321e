//! Brings a bot to its node and takes it away: first reads, hand-off, fences, the node's bound. Layer `actors`. Keeps
//! I1, I4, I5, I6, I8.
//!
//! | on | the bot |
//! |---|---|
//! | start | reads offset, delivery mode, pauses and own texts, then opens its intake; a warm one skips getMe |
//! | hand-off | closes its poll; commits `HandOver` behind the last ingest; that commit's answer tells the new owner |
//! | a fence | acts no more |
//! | hand-off or fence | withdraws calls to models, settles what is being sent, and ends |
//! | the node's bound has passed | closes its poll and begins no send until the next beat |

use std::sync::Arc;
use std::time::Duration;

use crate::actors::bot::effect::Effect;
use crate::actors::bot::intake::Intake;
use crate::actors::bot::intake::messages::IntakeMsg;
use crate::actors::bot::messages::{BotMsg, Loaded};
use crate::actors::bot::state::BotState;
use crate::actors::bot::stay::Stay;
use crate::actors::bot::turns::{Turns, compares_with};
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::committer::{CommitError, CommitResult, STORE_RETRY};
use crate::actors::node::deadline::in_time;
use crate::domain::commit::operations::{HandOver, Operation};
use crate::domain::commit::outcome::Refusal;
use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::roster::BotProfile;
use crate::ports::bus::{Audience, BusMessage, Hint};
use crate::ports::store::StoreError;
use crate::ports::telegram::BotApi;

/// Time between looks at others' sends for this bot, while there are any.
const ABANDONED_EVERY: Duration = Duration::from_millis(500);

/// Deadline for reading pauses: they are only a prediction.
const PAUSES_WITHIN: Duration = Duration::from_secs(1);

impl BotState {
    /// Returns whether the bot takes no updates and begins no turns.
    pub(super) fn is_closing(&self) -> bool {
        self.stay.is_closing()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.stay.is_gone()
    }

    pub(super) fn key(&self) -> LeaseKey {
        LeaseKey::Bot(self.identity.profile.id)
    }

    fn tell_fleet(&self, news: FleetMsg) {
        if let Some(fleet) = self.node.directory.fleet() {
            let _ = fleet.cast(news);
        }
    }

    /// Reads the bot's state from the store.
    pub(super) fn load(&mut self) {
        let (node, myself, bot, stored) =
            (Arc::clone(&self.node), self.hands.myself.clone(), self.identity.profile.id, self.arrival.stored);
        let compared = self.outbox(|_, step| compares_with(step.site));
        self.hands.tasks.spawn(async move {
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
        self.outbox(|outbox, step| outbox.resume_pauses(loaded.pauses, step));
        if let Some(texts) = &loaded.said {
            self.turns.begin_with(texts);
        }
        if let Some((offset, choice)) = loaded.stands {
            self.intake.go_on_from(offset, choice);
        }
        if let Some(me) = self.arrival.warm.take() {
            self.intake(|intake, desk| intake.on_identified(Ok(me), desk));
        } else {
            self.tell_doubts();
            self.intake(Intake::identify);
        }
        // Polls go first: reading the waiting work takes this handler's time.
        let _ = self.hands.myself.cast(BotMsg::Reconcile);
        self.look_after_abandoned();
    }

    /// Tells the bot's chats that sends of a dead owner are of unknown fate: a chat that saw a message may tell.
    fn tell_doubts(&self) {
        if self.node.cluster.is_some() {
            let known = self.node.directory.known();
            let chats = known.chats_of(self.identity.profile.id);
            self.node.tell(chats.iter().map(|chat| Hint::SendUnknown(*chat)));
        }
    }

    /// Looks after messages that other incarnations are still sending for the bot.
    pub(super) fn look_after_abandoned(&mut self) {
        let Some(cluster) = self.node.cluster.clone().filter(|_| !self.is_closing()) else {
            return;
        };
        let (me, bot, myself) = (self.node.me, self.identity.profile.id, self.hands.myself.clone());
        let overdue = self.arrival.since.elapsed() >= self.arrival.send_patience;
        self.hands.tasks.spawn(async move {
            let left = in_time(cluster.settle_abandoned(me, bot, overdue)).await;
            let _ = myself.cast(BotMsg::AbandonedLeft(left.ok()));
        });
    }

    pub(super) fn on_abandoned_left(&mut self, left: Option<u64>) {
        let before = self.arrival.abandoned;
        self.arrival.abandoned = left.unwrap_or(before.max(1));
        if self.arrival.abandoned > 0 {
            drop(self.hands.myself.send_after(ABANDONED_EVERY, || BotMsg::LookAfterAbandoned));
        }
        if self.arrival.abandoned < before {
            // Some of their sends have ended: later parts may go, chats may know more.
            self.tell_doubts();
            let _ = self.hands.myself.cast(BotMsg::Reconcile);
        }
    }

    /// Prepares the hand-over to another node: from here on no poll and no turn begins.
    pub(super) fn on_hand_over(&mut self, epoch: Epoch, to: Incarnation) {
        if epoch != self.identity.epoch || !self.stay.close(to) {
            return;
        }
        self.intake(Intake::stop);
        self.hand_over_if_closed();
    }

    /// Passes a message to the intake; a bot that goes is handed over once its poll is closed.
    pub(super) fn on_intake(&mut self, message: IntakeMsg) {
        self.intake(|intake, desk| intake.handle(message, desk));
        self.hand_over_if_closed();
    }

    /// Hands the bot over once no poll is open: the last ingest is queued before, and the committer keeps order.
    fn hand_over_if_closed(&mut self) {
        if self.intake.is_polling() {
            return;
        }
        let Some(to) = self.stay.hand() else {
            return;
        };
        let (node, myself, key) = (Arc::clone(&self.node), self.hands.myself.clone(), self.key());
        let operation = Operation::HandOver(HandOver { key, epoch: self.identity.epoch, to });
        self.node.committer.submit(operation, move |result| {
            if result.is_ok() {
                node.bus.publish(Audience::Node(to), BusMessage::Hints(vec![Hint::Lease(key)]));
            }
            let _ = myself.cast(BotMsg::HandedOver(result));
        });
    }

    pub(super) fn on_handed_over(&mut self, result: &CommitResult) {
        let Some(to) = self.stay.handed_to() else {
            return;
        };
        match result {
            Ok(_) => {
                self.tell_fleet(FleetMsg::HandedOver(self.key(), self.identity.epoch, Some(to)));
                self.let_go();
            }
            Err(CommitError::Refused(Refusal::Fenced)) => self.on_fenced(),
            Err(error) => {
                tracing::warn!(bot.id = %self.identity.profile.id, error = %error, "the bot could not be handed over, it goes on here");
                self.stay.remain();
                self.tell_fleet(FleetMsg::NotHandedOver(self.key()));
                self.intake(Intake::open);
                self.turns(Turns::pump);
                let _ = self.hands.myself.cast(BotMsg::Reconcile);
            }
        }
    }

    /// Leaves this node, since a write was refused: somebody else owns the bot.
    pub(super) fn on_fenced(&mut self) {
        if self.is_gone() {
            return;
        }
        tracing::warn!(bot.id = %self.identity.profile.id, "another epoch owns this bot, it leaves this node");
        self.tell_fleet(FleetMsg::Fenced(self.key(), self.identity.epoch));
        self.let_go();
    }

    /// Leaves this node: the bot lives elsewhere, or is not in use any more.
    pub(super) fn on_leave(&mut self, epoch: Epoch) {
        if epoch == self.identity.epoch && !self.is_gone() {
            self.let_go();
        }
    }

    /// Retires a bot that the manifest has dropped: its claimed turns go back, and it leaves.
    pub(super) fn on_retire(&mut self) {
        self.turns(Turns::give_all_back);
        self.let_go();
    }

    /// Begins nothing any more. Withdraws calls to models, which are of no use; what is being sent is settled.
    fn let_go(&mut self) {
        self.stay = Stay::Gone;
        self.intake(|intake, desk| {
            intake.quiesce(desk);
            intake.stop(desk);
        });
        self.turns(|turns, desk| turns.let_go(desk.outbox));
        self.outbox(|outbox, step| {
            outbox.release_doubtful(step);
            step.ask(Effect::EndTyping(None));
        });
    }

    /// Returns whether a bot that has left has nothing more to settle.
    pub(super) fn is_done(&self) -> bool {
        self.is_gone() && self.turns.in_flight() == 0 && self.outbox.in_flight() == 0
    }

    /// Takes over a changed configuration of the bot. Work under way goes on as it was begun.
    pub(super) fn on_profile_changed(&mut self, profile: Arc<BotProfile>, api: Option<Arc<dyn BotApi>>) {
        let before = std::mem::replace(&mut self.identity.profile, profile);
        let replaced = api.is_some();
        if let Some(api) = api {
            self.identity.api = api;
        }
        let now = Arc::clone(&self.identity.profile);
        self.intake(|intake, desk| intake.on_profile_changed(&before, &now, replaced, desk));
    }
}
