//! A webhook stores updates. Layer `domain`. Keeps I1, I2.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::inbox::InboxRow;
use crate::domain::ownership::LeaseKey;

/// Rows that a webhook brought. No owning write: the operation has no fence and leaves the offset alone, since webhooks
/// and polls confirm independently of one another (I1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receive {
    /// The rows; those already stored are left alone (I2).
    pub rows: Vec<InboxRow>,
}

impl Rule for Receive {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        None
    }

    fn needs(&self, needs: &mut Needs) {
        needs.received(&self.rows);
    }

    /// Stores each row of a webhook once, and leaves the offset alone (I1).
    fn judge(self, bench: &mut Bench) -> Judgement {
        let stored = self.rows.into_iter().map(|row| usize::from(!bench.insert_inbox(row)));
        Ok(Applied::Ingested { already_there: stored.sum() })
    }
}
