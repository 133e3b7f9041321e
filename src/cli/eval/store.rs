//! `botfleet eval store`: the store alone, without actors and sockets: how long commits of one operation, of eight and of
//! sixty-four take, by kind, and how long reads take. Layer `cli`.
//!
//! One task commits, as the fleet's own does: a batch is a commit. The operations are those of messages that people write
//! and bots answer; `mixed` holds them in the order in which they come.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::ids::{Number, TelegramUserId};
use botfleet_actors::ports::outcomes::OutcomeCursor;
use clap::Args;
use serde::Serialize;

use super::life::{Fleet, Life};
use super::place::Place;
use crate::cli::check::table;
use crate::store::settings::{Backend, Synchronous};
use crate::store::sizes::Measured;

/// The bytes of a flush that is measured for comparison, and how many there are.
const FLUSHED: [u8; 4096] = [b'x'; 4096];
const FLUSHES: u32 = 100;
/// Messages that are in the store before reads are measured.
const READ_AFTER: usize = 2_000;
/// The number of kinds of operations, `mixed` included.
const KINDS: usize = 8;

/// Arguments of `botfleet eval store`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet eval store                                        SQLite, in a temporary folder
  BOTFLEET__STORE__URL=env:STORE_URL botfleet eval store --store postgres    fills an empty database of its own
  botfleet eval store --batches 1,8,64 --seconds 2 --json")]
pub struct StoreArgs {
    /// The store.
    #[command(flatten)]
    pub place: Place,
    /// The folder of SQLite's file, on the disk to measure; without it, the folder for temporary files.
    #[arg(long, value_name = "PATH")]
    pub dir: Option<std::path::PathBuf>,
    /// Operations in a commit.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64], value_parser = clap::value_parser!(u64).range(1..=4_096))]
    pub batches: Vec<u64>,
    /// How long each size of batch is measured, in seconds, over all kinds.
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Bots, each in a chat of its own.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub bots: u64,
    /// Seed of the dice.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Writes one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// The time of calls of one kind.
#[derive(Debug, Serialize)]
struct Row {
    /// The kind of operation, or the read.
    call: &'static str,
    /// Operations in a commit; 1 for reads.
    batch: usize,
    /// The number of calls.
    calls: usize,
    /// Calls a second while calls were made.
    calls_per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    store: &'static str,
    bots: u64,
    commits: Vec<Row>,
    reads: Vec<Row>,
    /// A flush of 4 KiB to the same disk.
    fdatasync: Option<Row>,
}

/// Runs the command.
///
/// # Errors
/// When the store does not open or fails.
pub async fn execute(args: &StoreArgs) -> anyhow::Result<ExitCode> {
    if !(args.seconds > 0.0 && args.seconds <= 3_600.0) {
        bail!("--seconds is more than 0 and at most 3600");
    }
    let folder = args.dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = folder.join(format!("botfleet-store-{}", std::process::id()));
    let measured = measure(args, &folder).await;
    let _ = std::fs::remove_dir_all(&folder);
    let report = measured?;
    let text = if args.json { format!("{}\n", serde_json::to_string(&report)?) } else { report.to_text() };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn measure(args: &StoreArgs, folder: &Path) -> anyhow::Result<Report> {
    let store = args.place.open(&folder.join("store.db"), Synchronous::Full).await?;
    let fleet = Fleet { bots: args.bots, members: 1, rate: 0.0, answered: 1, unlucky: 0, seed: args.seed };
    let mut life = Life::begin(Arc::clone(&store), fleet).await?;
    let mut commits = Vec::new();
    for batch in &args.batches {
        let lasts = Duration::from_secs_f64(args.seconds);
        commits.extend(commits_of(&mut life, *batch as usize, lasts).await?);
    }
    while (life.messages as usize) < READ_AFTER {
        let batch = (0..life.rooms.len()).flat_map(|place| life.one(place)).collect();
        life.commit(batch).await?;
    }
    let reads = reads(&*store, &life).await?;
    store.close().await?;
    let fdatasync = (args.place.store == Backend::Sqlite).then(|| flushes(folder)).transpose()?;
    let store = if args.place.store == Backend::Sqlite { "sqlite" } else { "postgres" };
    Ok(Report { store, bots: args.bots, commits, reads, fdatasync })
}

/// Returns the place of an operation among the kinds, and the kind's name.
fn kind(operation: &Operation) -> Option<(usize, &'static str)> {
    Some(match operation {
        Operation::Ingest(_) => (0, "ingest"),
        Operation::Advance(step) if step.decisions.is_empty() => (6, "advance, own"),
        Operation::Advance(_) => (1, "advance"),
        Operation::Claim(_) => (2, "claim"),
        Operation::Finish(_) => (3, "finish"),
        Operation::Begin(_) => (4, "begin"),
        Operation::Settle(_) => (5, "settle"),
        _ => return None,
    })
}

/// Commits the ways of messages in batches: half of the time kind by kind, and half of the time mixed.
async fn commits_of(life: &mut Life, batch: usize, lasts: Duration) -> anyhow::Result<Vec<Row>> {
    let mut took: [(&'static str, Vec<Duration>); KINDS] = std::array::from_fn(|_| ("", Vec::new()));
    let chats = life.rooms.len();
    let mut next = 0;
    let began = Instant::now();
    while began.elapsed() < lasts {
        let mut ways: Vec<Operation> = Vec::new();
        for _ in 0..batch {
            ways.extend(life.one(next % chats));
            next += 1;
        }
        if began.elapsed() > lasts / 2 {
            took[KINDS - 1].0 = "mixed";
            while !ways.is_empty() {
                let rest = ways.split_off(batch.min(ways.len()));
                let whole = ways.len() == batch;
                let time = timed(life, std::mem::replace(&mut ways, rest)).await?;
                took[KINDS - 1].1.extend(whole.then_some(time));
            }
            continue;
        }
        let mut by_kind: [Vec<Operation>; KINDS] = std::array::from_fn(|_| Vec::new());
        for operation in ways {
            let Some((place, name)) = kind(&operation) else { bail!("an operation without a kind") };
            took[place].0 = name;
            by_kind[place].push(operation);
        }
        for (operations, (_, times)) in by_kind.into_iter().zip(&mut took).filter(|(some, _)| !some.is_empty()) {
            times.push(timed(life, operations).await?);
        }
    }
    Ok(took.into_iter().filter_map(|(call, times)| row(call, batch, times)).collect())
}

async fn timed(life: &Life, batch: Vec<Operation>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    life.commit(batch).await?;
    Ok(began.elapsed())
}

/// Measures the reads of a running fleet.
async fn reads(store: &dyn Measured, life: &Life) -> anyhow::Result<Vec<Row>> {
    const RUNS: usize = 200;
    let room = &life.rooms[0];
    let (chat, bot, upto, now) = (room.chat, room.bots[0], Number(room.number), life.now);
    let person = TelegramUserId(500_000_000 + chat.0 * 1_000 + 1);
    let mut rows = Vec::new();
    macro_rules! read {
        ($($call:ident($($value:expr),*);)+) => {$(
            let mut times = Vec::with_capacity(RUNS);
            for _ in 0..RUNS {
                let began = Instant::now();
                store.$call($($value),*).await?;
                times.push(began.elapsed());
            }
            rows.extend(row(stringify!($call), 1, times));
        )+};
    }
    read! {
        next_offset(bot);
        chat_memory(chat, 40);
        conversation(chat, upto, 40);
        transcript(chat, upto, 40);
        unhandled(chat, 100);
        queued_turns(bot, 20);
        queued_talk(bot, 20, 40, &[]);
        waiting_messages(bot, 20);
        said_lately(bot, 20);
        backlog(now);
        depths();
        person(person);
        roster();
        outcomes(OutcomeCursor::default(), 100);
    }
    Ok(rows)
}

fn flushes(folder: &Path) -> anyhow::Result<Row> {
    let mut file = std::fs::File::create(folder.join("flush"))?;
    let mut times = Vec::new();
    for _ in 0..FLUSHES {
        file.write_all(&FLUSHED)?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    row("fdatasync", 1, times).ok_or_else(|| anyhow::anyhow!("nothing was flushed"))
}

/// Sums up the times of one kind; `None` without any.
fn row(call: &'static str, batch: usize, mut times: Vec<Duration>) -> Option<Row> {
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied();
    let whole: Duration = times.iter().sum();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    Some(Row {
        call,
        batch,
        calls: times.len(),
        calls_per_second: times.len() as f64 / whole.as_secs_f64().max(f64::MIN_POSITIVE),
        p50_us: micros(at(0.5)?),
        p99_us: micros(at(0.99)?),
    })
}

impl Report {
    fn to_text(&self) -> String {
        let heads = ["call", "batch", "calls", "calls/s", "operations/s", "p50 us", "p99 us"];
        let line = |row: &Row| {
            vec![
                row.call.to_owned(),
                row.batch.to_string(),
                row.calls.to_string(),
                format!("{:.0}", row.calls_per_second),
                format!("{:.0}", row.calls_per_second * row.batch as f64),
                format!("{:.0}", row.p50_us),
                format!("{:.0}", row.p99_us),
            ]
        };
        let rows = |rows: &[Row]| rows.iter().map(line).collect::<Vec<_>>();
        let mut text = table(&format!("Commits, {} with {} bots", self.store, self.bots), &heads, &rows(&self.commits));
        text.push_str(&table("Reads", &heads, &rows(&self.reads)));
        if let Some(flush) = &self.fdatasync {
            let _ = writeln!(text, "A flush of 4 KiB: p50 {:.0} us, p99 {:.0} us.", flush.p50_us, flush.p99_us);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let row = row("x", 1, (1..=200).rev().map(Duration::from_micros).collect()).unwrap();
        assert!((row.p50_us - 100.0).abs() < 1e-6 && (row.p99_us - 198.0).abs() < 1e-6, "{row:?}");
        assert!(super::row("x", 1, Vec::new()).is_none());
    }

    #[tokio::test]
    async fn each_kind_is_measured_by_batches_and_every_read_is() {
        let folder = std::env::temp_dir().join(format!("botfleet-eval-store-{}", std::process::id()));
        let args = StoreArgs {
            place: Place { store: Backend::Sqlite, profile: None, config: None },
            dir: None,
            batches: vec![1, 3],
            seconds: 0.3,
            bots: 4,
            seed: 1,
            json: false,
        };
        let report = measure(&args, &folder).await.unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(report.commits.len(), 2 * KINDS, "{:?}", report.commits);
        assert!(report.reads.len() > 10 && report.fdatasync.is_some());
    }
}
