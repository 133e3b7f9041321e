//! The columns of each table, said once, and how they hold the domain's types. Layer: adapter.
//!
//! | file | holds |
//! |---|---|
//! | `part`, `cells` | values of several columns and of one, read and written by the same list |
//! | `inbox`, `transcript`, `decision`, `turn`, `outbox`, `control`, `operators`, `secrets` | the columns of these tables |
//! | `array` | rows that the database has packed into one JSON array |

pub(super) mod array;
pub(super) mod cells;
pub(super) mod control;
pub(super) mod decision;
pub(super) mod inbox;
pub(super) mod operators;
pub(super) mod outbox;
pub(super) mod part;
pub(super) mod secrets;
pub(super) mod transcript;
pub(super) mod turn;
