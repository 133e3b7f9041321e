//! Domain: the words of botfleet as types. Layer `domain`: no I/O, no clock, no randomness of its own.
//!
//! | folder or file | holds |
//! |---|---|
//! | `ids`, `time`, `text` | newtypes of identity, instants, UTF-16 arithmetic |
//! | `incoming` | what an update from Telegram means |
//! | `inbox`, `transcript`, `decision`, `turn`, `outbox` | the rows on the data's way, in its order |
//! | `roster` | bots, personas, chats, providers as the manifest describes them |
//! | `ownership` | nodes, their incarnations, and the leases of bots and chats |
//! | `dead_letter` | what ended badly and waits for a person |
//! | `allowance` | budgets, and what nodes take from them |
//! | `schema` | whether a JSON answer fits its schema |
//! | `control`, `window` | stops, and sliding windows of the loop physics |
//! | `commit` | the operations of a group commit and the pure machine that judges them |

pub mod allowance;
pub mod commit;
pub mod control;
pub mod dead_letter;
pub mod decision;
pub mod hours;
pub mod ids;
pub mod inbox;
pub mod incoming;
pub mod outbox;
pub mod ownership;
pub mod pause;
pub mod people;
pub mod roster;
pub mod schema;
pub mod silence;
pub mod stance;
pub mod strategy;
pub mod text;
pub mod time;
pub mod transcript;
pub mod turn;
pub mod window;
