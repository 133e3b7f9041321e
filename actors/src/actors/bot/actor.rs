//! Runs a bot. Layer `actors`. Parent: Fleet. Children: none; outside calls run in tracked tasks. Keeps I1, I4, I6, I8.
//!
//! Load bound: `turns_in_flight` turns at work, `turns_waiting` in memory; the rest waits in the store.
//! On failure: the fleet restarts the bot; all work in hand is in the store, and attempts to send end unknown.

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;

use super::intake::Intake;
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::perform::Typing;
use crate::actors::bot::retracting::Retracting;
use crate::actors::bot::snapshot::BotSnapshot;
use crate::actors::bot::state::{Arrival, BotArgs, BotState, Hands, Identity};
use crate::actors::bot::stay::{Stay, Work};
use crate::actors::bot::turns::Turns;
use crate::actors::node::tasks::{TaskPanicked, Tasks};
use crate::domain::roster::DeliveryMode;

/// The bot actor.
pub struct BotActor;

impl Actor for BotActor {
    type Msg = BotMsg;
    type State = BotState;
    type Arguments = BotArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let alarm = myself.clone();
        let mut state = BotState {
            stay: Stay::Here(Work::All),
            arrival: Arrival {
                stored: args.stored,
                warm: args.warm,
                since: Instant::now(),
                send_patience: args.send_patience,
                abandoned: 0,
            },
            intake: Intake::new(&args.profile),
            turns: Turns::new(&args.settings),
            outbox: Outbox::new(&args.settings),
            retracting: Retracting::default(),
            node: args.node,
            identity: Identity {
                profile: args.profile,
                api: args.api,
                settings: args.settings,
                webhooks: args.webhooks,
                epoch: args.epoch,
            },
            hands: Hands {
                myself,
                tasks: Tasks::new(move || drop(alarm.cast(BotMsg::TaskPanicked))),
                typing: Typing::default(),
                poll: None,
                effects: Vec::new(),
            },
        };
        state.load();
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            BotMsg::Load => state.load(),
            BotMsg::Loaded(loaded) => state.on_loaded(loaded),
            BotMsg::LookAfterAbandoned => state.look_after_abandoned(),
            BotMsg::AbandonedLeft(left) => state.on_abandoned_left(left),
            BotMsg::HandOver(epoch, to) => state.on_hand_over(epoch, to),
            BotMsg::HandedOver(result) => state.on_handed_over(&result),
            BotMsg::Leave(epoch) => state.on_leave(epoch),
            BotMsg::Retire => state.on_retire(),
            BotMsg::Suspend => state.intake(Intake::suspend),
            BotMsg::Resume => state.intake(Intake::poll),
            BotMsg::ProfileChanged(profile, api) => state.on_profile_changed(profile, api),
            BotMsg::TurnsWait => state.read_turns().await,
            BotMsg::Intake(message) => state.on_intake(message),
            BotMsg::Turns(jobs) => state.turns(|turns, desk| turns.take(jobs, desk)),
            BotMsg::Reconcile => state.on_reconcile().await,
            BotMsg::ClockStepped => state.on_clock_stepped(),
            BotMsg::Turn(message) => state.turns(|turns, desk| turns.handle(message, desk)),
            BotMsg::WordsRemoved => state.on_words_removed().await,
            BotMsg::Retract => state.retract(),
            BotMsg::Retracted(until) => state.on_retracted(until),
            BotMsg::Outbox(message) => state.outbox(|outbox, step| outbox.handle(message, step)),
            BotMsg::Limited(chat, retry_after) => state.on_limited(chat, retry_after),
            BotMsg::TryChat(chat) => state.try_chat(chat),
            BotMsg::ChatTried(chat, result) => state.on_chat_tried(chat, &result),
            BotMsg::PausesLifted => state.on_pauses_lifted(),
            BotMsg::LeaveChats(strange) => state.on_leave_chats(strange),
            BotMsg::Doubted(doubt) => state.on_doubted(doubt),
            BotMsg::Ranked(doubt, rank) => state.on_ranked(doubt, rank),
            BotMsg::Quiesce => state.on_quiesce(),
            BotMsg::GiveBack => state.turns(Turns::give_all_back),
            BotMsg::HoldSends => {
                state.stay.narrow(Work::Nothing);
                state.outbox(Outbox::release_doubtful);
            }
            BotMsg::TaskPanicked => return Err(TaskPanicked.into()),
            BotMsg::GetSnapshot(reply) => {
                let _ = reply.send(state.snapshot());
            }
        }
        if state.is_done() {
            myself.stop(Some("left".to_owned()));
        }
        Ok(())
    }
}

impl BotState {
    fn on_quiesce(&mut self) {
        self.stay.narrow(Work::Sends);
        self.intake(Intake::quiesce);
    }

    fn snapshot(&self) -> BotSnapshot {
        BotSnapshot {
            name: self.identity.profile.spec.name.clone(),
            telegram_id: self.identity.profile.spec.telegram_id.0,
            username: self.intake.me().map(|me| me.username.clone()),
            health: self.intake.health().clone(),
            delivery: self.intake.mode().as_str(),
            webhook_pending: (self.intake.mode() == DeliveryMode::Webhook).then_some(self.intake.status().pending),
            webhook_error: self.intake.status().last_error.clone(),
            next_offset: self.intake.next_offset(),
            hears_everything: self.intake.me().map(|me| me.can_read_all_group_messages),
            turns_in_flight: self.turns.in_flight(),
            turns_waiting: self.turns.waiting(),
            messages_waiting: self.outbox.waiting(),
            messages_due: self.outbox.due(self.node.clock.now()),
            sends_in_flight: self.outbox.in_flight(),
            paused_seconds: self.outbox.limiter().bot_pause().map(|left| left.as_secs() + 1),
            cannot_speak: self.node.silence_of(self.identity.profile.id).map(|why| why.to_string()),
            slowed_chats: self.outbox.limiter().lowered().count(),
            lowest_rate_percent: self.outbox.limiter().lowered().map(|(_, rate)| (rate * 100.0).round() as u32).min(),
            paused_chats: self.outbox.limiter().pauses().count(),
            quiescing: self.stay.is_quiescing(),
            holding_sends: self.stay.holds_sends(),
            sent: self.outbox.sent(),
        }
    }
}
