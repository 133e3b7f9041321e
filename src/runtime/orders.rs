//! Carries out people's orders besides stops: delivery modes, another try for dead letters, releases. Layer `runtime`.
//!
//! Every order leaves a line in the log that says who gave it. Delivery modes, lifted pauses and redeliveries are
//! durable when their call returns; a release concerns this process alone.

use std::time::Duration;

use botfleet_actors::actors::bot::intake::messages::{DeliveryError, IntakeMsg};
use botfleet_actors::actors::bot::messages::BotMsg;
use botfleet_actors::actors::chat::messages::ChatMsg;
use botfleet_actors::actors::fleet::child::Child;
use botfleet_actors::actors::fleet::messages::FleetMsg;
use botfleet_actors::actors::node::committer::CommitError;
use botfleet_actors::domain::commit::operations::{Operation, Redeliver};
use botfleet_actors::domain::commit::outcome::Refusal;
use botfleet_actors::domain::dead_letter::{DeadLetter, DeadLetterId};
use botfleet_actors::domain::ids::{BotId, ChatId, InboxId};
use botfleet_actors::domain::outbox::OutboxState;
use botfleet_actors::domain::ownership::{LeaseKey, NodeState};
use botfleet_actors::domain::roster::DeliveryMode;
use botfleet_actors::ports::bus::{Audience, BusMessage, Hint};
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::store::StoreError;
use ractor::rpc::CallResult;

use super::fleet::{RunningFleet, ask};
use super::view::DeadLetterView;

/// Most time for a bot to carry out an order, since the bot waits for the store.
const CHANGE_WITHIN: Duration = Duration::from_secs(10);

/// Reason why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Nothing of that name is stored.
    #[error("{0} is not stored")]
    Unknown(String),
    /// The present state does not allow the order.
    #[error("{0}")]
    Conflict(String),
    /// The message may have been sent: the person must confirm that it may show up twice.
    #[error("message may have been sent")]
    MayDuplicate,
    /// No node of that name lives.
    #[error("no node named {0:?} lives")]
    UnknownNode(String),
    /// Another node must carry out the order.
    #[error("{what} is on node {node}{}; order it there", address.as_ref().map(|at| format!(" at {at}")).unwrap_or_default())]
    Elsewhere {
        /// The bot or chat of the order.
        what: String,
        /// The node that owns the bot or chat.
        node: String,
        /// Address of that node's API, if the node tells it.
        address: Option<String>,
    },
    /// The bot or the store does not answer now.
    #[error("{0}")]
    Unavailable(String),
    /// The store cannot take the order, or refuses the roster.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunningFleet {
    /// Changes a bot's delivery mode.
    ///
    /// # Errors
    /// `Elsewhere` when another node owns the bot; `Conflict` when webhooks are off, or the bot does not run or is busy
    /// with another change.
    pub async fn set_delivery(&self, bot: BotId, mode: DeliveryMode, by: &str) -> Result<(), OrderError> {
        let name = Child::Bot(bot).name(&self.node.directory);
        self.is_here(LeaseKey::Bot(bot))?;
        let Some(actor) = self.node.directory.bot(bot) else {
            return Err(OrderError::Conflict(format!("{name} does not run")));
        };
        let answer = actor.call(|reply| BotMsg::Intake(IntakeMsg::SetDelivery(mode, reply)), Some(CHANGE_WITHIN)).await;
        match answer {
            Ok(CallResult::Success(Ok(()))) => {
                tracing::warn!(bot.name = %name, delivery = mode.as_str(), by, "control");
                Ok(())
            }
            Ok(CallResult::Success(Err(DeliveryError::Store(why)))) => Err(OrderError::Unavailable(why)),
            Ok(CallResult::Success(Err(error))) => Err(OrderError::Conflict(error.to_string())),
            _ => Err(OrderError::Unavailable(format!("{name} does not answer"))),
        }
    }

    /// Ends the pauses that Telegram asked a bot for, here and in the store.
    ///
    /// # Errors
    /// `Elsewhere` when another node owns the bot, `Conflict` when the bot does not run.
    pub async fn lift_pauses(&self, bot: BotId, by: &str) -> Result<(), OrderError> {
        let name = Child::Bot(bot).name(&self.node.directory);
        self.is_here(LeaseKey::Bot(bot))?;
        let Some(actor) = self.node.directory.bot(bot) else {
            return Err(OrderError::Conflict(format!("{name} does not run")));
        };
        match actor.call(BotMsg::LiftPauses, Some(CHANGE_WITHIN)).await {
            Ok(CallResult::Success(true)) => {
                tracing::warn!(bot.name = %name, by, "control: pauses lifted");
                Ok(())
            }
            Ok(CallResult::Success(false)) => Err(OrderError::Unavailable("the store did not take it".to_owned())),
            _ => Err(OrderError::Unavailable(format!("{name} does not answer"))),
        }
    }

    /// Refuses an order for a bot or chat that another living node owns.
    fn is_here(&self, key: LeaseKey) -> Result<(), OrderError> {
        let (Some(owner), Some(picture)) = (self.node.leases.elsewhere(key), self.node.leases.picture()) else {
            return Ok(());
        };
        match picture.node(owner).filter(|node| node.state != NodeState::Dead) {
            Some(node) => Err(OrderError::Elsewhere {
                what: format!("{} {}", key.kind(), self.names().of(key)),
                node: node.name.clone(),
                address: node.address.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Lets a quarantined actor run again, by the name that the fleet's view shows; returns false when no such actor is
    /// quarantined.
    ///
    /// # Errors
    /// `Elsewhere` when another node owns the actor.
    pub async fn release(&self, actor: &str, by: &str) -> Result<bool, OrderError> {
        let Some(child) = Child::named(actor, &self.node.directory) else {
            return Ok(false);
        };
        if let Some(key) = child.lease() {
            self.is_here(key)?;
        }
        let released = ask(self.actor.clone(), |reply| FleetMsg::Release(child, reply)).await.unwrap_or(false);
        if released {
            tracing::warn!(actor, by, "control: released from quarantine");
        }
        Ok(released)
    }

    /// Returns dead letters after `after`, oldest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn dead_letters(
        &self,
        after: Option<DeadLetterId>,
        limit: usize,
    ) -> Result<Vec<DeadLetterView>, StoreError> {
        let letters = self.node.store.dead_letters(after, limit).await?;
        Ok(letters.into_iter().map(|letter| self.shown(letter)).collect())
    }

    fn shown(&self, letter: DeadLetter) -> DeadLetterView {
        let names = self.names();
        DeadLetterView {
            id: letter.id.to_string(),
            state: letter.state,
            reason: letter.reason,
            bot: names.bots.get(&letter.bot).cloned(),
            chat: letter.chat.and_then(|chat| names.chats.get(&chat)).cloned(),
            attempts: letter.attempts,
            created_at: letter.created_at,
        }
    }

    /// Gives a dead letter another try.
    ///
    /// # Errors
    /// `MayDuplicate` for a message of unknown fate without `confirm_duplicate` (I4).
    pub async fn redeliver(&self, letter: DeadLetterId, confirm_duplicate: bool, by: &str) -> Result<(), OrderError> {
        let unknown = || OrderError::Unknown(letter.to_string());
        let (bot, chat, later_parts) = match letter {
            DeadLetterId::Update(InboxId(id)) => {
                let before = DeadLetterId::Update(InboxId(id - 1));
                let found = self.node.store.dead_letters(Some(before), 4).await?;
                let found = found.into_iter().find(|found| found.id == letter).ok_or_else(unknown)?;
                (None, found.chat, Vec::new())
            }
            DeadLetterId::Turn(turn) => {
                let (turn, _) = self.node.store.turn(turn).await?.ok_or_else(unknown)?;
                (Some(turn.bot), Some(turn.chat), Vec::new())
            }
            DeadLetterId::Message(outbox) => {
                let message = self.node.store.message(outbox).await?.ok_or_else(unknown)?;
                if message.progress.state == OutboxState::Unknown && !confirm_duplicate {
                    return Err(OrderError::MayDuplicate);
                }
                let parts = self.node.store.turn(message.turn).await?.map(|(_, parts)| parts).unwrap_or_default();
                let later = parts.into_iter().filter(|part| part.part > message.part).map(|part| part.id);
                (Some(message.bot), Some(message.chat), later.collect())
            }
        };
        if let (DeadLetterId::Update(_), Some(chat)) = (letter, chat) {
            // The chat remembers the row as handled, and only its own node can make it forget that.
            self.is_here(LeaseKey::Chat(chat))?;
        }
        let now = self.node.clock.now();
        let expires_at = now + chat.map_or(Ok(Duration::ZERO), |chat| self.stale_after(chat))?;
        let order = Redeliver { letter, later_parts, confirm_duplicate, now, expires_at };
        match self.node.committer.commit(Operation::Redeliver(order)).await {
            Ok(_) => {}
            Err(CommitError::Refused(Refusal::Conflict(why))) => return Err(OrderError::Conflict(why)),
            Err(error) => return Err(OrderError::Unavailable(error.to_string())),
        }
        tracing::warn!(dead_letter.id = %letter, confirm_duplicate, by, "control: redelivered");
        metrics::dead_letters_redelivered_total.increment(1);
        // The chat remembers the row as handled, and forgets that when it reads the store again.
        if let (DeadLetterId::Update(_), Some(chat)) = (letter, chat)
            && let Some(chat) = self.node.directory.chat(chat)
        {
            let _ = chat.actor.cast(ChatMsg::Reload);
        }
        match bot.map(|bot| (bot, self.node.directory.bot(bot), self.node.leases.elsewhere(LeaseKey::Bot(bot)))) {
            Some((_, Some(actor), _)) => drop(actor.cast(BotMsg::Reconcile)),
            Some((bot, None, Some(owner))) => {
                self.node.bus.publish(Audience::Node(owner), BusMessage::Hints(vec![Hint::Bot(bot)]));
            }
            _ => {}
        }
        Ok(())
    }

    fn stale_after(&self, chat: ChatId) -> Result<Duration, OrderError> {
        let chat = self.node.directory.chat_profile(chat);
        let gone = || OrderError::Conflict("its chat is no longer in the manifest".to_owned());
        chat.map(|chat| chat.spec.pacing.stale_after).ok_or_else(gone)
    }
}
