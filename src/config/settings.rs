//! Puts together every section of the configuration, and checks the bounds of the values. Part of `config`.
//!
//! Each section is defined beside its owner; this file only puts them together.

use std::path::PathBuf;

use botfleet_actors::actors::bot::settings::BotSettings;
use botfleet_actors::actors::chat::settings::ChatSettings;
use botfleet_actors::actors::fleet::settings::FleetSettings;
use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::group;

use super::alerts::AlertSettings;
use super::audit::AuditSettings;
use super::cluster::ClusterSettings;
use super::fault::Fault;
use super::outbound::OutboundSettings;
use super::secrets::SecretSettings;
use super::sections::{BotKeys, ChatKeys, FleetKeys, StoreKeys};
use super::server::ServerSettings;
use super::webhooks::WebhookSettings;
use crate::bus::settings::RedisSettings;
use crate::logs::{self, LogSettings};
use crate::store::settings::StoreSettings;
use crate::telegram::settings::TelegramSettings;

keyed! {
    /// All settings of the process; the manifest is not among them.
    #[derive(Clone, Debug)]
    pub struct Config {
        /// The HTTP edge.
        pub server: ServerSettings = group::<ServerSettings>();
        /// The receiver of webhooks.
        pub webhooks: WebhookSettings = group::<WebhookSettings>();
        /// The store.
        pub store: StoreSettings = group::<StoreKeys>();
        /// The connection to Redis.
        pub redis: RedisSettings = group::<RedisSettings>();
        /// This node's place in a cluster.
        pub cluster: ClusterSettings = group::<ClusterSettings>();
        /// The connection to Telegram.
        pub telegram: TelegramSettings = group::<TelegramSettings>();
        /// Supervision and stop of the fleet.
        pub fleet: FleetSettings = group::<FleetKeys>();
        /// Polling, answers and sends of bots.
        pub bots: BotSettings = group::<BotKeys>();
        /// Memory and load of chats.
        pub chats: ChatSettings = group::<ChatKeys>();
        /// The receivers of alerts.
        pub alerts: AlertSettings = group::<AlertSettings>();
        /// The audit of what operators do.
        pub audit: AuditSettings = group::<AuditSettings>();
        /// Secrets that are given by API.
        pub secrets: SecretSettings = group::<SecretSettings>();
        /// Addresses that come by API.
        pub outbound: OutboundSettings = group::<OutboundSettings>();
        /// Form and level of the logs.
        pub log: LogSettings = group::<LogSettings>();
    }
}

impl Config {
    /// Returns the path of the local socket.
    pub fn local_socket(&self) -> Option<PathBuf> {
        let beside = || (!self.many_nodes()).then(|| self.store.path.with_extension("sock"));
        self.server.local_socket.clone().or_else(beside)
    }

    /// Returns the file of the key that sealed seeds of one-time codes in earlier versions.
    pub fn key_file(&self) -> Option<PathBuf> {
        let beside = || (!self.many_nodes()).then(|| self.store.path.with_extension("key"));
        self.server.key_file.clone().or_else(beside)
    }

    /// Returns the faults of single values, named under `source`, that no bounds express.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let mut faults = self.server.check_values(source);
        if let Err(error) = logs::directives(&self.log.level) {
            let remedy = "write for example \"info\" or \"warn,botfleet=debug\"";
            faults.push(Fault::new(source, "log.level", format!("cannot be read: {error}"), remedy));
        }
        let url = &self.telegram.api_url;
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            faults.push(Fault::new(
                source,
                "telegram.api_url",
                "is no http or https address",
                "write https://api.telegram.org, or the address of your own Bot API server",
            ));
        }
        faults.extend(self.webhooks.check_values(source));
        faults.extend(self.alerts.check_values(source));
        faults.extend(self.audit.check_values(source));
        faults.extend(self.secrets.check_values(source));
        faults.extend(self.outbound.check_values(source));
        faults.extend(self.cluster.check_values(source));
        faults.extend(self.check_addresses(source));
        faults
    }

    /// Returns the faults of values that do not fit one another.
    pub(super) fn check_together(&self) -> Vec<Fault> {
        let mut faults = self.server.check_together();
        faults.extend(self.webhooks.check_together(&self.telegram.api_url));
        faults.extend(self.check_missing_addresses());
        faults.extend(self.alerts.check_together());
        faults.extend(self.cluster.check_together(self.many_nodes()));
        let backoff = self.fleet.restart.backoff;
        if backoff.first > backoff.max {
            faults.push(Fault::new(
                "configuration",
                "fleet.restart.backoff.first",
                format!("{:?} is longer than fleet.restart.backoff.max, {:?}", backoff.first, backoff.max),
                "lower the first or raise the longest wait",
            ));
        }
        faults
    }
}
