//! What fails when, out of a seed. Layer: harness; pure.
//!
//! The last fifth of a run is quiet but for what still lasts. At most half of the nodes are struck at the same time, so
//! that somebody is left to take over; a database or a Redis that is away strikes all.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::servers::proxy::{Mode, Way};

/// Which of a node's links fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// To PostgreSQL.
    Database,
    /// To Redis.
    Redis,
    /// To Telegram.
    Telegram,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Connections are refused and reset.
    Refused,
    /// Both ways are silent.
    Silent,
    /// What the node says is lost.
    Mute,
    /// What the node should hear is lost.
    Deaf,
    /// What the node says arrives late.
    Late,
}

impl Cut {
    /// What the link does.
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

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are nodes by their place, and milliseconds")]
pub enum Fault {
    /// A worker is killed; its launcher sees it.
    KillWorker { node: usize },
    /// Launcher and worker are killed; the node is started again after a while.
    KillAll { node: usize, for_ms: u64 },
    /// A worker is stopped where it is, for a while.
    Freeze { node: usize, for_ms: u64 },
    /// A link fails for a while.
    Partition { node: usize, link: Link, cut: Cut, for_ms: u64 },
    /// All messages of Redis are lost for a while, though it answers.
    HintsLost { for_ms: u64 },
    /// Redis is killed, and started again empty.
    RedisRestart { for_ms: u64 },
    /// Redis forgets everything.
    FlushAll,
    /// PostgreSQL is killed with all its processes, and started again.
    DatabaseCrash { for_ms: u64 },
    /// PostgreSQL is stopped where it is, for a while.
    DatabaseFreeze { for_ms: u64 },
    /// The wall clock of the node that can have one jumps.
    ClockJump { seconds: i64 },
    /// All nodes are restarted by SIGTERM, one after the other.
    RollingRestart,
    /// Nodes are added or ended until there are so many.
    Scale { nodes: usize },
}

impl Fault {
    /// Its name in reports.
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
    /// When, in milliseconds since the run began.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
}

/// The order of a run: one fault after the other, each begun when the one before has begun; some overlap.
pub fn schedule(seed: u64, length_ms: u64, nodes: usize, long: bool) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6b6f_6e67);
    let until = length_ms * 4 / 5;
    let mut faults = short_faults(nodes, long, &mut rng);
    // What takes the whole fleet goes by turns: each third seed restarts, each third scales.
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
        // Late bytes to Telegram are sends that their sender has given up: only TCP to the database is held.
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
