//! The port to the configuration as a manifest and operators say it. Layer `ports`. Keeps I8, I10.

use super::declare::port;
use super::store::StoreError;

// Adapters import no type of a method: the code that the list of methods makes finds them all here.
#[doc(hidden)]
pub use crate::domain::{
    audit::AuditEntry,
    configuration::{ConfigStep, Configuration, Configured, NewConfiguration, PersonaRevision},
    time::Timestamp,
};

port! {
    $ __configurations_methods of configurations:
    /// The configuration, its last changes, and the revisions of personas.
    pub trait Configurations: Send + Sync + 'static {
        /// Returns the configuration as it is said, in one consistent look.
        async fn configuration(&self) -> Result<Configuration, StoreError>;

        /// Makes a change in one transaction: the things that are said, the bots, chats and personas that follow, the step
        /// with its difference, and the entry of the audit. Of two changes of one configuration the first is made.
        ///
        /// # Errors
        /// `RosterRefused` when a name or Telegram id is taken by another bot or chat.
        async fn configure(&self, new: &NewConfiguration, now: Timestamp, entry: Option<&AuditEntry>)
            -> Result<Configured, StoreError>;

        /// Returns the last changes before a number (from the newest without it), newest first, at most `limit`.
        async fn config_steps(&self, before: Option<i64>, limit: usize) -> Result<Vec<ConfigStep>, StoreError>;

        /// Returns the revisions of a persona, newest first, at most `limit`.
        async fn persona_revisions(&self, name: &str, limit: usize) -> Result<Vec<PersonaRevision>, StoreError>;
    }
}

#[doc(hidden)]
pub use __configurations_methods as configurations_methods;
