//! The configuration of the fleet while it runs: what a manifest made, what operators made, and what operators changed of the
//! former. Layer `runtime`. Keeps I8, I10, I12.
//!
//! | file | holds |
//! |---|---|
//! | `merge` | another manifest over what is stored: three states, and what stands in the way |
//! | `change` | a thing made, changed, removed; a field given back to its manifest |
//! | `reference` | the places that an operator may name for a secret |
//! | `back` | the configuration of an earlier number |
//! | `commit` | a change checked as a whole and put in force |
//! | `start` | the configuration with which a process begins |
//! | `live` | providers and budgets follow the configuration while the node runs |
//! | `view` | things, differences and numbers, for operators |
//!
//! Every change is a list of things before and after it. The list is made of the configuration in force by a pure function, the
//! configuration after it is checked as a whole by the checks of a manifest, and the store makes the change if nobody made
//! another one meanwhile.

pub(super) mod back;
pub mod change;
pub mod commit;
pub(super) mod live;
pub(super) mod merge;
pub(super) mod reference;
pub(super) mod start;
pub mod view;
