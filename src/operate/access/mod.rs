//! The ways to prove who asks: sessions, API keys, passwords and one-time codes. Layer `operate`. Keeps I12.
//!
//! | file | holds |
//! |---|---|
//! | `known` | who stands behind a session or a key, remembered for half a second at most without asking the store |
//! | `token` | tokens of sessions and API keys: made, read, hashed |
//! | `password` | hashes of passwords, one computed at a time |
//! | `code` | one-time codes by time, and recovery codes |
//! | `seal` | seeds of codes that earlier versions encrypted |
//! | `tries` | waits after failed sign-ins |

pub mod code;
pub mod known;
pub mod password;
pub mod seal;
pub mod token;
pub mod tries;

use std::path::PathBuf;
use std::sync::Arc;

use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::operators::Operators;
use tokio::sync::OnceCell;

use self::known::Known;
use self::password::Hasher;
use self::seal::OldSeal;
use self::tries::Tries;

/// Everything by which people prove who they are.
pub struct Access {
    pub(super) store: Arc<dyn Operators>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) known: Known,
    pub(super) hasher: Hasher,
    pub(super) tries: Tries,
    pub(super) seal: OldSeal,
    pub(super) installation: OnceCell<String>,
}

impl Access {
    /// Creates it over the accounts, with the file of the key that sealed seeds in earlier versions.
    pub(super) fn new(store: Arc<dyn Operators>, clock: Arc<dyn Clock>, key_file: Option<PathBuf>) -> Self {
        let known = Known::new(Arc::clone(&store), Arc::clone(&clock));
        let seal = OldSeal::new(key_file);
        Self {
            store,
            clock,
            known,
            hasher: Hasher::default(),
            tries: Tries::default(),
            seal,
            installation: OnceCell::new(),
        }
    }
}
