//! Arguments of `botfleet eval soak`. Part of `cli`.

use clap::Args;

/// Arguments of `botfleet eval soak`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "\
Examples:
  botfleet eval soak                            one week of 200 bots in 20 chats
  botfleet eval soak --days 1 --seed 7 --json   a day of others, as one JSON object
  botfleet eval soak --days 1 --strategy lively --transcript day.jsonl

Nothing is sent: people, model and time are simulated, the engine is the one that runs the fleet.")]
pub struct SoakArgs {
    /// Days of virtual time.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub days: u64,
    /// Bots; each is in two chats.
    #[arg(long, default_value_t = 200, value_parser = in_range(2, 256))]
    pub bots: usize,
    /// Chats.
    #[arg(long, default_value_t = 20, value_parser = in_range(1, 100))]
    pub chats: usize,
    /// Average number of actions of people in a chat each minute while they are awake.
    #[arg(long, default_value_t = 0.3, value_parser = rate)]
    pub people_rate: f64,
    /// Built-in strategy of all chats.
    #[arg(long, default_value = "natural", value_parser = ["natural", "lively", "calm"])]
    pub strategy: String,
    /// Seed of everything.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Write every message as one JSON object a line into this file.
    #[arg(long, value_name = "FILE")]
    pub transcript: Option<std::path::PathBuf>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.0..=60.0).contains(&rate) { Ok(rate) } else { Err("write 0 to 60".to_owned()) }
}

fn in_range(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| {
        let number: usize = text.parse().map_err(|_| format!("{text:?} is no whole number"))?;
        if (least..=most).contains(&number) { Ok(number) } else { Err(format!("write {least} to {most}")) }
    }
}
