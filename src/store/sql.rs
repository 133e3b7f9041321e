//! The statements of the store, one text for both databases, and the calls that run them. Layer: adapter.
//!
//! | file | holds |
//! |---|---|
//! | `text`, `values` | statements with marks that each database fills in; their values |
//! | `reads`, `outcomes`, `archive` | everything that only reads |
//! | `roster`, `tenure` | bots, chats and personas; work that goes back to the queue |
//! | `orders`, `people` | orders of people: delivery modes, dead letters tried again; rights: opting out, being forgotten |
//! | `expiry`, `growth` | removal of old texts, and of old rows; the end of turns and messages that nobody took in time |

pub(super) mod archive;
pub(super) mod expiry;
pub(super) mod growth;
pub(super) mod orders;
pub(super) mod outcomes;
pub(super) mod people;
pub(super) mod reads;
pub(super) mod roster;
pub(super) mod tenure;
pub(super) mod text;
pub(super) mod values;

use self::text::Sql;

/// Returns all statements that both databases run.
pub(super) fn all() -> Vec<&'static Sql> {
    let texts = [archive::ALL, outcomes::ALL, reads::ALL, roster::ALL, tenure::ALL];
    let rights = [expiry::ALL, growth::ALL, orders::ALL, people::ALL];
    texts.into_iter().chain(rights).flatten().copied().collect()
}
