//! Runs a chat: one actor per Telegram chat for the whole fleet. Layer `actors`. Parent: Fleet. Keeps I2, I3.
//!
//! Bots hand a chat their rows in memory while the commit of these rows is still under way. The chat's own commit
//! queues behind that commit and fails with it. After a refused commit the chat forgets its memory and reads the store
//! again.
//!
//! Load bound: `rows_waiting` rows in its mailbox; the rest stays in the store until the next reading.
//! On failure: the fleet restarts the chat from the store. While the store does not answer, rows wait there.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::albums::captioned;
use super::evidence::Sighting;
use super::isolating::{Isolation, REFUSALS_TOGETHER};
use super::memory::Memory;
use super::settings::ChatSettings;
use super::shares::{Begun, Shares};
use crate::actors::chat::messages::{ChatMsg, Delivery};
use crate::actors::chat::snapshot::ChatSnapshot;
use crate::actors::node::Node;
use crate::actors::node::permits::RowPermits;
use crate::actors::node::tasks::{TaskPanicked, Tasks};
use crate::behaviour::job::TurnJob;
use crate::behaviour::scene::{CastMember, Occasion};
use crate::domain::decision::Decision;
use crate::domain::ids::{BotId, Epoch, Number, TelegramChatId, TelegramUserId, TurnId};
use crate::domain::inbox::Handled;
use crate::domain::roster::ChatProfile;
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::Turn;

/// The parts that a chat is built from.
pub struct ChatArgs {
    /// The node that runs the chat.
    pub node: Arc<Node>,
    /// The chat's profile.
    pub profile: Arc<ChatProfile>,
    /// The settings of all chats.
    pub settings: ChatSettings,
    /// Admission to the chat's mailbox.
    pub rows: Arc<RowPermits>,
    /// The epoch of the chat's lease: the fence of its writes.
    pub epoch: Epoch,
}

/// State of a chat.
pub struct ChatState {
    pub(super) node: Arc<Node>,
    pub(super) profile: Arc<ChatProfile>,
    pub(super) settings: ChatSettings,
    pub(super) rows: Arc<RowPermits>,
    pub(super) cast: Vec<CastMember>,
    /// `None` while the store has not been read: rows wait until it has.
    pub(super) memory: Option<Memory>,
    pub(super) shares: Shares,
    /// Rows that came while the store had not been read.
    pub(super) waiting: Vec<Delivery>,
    /// Set while older rows than those in `waiting` may be unread in the store.
    pub(super) behind: bool,
    pub(super) reads_at: Option<tokio::time::Instant>,
    /// Messages of the fleet that were seen and have no entry yet.
    pub(super) sightings: VecDeque<Sighting>,
    /// Telegram's id of the chat, as the store has it.
    pub(super) stored_telegram_id: TelegramChatId,
    /// Bots that cannot post here.
    pub(super) absent: BTreeSet<BotId>,
    /// The last time when bots that cannot post here were asked whether they can again.
    pub(super) wanted_at: Option<tokio::time::Instant>,
    /// Rises with each reading of the store: results of older commits are ignored.
    pub(super) generation: u64,
    pub(super) commits_in_flight: usize,
    /// Commits that the committer has not answered, those from before the last reading of the store among them.
    pub(super) commits_unanswered: usize,
    /// True when the store is to be read again once these commits are answered.
    pub(super) reload_waits: bool,
    pub(super) refusals: u32,
    /// Set while rows go one at a time, since one of them is refused again and again.
    pub(super) isolation: Option<Isolation>,
    pub(super) next_tick_at: Option<Timestamp>,
    pub(super) last_news: tokio::time::Instant,
    pub(super) epoch: Epoch,
    /// True when the chat is leaving its node: it takes nothing any more.
    pub(super) leaving: bool,
    /// Readings that run beside the chat and end with it.
    pub(super) tasks: Tasks,
}

/// The result of handling some rows: one commit, and jobs for the bots.
#[derive(Default)]
pub(super) struct Step {
    pub(super) entries: Vec<TranscriptEntry>,
    pub(super) handled: Vec<Handled>,
    pub(super) decisions: Vec<Decision>,
    pub(super) turns: Vec<Turn>,
    /// Turns whose place new ones take.
    pub(super) dropped: Vec<TurnId>,
    pub(super) jobs: BTreeMap<BotId, Vec<TurnJob>>,
    pub(super) absences: Vec<(BotId, bool)>,
    /// People who asked what is stored about them, with the entry and the bot that is to answer.
    pub(super) asked: Vec<(TelegramUserId, Number, BotId)>,
    /// The people for whom turns were begun, each with the time: they count once the step is submitted.
    pub(super) begun: Vec<Begun>,
    /// Albums whose words are among the rows in hand.
    pub(super) captioned: BTreeSet<String>,
    /// True when the director panicked over the row in hand.
    pub(super) panicked: bool,
    /// True when the author of the row in hand, which was read late, has called again since.
    pub(super) superseded: bool,
    /// The reason why the row in hand is no call any more.
    pub(super) history: Option<String>,
}

/// The chat actor.
pub struct ChatActor;

impl Actor for ChatActor {
    type Msg = ChatMsg;
    type State = ChatState;
    type Arguments = ChatArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(ChatMsg::Reload)?;
        let alarm = myself.clone();
        Ok(ChatState {
            epoch: args.epoch,
            leaving: false,
            tasks: Tasks::new(move || drop(alarm.cast(ChatMsg::TaskPanicked))),
            cast: cast_of(&args.node, &args.profile),
            next_tick_at: None,
            memory: None,
            shares: Shares::default(),
            waiting: Vec::new(),
            behind: false,
            reads_at: None,
            absent: BTreeSet::new(),
            wanted_at: None,
            sightings: VecDeque::new(),
            stored_telegram_id: args.profile.spec.telegram_id,
            node: args.node,
            profile: args.profile,
            settings: args.settings,
            rows: args.rows,
            generation: 0,
            commits_in_flight: 0,
            commits_unanswered: 0,
            reload_waits: false,
            refusals: 0,
            isolation: None,
            last_news: tokio::time::Instant::now(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ChatMsg::Deliver(deliveries) => state.on_deliveries(&myself, deliveries).await,
            ChatMsg::Reconcile => state.read_store(&myself).await,
            ChatMsg::RowsWait => state.on_rows_wait(&myself),
            ChatMsg::Reload => state.reload(&myself).await,
            ChatMsg::Tick => state.on_tick(&myself),
            ChatMsg::Advanced(generation, result, begun) => {
                state.on_advanced(&myself, generation, &result, &begun).await;
            }
            ChatMsg::CommitsPassed => state.on_answered(&myself).await,
            ChatMsg::RowsFailed(generation, why) => state.on_rows_failed(&myself, generation, &why).await,
            ChatMsg::Migrated(to) => state.on_migrated(&myself, to),
            ChatMsg::StoreMigration(to) => state.store_migration(&myself, to),
            ChatMsg::SendUnknown => state.on_send_unknown(&myself).await,
            ChatMsg::Spent => state.on_spent(&myself),
            ChatMsg::RecordRead(entry, speaker, record) => state.on_record(&myself, entry, speaker, record.as_ref()),
            ChatMsg::CannotPost(bot) => state.on_cannot_post(bot, true),
            ChatMsg::CanPost(bot) => state.on_cannot_post(bot, false),
            ChatMsg::HandOver(epoch, to) => state.on_hand_over(&myself, epoch, to),
            ChatMsg::HandedOver(to, result) => state.on_handed_over(&myself, to, &result).await,
            ChatMsg::Leave(epoch) => state.on_leave(&myself, epoch),
            ChatMsg::ProfileChanged(profile) => state.on_profile_changed(&myself, profile),
            ChatMsg::Named(bot) => state.on_named(bot),
            ChatMsg::CastChanged => state.cast = cast_of(&state.node, &state.profile),
            ChatMsg::Speak(speech, reply) => state.on_speak(&myself, *speech, reply).await,
            ChatMsg::TaskPanicked => return Err(TaskPanicked.into()),
            ChatMsg::PassivateIfIdle => state.passivate_if_idle(&myself),
            ChatMsg::GetSnapshot(reply) => drop(reply.send(state.snapshot())),
        }
        Ok(())
    }
}

pub(super) fn cast_of(node: &Node, profile: &ChatProfile) -> Vec<CastMember> {
    let known = node.directory.known();
    let member = |id: &BotId| {
        let profile = known.bots.get(id)?;
        Some(CastMember { profile: Arc::clone(profile), username: node.directory.username(*id) })
    };
    profile.members.iter().filter_map(member).collect()
}

impl ChatState {
    /// Takes rows from bots. Rows that come while rows go one at a time wait in the store. Rows that come before the
    /// store has been read wait here, with their permits: their commit may still be under way, and later rows must not
    /// overtake it (I3).
    async fn on_deliveries(&mut self, myself: &ActorRef<ChatMsg>, deliveries: Vec<Delivery>) {
        let count = deliveries.len();
        if self.isolation.is_none() {
            if (self.memory.is_none() || self.behind) && !self.leaving {
                return self.waiting.extend(deliveries);
            }
            self.take(myself, deliveries).await;
        }
        self.rows.release(count);
    }

    /// Handles rows in one step.
    pub(super) async fn take(&mut self, myself: &ActorRef<ChatMsg>, mut deliveries: Vec<Delivery>) {
        let Some(memory) = self.memory.as_mut() else {
            return;
        };
        let base = memory.last_number;
        deliveries.retain(|delivery| memory.take_in_hand(delivery.inbox));
        let known = match self.known_in_store(&deliveries).await {
            Ok(known) => known,
            Err(error) => return self.reading_failed(myself, &error),
        };
        let mut step = Step { captioned: captioned(&deliveries), ..Step::default() };
        let mut heard_by = None;
        let superseded = self.superseded(&deliveries);
        for delivery in deliveries {
            let known = known.get(&delivery.inbox).copied();
            match self.evidence(&delivery, known).await {
                Ok(None) => {}
                Ok(Some(resolved)) => {
                    if self.memory.as_mut().is_some_and(|memory| memory.take_in_hand(resolved.inbox)) {
                        self.on_delivery(resolved, None, &mut step);
                    }
                }
                Err(error) => return self.reading_failed(myself, &error),
            }
            step.superseded = superseded.contains(&delivery.inbox);
            if self.is_news(&delivery) {
                heard_by = Some(delivery.bot);
            }
            self.steer(myself, &delivery, &mut step);
            // A poison row must not take its chat along (I7).
            if catch_unwind(AssertUnwindSafe(|| self.on_delivery(delivery, known, &mut step))).is_err() {
                return self.rows_failed(myself, "handling it panicked");
            }
        }
        self.read_records(myself, std::mem::take(&mut step.asked));
        if !step.handled.is_empty() {
            self.last_news = tokio::time::Instant::now();
            if heard_by.is_some() {
                self.disclose(heard_by, &mut step);
            }
            self.plan_tick();
            self.commit(myself, base, step);
        }
    }

    fn on_tick(&mut self, myself: &ActorRef<ChatMsg>) {
        let now = self.node.clock.now();
        let Some(base) = self.memory.as_ref().map(|memory| memory.last_number) else {
            return;
        };
        if self.next_tick_at.is_none_or(|at| at > now) {
            return;
        }
        if self.isolation.is_some() {
            return;
        }
        let mut step = Step::default();
        // A tick that is overdue by more than `stale_after` decides nothing, so that after an outage not all chats
        // speak at once. A decision that is refused again and again is left out: the next tick is planned all the same.
        let timely = self.next_tick_at.is_some_and(|at| now.since(at) <= self.profile.spec.pacing.stale_after);
        if timely && self.refusals < REFUSALS_TOGETHER {
            self.decide(Occasion::Tick, None, &mut step);
        }
        self.plan_tick();
        self.commit(myself, base, step);
    }

    fn passivate_if_idle(&mut self, myself: &ActorRef<ChatMsg>) {
        let busy = self.leaving || !self.waiting.is_empty() || self.commits_unanswered > 0 || self.reads_at.is_some();
        if self.memory.is_some() && !busy && self.last_news.elapsed() >= self.settings.passivate_after {
            myself.stop(Some("passivated".to_owned()));
        }
    }

    fn snapshot(&self) -> ChatSnapshot {
        let names: HashMap<BotId, &str> =
            self.cast.iter().map(|member| (member.profile.id, member.profile.spec.name.as_str())).collect();
        ChatSnapshot {
            name: self.profile.spec.name.clone(),
            telegram_id: self.profile.spec.telegram_id.0,
            policy: self.profile.spec.policy.as_str(),
            bots: self.profile.members.iter().filter_map(|id| names.get(id).map(|name| (*name).to_owned())).collect(),
            absent: self.absent.iter().filter_map(|id| names.get(id).map(|name| (*name).to_owned())).collect(),
            silent: self
                .silent_here(None, self.node.clock.now())
                .into_iter()
                .filter_map(|(id, why)| Some(((*names.get(&id)?).to_owned(), why.to_string())))
                .collect(),
            waits_for_store: self.memory.is_none(),
            entries: self.memory.as_ref().map_or(0, |memory| memory.last_number.0),
            decisions: self.memory.as_ref().map_or(0, |memory| memory.last_decision.0),
            commits_in_flight: self.commits_in_flight,
            next_tick_at: self.next_tick_at,
        }
    }
}
