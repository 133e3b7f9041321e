//! One chat as an actor: the only writer of its transcript (I3), and the director's stage.
//!
//! | file | holds |
//! |---|---|
//! | `actor` | messages, life cycle, commits |
//! | `reading` | what one inbox row becomes: entry, copy, or nothing |
//! | `memory` | the end of the transcript in memory |
//! | `place` | who can post here, and the chat's id at Telegram |
//! | `appending` | one row becomes an entry, a copy, or nothing |
//! | `albums` | several messages that are answered once |
//! | `commands` | people's commands answered, and what the fleet says of itself |
//! | `notices` | what it said of itself lately |
//! | `deciding` | the director, and the turns of its speakers |
//! | `shares` | whom turns were begun for lately |
//! | `loading` | what waits for it in the store |
//! | `isolating` | a row that is refused again and again (I7) |
//! | `leaving` | hand-off, fences, another configuration (I6) |
//! | `evidence` | what resolves a message of unknown fate (I4) |

pub mod actor;
mod albums;
mod appending;
mod commands;
mod deciding;
mod evidence;
mod isolating;
mod lateness;
mod leaving;
mod loading;
pub mod memory;
pub mod notices;
mod place;
pub mod reading;
pub mod settings;
mod shares;
