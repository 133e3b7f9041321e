//! The description that every operation of a group commit gives of itself. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::Epoch;
use crate::domain::ownership::LeaseKey;

/// Result of one operation; a refused one has changed nothing.
pub type Judgement = Result<Applied, Refusal>;

/// The order in which the committer takes waiting operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// The operation goes ahead of all work. Nothing that it depends on may wait behind work.
    Ahead,
    /// The operation is committed in the order of its submission.
    Work,
}

/// An operation as the judge sees it.
pub(super) trait Rule {
    /// The order in which the committer takes the operation.
    const PRIORITY: Priority;

    /// Returns the lease that the author must hold, and under which epoch (I6). The judge checks it before
    /// [`Rule::judge`], and its row is loaded without [`Rule::needs`].
    fn fence(&self) -> Option<(LeaseKey, Epoch)>;

    /// Names the other rows that [`Rule::judge`] looks at.
    fn needs(&self, needs: &mut Needs);

    /// Returns whether the operation may wait a moment for company, since nobody waits for its commit.
    fn lingers(&self) -> bool {
        false
    }

    /// Decides the operation, and changes the rows accordingly. A refusal must come before the first change.
    fn judge(self, bench: &mut Bench) -> Judgement;
}
