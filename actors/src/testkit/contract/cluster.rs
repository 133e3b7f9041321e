//! Claims about nodes that share a store: I4, I5, I6, I8, I10. Part of the testkit.
//!
//! [`cluster_contract!`](crate::cluster_contract) makes a test of every claim. This file is longer than others, since
//! the claims share one small stage of processes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::growth::{KEPT, numbers, tidy};
use crate::domain::commit::operations::{Advance, Begin, Finish, HandOver, Operation, Settle, TurnEnding};

use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::decision::Cause;
use crate::domain::ids::{AttemptId, BotId, ChatId, Epoch, MessageId, Number};
use crate::domain::outbox::{OutboxMessage, OutboxState, SendResult};
use crate::domain::ownership::{Incarnation, Lease, LeaseKey, NewNode, NodeReport, NodeRole, NodeState, Picture, Wish};
use crate::domain::turn::{Turn, TurnState};
use crate::ports::cluster::Cluster;
use crate::ports::store::Store;
use crate::testkit::rows::{advance, appended, at, claim, decision, ingest, message, plan, start, turn, update};

/// A place where a store lives that several processes share. Each opening is one more process beside the others.
#[async_trait]
pub trait ClusterHome: Send + Sync {
    /// Opens the store as another process.
    async fn open(&self) -> (Arc<dyn Store>, Arc<dyn Cluster>);
}

/// A process that has joined.
struct Process {
    store: Arc<dyn Store>,
    cluster: Arc<dyn Cluster>,
    me: Incarnation,
}

fn node(name: &str) -> NewNode {
    NewNode { name: name.to_owned(), role: NodeRole::All, address: None, version: "1.2.3".to_owned(), launch: None }
}

/// Opens a process, applies the roster of two bots and two chats, and joins.
async fn joined(home: &dyn ClusterHome, new: NewNode) -> Process {
    let (store, cluster) = home.open().await;
    store.apply_roster(&plan(2, 2), at(0)).await.expect("the plan is sound");
    let me = cluster.join(&new).await.expect("nobody of that name lives");
    Process { store, cluster, me }
}

impl Process {
    async fn picture(&self) -> Picture {
        self.cluster.picture().await.expect("the store works")
    }

    async fn lease(&self, key: LeaseKey) -> Lease {
        *self.picture().await.leases.iter().find(|lease| lease.key == key).expect("the lease is there")
    }

    async fn wish(&self, key: LeaseKey, desired: Option<Incarnation>) {
        let wishes = vec![Wish { key, desired }];
        assert!(self.cluster.plan(&move |_: &Picture| wishes.clone()).await.unwrap(), "nobody else plans");
    }

    /// Makes this process the desired owner of a lease, and takes it.
    async fn own(&self, key: LeaseKey) -> Epoch {
        self.wish(key, Some(self.me)).await;
        let taken = self.cluster.take(self.me, &[key]).await.unwrap();
        assert_eq!(taken.len(), 1, "nobody alive owns {key}");
        taken[0].1
    }

    async fn commit(&self, operation: Operation) -> Result<Applied, Refusal> {
        self.store.commit(vec![operation]).await.expect("the store works").pop().unwrap()
    }

    async fn beat_seen(&self, of: Incarnation) -> i64 {
        self.picture().await.node(of).expect("it is there").beat
    }

    /// Declares another node dead.
    async fn bury(&self, other: Incarnation) {
        let beat = self.beat_seen(other).await;
        assert_eq!(self.cluster.bury(&[(other, beat)]).await.unwrap(), [other]);
    }

    async fn ids(&self) -> (BotId, ChatId) {
        let roster = self.store.roster().await.unwrap();
        (*roster.bots.keys().next().unwrap(), *roster.chats.keys().next().unwrap())
    }

    async fn state(&self, message: &OutboxMessage) -> OutboxState {
        self.store.message(message.id).await.unwrap().expect("stored").progress.state
    }

    /// Returns a claimed turn of the bot that this process owns under `bot_epoch`, made by the chat that it owns under
    /// `chat_epoch`.
    async fn claimed_turn(&self, bot_epoch: Epoch, chat_epoch: Epoch) -> Turn {
        let (bot, chat) = self.ids().await;
        let asked = turn(31, chat, 1, bot);
        let step = Advance {
            handled: vec![appended(1, 1, Some(1))],
            decisions: vec![decision(chat, 1, Cause::Entry(Number(1)))],
            turns: vec![asked.clone()],
            ..advance(chat, chat_epoch, 0, 1)
        };
        for operation in
            [ingest(bot, bot_epoch, vec![update(1, bot, chat, 1)]), Operation::Advance(step), claim(&asked, bot_epoch)]
        {
            self.commit(operation).await.expect("nothing is refused");
        }
        asked
    }

    /// Returns a message that this process is sending as attempt 51, and the epoch of its bot's lease.
    async fn sending(&self) -> (OutboxMessage, Epoch) {
        let (bot, chat) = self.ids().await;
        let (epoch, chat_epoch) = (self.own(LeaseKey::Bot(bot)).await, self.own(LeaseKey::Chat(chat)).await);
        let asked = self.claimed_turn(epoch, chat_epoch).await;
        let said = message(41, &asked);
        let ending = TurnEnding::Said { messages: vec![said.clone()], begin: None };
        let finish = Finish { bot, epoch, turn: asked.id, ending, usage: None };
        self.commit(Operation::Finish(finish)).await.unwrap();
        let begin = Begin { bot, epoch, outbox: said.id, start: start(51, at(5)) };
        self.commit(Operation::Begin(begin)).await.unwrap();
        assert_eq!(self.state(&said).await, OutboxState::Sending);
        (said, epoch)
    }
}

async fn bot_of(process: &Process) -> LeaseKey {
    LeaseKey::Bot(process.ids().await.0)
}

/// A name belongs to one process at a time; its next start is another incarnation.
pub async fn a_name_joins_once_while_it_lives(home: &dyn ClusterHome) {
    let first = joined(home, node("a")).await;
    let (_, again) = home.open().await;
    assert!(again.join(&node("a")).await.unwrap_err().is_retryable());
    let other = joined(home, node("b")).await;
    assert!(other.me > first.me);
    other.bury(first.me).await;
    assert!(again.join(&node("a")).await.unwrap() > other.me, "incarnations are never given twice");
}

/// A node's report travels with each beat, and the other nodes see it.
pub async fn a_beat_is_seen_with_its_report(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let before = other.beat_seen(one.me).await;
    let report = NodeReport { telegram: true, updates_per_minute: 7, sends_per_minute: 5, lag_ms: 3, low_water: 2 };
    let answer = one.cluster.beat(one.me, &report).await.unwrap();
    assert_eq!(answer.state, NodeState::Alive);
    assert_eq!(answer.config_seq, one.store.roster().await.unwrap().config_seq);
    let nodes = other.cluster.nodes().await.unwrap();
    let seen = nodes.iter().find(|node| node.incarnation == one.me).expect("it lives");
    assert!(seen.beat > before);
    assert_eq!((seen.report, seen.name.as_str(), seen.version.as_str()), (report, "a", "1.2.3"));
    assert_eq!(nodes.len(), 2);
}

/// I5: a dead incarnation stays dead.
pub async fn a_beat_of_the_dead_revives_nobody(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    other.bury(one.me).await;
    for _ in 0..2 {
        let answer = one.cluster.beat(one.me, &NodeReport::default()).await.unwrap();
        assert_eq!(answer.state, NodeState::Dead);
        assert!(!other.picture().await.lives(one.me));
    }
    assert!(other.cluster.nodes().await.unwrap().iter().all(|node| node.incarnation != one.me));
    assert!(other.cluster.bury(&[(one.me, 0)]).await.unwrap().is_empty(), "it is dead already");
}

/// A node that has beaten since it was observed is not declared dead.
pub async fn a_burial_compares_beats(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let seen = other.beat_seen(one.me).await;
    one.cluster.beat(one.me, &NodeReport::default()).await.unwrap();
    assert!(other.cluster.bury(&[(one.me, seen)]).await.unwrap().is_empty());
    assert!(other.picture().await.lives(one.me));
    other.bury(one.me).await;
}

/// A launcher declares its own start dead, and no other.
pub async fn a_launcher_buries_its_start_and_no_other(home: &dyn ClusterHome) {
    let one = joined(home, NewNode { launch: Some(11), ..node("a") }).await;
    let other = joined(home, NewNode { launch: Some(12), ..node("b") }).await;
    other.cluster.bury_launch(99).await.unwrap();
    other.cluster.bury_launch(11).await.unwrap();
    let picture = other.picture().await;
    assert_eq!((picture.lives(one.me), picture.lives(other.me)), (false, true));
}

/// Bots and chats that are new in the roster have no owner at first.
pub async fn a_new_bot_belongs_to_nobody_until_it_is_taken(home: &dyn ClusterHome) {
    let one = joined(home, node("a")).await;
    let picture = one.picture().await;
    assert_eq!(picture.leases.len(), 4, "two bots and two chats");
    assert!(picture.leases.iter().all(|lease| lease.owner.is_none() && lease.desired.is_none() && !lease.ready));
    assert!(picture.leases.is_sorted_by_key(|lease| lease.key));
    let key = bot_of(&one).await;
    let epoch = one.own(key).await;
    let lease = one.lease(key).await;
    assert_eq!((lease.owner, lease.desired, lease.epoch), (Some(one.me), None, epoch));
}

/// I5: a living owner keeps its leases, whoever the desired owner is.
pub async fn what_a_living_owner_has_is_not_taken(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let key = bot_of(&one).await;
    let epoch = one.own(key).await;
    other.wish(key, Some(other.me)).await;
    assert!(other.cluster.take(other.me, &[key]).await.unwrap().is_empty());
    let lease = other.lease(key).await;
    assert_eq!((lease.owner, lease.desired, lease.epoch), (Some(one.me), Some(other.me), epoch));
    other.bury(one.me).await;
    assert_eq!(other.cluster.take(other.me, &[key]).await.unwrap(), [(key, Epoch(epoch.0 + 1))]);
}

/// A node takes no lease whose desired owner is another node, or none.
pub async fn nothing_is_taken_without_a_wish(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let key = bot_of(&one).await;
    assert!(one.cluster.take(one.me, &[key]).await.unwrap().is_empty());
    one.wish(key, Some(other.me)).await;
    assert!(one.cluster.take(one.me, &[key]).await.unwrap().is_empty());
    assert_eq!(one.lease(key).await.owner, None);
}

/// A process that was declared dead takes nothing.
pub async fn the_dead_take_nothing(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let key = bot_of(&one).await;
    other.wish(key, Some(one.me)).await;
    other.bury(one.me).await;
    assert!(one.cluster.take(one.me, &[key]).await.unwrap().is_empty());
    assert_eq!(other.lease(key).await.owner, None);
}

/// I6: a lease that is owned again after a restart has another epoch.
pub async fn an_epoch_never_comes_again_over_a_restart(home: &dyn ClusterHome) {
    let one = joined(home, node("a")).await;
    let (bot, chat) = one.ids().await;
    let key = LeaseKey::Bot(bot);
    let before = one.own(key).await;
    one.cluster.leave(one.me).await.unwrap();
    let again = joined(home, node("a")).await;
    assert!(again.me > one.me);
    let after = again.own(key).await;
    assert!(after > before, "{after} after {before}");
    let late = one.commit(ingest(bot, before, vec![update(1, bot, chat, 1)])).await;
    assert_eq!(late, Err(Refusal::Fenced));
    again.commit(ingest(bot, after, vec![update(2, bot, chat, 2)])).await.unwrap();
}

/// Only the desired owner can report that it is warm.
pub async fn only_the_desired_owner_is_ready(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let key = bot_of(&one).await;
    one.own(key).await;
    one.wish(key, Some(other.me)).await;
    one.cluster.ready(one.me, &[key]).await.unwrap();
    assert!(!one.lease(key).await.ready);
    other.cluster.ready(other.me, &[key]).await.unwrap();
    assert!(one.lease(key).await.ready);
}

/// A repeated plan disturbs no move; a changed plan begins the move anew.
pub async fn a_wish_repeated_keeps_who_is_ready(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let key = bot_of(&one).await;
    one.own(key).await;
    one.wish(key, Some(other.me)).await;
    other.cluster.ready(other.me, &[key]).await.unwrap();
    one.wish(key, Some(other.me)).await;
    assert!(one.lease(key).await.ready);
    one.wish(key, None).await;
    let lease = one.lease(key).await;
    assert_eq!((lease.desired, lease.ready), (None, false));
}

/// I6: owner and epoch change in one step.
pub async fn a_hand_over_moves_owner_and_epoch_together(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let (bot, chat) = one.ids().await;
    let key = LeaseKey::Bot(bot);
    let epoch = one.own(key).await;
    one.wish(key, Some(other.me)).await;
    other.cluster.ready(other.me, &[key]).await.unwrap();
    one.commit(Operation::HandOver(HandOver { key, epoch, to: other.me })).await.unwrap();
    let lease = other.lease(key).await;
    let next = Epoch(epoch.0 + 1);
    assert_eq!((lease.owner, lease.desired, lease.ready, lease.epoch), (Some(other.me), None, false, next));
    assert_eq!(one.commit(ingest(bot, epoch, vec![update(1, bot, chat, 1)])).await, Err(Refusal::Fenced));
    other.commit(ingest(bot, next, vec![update(2, bot, chat, 2)])).await.unwrap();
}

/// A lease that was handed over has no desired owner left, whoever that was.
pub async fn a_hand_over_leaves_no_wish_behind(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let third = joined(home, node("c")).await;
    let key = bot_of(&one).await;
    let epoch = one.own(key).await;
    one.wish(key, Some(third.me)).await;
    one.commit(Operation::HandOver(HandOver { key, epoch, to: other.me })).await.unwrap();
    let lease = other.lease(key).await;
    assert_eq!((lease.owner, lease.desired, lease.ready), (Some(other.me), None, false));
}

/// A plan is stored as the planner made it: a desired owner that died meanwhile takes nothing, and the next plan names
/// another.
pub async fn a_plan_may_name_a_node_that_died_meanwhile(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let key = bot_of(&one).await;
    one.bury(other.me).await;
    one.wish(key, Some(other.me)).await;
    assert_eq!(one.lease(key).await.desired, Some(other.me));
    assert!(other.cluster.take(other.me, &[key]).await.unwrap().is_empty());
    one.own(key).await;
}

/// I8: a turn in hand at a crash gets a new owner.
pub async fn a_turn_of_the_dead_is_queued_again_by_its_new_owner(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let (bot, chat) = one.ids().await;
    let (key, chat_key) = (LeaseKey::Bot(bot), LeaseKey::Chat(chat));
    let (epoch, chat_epoch) = (one.own(key).await, one.own(chat_key).await);
    let claimed = one.claimed_turn(epoch, chat_epoch).await;
    other.bury(one.me).await;
    other.own(chat_key).await;
    let state = async || other.store.turn(claimed.id).await.unwrap().unwrap().0.progress;
    assert_eq!(state().await.state, TurnState::Claimed, "the bot has no new owner yet");
    let epoch = other.own(key).await;
    let progress = state().await;
    assert_eq!((progress.state, progress.attempts), (TurnState::Queued, 1), "a crash counts as a failure of it");
    other.commit(claim(&claimed, epoch)).await.unwrap();
}

/// I4, I6: a message is settled by the incarnation that is sending it.
pub async fn what_a_living_incarnation_is_sending_stays_its_own(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let (said, epoch) = one.sending().await;
    one.commit(Operation::HandOver(HandOver { key: LeaseKey::Bot(said.bot), epoch, to: other.me })).await.unwrap();
    for _ in 0..2 {
        assert_eq!(other.cluster.settle_abandoned(other.me, said.bot, false).await.unwrap(), 1);
        assert_eq!(other.state(&said).await, OutboxState::Sending);
    }
    let result = SendResult::Sent(MessageId(601));
    let settle =
        Settle { outbox: said.id, attempt: AttemptId(51), result, event: None, pauses: Vec::new(), unsent: None };
    assert_eq!(one.commit(Operation::Settle(settle)).await, Ok(Applied::Done));
    assert_eq!(other.cluster.settle_abandoned(other.me, said.bot, true).await.unwrap(), 0);
    assert_eq!(other.state(&said).await, OutboxState::Sent);
}

/// I4: the fate of a message that a dead incarnation was sending is unknown for good.
pub async fn what_a_dead_incarnation_was_sending_is_unknown(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let (said, epoch) = one.sending().await;
    one.commit(Operation::HandOver(HandOver { key: LeaseKey::Bot(said.bot), epoch, to: other.me })).await.unwrap();
    other.bury(one.me).await;
    assert_eq!(other.cluster.settle_abandoned(other.me, said.bot, false).await.unwrap(), 0);
    assert_eq!(other.state(&said).await, OutboxState::Unknown);
}

/// I4: the same holds after a crash, when the lease is taken.
pub async fn a_take_makes_unknown_what_the_dead_were_sending(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let (said, _) = one.sending().await;
    other.bury(one.me).await;
    assert_eq!(other.state(&said).await, OutboxState::Sending);
    other.own(LeaseKey::Bot(said.bot)).await;
    assert_eq!(other.state(&said).await, OutboxState::Unknown);
}

/// I4: a send of a living incarnation that takes too long becomes unknown too.
pub async fn an_overdue_send_of_another_is_unknown(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let (said, epoch) = one.sending().await;
    other.cluster.settle_abandoned(other.me, said.bot, true).await.unwrap();
    assert_eq!(other.state(&said).await, OutboxState::Sending, "another than its owner ends nothing");
    one.commit(Operation::HandOver(HandOver { key: LeaseKey::Bot(said.bot), epoch, to: other.me })).await.unwrap();
    assert_eq!(other.cluster.settle_abandoned(other.me, said.bot, true).await.unwrap(), 0);
    assert_eq!(other.state(&said).await, OutboxState::Unknown);
}

/// A failed actor does not end the sends of another process.
pub async fn a_reclaim_ends_only_what_is_ones_own(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let (said, epoch) = one.sending().await;
    one.commit(Operation::HandOver(HandOver { key: LeaseKey::Bot(said.bot), epoch, to: other.me })).await.unwrap();
    other.store.reclaim(said.bot).await.unwrap();
    assert_eq!(other.state(&said).await, OutboxState::Sending);
    one.store.reclaim(said.bot).await.unwrap();
    assert_eq!(other.state(&said).await, OutboxState::Unknown);
}

/// An operator's order to drain reaches its node with the next beat.
pub async fn draining_is_told_by_the_next_beat(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    assert!(!other.cluster.set_draining("nobody", true).await.unwrap());
    for (draining, state) in [(true, NodeState::Draining), (false, NodeState::Alive)] {
        assert!(other.cluster.set_draining("a", draining).await.unwrap());
        assert_eq!(one.cluster.beat(one.me, &NodeReport::default()).await.unwrap().state, state);
        let picture = other.picture().await;
        assert_eq!(picture.node(one.me).map(|node| node.state), Some(state));
        assert_eq!(picture.node(one.me).map(crate::domain::ownership::NodeRecord::takes_leases), Some(!draining));
    }
    other.bury(one.me).await;
    assert!(!other.cluster.set_draining("a", true).await.unwrap(), "the dead do not drain");
}

/// A node that leaves is dead at once, and its leases are free.
pub async fn a_node_that_left_is_dead(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let key = bot_of(&one).await;
    one.own(key).await;
    one.cluster.leave(one.me).await.unwrap();
    let picture = other.picture().await;
    assert!(!picture.lives(one.me));
    assert_eq!(picture.node(one.me).map(|node| node.state), Some(NodeState::Dead), "shown while it owns something");
    other.own(key).await;
    assert!(other.picture().await.node(one.me).is_none());
}

/// Each node learns of its own work only.
pub async fn the_backlog_is_of_what_is_owned(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let (bot, chat) = one.ids().await;
    let epoch = one.own(LeaseKey::Bot(bot)).await;
    one.commit(ingest(bot, epoch, vec![update(1, bot, chat, 1)])).await.unwrap();
    assert!(one.store.backlog(at(9)).await.unwrap().chats.is_empty(), "the chat is nobody's yet");
    let chat_epoch = other.own(LeaseKey::Chat(chat)).await;
    assert_eq!(other.store.backlog(at(9)).await.unwrap().chats, [chat]);
    assert!(one.store.backlog(at(9)).await.unwrap().chats.is_empty());
    let step = Advance {
        decisions: vec![decision(chat, 1, Cause::Entry(Number(1)))],
        turns: vec![turn(31, chat, 1, bot)],
        ..advance(chat, chat_epoch, 0, 1)
    };
    other.commit(Operation::Advance(step)).await.unwrap();
    assert_eq!(one.store.backlog(at(9)).await.unwrap().turns_open, 1, "the bot is its own");
    assert_eq!(other.store.backlog(at(9)).await.unwrap().turns_open, 0);
}

/// I10: the next beat and cluster view tell a node of a change that it has not heard of.
pub async fn a_change_of_configuration_is_told_by_beat_and_picture(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let seq =
        async |process: &Process| process.cluster.beat(process.me, &NodeReport::default()).await.unwrap().config_seq;
    let before = seq(&one).await;
    other.store.apply_roster(&plan(3, 2), at(1)).await.unwrap();
    let after = seq(&one).await;
    assert!(after > before);
    let picture = one.picture().await;
    assert_eq!((picture.config_seq, picture.leases.len()), (after, 5));
    let (bot, _) = one.ids().await;
    other.store.set_usernames(&[(bot, "gardener_bot".to_owned())]).await.unwrap();
    assert!(seq(&one).await > after);
}

/// I3: rows go once every node that is not dead has heard how far the chats' marks have risen.
pub async fn rows_wait_until_every_living_node_knows_the_mark(home: &dyn ClusterHome) {
    let (one, other) = (joined(home, node("a")).await, joined(home, node("b")).await);
    let (bot, chat) = one.ids().await;
    let (epoch, chat_epoch) = (one.own(LeaseKey::Bot(bot)).await, one.own(LeaseKey::Chat(chat)).await);
    one.claimed_turn(epoch, chat_epoch).await;
    let heard = async |process: &Process, low_water| {
        let report = NodeReport { low_water, ..NodeReport::default() };
        process.cluster.beat(process.me, &report).await.unwrap().low_water
    };
    let left = async |days| {
        tidy(&*one.store, at(9) + Duration::from_hours(24) * days).await;
        numbers(&*one.store, chat).await
    };
    assert_eq!(heard(&one, 0).await, 0);
    assert_eq!(left(41).await, (vec![1], vec![1]), "the marks rise first");
    let risen = heard(&one, 0).await;
    assert!(risen > 0);
    heard(&one, risen).await;
    assert_eq!(left(41).await, (vec![1], vec![1]), "the other has not heard of it");
    assert_eq!(heard(&other, 0).await, risen, "and they did not rise again");
    heard(&other, risen).await;
    assert_eq!(left(41).await, (vec![], vec![]));
    let again = heard(&one, risen).await;
    heard(&one, again).await;
    other.bury(one.me).await;
    heard(&other, again).await;
    assert!(other.store.prune(at(9), &KEPT).await.is_ok(), "the dead need not hear of it");
    assert!(heard(&other, again).await > again);
}

/// Makes a test of every claim about nodes that share a store; `$home` is evaluated anew for each.
#[macro_export]
macro_rules! cluster_contract {
    ($home:expr) => {
        $crate::cluster_contract!(@claims $home, [
            a_name_joins_once_while_it_lives
            a_beat_is_seen_with_its_report
            a_beat_of_the_dead_revives_nobody
            a_burial_compares_beats
            a_launcher_buries_its_start_and_no_other
            a_new_bot_belongs_to_nobody_until_it_is_taken
            what_a_living_owner_has_is_not_taken
            nothing_is_taken_without_a_wish
            the_dead_take_nothing
            an_epoch_never_comes_again_over_a_restart
            only_the_desired_owner_is_ready
            a_wish_repeated_keeps_who_is_ready
            a_hand_over_moves_owner_and_epoch_together
            a_hand_over_leaves_no_wish_behind
            a_plan_may_name_a_node_that_died_meanwhile
            a_turn_of_the_dead_is_queued_again_by_its_new_owner
            what_a_living_incarnation_is_sending_stays_its_own
            what_a_dead_incarnation_was_sending_is_unknown
            a_take_makes_unknown_what_the_dead_were_sending
            an_overdue_send_of_another_is_unknown
            a_reclaim_ends_only_what_is_ones_own
            draining_is_told_by_the_next_beat
            a_node_that_left_is_dead
            the_backlog_is_of_what_is_owned
            a_change_of_configuration_is_told_by_beat_and_picture
            rows_wait_until_every_living_node_knows_the_mark
        ]);
    };
    (@claims $home:expr, [$($claim:ident)+]) => {
        $(
            #[tokio::test]
            async fn $claim() {
                $crate::testkit::contract::cluster::$claim(&$home).await;
            }
        )+
    };
}
