//! The stream of events: what happened in chats, told to many readers without a gap and without a double. Layer `runtime`.
//! Keeps I9.
//!
//! ```text
//! store --(every 500 ms, or at a hint)--> keeper --frames--> ring --> reader, reader, reader ...
//!   \------------- pages of what a reader missed before it came ----/
//! ```
//!
//! **History** (entries, decisions, blocks of the audit) is numbered in the store, so any node reads it, and a reader's
//! cursor says exactly what the reader has. A message that was sent is an entry. **State** (who types, health, alerts,
//! cluster, queues) is told as it is, then as it changes; it has no place in a cursor. **Live events** may be lost.
//!
//! | file | holds |
//! |---|---|
//! | `views` | the data of frames |
//! | `frame` | a frame: rendered once, with words and without |
//! | `cursor` | what a reader has, as a text |
//! | `ring` | the last frames of this node |
//! | `hub` | the ring with the chats that are watched, and who comes and goes |
//! | `history` | frames made of rows of the store |
//! | `discretion` | whose words may not be told any more |
//! | `keeper` | the task that reads the store for all readers |
//! | `state` | frames made of the node's present state |
//! | `reader` | one reader: first what it missed, then the ring |

pub mod cursor;
pub(super) mod discretion;
pub mod frame;
mod history;
pub mod hub;
pub(super) mod keeper;
pub mod reader;
mod ring;
mod state;
pub mod views;
