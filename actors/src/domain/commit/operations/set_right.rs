//! A person makes use of a right. Layer `domain`.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::ownership::LeaseKey;
use crate::domain::people::{Right, SetRight};

impl Rule for SetRight {
    const PRIORITY: Priority = Priority::Ahead;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        None
    }

    fn needs(&self, needs: &mut Needs) {
        needs.people.insert(self.person);
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let out = bench.loaded.opted_out.contains(&self.person);
        if self.right.is_outdated(self.at, bench.loaded.said.get(&self.person).copied()) {
            let opposed = out != (self.right == Right::OptOut);
            return Ok(if opposed { Applied::RightOutdated } else { Applied::RightSet { already: true } });
        }
        if self.right != Right::Forget {
            let said = bench.loaded.said.entry(self.person).or_insert(self.at);
            *said = (*said).max(self.at);
            bench.changes.orders.said.insert(self.person, *said);
        }
        let already = match self.right {
            Right::OptOut => out,
            Right::OptIn => !out,
            // A request covers everything said until then: copies of it, and earlier requests, ask for nothing more.
            Right::Forget => bench.loaded.forgotten.get(&self.person).is_some_and(|until| self.at <= *until),
        };
        match self.right {
            Right::OptOut => drop(bench.loaded.opted_out.insert(self.person)),
            Right::OptIn => drop(bench.loaded.opted_out.remove(&self.person)),
            Right::Forget if already => {}
            Right::Forget => drop(bench.loaded.forgotten.insert(self.person, self.at)),
        }
        if !already {
            bench.changes.orders.rights.push(self);
        }
        Ok(Applied::RightSet { already })
    }
}
