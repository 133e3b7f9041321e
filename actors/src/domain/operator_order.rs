//! Orders of operators to the owner of a bot or chat, or to a node: what was ordered, and how it ended. Layer `domain`.
//! Keeps I4, I6.
//!
//! | from | to | by |
//! |---|---|---|
//! | `waiting` | `done`, `failed` | the commit that holds the effect, where the effect is in the store |
//! | `waiting` | `begun` | the owner, before an effect outside the store |
//! | `begun` | `done`, `failed` | the owner that began it, under the same epoch |
//! | `begun` | `unknown` | the next owner: nobody knows whether the effect took place, and nobody repeats it |
//! | `waiting` | `expired` | whoever finds it after its time, on the database's clock |

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit::{ActResult, AuditEntry, AuditId};
use super::ids::{BotId, ChatId, Epoch, Number, TurnId};
use super::names::{kinds, names};
use super::ownership::{Incarnation, LeaseKey};
use super::roster::DeliveryMode;
use super::time::Timestamp;

/// Largest number of orders that wait for one target.
pub const OPEN_ORDERS_MAX: u32 = 100;

/// Identifies an order: a random number above zero, which people see as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub i64);

impl OrderId {
    /// Returns the id of the audit's entry that tells of the order's intent.
    pub fn intent(self) -> AuditId {
        self.entry(1)
    }

    /// Returns the id of the entry that tells of its outcome.
    pub fn outcome(self) -> AuditId {
        self.entry(2)
    }

    fn entry(self, number: u128) -> AuditId {
        AuditId(u128::from(self.0.unsigned_abs()) << 64 | number)
    }

    /// Reads the digits back.
    pub fn parse(digits: &str) -> Option<Self> {
        let plain = digits.len() == 16 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let id = i64::from_str_radix(digits, 16).ok().filter(|id| plain && *id > 0);
        id.map(Self)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The part of the fleet that carries an order out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderTarget {
    /// A bot: its owner carries the order out.
    Bot(BotId),
    /// A chat: its owner carries the order out.
    Chat(ChatId),
    /// A node, for what each node has of its own, such as providers. Where one process owns everything, the epoch of its
    /// tenure stands for its incarnation.
    Node(Incarnation),
}

kinds! { OrderTarget { Bot(BotId) = "bot", Chat(ChatId) = "chat", Node(Incarnation) = "node" } }

impl OrderTarget {
    /// Returns the lease whose owner carries the order out; a node needs none.
    pub fn lease(self) -> Option<LeaseKey> {
        match self {
            Self::Bot(bot) => Some(LeaseKey::Bot(bot)),
            Self::Chat(chat) => Some(LeaseKey::Chat(chat)),
            Self::Node(_) => None,
        }
    }
}

impl fmt::Display for OrderTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

/// State of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum OrderState {
    /// Nobody has begun it.
    Waiting,
    /// The owner is about to cause the effect, or has caused it.
    Begun,
    /// The effect took place.
    Done,
    /// The effect did not take place; the result tells why.
    Failed,
    /// Nobody began it in its time.
    Expired,
    /// The owner died after it had begun: the effect may have taken place.
    Unknown,
}

names! {
    OrderState {
        Waiting = "waiting", Begun = "begun", Done = "done", Failed = "failed", Expired = "expired", Unknown = "unknown"
    }
}

impl OrderState {
    /// Returns the result that the audit tells of an order in this state; `None` while it is open.
    pub fn result(self) -> Option<ActResult> {
        match self {
            Self::Waiting | Self::Begun => None,
            Self::Done => Some(ActResult::Done),
            Self::Failed | Self::Expired => Some(ActResult::Failed),
            Self::Unknown => Some(ActResult::Unknown),
        }
    }

    /// Returns whether nothing changes the order any more.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Begun)
    }
}

/// The effect that is ordered. Rows hold its kind and its arguments apart, so that every version can show them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "arguments", rename_all = "snake_case")]
pub enum OrderTask {
    /// Let the target run again, or this provider of the node.
    Release {
        /// Name of the provider, when the target is a node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
    },
    /// End the pauses that Telegram asked the bot for.
    LiftPauses {},
    /// Change how the bot gets its updates.
    SetDelivery {
        /// The mode.
        mode: DeliveryMode,
    },
    /// Give a dead letter of the bot or chat another try.
    Redeliver {
        /// Name of the dead letter.
        letter: String,
        /// A message of unknown fate may show up twice.
        confirm_duplicate: bool,
    },
    /// Say a text of an operator as a bot. The row loses the text as soon as the order is over.
    Say {
        /// The bot.
        bot: BotId,
        /// The text.
        #[serde(default)]
        text: String,
        /// The entry to reply to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<Number>,
    },
    /// Let an operator speak as a bot for a while.
    TakeOver {
        /// The bot.
        bot: BotId,
        /// Time for which the take-over lasts without a message, in milliseconds.
        idle_ms: i64,
        /// Take the bot from another operator who holds it.
        take: bool,
    },
    /// Delete a message of the fleet.
    Delete {
        /// The entry of the message.
        number: Number,
    },
    /// Delete what a bot, or every bot, said from a time on.
    Retract {
        /// The bot; all of the chat when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bot: Option<BotId>,
        /// The time.
        since: Timestamp,
    },
}

impl OrderTask {
    /// Returns the kind and the arguments, as rows hold them.
    pub fn parts(&self) -> (String, Value) {
        let mut written = serde_json::to_value(self).unwrap_or_default();
        let kind = written["kind"].as_str().unwrap_or_default().to_owned();
        (kind, written["arguments"].take())
    }

    /// Reads kind and arguments back; `None` when this version does not know them.
    pub fn of(kind: &str, arguments: &Value) -> Option<Self> {
        serde_json::from_value(json!({ "kind": kind, "arguments": arguments })).ok()
    }
}

/// An order to be stored, with the entry of the audit that tells of its intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Id.
    pub id: OrderId,
    /// The part of the fleet that carries it out.
    pub target: OrderTarget,
    /// The effect.
    pub task: OrderTask,
    /// Time within which it must be begun.
    pub lives: Duration,
    /// The intent: whoever gives the order, and from where.
    intent: Box<AuditEntry>,
}

impl NewOrder {
    /// Makes an order of an act's entry, which becomes that of the intent.
    pub fn new(id: OrderId, target: OrderTarget, task: OrderTask, lives: Duration, act: AuditEntry) -> Self {
        let intent = Box::new(AuditEntry { id: id.intent(), ..act.as_intent() });
        Self { id, target, task, lives, intent }
    }

    /// Returns the entry of the intent. It is stored with the order, or neither is.
    pub fn intent(&self) -> &AuditEntry {
        &self.intent
    }

    /// Returns the name of whoever gives the order.
    pub fn principal(&self) -> &str {
        self.intent.principal.key()
    }
}

/// A stored order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorOrder {
    /// Id.
    pub id: OrderId,
    /// The part of the fleet that carries it out.
    pub target: OrderTarget,
    /// Number among the orders of the target that are stored: they are carried out in this order.
    pub number: i64,
    /// Kind of the effect.
    pub kind: String,
    /// Arguments of the effect.
    pub arguments: Value,
    /// Name of whoever gave it.
    pub principal: String,
    /// Time of creation, on the database's clock.
    pub created_at: Timestamp,
    /// Time from which nobody begins it any more, on the database's clock.
    pub expires_at: Timestamp,
    /// State.
    pub state: OrderState,
    /// Why it failed, an [`OrderFailure`], or what came of it.
    pub result: Option<Value>,
    /// Name of the node that carried it out.
    pub node: Option<String>,
    /// Epoch under which that node did.
    pub epoch: Option<Epoch>,
    /// Time of its end, on the database's clock.
    pub ended_at: Option<Timestamp>,
}

impl OperatorOrder {
    /// Returns why the order failed, if it did.
    pub fn failure(&self) -> Option<OrderFailure> {
        serde_json::from_value(self.result.clone()?).ok()
    }

    /// Returns what came of an order that was carried out, where that is told.
    pub fn fruit(&self) -> Option<OrderFruit> {
        serde_json::from_value(self.result.clone()?).ok()
    }

    /// Returns the arguments without words of people.
    pub fn arguments_without_words(&self) -> Value {
        let mut arguments = self.arguments.clone();
        if let Some(fields) = arguments.as_object_mut() {
            fields.remove("text");
        }
        arguments
    }
}

/// The result of an order that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderFruit {
    /// The turn by which the bot says the text.
    Turn(TurnId),
    /// The bot's own work that a take-over cancelled.
    TakenOver {
        /// Turns that were cancelled.
        turns: u32,
        /// Messages that were cancelled.
        messages: u32,
    },
    /// The number of messages that are being deleted.
    Retracted(u32),
}

/// Returns the entry of the audit that tells how an order ended; `None` while it is open.
pub fn outcome_of(
    order: OrderId,
    intent: &AuditEntry,
    state: OrderState,
    node: Option<&str>,
    at: Timestamp,
) -> Option<AuditEntry> {
    let outcome = intent.outcome(order.outcome(), at, state.result()?);
    Some(outcome.with_after(json!({ "order": order.to_string(), "state": state, "node": node })))
}

/// Why an order failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OrderFailure {
    /// A stable code, one of those that the API answers.
    pub code: String,
    /// The reason, for people; holds nothing that people wrote.
    pub detail: String,
}

/// Names the order that an operation carries out, and who does so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderStep {
    /// The order.
    pub order: OrderId,
    /// The target of the order.
    pub target: OrderTarget,
    /// Name of the node that owns the target.
    pub node: String,
    /// Epoch under which the node owns it.
    pub epoch: Epoch,
}

impl OrderStep {
    /// Returns the lease that the node must hold, and under which epoch (I6).
    pub fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((self.target.lease()?, self.epoch))
    }
}

/// The place of an order in the list, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderPlace {
    /// Time of creation.
    pub created_at: Timestamp,
    /// Id.
    pub id: OrderId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_lead_back_to_their_order() {
        for id in [1, 0x7f, i64::MAX] {
            assert_eq!(OrderId::parse(&OrderId(id).to_string()), Some(OrderId(id)));
        }
        for digits in ["", "1", "0000000000000000", "ffffffffffffffff", "000000000000000A", "+00000000000000f"] {
            assert_eq!(OrderId::parse(digits), None, "{digits}");
        }
    }

    #[test]
    fn entries_of_an_order_are_its_own() {
        let (one, other) = (OrderId(1), OrderId(i64::MAX));
        assert_eq!(one.intent().to_string(), format!("{one}{:016x}", 1));
        assert_eq!(other.outcome().to_string(), format!("{other}{:016x}", 2));
    }

    #[test]
    fn a_task_is_read_back_from_its_parts_and_an_unknown_one_is_none() {
        for task in [
            OrderTask::Release { provider: None },
            OrderTask::Release { provider: Some("sim".to_owned()) },
            OrderTask::LiftPauses {},
            OrderTask::SetDelivery { mode: DeliveryMode::Webhook },
            OrderTask::Redeliver { letter: "turn-1".to_owned(), confirm_duplicate: true },
            OrderTask::Say { bot: BotId(1), text: "Selam".to_owned(), reply_to: Some(Number(4)) },
            OrderTask::TakeOver { bot: BotId(1), idle_ms: 60_000, take: false },
            OrderTask::Delete { number: Number(4) },
            OrderTask::Retract { bot: None, since: Timestamp::from_millis(9) },
        ] {
            let (kind, arguments) = task.parts();
            assert!(arguments.is_object(), "{arguments}");
            assert_eq!(OrderTask::of(&kind, &arguments), Some(task));
        }
        assert_eq!(OrderTask::of("of_a_later_version", &json!({})), None);
    }
}
