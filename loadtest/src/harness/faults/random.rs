//! Draws a mixture of all faults from a seed. Layer: harness; pure.
//!
//! Every kind of fault gets time windows of its own, spread over the run, so that each seed meets many kinds and all
//! seeds together meet all pairs. No fault or step begins in the last sixth of the run.

use botfleet_world::provider::faults::{ProviderFault, ProviderFaults, ProviderRule};
use botfleet_world::scenario::Scenario;
use botfleet_world::scenario::file::{Action, Step};
use botfleet_world::telegram::faults::{FaultKind, FaultRule, TelegramFaults};
use fastrand::Rng;

mod wide;

/// The methods whose faults matter most; a rule is about one of them or about all methods.
const METHODS: [&str; 3] = ["sendmessage", "getupdates", "sendchataction"];
/// The length of a round, in milliseconds; each round has its own kills and pauses.
const PER_STEPS_MS: u64 = 20_000;

/// Draws a scenario over `seconds`: faults of every kind, kills, pauses, one SIGTERM, and changes of tokens,
/// membership, delivery modes and messages. The same arguments give the same scenario.
///
/// Bots are given by index, 0 to `bots` - 1, and chats likewise. Each rule about keys strikes one of `keys` alone
/// with probability 1/2.
pub(in crate::harness) fn scenario(seed: u64, seconds: f64, bots: usize, chats: usize, keys: &[String]) -> Scenario {
    let mut rng = Rng::with_seed(seed ^ 0x00fa_0175);
    let whole_ms = (seconds.clamp(1.0, 86_400.0) * 1000.0) as u64;
    let until_ms = whole_ms * 5 / 6;
    let telegram = FaultKind::ALL.into_iter().flat_map(|kind| telegram_rules(kind, until_ms, &mut rng)).collect();
    let provider =
        ProviderFault::ALL.into_iter().flat_map(|kind| provider_rules(kind, keys, until_ms, &mut rng)).collect();
    let mut steps = steps(until_ms, bots.max(1), chats.max(1), &mut rng);
    steps.sort_by_key(|step| step.at_ms);
    Scenario {
        name: format!("random {seed}"),
        telegram: TelegramFaults { seed, rules: shuffled(telegram, &mut rng) },
        provider: ProviderFaults { seed, rules: shuffled(provider, &mut rng) },
        steps,
    }
}

/// Draws the same scenario as [`scenario`], and adds the steps and pauses of [`wide`].
pub(super) fn wide_scenario(seed: u64, seconds: f64, bots: usize, chats: usize, keys: &[String]) -> Scenario {
    let mut drawn = scenario(seed, seconds, bots, chats, keys);
    let mut rng = Rng::with_seed(seed ^ 0x0001_d1de);
    let until_ms = (seconds.clamp(1.0, 86_400.0) * 1000.0) as u64 * 5 / 6;
    drawn.telegram.rules.extend(wide::silly_pauses(until_ms, &mut rng));
    drawn.steps.extend(wide::steps(until_ms, bots.max(1), chats.max(1), &mut rng));
    drawn.steps.sort_by_key(|step| step.at_ms);
    drawn.name = format!("wide {seed}");
    drawn
}

fn shuffled<T>(mut rules: Vec<T>, rng: &mut Rng) -> Vec<T> {
    rng.shuffle(&mut rules);
    rules
}

/// Draws one or two windows, each 4 to 12 % of the time long and at least 200 ms.
fn windows(until_ms: u64, rng: &mut Rng) -> Vec<(u64, u64)> {
    (0..rng.u64(1..=2))
        .map(|_| {
            let length = (until_ms * rng.u64(4..=12) / 100).max(200);
            let from = rng.u64(0..=until_ms.saturating_sub(length));
            (from, from + length)
        })
        .collect()
}

fn telegram_rules(kind: FaultKind, until_ms: u64, rng: &mut Rng) -> Vec<FaultRule> {
    let windows = windows(until_ms, rng);
    let make = |(from_ms, to_ms): (u64, u64)| {
        let mut rule = FaultRule {
            from_ms,
            until_ms: Some(to_ms),
            probability: 0.15 + 0.45 * rng.f64(),
            for_ms: Some(rng.u64(500..7000)),
            retry_after: Some(rng.u64(1..=3)),
            ..FaultRule::always(kind)
        };
        if kind.is_of_webhooks() {
            return rule;
        }
        if kind == FaultKind::UnknownUpdate {
            // A poll queues such an update now and then; more would flood the queue.
            rule.probability = 0.1;
            return rule.on("getupdates");
        }
        // Half of the rules are about sends alone, because sends matter most.
        match rng.u32(0..6) {
            0..3 => rule.on(METHODS[0]),
            3 => rule.on(METHODS[1]),
            4 => rule.on(METHODS[2]),
            _ => rule,
        }
    };
    windows.into_iter().map(make).collect()
}

fn provider_rules(kind: ProviderFault, keys: &[String], until_ms: u64, rng: &mut Rng) -> Vec<ProviderRule> {
    let is_of_keys =
        matches!(kind, ProviderFault::RevokedKey | ProviderFault::QuotaExhausted | ProviderFault::TooManyRequests);
    let windows = windows(until_ms, rng);
    let make = |(from_ms, to_ms)| ProviderRule {
        from_ms: Some(from_ms),
        until_ms: Some(to_ms),
        probability: 0.15 + 0.45 * rng.f64(),
        for_ms: Some(rng.u64(300..4000)),
        retry_after: rng.bool().then(|| rng.u64(1..=2)),
        keys: if is_of_keys && !keys.is_empty() && rng.bool() {
            vec![keys[rng.usize(0..keys.len())].clone()]
        } else {
            Vec::new()
        },
        ..ProviderRule::always(kind)
    };
    windows.into_iter().map(make).collect()
}

fn steps(until_ms: u64, bots: usize, chats: usize, rng: &mut Rng) -> Vec<Step> {
    let rounds = until_ms.div_ceil(PER_STEPS_MS).max(1);
    let mut steps = Vec::new();
    let mut at = |from: u64, to: u64, action: Action, rng: &mut Rng| {
        let at_ms = rng.u64(until_ms * from / 100..=until_ms * to / 100);
        steps.push(Step { at_ms, action });
        at_ms
    };
    for _ in 0..rounds {
        for _ in 0..rng.u32(1..=2) {
            at(10, 95, Action::Kill, rng);
        }
        for _ in 0..rng.u32(1..=3) {
            let for_ms = rng.u64(300..=3000);
            at(10, 90, Action::Pause { for_ms }, rng);
        }
    }
    // A token or a membership that is taken away is given back before the SIGTERM.
    let (revoked, kicked) = (rng.usize(0..bots), rng.usize(0..bots));
    at(10, 35, Action::RevokeToken { bot: revoked }, rng);
    at(45, 60, Action::RestoreToken { bot: revoked }, rng);
    at(10, 35, Action::Kick { bot: kicked }, rng);
    at(45, 60, Action::Readd { bot: kicked }, rng);
    at(70, 90, Action::Terminate, rng);
    for _ in 0..2 {
        let moved = rng.usize(0..bots);
        at(15, 60, Action::ToWebhook { bot: moved }, rng);
        at(60, 95, Action::ToPolling { bot: moved }, rng);
    }
    for _ in 0..3 {
        at(5, 95, Action::Edit { chat: rng.usize(0..chats) }, rng);
        at(5, 95, Action::Delete { chat: rng.usize(0..chats) }, rng);
    }
    steps
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_scenario_and_another_seed_another() {
        assert_eq!(scenario(7, 20.0, 12, 5, &[]), scenario(7, 20.0, 12, 5, &[]));
        assert_ne!(scenario(7, 20.0, 12, 5, &[]), scenario(8, 20.0, 12, 5, &[]));
    }

    #[test]
    fn every_kind_of_fault_is_in_it_and_the_end_is_quiet() {
        for seed in 0..50 {
            let drawn = scenario(seed, 20.0, 12, 5, &[]);
            drawn.check().unwrap();
            let telegram: BTreeSet<_> = drawn.telegram.rules.iter().map(|rule| rule.what).collect();
            let provider: BTreeSet<_> = drawn.provider.rules.iter().map(|rule| rule.what).collect();
            assert_eq!((telegram.len(), provider.len()), (FaultKind::ALL.len(), ProviderFault::ALL.len()));
            let last = drawn.telegram.rules.iter().map(|rule| rule.until_ms.unwrap()).max().unwrap();
            assert!(last <= 17_000, "{last}");
            assert!(drawn.provider.rules.iter().all(|rule| rule.until_ms.unwrap() <= 17_000));
            assert!(drawn.steps.iter().all(|step| step.at_ms <= 17_000));
            assert!(drawn.steps.iter().any(|step| step.action == Action::Kill));
        }
    }
}
