//! Draws the faults of a chaos run and their times from a seed. Layer: harness; pure.
//!
//! No fault begins in the last fifth of a run. At most half of the nodes, rounded up, are struck at the same time, so
//! that others can take over; an outage of the database or of Redis strikes all nodes.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::servers::proxy::{Mode, Way};

/// The link of a node that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The link to PostgreSQL.
    Database,
    /// The link to Redis.
    Redis,
    /// The link to Telegram.
    Telegram,
}

/// The way in which a link fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Connections are refused and reset.
    Refused,
    /// Bytes in both directions are lost.
    Silent,
    /// Bytes from the node are lost.
    Mute,
    /// Bytes to the node are lost.
    Deaf,
    /// Bytes from the node arrive late.
    Late,
}

impl Cut {
    /// Returns the proxy mode of the cut.
    pub fn mode(self) -> Mode {
        match self {
            Self::Refused => Mode::Refuse,
            Self::Silent => Mode::BlackHole(Way::Both),
            Self::Mute => Mode::BlackHole(Way::ToServer),
            Self::Deaf => Mode::BlackHole(Way::ToClient),
            Self::Late => Mode::Hold(Way::ToServer),
        }
    }
}

/// One fault of the chaos run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are nodes by their place, and milliseconds")]
pub enum Fault {
    /// A worker is killed; its launcher lives and sees the end.
    KillWorker { node: usize },
    /// Launcher and worker are killed; the node is started again after a while.
    KillAll { node: usize, for_ms: u64 },
    /// A worker is stopped by SIGSTOP for a while.
    Freeze { node: usize, for_ms: u64 },
    /// A link fails for a while.
    Partition { node: usize, link: Link, cut: Cut, for_ms: u64 },
    /// All published messages of Redis are lost for a while, while Redis answers.
    HintsLost { for_ms: u64 },
    /// Redis is killed, and started again empty.
    RedisRestart { for_ms: u64 },
    /// Redis forgets everything.
    FlushAll,
    /// PostgreSQL is killed with all its processes, and started again.
    DatabaseCrash { for_ms: u64 },
    /// PostgreSQL is stopped by SIGSTOP for a while.
    DatabaseFreeze { for_ms: u64 },
    /// The wall clock of the first node jumps, where libfaketime allows that.
    ClockJump { seconds: i64 },
    /// All nodes are restarted by SIGTERM, one after the other.
    RollingRestart,
    /// Nodes are added or ended until there are this many.
    Scale { nodes: usize },
}

impl Fault {
    /// Returns the name of the fault in reports.
    pub fn name(&self) -> String {
        match self {
            Self::KillWorker { .. } => "kill worker".into(),
            Self::KillAll { .. } => "kill launcher and worker".into(),
            Self::Freeze { .. } => "freeze".into(),
            Self::Partition { link, cut, .. } => format!("{link:?} {cut:?}").to_lowercase(),
            Self::HintsLost { .. } => "hints lost".into(),
            Self::RedisRestart { .. } => "redis restart".into(),
            Self::FlushAll => "flushall".into(),
            Self::DatabaseCrash { .. } => "database crash".into(),
            Self::DatabaseFreeze { .. } => "database freeze".into(),
            Self::ClockJump { .. } => "clock jump".into(),
            Self::RollingRestart => "rolling restart".into(),
            Self::Scale { .. } => "scale".into(),
        }
    }
}

/// A fault and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The time of the fault, in milliseconds since the run began.
    pub at_ms: u64,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
}

/// Returns the steps of a run in the order of their times; lasting faults may overlap.
pub fn schedule(seed: u64, length_ms: u64, nodes: usize, long: bool) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6b6f_6e67);
    let until = length_ms * 4 / 5;
    let mut faults = short_faults(nodes, long, &mut rng);
    // The seed decides on a fault of the whole fleet: a rolling restart, scaling, or a frozen database.
    match seed % 3 {
        0 => faults.push(Fault::RollingRestart),
        1 => faults.extend([Fault::Scale { nodes: 2 }, Fault::Scale { nodes: 6 }, Fault::Scale { nodes: 3 }]),
        _ => faults.extend([Fault::DatabaseFreeze { for_ms: duration(&mut rng, long) }]),
    }
    let is_scale = |fault: &Fault| matches!(fault, Fault::Scale { .. });
    let scales: Vec<Fault> = faults.iter().copied().filter(is_scale).collect();
    faults.retain(|fault| !is_scale(fault));
    rng.shuffle(&mut faults);
    // Scaling keeps its order: 2, 6, 3.
    for (place, scale) in scales.into_iter().enumerate() {
        let at = (place + 1) * faults.len() / 4;
        faults.insert(at.min(faults.len()), scale);
    }
    let between = until / (faults.len() as u64).max(1);
    faults
        .into_iter()
        .enumerate()
        .map(|(place, fault)| Step { at_ms: between * place as u64 + rng.u64(0..=between / 2), fault })
        .collect()
}

fn duration(rng: &mut Rng, long: bool) -> u64 {
    if long { rng.u64(15_000..=30_000) } else { rng.u64(500..=6_000) }
}

fn short_faults(nodes: usize, long: bool, rng: &mut Rng) -> Vec<Fault> {
    let node = |rng: &mut Rng| rng.usize(0..nodes.max(1));
    let cuts = [Cut::Refused, Cut::Silent, Cut::Mute, Cut::Deaf, Cut::Late];
    let mut faults = vec![
        Fault::KillWorker { node: node(rng) },
        Fault::KillWorker { node: node(rng) },
        Fault::KillAll { node: node(rng), for_ms: duration(rng, false) },
        Fault::Freeze { node: node(rng), for_ms: rng.u64(1_000..=2_500) },
        Fault::Freeze { node: node(rng), for_ms: if long { 30_000 } else { rng.u64(3_500..=8_000) } },
        Fault::HintsLost { for_ms: duration(rng, long) },
        Fault::RedisRestart { for_ms: duration(rng, false) },
        Fault::FlushAll,
        Fault::DatabaseCrash { for_ms: rng.u64(100..=1_500) },
        Fault::ClockJump { seconds: rng.choice([-86_400, -3_600, -30, 45, 3_600, 86_400]).unwrap_or(3_600) },
    ];
    for link in [Link::Database, Link::Database, Link::Redis, Link::Telegram] {
        // Late bytes to Telegram would be sends that their sender has given up: only links to the database are held.
        let most = if link == Link::Database { cuts.len() } else { cuts.len() - 1 };
        let cut = cuts[rng.usize(0..most)];
        faults.push(Fault::Partition { node: node(rng), link, cut, for_ms: duration(rng, long) });
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_schedule_and_every_kind_comes_in_three_seeds() {
        assert_eq!(schedule(5, 45_000, 4, false), schedule(5, 45_000, 4, false));
        let mut names = std::collections::BTreeSet::new();
        for seed in 1..=3 {
            let steps = schedule(seed, 45_000, 5, false);
            assert!(steps.iter().all(|step| step.at_ms <= 36_000), "{steps:?}");
            assert!(steps.is_sorted_by_key(|step| step.at_ms), "{steps:?}");
            names.extend(steps.iter().map(|step| step.fault.name().split(' ').next().unwrap_or_default().to_owned()));
        }
        for name in
            ["kill", "freeze", "hints", "redis", "flushall", "database", "clock", "rolling", "scale", "telegram"]
        {
            assert!(names.contains(name), "{name}: {names:?}");
        }
    }

    #[test]
    fn scaling_keeps_its_order_and_long_faults_last_up_to_half_a_minute() {
        let scales: Vec<usize> = schedule(4, 120_000, 5, true)
            .iter()
            .filter_map(|step| if let Fault::Scale { nodes } = step.fault { Some(nodes) } else { None })
            .collect();
        assert_eq!(scales, [2, 6, 3]);
        let freezes = schedule(4, 120_000, 5, true);
        let longest =
            freezes.iter().filter_map(|s| if let Fault::Freeze { for_ms, .. } = s.fault { Some(for_ms) } else { None });
        assert_eq!(longest.max(), Some(30_000));
    }
}
