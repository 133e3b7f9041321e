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
//! | `outbox/` | a pure machine: limiter -> begin -> sendMessage -> settled (I4, I6); pauses |
//! | `effect`, `surroundings` | what the machines ask for, and what they may ask |
//! | `perform` | carries out what they ask for |
//! | `stay` | where the bot is in its life here |
//! | `reconciling` | turns and messages that wait in the store (I8) |
//! | `leaving` | start, hand-off, fences, the time bound of the node (I5, I6) |
//! | `voice` | reasons why the bot is silent: pauses, places that are closed to it (I14) |

pub mod actor;
mod acts;
mod effect;
pub mod intake;
mod job;
pub mod leaving;
pub mod messages;
mod models;
pub(crate) mod outbox;
mod own_texts;
mod perform;
mod polling;
mod reconciling;
mod review;
pub mod settings;
pub mod snapshot;
pub mod state;
mod stay;
pub mod strangers;
mod surroundings;
mod turns;
mod verifying;
mod voice;
