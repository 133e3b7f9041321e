//! `botfleet eval age`: a fleet's year, straight on a store and in virtual time, to see that size and costs level off
//! (I16). Layer `cli`.
//!
//! | file | holds |
//! |---|---|
//! | `costs` | what each call of the store costs |
//! | `verdict` | the bounds, the table and the JSON |

mod costs;
mod verdict;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::Kept;
use clap::Args;

use self::costs::Cost;
use self::verdict::{Look, Report};
use crate::cli::eval::life::{Fleet, Life};
use crate::cli::eval::place::Place;
use crate::store::settings::Synchronous;
use crate::store::sizes::Measured;

/// Arguments of `botfleet eval age`.
#[derive(Clone, Debug, Args)]
#[command(
    long_about = "Lives through a year of a fleet in virtual time, straight on a store: every hour it commits what the \
bots heard, decided and said, and does the fleet's housekeeping. At two days it measures the rows and bytes of each table \
and the cost of each call of the store. Exit code 1 when the size grows by more than 20 %, or a call's cost by more than \
30 %, beyond what the machine itself became slower or faster between the two days (the median of all calls).\n\nThe rate is scaled: of the messages that the fleet would hear, only a share is written (--scale). Size and cost \
level off at the same day whatever the share, since rows go by their age.",
    after_help = "\
Examples:
  botfleet eval age                                          SQLite, in a temporary folder
  BOTFLEET__STORE__URL=env:AGE_URL botfleet eval age --store postgres    fills an empty database of its own
  botfleet eval age --days 120 --looks 60,120 --json"
)]
pub struct AgeArgs {
    /// Days of virtual time.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u64).range(2..=3_650))]
    pub days: u64,
    /// Bots; ten are in each chat.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub bots: u64,
    /// Messages that each bot hears in an hour.
    #[arg(long, default_value_t = 10.0)]
    pub rate: f64,
    /// The share of the messages that is written.
    #[arg(long, default_value_t = 0.05)]
    pub scale: f64,
    /// The two days that are compared.
    #[arg(long, value_delimiter = ',', value_name = "DAY,DAY", default_values_t = [60, 365])]
    pub looks: Vec<u64>,
    /// The store.
    #[command(flatten)]
    pub place: Place,
    /// Seed of the dice.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Writes one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// The number of bots in a chat.
const MEMBERS: usize = 10;

impl AgeArgs {
    fn fleet(&self) -> Fleet {
        let rate = self.rate * self.scale;
        Fleet { bots: self.bots, members: MEMBERS, rate, answered: 2, unlucky: 200, seed: self.seed }
    }
}

/// The built-in times for which the fleet keeps rows.
const KEPT: Kept = Kept {
    handled: Duration::from_hours(72),
    decisions: Duration::from_hours(30 * 24),
    letters: Duration::from_hours(90 * 24),
};

/// Runs the command.
///
/// # Errors
/// When the arguments contradict each other, or the store does not open or fails.
pub async fn execute(args: &AgeArgs) -> anyhow::Result<ExitCode> {
    let &[first, last] = args.looks.as_slice() else { bail!("--looks names two days, as in --looks 60,365") };
    if first == 0 || first >= last || last > args.days {
        bail!("--looks {first},{last}: the first day comes before the second, which is at most --days {}", args.days);
    }
    if !(args.rate > 0.0 && args.scale > 0.0 && args.scale <= 1.0) {
        bail!("--rate is more than 0, and --scale more than 0 and at most 1");
    }
    let folder = std::env::temp_dir().join(format!("botfleet-age-{}", std::process::id()));
    let report = live(args, &folder, [first, last]).await;
    let _ = std::fs::remove_dir_all(&folder);
    report?.print()
}

async fn live<'a>(args: &'a AgeArgs, folder: &Path, days: [u64; 2]) -> anyhow::Result<Report<'a>> {
    let store = args.place.open(&folder.join("age.db"), Synchronous::Off).await?;
    let began = Instant::now();
    let mut life = Life::begin(Arc::clone(&store), args.fleet()).await?;
    let shows = std::io::stderr().is_terminal() && !args.json;
    let mut looks = Vec::new();
    for day in 1..=args.days {
        let mut hours = Vec::new();
        for _ in 0..24 {
            life.hour().await?;
            let began = Instant::now();
            housekeeping(&*store, life.now).await?;
            hours.push(began.elapsed());
        }
        store.vacuum().await?;
        if shows {
            crate::cli::output::tell(&format!("\rday {day} of {}", args.days));
        }
        if days.contains(&day) {
            let (tables, total) = store.sizes().await?;
            let mut costs = costs::measure(&*store, &mut life).await?;
            costs.push(Cost { call: "an hour's housekeeping", took: median(hours) });
            looks.push(Look { day, tables, total, costs });
        }
    }
    if shows {
        crate::cli::output::tell("\r                    \r");
    }
    store.close().await?;
    Ok(Report { args, messages: life.messages, looks, took: began.elapsed() })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Does what the fleet does every minute. Rows go in the same numbers, since each call takes all that are old.
async fn housekeeping(store: &dyn Measured, now: Timestamp) -> anyhow::Result<()> {
    store.expire(now).await?;
    store.expire_unspoken(now).await?;
    store.prune(now, &KEPT).await?;
    Ok(())
}
