//! Domain types of botfleet. Layer `domain`: no I/O, no clock, no randomness of its own.
//!
//! | folder or file | holds |
//! |---|---|
//! | `ids`, `time`, `text` | newtypes of identity, instants, UTF-16 arithmetic |
//! | `keys` | keys of manifest and settings, each said once |
//! | `incoming` | updates from Telegram, decoded |
//! | `inbox`, `transcript`, `decision`, `turn`, `outbox` | the rows that a message passes through, in this order |
//! | `roster` | bots, personas, chats, providers as the manifest describes them |
//! | `reconcile` | how a plan changes the stored roster |
//! | `strategy`, `stance`, `hours`, `curve` | weights of a director, opinions of a persona, hours of the day, what follows them |
//! | `ownership` | nodes, their incarnations, and the leases of bots and chats |
//! | `dead_letter` | turns, messages and updates that failed and wait for a person |
//! | `people` | rights of people |
//! | `operators` | accounts of those who operate the fleet, their sessions and keys |
//! | `configuration` | what a manifest and operators say of each thing, with the last changes |
//! | `secret` | sealed secrets as they are stored, and the keys that seal them |
//! | `idempotency` | requests that carry an idempotency key, and their answers |
//! | `audit`, `chain` | who did what, and the chain of blocks that proves it |
//! | `silence`, `pause` | reasons why a bot cannot speak, and pauses that Telegram asked for |
//! | `allowance` | budgets, and the blocks that nodes take from them |
//! | `schema` | the check of a JSON answer against its schema |
//! | `control`, `window` | stops, and sliding windows of the loop physics |
//! | `operator_order` | orders of operators to the owner of a bot or chat |
//! | `takeover`, `retraction` | operators who speak as a bot, and messages that they have deleted |
//! | `watching` | the ends of chats' histories, and bots at work, for whoever watches |
//! | `commit` | the operations of a group commit and the pure code that judges them |

pub mod allowance;
pub mod audit;
pub mod chain;
pub mod commit;
pub mod configuration;
pub mod control;
pub mod curve;
pub mod dead_letter;
pub mod decision;
pub mod hours;
pub mod idempotency;
pub mod ids;
pub mod inbox;
pub mod incoming;
pub mod keys;
pub mod names;
pub mod operator_order;
pub mod operators;
pub mod outbox;
pub mod ownership;
pub mod pause;
pub mod people;
pub mod reconcile;
pub mod retraction;
pub mod roster;
pub mod schema;
pub mod secret;
pub mod silence;
pub mod stance;
pub mod strategy;
pub mod takeover;
pub mod text;
pub mod time;
pub mod transcript;
pub mod turn;
pub mod watching;
pub mod window;
