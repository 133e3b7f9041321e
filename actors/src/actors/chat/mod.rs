//! Runs one chat as an actor: the only writer of its transcript (I3), and the stage of the director.
//!
//! | file | holds |
//! |---|---|
//! | `actor`, `committing` | the actor: state, life cycle; its commits |
//! | `messages`, `snapshot` | its messages, and what operators see of it |
//! | `reading` | parses one inbox row: entry, copy, or nothing |
//! | `memory` | the end of the transcript in memory |
//! | `place` | bots that can post here, and the chat's id at Telegram |
//! | `appending` | adds one row as an entry or a copy, or ignores it |
//! | `albums` | several messages that are answered once |
//! | `commands` | answers to people's commands, and the fleet's own disclosure |
//! | `notices`, `disclosing` | commands answered and disclosures begun lately; a disclosure that waits in the store |
//! | `speech`, `speaking` | what operators say as bots, and bots that they take over |
//! | `deciding` | what the chat's owner knows, for the director; its turns |
//! | `engine` | the director, the turns of its speakers, the tick: pure, and the soak's as well |
//! | `shares` | people for whom turns were begun lately |
//! | `loading` | reads the chat's state and waiting rows from the store |
//! | `lateness` | rows that are read late, and stored times that lie too far ahead (I14) |
//! | `isolating` | a row that is refused again and again (I7) |
//! | `leaving` | hand-off, fences, another configuration (I6) |
//! | `evidence` | what resolves a message of unknown fate (I4) |

pub mod actor;
mod albums;
mod appending;
mod commands;
mod committing;
mod deciding;
mod disclosing;
pub mod engine;
mod evidence;
mod isolating;
mod lateness;
mod leaving;
mod loading;
pub mod memory;
pub mod messages;
pub mod notices;
mod place;
pub mod reading;
pub mod settings;
mod shares;
pub mod snapshot;
mod speaking;
pub mod speech;
