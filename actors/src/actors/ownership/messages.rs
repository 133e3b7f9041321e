//! The messages of the ownership actor. Layer `actors`.

use crate::domain::ids::{BotId, ConfigSeq};
use crate::policy::ownership::event::Event;
use crate::ports::bus::BusMessage;
use crate::ports::telegram::Me;

/// Messages of the ownership actor.
pub enum OwnershipMsg {
    /// An event for the machine.
    Heard(Event),
    /// A message from the bus.
    Came(BusMessage),
    /// The timer with that number fired.
    Rang(u64),
    /// The store told the number of the configuration in force.
    Configured(ConfigSeq),
    /// Telegram's identity of a bot that is to come; `None` when Telegram answered anything else.
    Warm(BotId, Option<Me>),
    /// Ask Telegram something, if it has not answered for long.
    Probe,
    /// A probe of Telegram ended; true when Telegram answered in time.
    Probed(bool),
    /// A task panicked.
    TaskPanicked,
}
