//! The product's configuration, manifest and secrets for a world. Layer: harness.
//!
//! All that slows a conversation down on purpose is off: pacing, caps, limiters and loop physics. What
//! makes it durable stays on. Secrets lie in files of their own that only their owner can read (I12).

use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::error::HarnessError;
use crate::world::spec::WorldSpec;

/// Folder of the secrets, beside the manifest.
const SECRETS: &str = "secrets";

/// How far a commit of the product is on its way to the disk when it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Synchronous {
    /// On the disk.
    Full,
    /// With the kernel.
    Normal,
    /// With the kernel, in any order.
    Off,
}

impl Synchronous {
    /// The word in the configuration.
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
    /// As people would.
    Natural,
}

/// How the product is set up.
#[derive(Debug, Clone)]
pub struct ProductOptions {
    /// Which bots answer.
    pub policy: ChatPolicy,
    /// How durable commits are.
    pub synchronous: Synchronous,
    /// How long one poll waits, in seconds, 1 to 50.
    pub poll_timeout_s: u32,
    /// Turns that one bot works on at the same time.
    pub turns_in_flight: u32,
    /// LLM calls under way at the same time.
    pub llm_concurrency: u32,
    /// What is logged.
    pub log_level: String,
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
        }
    }
}

/// The product's files in a folder.
#[derive(Debug, Clone)]
pub struct ProductFiles {
    dir: PathBuf,
}

impl ProductFiles {
    /// Writes configuration, manifest and secrets for a world that is served under `base_url`.
    ///
    /// # Errors
    /// A file or folder that cannot be written.
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
        write(secrets.join("provider"), "sk-simulated")?;
        for bot in &world.bots {
            write(secrets.join(&bot.username), &bot.token)?;
        }
        write(files.manifest(), &manifest(world, base_url, options))?;
        write(files.config(), &config(&files.database(), base_url, options))?;
        Ok(files)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// The manifest.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join("fleet.toml")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.dir.join("botfleet.db")
    }

    /// What the product logs, over all its starts.
    pub fn log(&self) -> PathBuf {
        self.dir.join("product.log")
    }

    /// Opens the log for the next start.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(self.log())
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// A TOML string; JSON's escapes are among TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn config(database: &Path, base_url: &str, options: &ProductOptions) -> String {
    format!(
        "[server]\n\
         listen = \"127.0.0.1:0\"\n\n\
         [store]\n\
         path = {database}\n\
         synchronous = \"{synchronous}\"\n\n\
         [telegram]\n\
         api_url = {base_url}\n\n\
         [fleet]\n\
         ramp_per_minute = 0\n\n\
         [bots]\n\
         poll_timeout = \"{poll}s\"\n\
         turns_in_flight = {turns}\n\
         turns_waiting = 65536\n\
         sends_per_second = 0\n\
         sends_per_chat_per_minute = 0\n\n\
         [log]\n\
         level = {level}\n",
        database = quoted(&database.to_string_lossy()),
        synchronous = options.synchronous.as_str(),
        base_url = quoted(base_url),
        poll = options.poll_timeout_s,
        turns = options.turns_in_flight,
        level = quoted(&options.log_level),
    )
}

fn manifest(world: &WorldSpec, base_url: &str, options: &ProductOptions) -> String {
    let policy = match options.policy {
        ChatPolicy::Every => "every",
        ChatPolicy::Natural => "natural",
    };
    let mut text = format!(
        "[defaults]\n\
         models = [\"sim\"]\n\
         policy = \"{policy}\"\n\
         hourly_cap = 0\n\
         context_messages = 10\n\n\
         [defaults.physics]\n\
         chain_depth_max = 0\n\
         pair_per_ten_minutes = 0\n\
         chat_per_minute = 0\n\
         fleet_per_minute = 0\n\n\
         [defaults.pacing]\n\
         enabled = false\n\
         stale_after = \"1h\"\n\
         quiet_tick = \"0s\"\n\n\
         [[providers]]\n\
         name = \"sim\"\n\
         kind = \"compatible\"\n\
         base_url = {url}\n\
         api_key = \"file:{SECRETS}/provider\"\n\
         model = \"sim-chat\"\n\
         concurrency = {concurrency}\n\
         waiting = 1000000\n\n\
         [personas.member]\n\
         language = \"en\"\n\
         voice = \"You are a friendly member of this group and answer in one short sentence.\"\n",
        url = quoted(&format!("{base_url}/v1")),
        concurrency = options.llm_concurrency,
    );
    for bot in &world.bots {
        let name = quoted(&bot.username);
        let token = quoted(&format!("file:{SECRETS}/{}", bot.username));
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[[bots]]\nname = {name}\ntoken = {token}\npersona = \"member\"\n");
    }
    for chat in &world.chats {
        let members = world.bots.iter().filter(|bot| chat.bots.contains(&bot.id));
        let bots: Vec<String> = members.map(|bot| quoted(&bot.username)).collect();
        let name = quoted(&format!("{} {}", chat.title, chat.id));
        let (id, bots) = (chat.id, bots.join(", "));
        let _ = write!(text, "\n[[chats]]\nname = {name}\ntelegram_id = {id}\nbots = [{bots}]\n");
    }
    text
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
        let text = manifest(&world, "http://x", &ProductOptions::default());
        assert!(text.contains("bots = [\"fleet_1_bot\", \"fleet_3_bot\"]"), "{text}");
        assert!(text.contains("bots = [\"fleet_2_bot\", \"fleet_4_bot\"]"), "{text}");
    }

    #[test]
    fn a_path_with_quotes_stays_one_string() {
        let text = config(Path::new("/a \"b\"\\c"), "http://x", &ProductOptions::default());
        assert!(text.contains(r#"path = "/a \"b\"\\c""#), "{text}");
    }
}
