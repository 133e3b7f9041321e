//! The manifest, applied to the running fleet, and earlier configurations. Layer `operate`. Keeps I10, I12.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::configuration::{ConfigStep, Declaration, STEPS_KEPT};

use super::configuration::refused;
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{ChangeRoster, ReadConfiguration};
use crate::runtime::configuration::commit::{Applied, Asked, Committed};

/// Longest name of a manifest.
const SOURCE_MAX: usize = 1_000;

/// The way in which a change of the whole configuration is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    /// Set when nothing shall be done, only told.
    pub dry_run: bool,
    /// The number of the configuration that the caller saw.
    pub on: Option<i64>,
}

impl Operations {
    /// Applies a manifest, or only tells what that would change: makes, changes and retires what manifests made, and leaves
    /// alone what operators made. The live actors of all nodes follow within a second. Keys of providers are named as written
    /// by who asks on the machine itself; others name what operators may name.
    ///
    /// # Errors
    /// `Conflict` when an operator changed what the manifest changes, or made a thing of the same name; `Refused` when the
    /// configuration would have faults; `Changed` when somebody else changed it since.
    pub async fn apply(
        &self,
        by: &Granted<ChangeRoster>,
        declared: &[Declaration],
        source: &str,
        way: Way,
    ) -> Result<Committed, Failure> {
        by.everything()?;
        if source.is_empty() || source.chars().count() > SOURCE_MAX || source.contains(char::is_control) {
            let detail = format!("source: give the manifest's name, in 1 to {SOURCE_MAX} characters");
            return Err(Failure::new(Code::BadRequest, detail));
        }
        let entry = self.entry(by, Act::ApplyRoster, AuditObject::only(ObjectKind::Fleet))?;
        let asked = Asked { by: by.by(), dry_run: way.dry_run, on: way.on, own_word: by.principal().is_local(), entry };
        self.fleet.apply(&Applied { declared, source }, asked).await.map_err(refused)
    }

    /// Makes the configuration as it was under an earlier number, or only tells what that would change.
    ///
    /// # Errors
    /// `UnknownNumber`; `Refused` when the configuration would have faults; `Changed` when somebody else changed it since.
    pub async fn go_back(&self, by: &Granted<ChangeRoster>, number: i64, way: Way) -> Result<Committed, Failure> {
        by.everything()?;
        let entry = self.entry(by, Act::GoBack, AuditObject::only(ObjectKind::Fleet))?;
        let asked = Asked { by: by.by(), dry_run: way.dry_run, on: way.on, own_word: by.principal().is_local(), entry };
        self.fleet.go_back(number, asked).await.map_err(refused)
    }

    /// Returns the number of the configuration in force.
    ///
    /// # Errors
    /// `OutOfReach`, `Unavailable`.
    pub async fn config_number(&self, by: &Granted<ReadConfiguration>) -> Result<i64, Failure> {
        by.everything()?;
        Ok(self.fleet.config_steps(None, 1).await?.first().map_or(0, |step| step.number))
    }

    /// Returns the numbers that are kept, newest first, with their differences.
    ///
    /// # Errors
    /// `OutOfReach`, `Unavailable`.
    pub async fn config_numbers(&self, by: &Granted<ReadConfiguration>) -> Result<Vec<ConfigStep>, Failure> {
        by.everything()?;
        let kept = usize::try_from(STEPS_KEPT).unwrap_or(usize::MAX);
        Ok(self.fleet.config_steps(None, kept).await?)
    }

    /// Returns one of the numbers that are kept.
    ///
    /// # Errors
    /// `UnknownNumber`, `OutOfReach`, `Unavailable`.
    pub async fn config_of(&self, by: &Granted<ReadConfiguration>, number: i64) -> Result<ConfigStep, Failure> {
        by.everything()?;
        let step = self.fleet.config_steps(number.checked_add(1), 1).await?.pop();
        let unknown = || Failure::new(Code::UnknownNumber, format!("no change of number {number} is kept"));
        step.filter(|step| step.number == number).ok_or_else(unknown)
    }
}
