//! Works out which node polled when, from the ledger and the links of the polls. Layer: harness; pure (I5).

use std::collections::{BTreeMap, HashMap};

use botfleet_world::checker::origins::Origins;
use botfleet_world::ledger::{LedgerEvent, LedgerRecord};

/// One poll of a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// The number of the poll.
    pub poll: u64,
    /// The node that opened the poll, if the link is known.
    pub node: Option<String>,
    /// When the poll was read in full.
    pub opened_us: u64,
    /// When the poll ended or its client left, whichever came first; `None` while the poll is open.
    pub closed_us: Option<u64>,
}

/// Returns all polls of each bot, in order of opening.
pub fn polls(ledger: &[LedgerRecord], origins: &Origins) -> BTreeMap<i64, Vec<Poll>> {
    let mut all: BTreeMap<i64, Vec<Poll>> = BTreeMap::new();
    let mut places: HashMap<(i64, u64), usize> = HashMap::new();
    for record in ledger {
        match &record.event {
            LedgerEvent::PollOpened { bot, poll, connection, .. } => {
                let polls = all.entry(*bot).or_default();
                places.insert((*bot, *poll), polls.len());
                let origin = origins.of(connection, record.at_us);
                polls.push(Poll {
                    poll: *poll,
                    node: origin.map(|origin| origin.node.clone()),
                    opened_us: record.at_us,
                    // A client that left before the end is gone, even if the server has not noticed.
                    closed_us: origin.and_then(|origin| origin.left_us).filter(|left| *left >= record.at_us),
                });
            }
            LedgerEvent::PollClosed { bot, poll, .. } => {
                if let Some(place) = places.get(&(*bot, *poll))
                    && let Some(found) = all.get_mut(bot).and_then(|polls| polls.get_mut(*place))
                {
                    found.closed_us = Some(found.closed_us.map_or(record.at_us, |left| left.min(record.at_us)));
                }
            }
            _ => {}
        }
    }
    all
}

/// Returns the bots whose last poll up to a moment came from the node.
pub fn bots_of(polls: &BTreeMap<i64, Vec<Poll>>, node: &str, at_us: u64) -> Vec<i64> {
    let last = |polls: &[Poll]| polls.iter().rev().find(|poll| poll.opened_us <= at_us).and_then(|p| p.node.clone());
    polls.iter().filter(|(_, polls)| last(polls).as_deref() == Some(node)).map(|(bot, _)| *bot).collect()
}

/// Returns how long after a moment each bot's first poll that `by` accepts was opened; `None` without such a poll.
pub fn back_after(
    polls: &BTreeMap<i64, Vec<Poll>>,
    bots: &[i64],
    at_us: u64,
    by: impl Fn(&Poll) -> bool,
) -> Vec<Option<u64>> {
    let first = |bot: &i64| {
        let polls = polls.get(bot)?;
        polls.iter().find(|poll| poll.opened_us > at_us && by(poll)).map(|poll| poll.opened_us - at_us)
    };
    bots.iter().map(first).collect()
}

/// Returns the longest time without an open poll of a bot between two moments.
pub fn longest_silence(polls: &[Poll], from_us: u64, to_us: u64) -> u64 {
    let mut heard_until = from_us;
    let mut longest = 0;
    let mut ordered: Vec<&Poll> = polls.iter().filter(|poll| poll.closed_us.is_none_or(|end| end >= from_us)).collect();
    ordered.sort_by_key(|poll| poll.opened_us);
    for poll in ordered.into_iter().take_while(|poll| poll.opened_us < to_us) {
        longest = longest.max(poll.opened_us.saturating_sub(heard_until));
        heard_until = heard_until.max(poll.closed_us.unwrap_or(to_us));
    }
    longest.max(to_us.saturating_sub(heard_until))
}

/// Returns the silences of a bot at changes of the polling node between two moments: from the end of the old node's
/// last poll to the opening of the new node's first.
pub fn silences_at_moves(polls: &[Poll], from_us: u64, to_us: u64) -> Vec<u64> {
    let mut silences = Vec::new();
    for pair in polls.windows(2) {
        let (old, new) = (&pair[0], &pair[1]);
        if old.node != new.node && (from_us..to_us).contains(&new.opened_us) {
            silences.push(new.opened_us.saturating_sub(old.closed_us.unwrap_or(new.opened_us)));
        }
    }
    silences
}

#[cfg(test)]
mod tests {
    use super::*;
    use botfleet_world::checker::origins::Origin;
    use botfleet_world::ledger::PollEnd;

    fn opened(at_us: u64, poll: u64, connection: &str) -> LedgerRecord {
        let event =
            LedgerEvent::PollOpened { bot: 1, poll, offset: 0, timeout_s: 50, connection: connection.to_owned() };
        LedgerRecord { at_us, event }
    }

    fn closed(at_us: u64, poll: u64) -> LedgerRecord {
        let event = LedgerEvent::PollClosed { bot: 1, poll, delivered: Vec::new(), how: PollEnd::Answered };
        LedgerRecord { at_us, event }
    }

    fn origins() -> Origins {
        let mut origins = Origins::default();
        let origin = |node: &str, left_us| Origin { node: node.to_owned(), opened_us: 0, left_us };
        origins.add("a".into(), origin("n1", Some(900_000)));
        origins.add("b".into(), origin("n2", None));
        origins
    }

    #[test]
    fn a_move_is_a_silence_between_two_nodes() {
        let ledger = [opened(100_000, 1, "a"), closed(500_000, 1), opened(700_000, 2, "b"), closed(800_000, 2)];
        let polls = polls(&ledger, &origins());
        assert_eq!(silences_at_moves(&polls[&1], 0, 1_000_000), [200_000]);
        assert_eq!(longest_silence(&polls[&1], 100_000, 750_000), 200_000);
        assert_eq!(longest_silence(&polls[&1], 100_000, 1_200_000), 400_000);
        assert_eq!(bots_of(&polls, "n1", 600_000), [1]);
        assert!(bots_of(&polls, "n1", 700_000).is_empty());
        assert_eq!(back_after(&polls, &[1, 2], 600_000, |_| true), [Some(100_000), None]);
    }

    #[test]
    fn a_poll_ends_when_its_client_leaves_and_not_when_that_is_noticed() {
        let ledger = [opened(100_000, 1, "a"), opened(950_000, 2, "b"), closed(5_000_000, 1)];
        assert_eq!(polls(&ledger, &origins())[&1][0].closed_us, Some(900_000));
    }
}
