//! Runs one bot as an actor: receives updates, answers the turns given to the bot, and sends what its outbox holds.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | the actor: life cycle, and who handles which message |
//! | `messages`, `state`, `snapshot` | its messages, its state, and what operators see of it |
//! | `intake` | delivery mode, polling or webhook, and the change of it (I1) |
//! | `polling` | getUpdates -> ingest -> the chats (I1, I2) |
//! | `verifying` | asks Telegram for the rank of who gave an order (I9) |
//! | `strangers` | chats that the manifest does not name |
//! | `turns`, `job` | claim -> models -> finish; one turn at work |
//! | `acts` | performs what a turn asks for: to answer, to say a given text, to react (I4) |
//! | `models` | prompt -> provider -> firewall, tries and fallbacks |
//! | `review`, `own_texts` | guards: interruption, novelty, stances; texts that later ones are compared with |
//! | `sending`, `outgoing` | limiter -> begin -> sendMessage (I4); messages that are not settled |
//! | `reconciling` | turns and messages that wait in the store (I8) |
//! | `leaving` | start, hand-off, fences, the time bound of the node (I5, I6) |
//! | `voice` | reasons why the bot is silent: pauses, places that are closed to it (I14) |
//! | `settling` | commits the result of each send (I4, I6) |

pub mod actor;
mod acts;
pub mod intake;
mod job;
pub mod leaving;
pub mod messages;
mod models;
mod outgoing;
mod own_texts;
mod polling;
mod reconciling;
mod review;
mod sending;
pub mod settings;
pub(crate) mod settling;
pub mod snapshot;
pub mod state;
pub mod strangers;
mod turns;
mod verifying;
mod voice;
