//! Commits a soak's operations: the judge of the group commit over rows that stay in memory. Part of `cli`.

use anyhow::Context;
use botfleet_actors::domain::commit::judge::judge;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::commit::outcome::Applied;
use botfleet_actors::domain::commit::rows::{ChatHead, Loaded};
use botfleet_actors::domain::ids::{DecisionNumber, Epoch, Number};

use super::room::Room;

/// The epoch of every lease: a soak owns all bots and chats.
pub(super) const EPOCH: Epoch = Epoch(1);

/// The rows, as the judge left them.
pub(super) struct Rows(Loaded);

impl Rows {
    /// Creates the rows of chats in which nothing was said.
    pub(super) fn new(rooms: &[Room]) -> Self {
        let head = ChatHead { epoch: EPOCH, last_number: Number(0), last_decision: DecisionNumber(0) };
        Self(Loaded {
            bots: rooms.iter().flat_map(|room| &room.profile.members).map(|bot| (*bot, EPOCH)).collect(),
            chats: rooms.iter().map(|room| (room.profile.id, head)).collect(),
            ..Loaded::default()
        })
    }

    /// Has one operation judged.
    ///
    /// # Errors
    /// The judge refuses the operation. A soak has no crash and no rival, so that nothing it does may be refused.
    pub(super) fn commit(&mut self, operation: Operation) -> anyhow::Result<Applied> {
        let name = operation.name();
        let (mut results, _) = judge(vec![operation], &mut self.0);
        results.pop().context("the judge gives one result for one operation")?.with_context(|| format!("{name} failed"))
    }
}
