//! Defines the arguments of `faults`, and the simulation and options made from them. Layer: harness.

use std::path::PathBuf;
use std::time::Duration;

use botfleet_world::provider::ProviderSpec;
use botfleet_world::provider::spec::{Latency, Mode};
use botfleet_world::simulation::SimulationSpec;
use botfleet_world::world::limits::LimitSpec;
use botfleet_world::world::spec::{ChatKind, WorldSpec};
use clap::Args;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::harness::args::SendLatency;
use crate::harness::files::{ProductOptions, ProviderOptions, Synchronous, lay_over};

/// The provider that bots fall back to.
const SPARE: &str = "spare";
/// The API keys of each provider.
const KEYS: [&str; 3] = ["sk-one", "sk-two", "sk-three"];
/// One bot in this many is in a second chat too.
const IN_TWO_CHATS: usize = 3;

/// The command-line arguments of `faults`.
#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct FaultsArgs {
    /// The product's program; without it, the one beside this program or under target.
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// The seed of every random draw: faults, kills and everything else.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Runs many seeds instead, from the first to the last.
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with_all = ["seed", "scenario"])]
    pub seeds: Option<Seeds>,
    /// How many seeds run at the same time.
    #[arg(long, default_value_t = 1, requires = "seeds")]
    pub jobs: usize,
    /// How many seconds faults are injected.
    #[arg(long, default_value_t = 20.0)]
    pub seconds: f64,
    /// The range of troubles: `wide` adds late copies, odd and old messages, closed chats, topics, albums, live
    /// locations and absurd pauses.
    #[arg(long, value_enum, default_value_t = Imagination::Wide)]
    pub imagination: Imagination,
    /// Runs a scenario from a file instead of a random one.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// A file to which each seed's result is appended as a line of JSON; seeds that the file already holds for the same
    /// commit and length are skipped.
    #[arg(long, value_name = "FILE")]
    pub append: Option<PathBuf>,
    /// The commit under test, for the file; without it, the one that git names.
    #[arg(long)]
    pub commit: Option<String>,
    /// How many bots the fleet has.
    #[arg(long, default_value_t = 12)]
    pub bots: usize,
    /// How many chats.
    #[arg(long, default_value_t = 5)]
    pub chats: usize,
    /// Messages of people a second, over all chats.
    #[arg(long, default_value_t = 2.0)]
    pub rate: f64,
    /// How many bots begin with webhooks; 0 leaves webhooks unconfigured.
    #[arg(long, default_value_t = 4)]
    pub webhooks: usize,
    /// Gives each provider one key, and the product no settings for refused keys and first tokens.
    #[arg(long)]
    pub no_pools: bool,
    /// Leaves the limiters of the simulated Telegram off.
    #[arg(long)]
    pub no_limits: bool,
    /// How many seconds the fleet may take to come to rest after everything healed.
    #[arg(long, default_value_t = 60)]
    pub settle_seconds: u64,
    /// The durability of the product's commits.
    #[arg(long, value_enum, default_value_t = Synchronous::Full)]
    pub synchronous: Synchronous,
    /// The folder of the run, which is kept; without it, a temporary one that is removed after a clean run.
    #[arg(long, value_name = "PATH", conflicts_with = "seeds")]
    pub dir: Option<PathBuf>,
    /// Keeps the folder of a clean run too.
    #[arg(long)]
    pub keep: bool,
    /// The product's log level; the log is product.log in the folder.
    #[arg(long, default_value = "warn", value_name = "LEVEL")]
    pub product_log: String,
    /// Prints JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// The range of troubles in the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Imagination {
    /// Faults of Telegram and providers, kills, pauses, tokens, members.
    #[default]
    Classic,
    /// All of `Classic`, and troubles that strangers reported.
    Wide,
}

impl Imagination {
    /// Returns the name of the range on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Wide => "wide",
        }
    }
}

/// Seeds from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    /// The first seed.
    pub first: u64,
    /// The last seed.
    pub last: u64,
}

/// Reads `A..B`.
pub(in crate::harness) fn seeds(text: &str) -> Result<Seeds, String> {
    let wrong = || format!("{text:?} is not two numbers such as 1..200");
    let (first, last) = text.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| text.trim_start_matches('=').parse::<u64>().map_err(|_| wrong());
    let seeds = Seeds { first: number(first)?, last: number(last)? };
    if seeds.first > seeds.last { Err(wrong()) } else { Ok(seeds) }
}

impl FaultsArgs {
    /// Returns the arguments that tests run: one seed with the classic faults, and defaults for all that is not given.
    pub fn of(binary: Option<PathBuf>, seed: u64, seconds: f64) -> Self {
        Self {
            binary,
            seed,
            seeds: None,
            jobs: 1,
            seconds,
            imagination: Imagination::Classic,
            scenario: None,
            append: None,
            commit: None,
            bots: 12,
            chats: 5,
            rate: 2.0,
            webhooks: 4,
            no_pools: false,
            no_limits: false,
            settle_seconds: 60,
            synchronous: Synchronous::Full,
            dir: None,
            keep: false,
            product_log: "warn".into(),
            json: false,
        }
    }

    /// Returns the keys that faults may strike one by one; empty if each provider has only one.
    pub(super) fn keys(&self) -> Vec<String> {
        if self.no_pools { Vec::new() } else { KEYS.map(str::to_owned).into() }
    }

    /// Returns the world and its two providers.
    pub(super) fn simulation(&self) -> SimulationSpec {
        let mut world = WorldSpec {
            send_latency: SendLatency::Realistic.latency(),
            limits: (!self.no_limits).then(LimitSpec::default),
            ..WorldSpec::fleet(self.seed, self.bots, self.chats)
        };
        let chats = world.chats.len();
        for (index, bot) in world.bots.iter().enumerate().step_by(IN_TWO_CHATS) {
            let second = &mut world.chats[(index + 1) % chats].bots;
            if !second.contains(&bot.id) {
                second.push(bot.id);
            }
        }
        if self.imagination == Imagination::Wide
            && let Some(last) = world.chats.last_mut()
        {
            last.kind = ChatKind::Forum;
        }
        let latency = Latency { median: Duration::from_millis(150), sigma: 0.5 };
        let provider = ProviderSpec { seed: self.seed, latency, mode: Mode::EchoMarker, ..ProviderSpec::default() };
        let providers = [(SPARE.to_owned(), provider.clone())].into();
        SimulationSpec { provider, providers, ..SimulationSpec::of(world) }
    }

    /// Returns options with timeouts so short that 20 s show what an hour would; webhooks arrive at the given port.
    ///
    /// A Telegram call may take longer than the longest pause of a random scenario: otherwise each pause would leave
    /// calls with unknown outcome that the simulator never saw.
    pub(super) fn options(&self, webhook_port: Option<u16>) -> ProductOptions {
        let mut settings = toml::toml! {
            [telegram]
            connect_timeout = "1s"
            request_timeout = "4s"
            poll_margin = "2s"
            breaker_open_for = "1s"

            [fleet.restart.backoff]
            first = "50ms"
            max = "500ms"

            [bots]
            sends_per_second = 30
            sends_per_chat_per_minute = 20
            shut_retry = "1s"
        };
        if let Some(port) = webhook_port {
            let address = format!("127.0.0.1:{port}");
            let mut webhooks = Table::new();
            webhooks.insert("public_url".into(), format!("http://{address}").into());
            webhooks.insert("listen".into(), address.into());
            lay_over(&mut settings, Table::from_iter([("webhooks".to_owned(), webhooks.into())]));
        }
        let mut hasty = toml::toml! {
            timeout = "2s"
            breaker = { failures = 5, open_for = "1s" }
        };
        let mut providers = [ProviderOptions::main(), ProviderOptions::further(SPARE)];
        if !self.no_pools {
            // A refused key is tried again soon: a key that healed must be seen to heal.
            let of_pools = toml::toml! {
                first_token_timeout = "1500ms"
                refused_key_pause = "1s"
            };
            lay_over(&mut hasty, of_pools);
            for provider in &mut providers {
                provider.keys = self.keys();
            }
        }
        ProductOptions {
            synchronous: self.synchronous,
            poll_timeout_s: 5,
            turns_in_flight: 8,
            log_level: self.product_log.clone(),
            providers: providers.into_iter().map(|provider| provider.saying(hasty.clone())).collect(),
            models: vec![vec!["sim".into(), SPARE.into()]],
            settings,
            ..ProductOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_two_numbers_in_order() {
        assert_eq!(seeds("1..200"), Ok(Seeds { first: 1, last: 200 }));
        assert_eq!(seeds("3..=3"), Ok(Seeds { first: 3, last: 3 }));
        assert!(seeds("9..3").is_err() && seeds("9").is_err() && seeds("a..b").is_err());
    }

    #[test]
    fn the_world_is_sound_and_some_bots_are_in_two_chats() {
        let world = FaultsArgs::of(None, 3, 20.0).simulation().world;
        assert_eq!(world.check(), Ok(()));
        let places: usize = world.chats.iter().map(|chat| chat.bots.len()).sum();
        assert_eq!(places, 16);
    }
}
