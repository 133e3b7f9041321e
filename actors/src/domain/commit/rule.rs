//! The description that every operation of a group commit gives of itself. Layer `domain`.

use std::time::Duration;

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

/// The patience of an operation behind which other work may wait that is in no hurry, such as the next poll.
pub(super) const MOMENT: Duration = Duration::from_millis(5);

/// The patience of an operation behind which nothing waits: work goes on meanwhile.
pub(super) const WHILE: Duration = Duration::from_millis(50);

/// An operation as the judge sees it.
pub(super) trait Rule {
    /// The order in which the committer takes the operation.
    const PRIORITY: Priority;

    /// Returns the order in which the committer takes this operation.
    fn priority(&self) -> Priority {
        Self::PRIORITY
    }

    /// Returns the lease that the author must hold, and under which epoch (I6). The judge checks it before
    /// [`Rule::judge`], and its row is loaded without [`Rule::needs`].
    fn fence(&self) -> Option<(LeaseKey, Epoch)>;

    /// Names the other rows that [`Rule::judge`] looks at.
    fn needs(&self, needs: &mut Needs);

    /// Returns how long the operation may wait for others to share its commit; zero when somebody waits for it.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    /// Decides the operation, and changes the rows accordingly. A refusal must come before the first change.
    fn judge(self, bench: &mut Bench) -> Judgement;
}
