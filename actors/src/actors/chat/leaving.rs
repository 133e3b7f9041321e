//! Lets a chat leave its node, and applies a new configuration. Layer `actors`. Keeps I3, I6.
//!
//! A chat's handlers end each step before the next message, so that every step is queued before the hand-over. Rows
//! that come later stay in the store, for the new owner.

use std::sync::Arc;

use ractor::ActorRef;

use super::actor::{ChatState, Step, cast_of};
use crate::actors::chat::messages::ChatMsg;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::committer::{CommitError, CommitResult};
use crate::domain::commit::operations::{HandOver, Operation};
use crate::domain::commit::outcome::Refusal;
use crate::domain::ids::{BotId, Epoch};
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::roster::ChatProfile;
use crate::ports::bus::{Audience, BusMessage, Hint};

impl ChatState {
    fn key(&self) -> LeaseKey {
        LeaseKey::Chat(self.profile.id)
    }

    fn tell_fleet(&self, news: FleetMsg) {
        if let Some(fleet) = self.node.directory.fleet() {
            let _ = fleet.cast(news);
        }
    }

    /// Hands the chat over to another node that waits for it.
    pub(super) fn on_hand_over(&mut self, myself: &ActorRef<ChatMsg>, epoch: Epoch, to: Incarnation) {
        if epoch != self.epoch || self.leaving {
            return;
        }
        self.let_go();
        let (node, chat, key) = (Arc::clone(&self.node), myself.clone(), self.key());
        self.node.committer.submit(Operation::HandOver(HandOver { key, epoch, to }), move |result| {
            if result.is_ok() {
                node.bus.publish(Audience::Node(to), BusMessage::Hints(vec![Hint::Lease(key)]));
            }
            let _ = chat.cast(ChatMsg::HandedOver(to, result));
        });
    }

    pub(super) async fn on_handed_over(&mut self, myself: &ActorRef<ChatMsg>, to: Incarnation, result: &CommitResult) {
        match result {
            Ok(_) => {
                self.tell_fleet(FleetMsg::HandedOver(self.key(), self.epoch, Some(to)));
                myself.stop(Some("handed over".to_owned()));
            }
            Err(CommitError::Refused(Refusal::Fenced)) => self.on_fenced(myself),
            Err(error) => {
                tracing::warn!(chat.id = %self.profile.id, error = %error, "the chat could not be handed over, it goes on here");
                self.leaving = false;
                self.tell_fleet(FleetMsg::NotHandedOver(self.key()));
                self.pass_commits(myself);
                self.reload(myself).await;
            }
        }
    }

    /// Leaves this node, since a write was refused: somebody else owns the chat.
    pub(super) fn on_fenced(&mut self, myself: &ActorRef<ChatMsg>) {
        tracing::warn!(chat.id = %self.profile.id, "another epoch owns this chat, it leaves this node");
        self.let_go();
        self.tell_fleet(FleetMsg::Fenced(self.key(), self.epoch));
        myself.stop(Some("fenced".to_owned()));
    }

    /// Leaves this node: the chat lives elsewhere, or is not in use any more.
    pub(super) fn on_leave(&mut self, myself: &ActorRef<ChatMsg>, epoch: Epoch) {
        if epoch == self.epoch {
            self.let_go();
            myself.stop(Some("left".to_owned()));
        }
    }

    /// Takes nothing any more; results of commits under way are ignored.
    fn let_go(&mut self) {
        self.leaving = true;
        self.memory = None;
        self.rows.release(std::mem::take(&mut self.waiting).len());
        self.generation += 1;
        self.commits_in_flight = 0;
    }

    /// Takes over the username of a member.
    pub(super) fn on_named(&mut self, bot: BotId) {
        if let Some(member) = self.cast.iter_mut().find(|member| member.profile.id == bot) {
            member.username = self.node.directory.username(bot);
        }
    }

    /// Takes over a changed configuration: the chat's next decision is made under it.
    pub(super) fn on_profile_changed(&mut self, myself: &ActorRef<ChatMsg>, profile: Arc<ChatProfile>) {
        let paced = self.profile.spec.pacing.quiet_tick != profile.spec.pacing.quiet_tick
            || self.profile.spec.quiet_hours != profile.spec.quiet_hours
            || self.profile.spec.talkative_hours != profile.spec.talkative_hours;
        self.profile = profile;
        self.cast = cast_of(&self.node, &self.profile);
        if paced && let Some(base) = self.memory.as_ref().map(|memory| memory.last_number) {
            self.plan_tick();
            // The fleet reads from the store when a quiet chat wakes.
            self.commit(myself, base, Step::default());
        }
    }
}
