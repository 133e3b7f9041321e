//! A node takes from a budget. Layer `domain`.

use crate::domain::allowance::{AllowanceKey, grant};
use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::ownership::LeaseKey;

/// A node takes from a budget. Not fenced: the worst case is a forfeited block that nobody spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeAllowance {
    /// The budget's period.
    pub key: AllowanceKey,
    /// Most that all nodes may take together.
    pub limit: i64,
    /// Amount that the call at hand needs; zero for a look ahead.
    pub need: i64,
    /// Amount that is taken while there is plenty.
    pub block: i64,
}

impl Rule for TakeAllowance {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        None
    }

    fn needs(&self, needs: &mut Needs) {
        needs.allowances.insert(self.key);
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let granted = bench.loaded.allowances.entry(self.key).or_default();
        let Some(taken) = grant(self.limit, *granted, self.need, self.block) else {
            return Ok(Applied::Allowance { taken: 0, granted: *granted });
        };
        *granted += taken;
        bench.changes.allowances.insert(self.key);
        Ok(Applied::Allowance { taken, granted: *granted })
    }
}
