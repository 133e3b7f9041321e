//! Orders of people: stops, and claims of rights. Layer `actors`. Keeps I9.
//!
//! | file | holds |
//! |---|---|
//! | `obey` | the order in an update, and what it asks for |
//! | `verify` | the rank of its author, by asking Telegram |
//! | `submit` | its way to the store |
//! | `doubt` | an order whose author's rank is not known yet |
//! | `memory` | what was seen lately |
//! | `people` | this node's copy of rights and stops |

pub mod doubt;
pub mod memory;
pub mod obey;
pub mod people;
pub mod submit;
pub mod verify;
