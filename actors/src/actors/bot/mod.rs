//! One bot as an actor: it polls, answers the turns it is given, and sends what its outbox holds.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | messages, state, life cycle |
//! | `intake` | polling or webhook, and the change between them (I1) |
//! | `polling` | getUpdates -> ingest -> the chats (I1, I2) |
//! | `orders` | what people in a chat order: `/stop` (I9) |
//! | `verifying` | whether they may: Telegram is asked (I9) |
//! | `strangers` | chats that the manifest does not name |
//! | `turns` | claim -> models -> finish |
//! | `acts` | what a turn asks for: to answer, to say a given text, to react (I4) |
//! | `models` | prompt -> provider -> firewall, tries and fallbacks |
//! | `review` | guards: interruption, novelty, stances |
//! | `sending` | limiter -> begin -> sendMessage (I4) |
//! | `reconciling` | turns and messages that wait in the store (I8) |
//! | `leaving` | start, hand-off, fences, the node's bound (I5, I6) |
//! | `voice` | what keeps it silent: pauses, places that are shut (I14) |
//! | `settling` | what became of a send is committed (I4, I6) |

pub mod actor;
mod acts;
pub mod intake;
pub mod leaving;
mod models;
pub mod orders;
mod polling;
mod reconciling;
mod review;
mod sending;
pub mod settings;
pub(crate) mod settling;
pub mod strangers;
mod turns;
pub mod verifying;
mod voice;
