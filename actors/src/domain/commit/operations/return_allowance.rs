//! A node gives back to a budget what it did not spend. Layer `domain`.

use crate::domain::allowance::AllowanceKey;
use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::ownership::LeaseKey;

/// A node gives back to a budget an amount that it took and did not spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnAllowance {
    /// The budget's period.
    pub key: AllowanceKey,
    /// Amount to give back.
    pub amount: i64,
}

impl Rule for ReturnAllowance {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        None
    }

    fn needs(&self, needs: &mut Needs) {
        needs.allowances.insert(self.key);
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let granted = bench.loaded.allowances.entry(self.key).or_default();
        *granted = granted.saturating_sub(self.amount.max(0)).max(0);
        bench.changes.allowances.insert(self.key);
        Ok(Applied::Done)
    }
}
