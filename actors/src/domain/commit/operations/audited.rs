//! An operation with the entry of the audit that tells of it: both are stored, or neither. Layer `domain`.

use std::time::Duration;

use serde_json::{Value, json};

use super::Operation;
use crate::domain::audit::AuditEntry;
use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::ownership::LeaseKey;

/// An operation that a person ordered, with its entry of the audit. A refused operation leaves no entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Audited {
    /// The operation.
    pub act: Box<Operation>,
    /// The entry. The judge adds the states before and after that only the transaction knows.
    pub entry: Box<AuditEntry>,
}

impl Audited {
    /// Puts an operation and its entry together.
    pub fn operation(act: Operation, entry: AuditEntry) -> Operation {
        Operation::Audited(Self { act: Box::new(act), entry: Box::new(entry) })
    }
}

impl Rule for Audited {
    const PRIORITY: Priority = Priority::Work;

    fn priority(&self) -> Priority {
        self.act.priority()
    }

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        self.act.fence()
    }

    fn needs(&self, needs: &mut Needs) {
        self.act.needs(needs);
    }

    fn patience(&self) -> Duration {
        self.act.patience()
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let Self { act, mut entry } = self;
        let before = match act.as_ref() {
            Operation::SetStop(set) => Some(bench.loaded.stops.0.get(&set.scope).map_or(Value::Null, |stop| json!(stop))),
            _ => None,
        };
        let applied = act.judge(bench)?;
        if let Some(before) = before {
            entry.set_before(json!({ "stop": before }));
        }
        match &applied {
            Applied::StopSet(stop) => entry.set_after(json!({ "stop": stop })),
            Applied::RightSet { already } => entry.set_after(json!({ "already": already })),
            Applied::RightOutdated => entry.set_after(json!({ "outdated": true })),
            _ => {}
        }
        bench.changes.orders.audit.push(*entry);
        Ok(applied)
    }
}
