//! Looks for work that no hint announced, for actors that hang, and for old rows. Layer `actors`. Keeps I7, I8.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use ractor::rpc::CallResult;
use ractor::{ActorCell, ActorRef, Message, RpcReplyPort};

use super::people::learn;
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::strangers::{leave, to_leave};
use crate::actors::chat::messages::ChatMsg;
use crate::actors::fleet::child::Child;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::state::FleetState;
use crate::actors::node::Node;
use crate::actors::orders::doubt::Doubt;
use crate::actors::orders::verify::{take_up, verify};
use crate::actors::provider::messages::ProviderMsg;
use crate::domain::ids::{BotId, TelegramChatId};
use crate::domain::ownership::LeaseKey;
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::bus::Hint;
use crate::ports::metrics;
use crate::ports::store::{Backlog, Kept};

/// How long after its expiry a turn is still left to its bot's actor; then the store ends it, whether the actor lives
/// or not.
const UNSPOKEN_GRACE: Duration = Duration::from_mins(1);

/// How far a clock may be ahead of Telegram's before nothing is removed by age.
const FAR_AHEAD_MS: i64 = 3_600_000;

impl FleetState {
    /// Probes every actor, and waits for the answers in a task.
    pub(super) fn probe(&mut self, myself: &ActorRef<FleetMsg>) {
        if self.probing || self.quiescing {
            return;
        }
        self.probing = true;
        let (node, myself) = (Arc::clone(&self.args.node), myself.clone());
        let within = Some(self.args.settings.answer_within);
        self.tasks.spawn(async move {
            let directory = &node.directory;
            let bots = directory.live_bots().into_iter().map(|(_, bot)| silent(bot, BotMsg::GetSnapshot, within));
            let chats =
                directory.live_chats().into_iter().map(|(_, chat)| silent(chat.actor, ChatMsg::GetSnapshot, within));
            let providers =
                directory.live_providers().into_iter().map(|(_, one)| silent(one, ProviderMsg::GetSnapshot, within));
            let (bots, chats, providers) = tokio::join!(join_all(bots), join_all(chats), join_all(providers));
            for cell in bots.into_iter().chain(chats).chain(providers).flatten() {
                let _ = myself.cast(FleetMsg::Unresponsive(cell));
            }
            let _ = myself.cast(FleetMsg::Probed);
        });
    }

    /// Kills an actor that hangs in a handler; this counts as a failure of the actor.
    pub(super) fn on_unresponsive(&mut self, cell: &ActorCell) {
        let within = self.args.settings.answer_within;
        if self.book.give_up(cell.get_id(), format!("it did not answer for {within:?}")) {
            metrics::actors_unresponsive_total.increment(1);
            cell.kill();
        }
    }

    pub(super) fn reconcile(&mut self, myself: &ActorRef<FleetMsg>) {
        if self.reconciling || self.quiescing {
            return;
        }
        self.reconciling = true;
        let (node, myself) = (Arc::clone(&self.args.node), myself.clone());
        // The hint of younger work is still under way, if the bus is up.
        let grace = if node.bus.is_up() { self.args.settings.reconcile_every } else { Duration::ZERO };
        let before = node.clock.now() - grace;
        self.tasks.spawn(async move {
            let anew = learn(&node).await;
            let _ = myself.cast(FleetMsg::PeopleLearned(anew));
            let backlog = match node.store.backlog(before).await {
                Ok(backlog) => Some(backlog),
                Err(error) => {
                    node.committer.signs.waits("fleet", &error);
                    None
                }
            };
            let _ = myself.cast(FleetMsg::Reconciled(backlog));
        });
    }

    pub(super) async fn on_reconciled(&mut self, myself: &ActorRef<FleetMsg>, backlog: Option<Backlog>) {
        self.reconciling = false;
        let node = Arc::clone(&self.args.node);
        take_up(&node);
        let steps = node.clock.steps();
        if std::mem::replace(&mut self.clock_steps, steps) != steps {
            for (_, bot) in node.directory.live_bots() {
                let _ = bot.cast(BotMsg::ClockStepped);
            }
        }
        let Some(backlog) = backlog else {
            return;
        };
        node.turns_open.store(backlog.turns_open, Ordering::Relaxed);
        // The store may report the work of all nodes.
        let mine = |key: LeaseKey| node.leases.epoch(key).is_some();
        for (chat, message) in
            backlog.chats.iter().map(|chat| (chat, true)).chain(backlog.ticks.iter().map(|chat| (chat, false)))
        {
            if !mine(LeaseKey::Chat(*chat)) {
                continue;
            }
            match node.directory.chat(*chat) {
                Some(handle) => drop(handle.actor.cast(if message { ChatMsg::Reconcile } else { ChatMsg::Tick })),
                None => self.start(myself, Child::Chat(*chat)).await,
            }
        }
        for target in backlog.orders {
            self.look_at_orders(myself, target);
        }
        for bot in backlog.bots {
            if mine(LeaseKey::Bot(bot))
                && let Some(actor) = node.directory.bot(bot)
            {
                let _ = actor.cast(BotMsg::Reconcile);
            }
        }
    }

    /// Asks Telegram about the author of an order in a chat none of whose bots lives here.
    pub(super) fn verify(&mut self, bot: BotId, doubt: Doubt) {
        let node = Arc::clone(&self.args.node);
        let Some(profile) = node.directory.bot_profile(bot) else {
            return;
        };
        match self.leasing.api(&node, &self.args.apis, &profile) {
            Ok(api) => drop(self.tasks.spawn(async move { verify(&node, bot, api.as_ref(), doubt).await })),
            Err(why) => {
                tracing::error!(bot.id = %bot, reason = %why, "who stopped a chat cannot be verified, it stays stopped");
            }
        }
    }

    /// Makes a bot that lives elsewhere leave chats that the manifest does not name.
    pub(super) fn leave_chats(&mut self, bot: BotId, strange: BTreeSet<TelegramChatId>) {
        let node = Arc::clone(&self.args.node);
        let Some(profile) = node.directory.bot_profile(bot).filter(|_| self.bot_settings.leave_unknown_chats) else {
            return;
        };
        let Ok(api) = self.leasing.api(&node, &self.args.apis, &profile) else {
            return;
        };
        for telegram in to_leave(&node, bot, strange) {
            let (node, api) = (Arc::clone(&node), Arc::clone(&api));
            self.tasks.spawn(async move { leave(&node, bot, api.as_ref(), telegram).await });
        }
    }

    /// Repeats which bots of this node are silent everywhere, since other nodes believe it only for a while.
    fn tell_silence(&self) {
        let node = &self.args.node;
        let now = node.clock.now();
        node.voices.tidy(now);
        let silent = node.voices.silent_bots(now);
        for label in Silence::EVERYWHERE {
            let count = silent.iter().filter(|(_, why)| why.label() == label).count();
            metrics::bots_silent { reason: label }.handle().set(count as f64);
        }
        if node.cluster.is_some() {
            node.tell(silent.into_iter().map(|(bot, why)| Hint::Silent(bot, Some(why))));
        }
    }

    pub(super) fn housekeeping(&mut self) {
        let node = Arc::clone(&self.args.node);
        for (_, chat) in node.directory.live_chats() {
            let _ = chat.actor.cast(ChatMsg::PassivateIfIdle);
        }
        let now = node.clock.now();
        self.tell_silence();
        let settings = &self.args.settings;
        let kept =
            Kept { handled: settings.keep_handled, decisions: settings.keep_decisions, letters: settings.keep_letters };
        // One run at a time: a long one is left to end.
        let Ok(alone) = Arc::clone(&self.tidying).try_lock_owned() else { return };
        self.tasks.spawn(async move {
            let _alone = alone;
            // To a clock that is far ahead young rows are old.
            if node.clock.telegram_ahead() < -FAR_AHEAD_MS {
                tracing::warn!("the clock is ahead of Telegram's: nothing is removed until it is right");
            } else {
                remove_the_old(&node, now, &kept).await;
            }
            if let Ok(depths) = node.store.depths().await {
                for (queue, depth) in [
                    ("inbox", depths.inbox),
                    ("turns", depths.turns),
                    ("outbox", depths.outbox),
                    ("dead", depths.dead),
                    ("unknown", depths.unknown),
                ] {
                    metrics::queue_depth { queue }.handle().set(depth as f64);
                }
            }
        });
    }
}

/// Removes texts and rows that are old, and ends turns and messages that nobody took in time.
async fn remove_the_old(node: &Node, now: Timestamp, kept: &Kept) {
    match node.store.expire(now).await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "texts older than their chats keep them removed"),
        Err(error) => tracing::warn!(error = %error, "old texts could not be removed"),
    }
    match node.store.expire_unspoken(now - UNSPOKEN_GRACE).await {
        Ok(0) => {}
        Ok(rows) => {
            metrics::turns_expired_by_store_total.increment(rows);
            tracing::warn!(rows, "turns and messages that nobody took in their time expired");
        }
        Err(error) => tracing::warn!(error = %error, "turns that nobody took could not expire"),
    }
    match node.store.prune(now, kept).await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "rows older than their use removed"),
        Err(error) => tracing::warn!(error = %error, "old rows could not be removed"),
    }
}

/// Returns the actor if it does not answer in time.
async fn silent<M: Message, T: Send + 'static>(
    actor: ActorRef<M>,
    question: impl FnOnce(RpcReplyPort<T>) -> M,
    within: Option<Duration>,
) -> Option<ActorCell> {
    match actor.call(question, within).await {
        Ok(CallResult::Timeout) => Some(actor.get_cell()),
        _ => None,
    }
}
