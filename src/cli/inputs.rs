//! Holds the flags that several commands share, and reads the files that they name. Layer `cli`.

use std::path::{Path, PathBuf};

use botfleet_actors::domain::roster::{BotSpec, DeliveryMode};
use clap::Args;

use super::transport::transport;
use crate::config::fault::{Fault, Faults};
use crate::config::layers::{Profile, Sources};
use crate::config::manifest::{LoadedManifest, Manifest};
use crate::config::settings::Config;
use crate::runtime::vault::SecretSources;

/// The usual place of the manifest.
const MANIFEST: &str = "config/fleet.toml";

/// Names the sources of settings and manifest.
#[derive(Clone, Debug, Args)]
pub struct Inputs {
    /// The manifest: bots, personas, chats and providers; config/fleet.toml unless named.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Profile whose settings are read.
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// A file of settings, read after the profile's.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address at which the HTTP edge listens, on this machine only; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Role of this node: all, worker or api.
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Name of this node among others.
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
}

/// Names the sources of the settings for a command that needs no manifest, and the form of its answer.
#[derive(Clone, Debug, Args)]
pub struct SettingsInputs {
    /// Profile whose settings are read.
    #[arg(long, value_enum, global = true)]
    pub profile: Option<Profile>,
    /// A file of settings, read after the profile's.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Writes one JSON object instead of text.
    #[arg(long, global = true)]
    pub json: bool,
}

impl SettingsInputs {
    /// Reads the settings.
    ///
    /// # Errors
    /// The faults of the settings, at once.
    pub fn load(&self) -> Result<Config, Faults> {
        Inputs::settings_alone(self.profile, self.config.clone())
    }
}

/// Names a store that a command reads by itself.
#[derive(Clone, Debug, Args)]
pub struct StoreInputs {
    /// The settings, which name the store.
    #[command(flatten)]
    pub settings: SettingsInputs,
    /// A file of SQLite instead of the store of the settings.
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
}

impl Inputs {
    /// Reads settings and manifest as [`Inputs::load`] does. A fleet runs without a manifest where none is named and none
    /// is in the usual place.
    ///
    /// # Errors
    /// The faults of both, at once.
    pub fn load_or_none(&self) -> Result<(Config, LoadedManifest), Faults> {
        let usual = Path::new(MANIFEST);
        if self.manifest.is_some() || usual.exists() {
            return self.load();
        }
        let config = self.checked_settings()?;
        Ok((config, LoadedManifest::none(usual.parent().unwrap_or(Path::new("")))))
    }

    /// Reads the settings, and checks how the API is reached.
    fn checked_settings(&self) -> Result<Config, Faults> {
        Config::load(&self.sources()).and_then(|config| match transport(&config.server) {
            Ok(_) => Ok(config),
            Err(fault) => Err(Faults(vec![fault])),
        })
    }

    /// Reads settings and manifest, and writes warnings to stderr.
    ///
    /// # Errors
    /// The faults of both, at once.
    pub fn load(&self) -> Result<(Config, LoadedManifest), Faults> {
        let path = self.manifest.as_deref().unwrap_or(Path::new(MANIFEST));
        let config = self.checked_settings();
        let sources = config.as_ref().map_or_else(|_| Ok(SecretSources::default()), SecretSources::of);
        let manifest = match sources {
            Ok(sources) => Manifest::load(path, &sources),
            Err(what) => {
                Err(Faults(vec![Fault::new("configuration", "secrets.vault", what, "see docs/OPERATIONS.md")]))
            }
        };
        match (config, manifest) {
            (Ok(config), Ok(manifest)) => {
                let webhooks_off = config.webhooks.public_url().is_none();
                let wants = |bot: &&BotSpec| bot.delivery == DeliveryMode::Webhook;
                if let Some(bot) = manifest.plan.bots.iter().find(wants).filter(|_| webhooks_off) {
                    return Err(Faults(vec![Fault::new(
                        path.display().to_string(),
                        "bots.delivery",
                        format!("bot {:?} is set to webhooks, and webhooks are off", bot.name),
                        "set webhooks.public_url in the configuration, or delivery = \"polling\"",
                    )]));
                }
                let unknown = |name: &&String| !manifest.plan.bots.iter().any(|bot| bot.name == **name);
                if let Some(name) = config.alerts.bot.as_ref().filter(unknown) {
                    return Err(Faults(vec![Fault::new(
                        "configuration",
                        "alerts.bot",
                        format!("{name:?} is no bot of the manifest"),
                        "write the name of one of its bots",
                    )]));
                }
                super::output::tell_warnings(&manifest.warnings);
                Ok((config, manifest))
            }
            (config, manifest) => {
                let faults = config.err().into_iter().chain(manifest.err()).flat_map(|faults| faults.0);
                Err(Faults(faults.collect()))
            }
        }
    }

    /// Reads the settings only, and writes no warning.
    ///
    /// # Errors
    /// The faults of the settings.
    pub fn settings(&self) -> Result<Config, Faults> {
        Config::load(&self.sources())
    }

    /// Reads the settings of a profile and a file.
    ///
    /// # Errors
    /// The faults of the settings, at once.
    pub fn settings_alone(profile: Option<Profile>, config: Option<PathBuf>) -> Result<Config, Faults> {
        Config::load(&Self { manifest: None, profile, config, listen: None, role: None, node: None }.sources())
    }

    /// Lists every source of the settings.
    fn sources(&self) -> Sources {
        // A variable whose name is no Unicode cannot set a key. One of ours with a sound name keeps the readable part
        // of its value.
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
        let flags = [
            ("--listen", "server.listen", &self.listen),
            ("--role", "cluster.role", &self.role),
            ("--node", "cluster.node", &self.node),
        ];
        let flags = flags.into_iter().filter_map(|(flag, key, value)| {
            value.as_ref().map(|value| (flag.to_owned(), key.to_owned(), value.clone()))
        });
        Sources {
            folder: PathBuf::from("config"),
            profile: self.profile,
            file: self.config.clone(),
            variables: variables.collect(),
            flags: flags.collect(),
        }
    }
}
