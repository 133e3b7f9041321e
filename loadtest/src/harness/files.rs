//! Writes the product's configuration, manifest and secrets for a world. Layer: harness.
//!
//! Everything that slows a conversation down on purpose is off: pacing, caps, limiters and loop physics, unless the
//! policy is [`ChatPolicy::BuiltIn`]. Durability stays on. Secrets are in files of their own that only their owner can read (I12).

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use botfleet_world::world::spec::{ChatSpec, WorldSpec};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::error::HarnessError;

/// The folder of the secrets, beside the manifest.
const SECRETS: &str = "secrets";

/// The local socket, beside the database of an embedded store.
const SOCKET: &str = "botfleet.sock";

/// How far a commit of the product must get on its way to the disk before the commit counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synchronous {
    /// The commit is on the disk.
    #[default]
    Full,
    /// The kernel has the commit.
    Normal,
    /// The kernel has the commit; commits may reach the disk in any order.
    Off,
}

impl Synchronous {
    /// Returns the word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
            Self::Off => "off",
        }
    }
}

/// Which bots answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatPolicy {
    /// Every bot answers every message of a person.
    Every,
    /// Bots answer as people would.
    Natural,
    /// Bots answer by the product's built-in settings and manifest defaults, guards and pacing included.
    BuiltIn,
}

/// One provider of the product, served by the simulation.
#[derive(Debug, Clone)]
pub struct ProviderOptions {
    /// The provider's name in the manifest.
    pub name: String,
    /// The path under which the simulation serves the provider: `/v1`, or `/p/<name>/v1`.
    pub path: String,
    /// The provider's API keys; more than one make a pool.
    pub keys: Vec<String>,
    /// Further settings of the provider's entry in the manifest, laid over those that the harness writes.
    pub entry: Table,
}

impl ProviderOptions {
    /// Returns the provider under `/v1`.
    pub fn main() -> Self {
        Self { name: "sim".into(), path: "/v1".into(), keys: vec!["sk-simulated".into()], entry: Table::new() }
    }

    /// Returns a further provider of the simulation, by the name that it has there.
    pub fn further(name: &str) -> Self {
        Self { name: name.into(), path: format!("/p/{name}/v1"), ..Self::main() }
    }

    /// Adds settings to the provider's entry in the manifest.
    #[must_use]
    pub fn saying(mut self, entry: Table) -> Self {
        lay_over(&mut self.entry, entry);
        self
    }
}

/// The settings with which the product is started.
#[derive(Debug, Clone)]
pub struct ProductOptions {
    /// Which bots answer.
    pub policy: ChatPolicy,
    /// The durability of commits.
    pub synchronous: Synchronous,
    /// How long one poll waits, in seconds, 1 to 50.
    pub poll_timeout_s: u32,
    /// Turns that one bot works on at the same time.
    pub turns_in_flight: u32,
    /// LLM calls under way at the same time.
    pub llm_concurrency: u32,
    /// The log level.
    pub log_level: String,
    /// The LLM providers.
    pub providers: Vec<ProviderOptions>,
    /// Lists of models, given to the bots in turn: the first bot uses the models of the first entry.
    pub models: Vec<Vec<String>>,
    /// Settings laid over those that the harness writes.
    pub settings: Table,
    /// `[defaults]` of the manifest, laid over those that the harness writes.
    pub defaults: Table,
    /// `[[budgets]]` of the manifest.
    pub budgets: Vec<Table>,
}

impl Default for ProductOptions {
    fn default() -> Self {
        Self {
            policy: ChatPolicy::Every,
            synchronous: Synchronous::Full,
            poll_timeout_s: 50,
            turns_in_flight: 256,
            llm_concurrency: 512,
            log_level: "warn".to_owned(),
            providers: vec![ProviderOptions::main()],
            models: vec![vec!["sim".to_owned()]],
            settings: Table::new(),
            defaults: Table::new(),
            budgets: Vec::new(),
        }
    }
}

/// Lays one table over another, key by key.
pub fn lay_over(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => lay_over(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// The files of a product in one folder.
#[derive(Debug, Clone)]
pub struct ProductFiles {
    dir: PathBuf,
}

impl ProductFiles {
    /// Writes configuration, manifest and secrets for a world that is served under `base_url`.
    ///
    /// # Errors
    /// A file or folder cannot be written.
    pub fn write(
        dir: &Path,
        world: &WorldSpec,
        base_url: &str,
        options: &ProductOptions,
    ) -> Result<Self, HarnessError> {
        let files = Self { dir: std::path::absolute(dir).map_err(HarnessError::file(dir))? };
        let secrets = files.dir.join(SECRETS);
        DirBuilder::new().recursive(true).mode(0o700).create(&secrets).map_err(HarnessError::file(&secrets))?;
        let write = |path: PathBuf, text: &str| write_private(&path, text).map_err(HarnessError::file(path));
        for provider in &options.providers {
            for (index, key) in provider.keys.iter().enumerate() {
                write(secrets.join(key_file(&provider.name, index)), key)?;
            }
        }
        for bot in &world.bots {
            write(secrets.join(&bot.username), &bot.token)?;
        }
        write(files.manifest(), &manifest(world, base_url, options).to_string())?;
        write(files.config(), &config(&files.database(), base_url, options).to_string())?;
        Ok(files)
    }

    /// Returns the folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the path of the configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// Returns the path of the manifest.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join("fleet.toml")
    }

    /// Returns the path of the database.
    pub fn database(&self) -> PathBuf {
        self.dir.join("botfleet.db")
    }

    /// Returns the path of the product's local socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join(SOCKET)
    }

    /// Returns the path of the product's log, which holds all starts.
    pub fn log(&self) -> PathBuf {
        self.dir.join("product.log")
    }

    /// Opens the log for the next start.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(self.log())
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Returns the file name of a provider's API key.
fn key_file(provider: &str, index: usize) -> String {
    format!("provider-{provider}-{index}")
}

fn config(database: &Path, base_url: &str, options: &ProductOptions) -> Table {
    let is_built_in = options.policy == ChatPolicy::BuiltIn;
    let mut config = toml::toml! {
        [server]
        listen = "127.0.0.1:0"
    };
    let unhindered = toml::toml! {
        [fleet]
        ramp_per_minute = 0

        [bots]
        turns_waiting = 65536
        sends_per_second = 0
        sends_per_chat_per_minute = 0
    };
    if !is_built_in {
        lay_over(&mut config, unhindered);
    }
    let mut own = Table::new();
    let mut say = |section: &str, key: &str, value: Value| {
        let section = own.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert(key.to_owned(), value);
        }
    };
    say("store", "path", database.to_string_lossy().into_owned().into());
    say("store", "synchronous", options.synchronous.as_str().into());
    say("telegram", "api_url", base_url.into());
    if !is_built_in {
        say("bots", "poll_timeout", format!("{}s", options.poll_timeout_s).into());
        say("bots", "turns_in_flight", i64::from(options.turns_in_flight).into());
    }
    say("log", "level", options.log_level.as_str().into());
    lay_over(&mut config, own);
    lay_over(&mut config, options.settings.clone());
    // An embedded store has the socket beside it by itself.
    if config.get("store").and_then(|store| store.get("backend")?.as_str()) == Some("postgres") {
        let socket = database.with_file_name(SOCKET).to_string_lossy().into_owned();
        lay_over(&mut config, Table::from_iter([("server".to_owned(), toml::toml! { local_socket = socket }.into())]));
    }
    config
}

fn manifest(world: &WorldSpec, base_url: &str, options: &ProductOptions) -> Table {
    let mut manifest = toml::toml! {
        [personas.member]
        language = "en"
        voice = "You are a friendly member of this group and answer in one short sentence."
    };
    let unhindered = toml::toml! {
        [defaults]
        hourly_cap = 0
        context_messages = 10

        [defaults.physics]
        chain_depth_max = 0
        pair_per_ten_minutes = 0
        person_per_ten_minutes = 0
        chat_per_minute = 0
        fleet_per_minute = 0

        [defaults.pacing]
        enabled = false
        stale_after = "1h"
        quiet_tick = "0s"
    };
    let policy = match options.policy {
        ChatPolicy::Every => Some("every"),
        ChatPolicy::Natural => Some("natural"),
        ChatPolicy::BuiltIn => None,
    };
    let mut defaults = Table::new();
    if let Some(policy) = policy {
        lay_over(&mut manifest, unhindered);
        defaults.insert("policy".into(), policy.into());
        // Without this, a bot's disclosure on joining a chat would count as a message.
        defaults.insert("disclosure".into(), "".into());
    }
    defaults.insert("models".into(), names(options.models.first().into_iter().flatten()));
    lay_over(&mut defaults, options.defaults.clone());
    lay_over(&mut manifest, Table::from_iter([("defaults".to_owned(), Value::Table(defaults))]));
    let bots = world.bots.iter().enumerate().map(|(index, bot)| {
        let mut entry = Table::new();
        entry.insert("name".into(), bot.username.as_str().into());
        entry.insert("token".into(), format!("file:{SECRETS}/{}", bot.username).into());
        entry.insert("persona".into(), "member".into());
        if options.models.len() > 1 {
            entry.insert("models".into(), names(&options.models[index % options.models.len()]));
        }
        Value::Table(entry)
    });
    let chats = world.chats.iter().map(|chat| {
        let members = world.bots.iter().filter(|bot| chat.bots.contains(&bot.id));
        let mut entry = Table::new();
        entry.insert("name".into(), chat_name(chat).into());
        entry.insert("telegram_id".into(), chat.id.into());
        entry.insert("bots".into(), names(members.map(|bot| &bot.username)));
        Value::Table(entry)
    });
    manifest.insert("bots".into(), Value::Array(bots.collect()));
    manifest.insert("chats".into(), Value::Array(chats.collect()));
    let providers = options.providers.iter().map(|provider| Value::Table(entry_of(provider, base_url, options)));
    manifest.insert("providers".into(), Value::Array(providers.collect()));
    if !options.budgets.is_empty() {
        let budgets = options.budgets.iter().cloned().map(Value::Table);
        manifest.insert("budgets".into(), Value::Array(budgets.collect()));
    }
    manifest
}

/// Returns the name of a chat in the manifest.
pub fn chat_name(chat: &ChatSpec) -> String {
    format!("{} {}", chat.title, chat.id)
}

fn entry_of(provider: &ProviderOptions, base_url: &str, options: &ProductOptions) -> Table {
    let file = |index: usize| format!("file:{SECRETS}/{}", key_file(&provider.name, index));
    let mut entry = Table::new();
    entry.insert("name".into(), provider.name.as_str().into());
    entry.insert("kind".into(), "compatible".into());
    entry.insert("base_url".into(), format!("{base_url}{}", provider.path).into());
    match provider.keys.len() {
        0 | 1 => entry.insert("api_key".into(), file(0).into()),
        more => entry.insert("keys".into(), names((0..more).map(file))),
    };
    entry.insert("model".into(), "sim-chat".into());
    entry.insert("concurrency".into(), i64::from(options.llm_concurrency).into());
    entry.insert("waiting".into(), 1_000_000.into());
    lay_over(&mut entry, provider.entry.clone());
    entry
}

fn names<S: ToString>(names: impl IntoIterator<Item = S>) -> Value {
    Value::Array(names.into_iter().map(|name| Value::from(name.to_string())).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_lie_only_in_files_that_their_owner_alone_can_read() {
        let dir = std::env::temp_dir().join(format!("botfleet-files-{}", std::process::id()));
        let world = WorldSpec::fleet(3, 4, 2);
        let files = ProductFiles::write(&dir, &world, "http://127.0.0.1:1", &ProductOptions::default()).unwrap();
        let manifest = std::fs::read_to_string(files.manifest()).unwrap();
        let config = std::fs::read_to_string(files.config()).unwrap();
        for bot in &world.bots {
            let secret = files.dir().join(SECRETS).join(&bot.username);
            assert_eq!(std::fs::read_to_string(&secret).unwrap(), bot.token);
            assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(!manifest.contains(&bot.token) && !config.contains(&bot.token));
            assert!(manifest.contains(&format!("file:secrets/{}", bot.username)));
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_chat_names_its_own_bots_only() {
        let world = WorldSpec::fleet(3, 4, 2);
        let text = manifest(&world, "http://x", &ProductOptions::default()).to_string();
        assert!(text.contains("bots = [\"fleet_1_bot\", \"fleet_3_bot\"]"), "{text}");
        assert!(text.contains("bots = [\"fleet_2_bot\", \"fleet_4_bot\"]"), "{text}");
    }

    #[test]
    fn a_path_with_quotes_stays_one_string() {
        let text = config(Path::new("/a \"b\"\\c"), "http://x", &ProductOptions::default()).to_string();
        let read: Table = text.parse().unwrap();
        assert_eq!(read["store"]["path"].as_str(), Some("/a \"b\"\\c"));
    }

    #[test]
    fn built_in_means_that_the_harness_says_nothing() {
        let options = ProductOptions { policy: ChatPolicy::BuiltIn, ..ProductOptions::default() };
        let manifest = manifest(&WorldSpec::fleet(1, 2, 1), "http://x", &options);
        let said: Vec<&String> = manifest["defaults"].as_table().unwrap().keys().collect();
        assert_eq!(said, ["models"]);
        assert!(!config(Path::new("/x"), "http://x", &options).contains_key("bots"));
    }

    #[test]
    fn what_is_said_lies_over_what_the_harness_writes() {
        let settings = toml::toml! {
            [bots]
            sends_per_second = 30
        };
        let options = ProductOptions {
            settings,
            models: vec![vec!["a".into()], vec!["b".into()]],
            providers: vec![ProviderOptions { keys: vec!["1".into(), "2".into()], ..ProviderOptions::further("a") }],
            ..ProductOptions::default()
        };
        let config = config(Path::new("/x"), "http://x", &options);
        assert_eq!(config["bots"]["sends_per_second"].as_integer(), Some(30));
        assert_eq!(config["bots"]["turns_waiting"].as_integer(), Some(65536));
        let manifest = manifest(&WorldSpec::fleet(1, 2, 1), "http://x", &options);
        assert_eq!(manifest["bots"][1]["models"][0].as_str(), Some("b"));
        assert_eq!(manifest["providers"][0]["base_url"].as_str(), Some("http://x/p/a/v1"));
        assert_eq!(manifest["providers"][0]["keys"][1].as_str(), Some("file:secrets/provider-a-1"));
        assert_eq!(manifest["defaults"]["pacing"]["enabled"].as_bool(), Some(false));
    }
}
