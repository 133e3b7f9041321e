//! Observes which nodes are silent. Layer `policy`. Keeps I5: failed looks never lead to declaring a node dead.
//!
//! All durations are of the observer's own boot time. A beat's clock starts when the first look that shows the beat has
//! ended, and is read as of the beginning of a later look, so the time that a look takes never counts against a node. A
//! look that failed, that took long, or that came long after the one before tells nothing about the time in between:
//! the store may have been away, so that no node could beat. So all clocks start anew.

use std::collections::BTreeMap;
use std::time::Duration;

use super::settings::OwnershipSettings;
use crate::domain::ownership::{Incarnation, NodeRecord, NodeState};

/// The beats as this node saw them.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    /// The beat of each living node, and since when it is known.
    seen: BTreeMap<Incarnation, (i64, Duration)>,
    /// When the last look that counts ended.
    looked_at: Option<Duration>,
}

impl Observer {
    /// Records that a look failed.
    pub fn failed(&mut self) {
        self.seen.clear();
        self.looked_at = None;
    }

    /// Records a look that began at `asked_at` and ended at `now`. Returns the nodes that have been silent for too
    /// long, with the beat that shows it. A process that may not join yet, since a node of its name still lives,
    /// observes too, without `me`. Otherwise a cluster whose processes all died unseen would never come back, since no
    /// node is left to declare the others dead.
    pub fn looked(
        &mut self,
        settings: &OwnershipSettings,
        me: Option<Incarnation>,
        asked_at: Duration,
        now: Duration,
        nodes: &[NodeRecord],
    ) -> Vec<(Incarnation, i64)> {
        let longest = settings.dead_after / 2;
        let gap = self.looked_at.map_or(Duration::ZERO, |last| now.saturating_sub(last));
        if gap > longest {
            self.failed();
        }
        if now.saturating_sub(asked_at) > longest {
            self.failed();
            return Vec::new();
        }
        self.looked_at = Some(now);
        let others = || nodes.iter().filter(|node| Some(node.incarnation) != me && node.state != NodeState::Dead);
        self.seen.retain(|node, _| others().any(|other| other.incarnation == *node));
        let mut silent = Vec::new();
        for node in others() {
            let (beat, since) = self.seen.entry(node.incarnation).or_insert((node.beat, now));
            if *beat != node.beat {
                (*beat, *since) = (node.beat, now);
            } else if asked_at.saturating_sub(*since) >= settings.dead_after {
                silent.push((node.incarnation, node.beat));
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ms, node};
    use super::*;

    fn look(observer: &mut Observer, at: u64, beat: i64) -> bool {
        let (settings, nodes) = (OwnershipSettings::default(), [NodeRecord { beat, ..node(2, "b") }]);
        !observer.looked(&settings, Some(Incarnation(1)), ms(at - 10), ms(at), &nodes).is_empty()
    }

    #[test]
    fn a_beat_that_stays_the_same_for_the_whole_time_is_silence() {
        let mut observer = Observer::default();
        let silent: Vec<u64> = (1..=13).map(|n| n * 250).filter(|at| look(&mut observer, *at, 7)).collect();
        assert_eq!(silent, [] as [u64; 0], "3.0 s have not passed yet");
        assert!(look(&mut observer, 3_500, 7));
    }

    #[test]
    fn a_beat_that_moves_starts_its_clock_anew() {
        let mut observer = Observer::default();
        assert!((1..=40_u32).all(|n| !look(&mut observer, u64::from(n) * 250, i64::from(n / 8))));
    }

    #[test]
    fn who_waits_to_join_sees_silence_too() {
        let (mut observer, settings) = (Observer::default(), OwnershipSettings::default());
        let nodes = [node(1, "a")];
        let mut look = |at: u64| observer.looked(&settings, None, ms(at), ms(at), &nodes);
        assert!((0..12).all(|n| look(n * 250).is_empty()));
        assert_eq!(look(3_000), [(Incarnation(1), 1)]);
    }

    #[test]
    fn a_failed_look_starts_all_clocks_anew() {
        let mut observer = Observer::default();
        assert!((1..=12).all(|n| !look(&mut observer, n * 250, 7)));
        observer.failed();
        assert!((13..=25).all(|n| !look(&mut observer, n * 250, 7)));
        assert!(look(&mut observer, 6_500, 7));
    }

    #[test]
    fn a_long_time_without_a_look_starts_all_clocks_anew() {
        let mut observer = Observer::default();
        assert!(!look(&mut observer, 250, 7));
        assert!(!look(&mut observer, 60_000, 7), "the store may have been away meanwhile");
        assert!((1..=12).all(|n| !look(&mut observer, 60_000 + n * 250, 7)));
        assert!(look(&mut observer, 63_250, 7));
    }

    #[test]
    fn a_look_that_took_long_counts_as_failed() {
        let (mut observer, settings) = (Observer::default(), OwnershipSettings::default());
        assert!((1..=12).all(|n| !look(&mut observer, n * 250, 7)));
        let nodes = [NodeRecord { beat: 7, ..node(2, "b") }];
        assert!(observer.looked(&settings, Some(Incarnation(1)), ms(3_250), ms(4_400 + 600), &nodes).is_empty());
        assert!(!look(&mut observer, 5_250, 7), "its clock started anew");
    }
}
