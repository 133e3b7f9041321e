//! Measures the promises of a fleet of many nodes from the ledger. Layer: harness.
//!
//! | file | role |
//! |---|---|
//! | `args` | the flags that all figures share, and the fleet made from them |
//! | `figure` | rows, limits and the table |
//! | `failover` | time until bots are polled again after a node dies, freezes, or loses its database or Telegram |
//! | `handoff` | silence of each bot in planned moves with LLM turns in flight |
//! | `spread` | bots of each node, and moves at joins and leaves |
//! | `config` | time from a changed roster to the prompts of live actors |
//! | `outage` | Redis away, PostgreSQL away |
//! | `rolling` | a rolling restart under API load |
//! | `database` | the load of PostgreSQL at a rate of messages |
//! | `scale` | replies a second of 1, 2, 4 and 8 workers |

pub mod args;
pub mod config;
pub mod database;
pub mod failover;
pub mod figure;
pub mod handoff;
pub mod outage;
pub mod rolling;
pub mod scale;
pub mod spread;

use clap::Subcommand;

use self::args::FigureArgs;
use self::failover::Failure;
use self::figure::Figure;
use crate::harness::error::HarnessError;

/// The promise that is measured.
#[derive(Debug, Clone, Subcommand)]
pub enum ClusterFigure {
    /// A worker is killed: how long until each of its bots polls again.
    Crash(FigureArgs),
    /// A node loses its database: how long until others poll its bots.
    Partition(FigureArgs),
    /// A node alone loses Telegram: how long until others poll its bots.
    TelegramPartition(FigureArgs),
    /// A worker stands still: how long until others poll its bots.
    Freeze(FigureArgs),
    /// Launcher and worker are killed together: how long until others poll its bots.
    KillAll(FigureArgs),
    /// Nodes are drained, undrained and the fleet rebalanced with LLM turns in flight: how long bots are silent.
    Handoff(FigureArgs),
    /// Nodes join and leave: how even bots are spread, and how many move.
    Spread(FigureArgs),
    /// The roster changes: how long until live actors work by it, with hints and without.
    Config(FigureArgs),
    /// Redis is away: how much that adds to the latency of replies, and whether owners change.
    RedisAway(FigureArgs),
    /// PostgreSQL is stopped, and killed, for a while: how long after its return until all bots poll.
    DbReturn(FigureArgs),
    /// All nodes are restarted one after the other under API load: requests that fail.
    Rolling(FigureArgs),
    /// People post at a fixed rate: how much load that is for PostgreSQL.
    Db(FigureArgs),
    /// Replies a second of 1, 2, 4 and 8 workers.
    Scale(scale::ScaleArgs),
}

impl ClusterFigure {
    /// Returns whether JSON is wanted.
    pub fn json(&self) -> bool {
        match self {
            Self::Scale(args) => args.figure.json,
            Self::Crash(args)
            | Self::Partition(args)
            | Self::TelegramPartition(args)
            | Self::Freeze(args)
            | Self::KillAll(args)
            | Self::Handoff(args)
            | Self::Spread(args)
            | Self::Config(args)
            | Self::RedisAway(args)
            | Self::DbReturn(args)
            | Self::Rolling(args)
            | Self::Db(args) => args.json,
        }
    }

    /// Measures the promise.
    ///
    /// # Errors
    /// The run could not be completed.
    pub async fn run(&self) -> Result<Figure, HarnessError> {
        match self {
            Self::Crash(args) => failover::run(args, Failure::WorkerKilled).await,
            Self::Partition(args) => failover::run(args, Failure::DatabaseLost).await,
            Self::TelegramPartition(args) => failover::run(args, Failure::TelegramLost).await,
            Self::Freeze(args) => failover::run(args, Failure::Frozen).await,
            Self::KillAll(args) => failover::run(args, Failure::AllKilled).await,
            Self::Handoff(args) => handoff::run(args).await,
            Self::Spread(args) => spread::run(args).await,
            Self::Config(args) => config::run(args).await,
            Self::RedisAway(args) => outage::redis_away(args).await,
            Self::DbReturn(args) => outage::db_return(args).await,
            Self::Rolling(args) => rolling::run(args).await,
            Self::Db(args) => database::run(args).await,
            Self::Scale(args) => scale::run(args).await,
        }
    }
}
