//! The demands of operators on the words of a bot, and what comes of them. Layer `actors`.

use crate::actors::node::committer::CommitResult;
use crate::domain::ids::{BotId, Number, OutboxId, TurnId};
use crate::domain::operator_order::{OrderFailure, OrderStep};
use crate::domain::takeover::Takeover;

/// Something that an operator asks of a bot in the chat.
pub struct Speech {
    /// The bot.
    pub bot: BotId,
    /// Name of the operator.
    pub by: String,
    /// The order, which ends with the commit.
    pub order: OrderStep,
    /// The demand.
    pub demand: Demand,
}

/// The demand of an operator on a bot.
pub enum Demand {
    /// Say this text.
    Say {
        /// The text.
        text: String,
        /// The entry to reply to.
        reply_to: Option<Number>,
    },
    /// Leave the words to the operator.
    TakeOver(TakingOver),
}

/// A take-over that is to begin, and the work of the bot that ends with it.
pub struct TakingOver {
    /// The take-over.
    pub takeover: Takeover,
    /// Take the bot from another operator.
    pub take: bool,
    /// Turns of the bot that wait in the chat.
    pub turns: Vec<TurnId>,
    /// Messages of the bot that wait for the chat.
    pub messages: Vec<OutboxId>,
}

/// The answer to a demand.
pub enum Spoken {
    /// The store's answer.
    Committed(CommitResult),
    /// The bot cannot do that.
    Refused(OrderFailure),
    /// The chat has not read the store yet.
    NotNow,
}
