//! Stops or starts the fleet, a bot or a chat, as a person ordered. Layer `domain`. Keeps I9.

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::Applied;
use crate::domain::commit::rows::StopChange;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::control::{StopOrder, StopScope};
use crate::domain::ids::Epoch;
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;

/// The order of a person, in a chat or as an operator, to stop or to start the fleet, a bot or a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetStop {
    /// Scope to stop or to start.
    pub scope: StopScope,
    /// The order.
    pub order: StopOrder,
    /// Author of the order.
    pub by: String,
    /// Time of the order, by Telegram's clock if the person gave it there.
    pub at: Timestamp,
}

impl Rule for SetStop {
    const PRIORITY: Priority = Priority::Ahead;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        None
    }

    fn needs(&self, needs: &mut Needs) {
        needs.stops = true;
    }

    fn judge(self, bench: &mut Bench) -> Judgement {
        let stop = bench.loaded.stops.obey(self.scope, self.order, self.at);
        bench.changes.stops.insert(self.scope, StopChange { stop: stop.clone(), by: self.by, at: self.at });
        Ok(Applied::StopSet(stop))
    }
}
