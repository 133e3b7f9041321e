//! Judges the operations of a group commit. Layer `domain`; pure, shared by every store. Keeps I1-I4, I6, I11.

use super::bench::Bench;
use super::needs::Needs;
use super::operations::Operation;
use super::outcome::{Applied, Refusal};
use super::rows::{Changes, Loaded};
use super::rule::Judgement;
use crate::domain::ownership::LeaseKey;

/// Decides `operations` in order, and changes `loaded` after each. The results are in the order of the operations; a
/// refused operation changes nothing.
pub fn judge(operations: Vec<Operation>, loaded: &mut Loaded) -> (Vec<Result<Applied, Refusal>>, Changes) {
    let mut bench = Bench::new(loaded);
    let results = operations.into_iter().map(|operation| decide(operation, &mut bench)).collect();
    (results, bench.changes)
}

fn decide(operation: Operation, bench: &mut Bench) -> Judgement {
    if let Some((key, epoch)) = operation.fence() {
        bench.fence(key, epoch)?;
    }
    operation.judge(bench)
}

// Here and not beside the keys: an operation imports the keys, and this imports every operation.
impl Needs {
    /// Returns the keys of the rows that `operations` touch.
    pub fn of<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Self {
        let mut needs = Self::default();
        for operation in operations {
            match operation.fence() {
                Some((LeaseKey::Bot(bot), _)) => drop(needs.bots.insert(bot)),
                Some((LeaseKey::Chat(chat), _)) => drop(needs.chats.insert(chat)),
                None => {}
            }
            operation.needs(&mut needs);
        }
        needs
    }
}
