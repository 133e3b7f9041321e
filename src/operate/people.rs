//! Rights of people. Layer `operate`.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::{PersonRecord, Right};

use super::failure::Failure;
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{ClaimRights, ReadPeople};

impl Operations {
    /// Returns which data is stored about a person: counts and dates, never words.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn person(&self, by: &Granted<ReadPeople>, person: TelegramUserId) -> Result<PersonRecord, Failure> {
        by.everything()?;
        Ok(self.fleet.person(person).await?)
    }

    /// Claims a right in the name of a person; returns whether the right was in force already. The claim is durable when
    /// the call returns, a removal goes on afterwards.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn claim(
        &self,
        by: &Granted<ClaimRights>,
        person: TelegramUserId,
        right: Right,
    ) -> Result<bool, Failure> {
        by.everything()?;
        let act = match right {
            Right::Forget => Act::ForgetPerson,
            Right::OptOut => Act::OptOutPerson,
            Right::OptIn => Act::OptInPerson,
        };
        let entry = self.entry(by, act, AuditObject::new(ObjectKind::Person, person))?;
        self.fleet.claim(person, right, by.by(), entry).await.map_err(|error| Failure::unavailable(&error))
    }
}
