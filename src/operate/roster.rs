//! The configuration of bots and chats. Layer `operate`. Keeps I10, I12.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::roster::RosterPlan;

use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::ChangeRoster;
use super::principal::Proof;
use crate::runtime::cluster_orders::AppliedRoster;

impl Operations {
    /// Replaces the bots and chats of the fleet, or only tells what that would change. The live actors of all nodes follow
    /// within a second.
    ///
    /// # Errors
    /// `Refused` when the plan lacks what every bot or chat has, contradicts the store, names an unknown provider, or, from elsewhere
    /// than the local socket, a place of a token that the settings do not allow.
    pub async fn apply(
        &self,
        by: &Granted<ChangeRoster>,
        plan: &RosterPlan,
        dry_run: bool,
    ) -> Result<AppliedRoster, Failure> {
        by.everything()?;
        // Whoever asks at the machine's own socket may read its files anyway.
        if by.principal().identity().proof != Proof::Local {
            self.fleet.confine(plan).map_err(|why| Failure::new(Code::Refused, why))?;
        }
        let entry = self.entry(by, Act::ApplyRoster, AuditObject::only(ObjectKind::Fleet))?;
        Ok(self.fleet.apply(plan, dry_run, by.by(), entry).await?)
    }
}
