//! Runs one bot as an actor: receives updates, answers the turns given to the bot, and sends what its outbox holds.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | the actor: life cycle, and who handles which message |
//! | `messages`, `state`, `snapshot` | its messages, its state, and what operators see of it |
//! | `intake/` | a pure machine: polls, webhooks, and the change between them (I1, I2) |
//! | `verifying` | asks Telegram for the rank of who gave an order (I9) |
//! | `strangers` | chats that the manifest does not name |
//! | `turns/` | a pure machine: claim -> models -> review -> finish; reactions (I7, I8) |
//! | `outbox/` | a pure machine: limiter -> begin -> sendMessage -> settled (I4, I6); pauses |
//! | `effect`, `surroundings` | what the machines ask for, and what they may ask |
//! | `perform`, `site` | carries out what they ask for; answers what they ask |
//! | `stay`, `ticket` | where the bot is in its life here; which answers are stale |
//! | `retracting` | deletes messages that operators want deleted (I4) |
//! | `reconciling` | turns and messages that wait in the store (I8) |
//! | `leaving` | start, hand-off, fences, the time bound of the node (I5, I6) |
//! | `voice` | reasons why the bot is silent: pauses, places that are closed to it (I14) |

pub mod actor;
mod effect;
pub mod intake;
pub mod leaving;
pub mod messages;
pub(crate) mod outbox;
mod perform;
mod reconciling;
mod retracting;
pub mod settings;
mod site;
pub mod snapshot;
pub mod state;
mod stay;
pub mod strangers;
mod surroundings;
mod ticket;
pub(crate) mod turns;
mod verifying;
mod voice;

#[cfg(test)]
mod tests;
