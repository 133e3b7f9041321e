//! Claims rights of people for an operator: to see what is stored, to opt out, to be forgotten. Layer `runtime`.
//!
//! A claim is durable when its call returns; the removal itself goes on afterwards, also over a restart.

use botfleet_actors::actors::node::committer::CommitError;
use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::commit::operations::{Audited, Operation};
use botfleet_actors::domain::commit::outcome::Applied;
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::{PersonRecord, Right, SetRight};
use botfleet_actors::ports::store::StoreError;

use super::fleet::RunningFleet;

impl RunningFleet {
    /// Returns what is stored about a person.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn person(&self, person: TelegramUserId) -> Result<PersonRecord, StoreError> {
        self.node.store.person(person).await
    }

    /// Claims a right in the name of a person, with the entry of the audit; returns whether the right was in force already.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn claim(
        &self,
        person: TelegramUserId,
        right: Right,
        by: &str,
        entry: AuditEntry,
    ) -> Result<bool, CommitError> {
        let right = SetRight { person, right, by: by.to_owned(), at: self.node.clock.now() };
        let act = Audited::operation(Operation::SetRight(right.clone()), entry);
        let done = self.node.committer.commit(act).await?;
        if done != Applied::RightOutdated {
            self.node.right_stored(&right);
            self.events.look_now();
        }
        tracing::warn!(right = right.right.as_str(), by, "a person's right");
        Ok(matches!(done, Applied::RightSet { already: true }))
    }
}
