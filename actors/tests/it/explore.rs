//! Runs the explorer over its first seeds: I1-I6 and I8 of whole clusters in virtual time.

use std::sync::atomic::{AtomicU64, Ordering};

use botfleet_actors::testkit::explorer::explore;

const SEEDS: u64 = 300;

#[test]
fn clusters_in_virtual_time_keep_their_invariants() {
    let next = AtomicU64::new(1);
    let worker = || {
        let mut breaches = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > SEEDS || !breaches.is_empty() {
                return breaches;
            }
            breaches.extend(explore(seed, false).breaches.into_iter().map(|breach| format!("seed {seed}: {breach}")));
        }
    };
    let breaches: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(breaches.is_empty(), "replay with the example `explore`: {breaches:#?}");
}

#[test]
fn a_seed_replays_to_the_same_end() {
    let (one, two) = (explore(7, true), explore(7, true));
    assert_eq!(one.trace, two.trace);
    assert!(one.steps > 1_000 && one.sends > 10 && one.moves > 5, "{one:?}");
}
