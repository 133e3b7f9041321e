//! Ends a node in good order. Layer `runtime`. Keeps I4, I8.
//!
//! | phase | what happens | until |
//! |---|---|---|
//! | readiness | `/health/ready` answers 503, everything else goes on, so that balancers send no more | `server.drain_for` |
//! | leases | in a cluster, at the same time: bots and chats go to other nodes and miss nothing | half of the time |
//! | sources | polls end, webhooks are answered 503, no turn is begun | all bots say so, a second at most |
//! | turns | claimed turns end; the rest is given back, at no cost of an attempt | three fifths of the time |
//! | outbox | sends under way are settled, messages that are due are sent | the time is over, less a second |
//! | requests | those under way are answered; by the caller, who owns the servers | two seconds |
//! | store | all actors end, the log goes into the database | two seconds |
//!
//! Whatever a phase leaves behind is in the store, for the next process.

use std::time::{Duration, Instant};

use botfleet_actors::actors::bot::messages::BotMsg;
use botfleet_actors::actors::bot::snapshot::BotSnapshot;
use botfleet_actors::actors::fleet::messages::FleetMsg;
use botfleet_actors::actors::node::ended::Ended;
use botfleet_actors::ports::bus::{Audience, BusMessage, Hint};
use botfleet_actors::ports::event::EventKind;
use futures::future::join_all;

use super::fleet::{RunningFleet, ask};

/// Interval at which bots are asked for their snapshots.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Interval of looks at the root actor.
const LOOK_AT_ROOT_EVERY: Duration = Duration::from_millis(500);

/// Most time for closing the sources, and for sends under way at the end of the outbox.
const SECOND: Duration = Duration::from_secs(1);

/// Most time for the actors to end, and for the store to close.
const END_WITHIN: Duration = Duration::from_secs(2);

impl RunningFleet {
    /// Stops in good order, within `deadline` and a few seconds for the store. For a caller that serves no requests.
    pub async fn stop(&self, deadline: Duration) {
        self.turn_away(Duration::ZERO).await;
        self.drain(deadline).await;
        self.close().await;
    }

    /// Turns readiness off and goes on for `drain_for`, in which balancers see that and send no more.
    ///
    /// # Cancel safety
    /// Readiness stays off.
    pub async fn turn_away(&self, drain_for: Duration) {
        self.begin_leaving();
        tracing::info!(drain_for_ms = drain_for.as_millis() as u64, "stopping 1/5: readiness is off");
        tokio::time::sleep(drain_for).await;
    }

    /// Gives bots and chats of a cluster's node to the other nodes, which go on at once; those that nobody takes stay
    /// here.
    ///
    /// # Cancel safety
    /// Moves under way go on.
    pub async fn hand_over(&self, within: Duration) {
        if self.node.cluster.is_none() {
            return;
        }
        let started = Instant::now();
        let _ = self.actor.cast(FleetMsg::Drain);
        let over = tokio::time::timeout(within, self.node.ended()).await;
        let after_ms = started.elapsed().as_millis() as u64;
        match over {
            Ok(Ended::Drained) => tracing::info!(after_ms, "stopping: bots and chats are handed over"),
            Ok(ended) => tracing::warn!(after_ms, ?ended, "stopping: this node was over before all was handed over"),
            Err(_) => tracing::warn!(after_ms, "stopping: not everything was handed over in time"),
        }
    }

    /// Waits until the work of this node is over without an order, and returns how it ended.
    pub async fn ended(&self) -> Ended {
        let root = async {
            while self.is_running() {
                tokio::time::sleep(LOOK_AT_ROOT_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            ended = self.node.ended() => ended,
            () = root => Ended::Failed,
        }
    }

    /// Ends the work within `deadline`: sources, turns, outbox.
    pub async fn drain(&self, deadline: Duration) {
        let started = Instant::now();
        let turns_until = started + deadline.mul_f64(0.6);
        let outbox_until = started + deadline.saturating_sub(SECOND).max(deadline.mul_f64(0.8));
        self.begin_leaving();
        self.begin_stopping();

        let _ = self.actor.cast(FleetMsg::Quiesce);
        let closed = |bot: &BotSnapshot| bot.quiescing;
        self.wait_for_bots(started + SECOND, closed).await;
        tracing::info!("stopping 2/5: sources are closed, no turn is begun");

        let no_turns = |bot: &BotSnapshot| bot.turns_in_flight == 0;
        let left = self.wait_for_bots(turns_until, no_turns).await;
        if left > 0 {
            let _ = self.actor.cast(FleetMsg::GiveBack);
            self.wait_for_bots(Instant::now() + SECOND, no_turns).await;
        }
        tracing::info!(bots_with_turns_given_back = left, "stopping 3/5: turns are done");

        let left = self.wait_for_bots(outbox_until, |bot| bot.sends_in_flight == 0 && bot.messages_due == 0).await;
        // A message that comes due from here on stays in the store; a send under way still gets its answer.
        let _ = self.actor.cast(FleetMsg::HoldSends);
        self.wait_for_bots(Instant::now() + SECOND, |bot| bot.holding_sends && bot.sends_in_flight == 0).await;
        tracing::info!(bots_with_messages_left = left, "stopping 4/5: the outbox is drained");

        let _ = tokio::time::timeout(SECOND, self.node.committer.flush()).await;
        let _ = tokio::time::timeout(SECOND, self.node.return_allowances()).await;
    }

    /// Ends all actors and closes the store; no request to the store may be under way.
    pub async fn close(&self) {
        let started = Instant::now();
        self.actor.stop(Some("shutdown".to_owned()));
        let until = Instant::now() + END_WITHIN;
        while self.is_running() && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if let Some(cluster) = &self.node.cluster {
            match tokio::time::timeout(SECOND, cluster.leave(self.node.me)).await {
                Ok(Ok(())) => {
                    self.node.bus.publish(Audience::Everybody, BusMessage::Hints(vec![Hint::Nodes]));
                    self.node.announce(EventKind::NodeLeft, self.node.name.as_str());
                }
                Ok(Err(error)) => tracing::warn!(error = %error, "this node could not leave; others find out"),
                Err(_) => tracing::warn!("this node could not leave in time; others find out"),
            }
        }
        match tokio::time::timeout(END_WITHIN, self.node.store.close()).await {
            Ok(Ok(())) => {
                tracing::info!(after_ms = started.elapsed().as_millis() as u64, "stopping 5/5: the store is closed");
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "stopping 5/5: the store could not be closed in good order");
            }
            Err(_) => tracing::warn!("stopping 5/5: the store did not close in time"),
        }
    }

    /// Waits until `done` holds for every bot; returns the number of bots for which it does not hold in time.
    async fn wait_for_bots(&self, until: Instant, done: impl Fn(&BotSnapshot) -> bool) -> usize {
        loop {
            let bots = self.node.directory.live_bots();
            let snapshots = join_all(bots.into_iter().map(|(_, bot)| ask(bot, BotMsg::GetSnapshot))).await;
            // A bot that does not answer in time is not known to be done.
            let left = snapshots.iter().filter(|bot| !bot.as_ref().is_some_and(&done)).count();
            if left == 0 || Instant::now() >= until {
                return left;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
