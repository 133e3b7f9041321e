//! Puts together every section of the configuration, and checks the bounds of the values. Part of `config`.
//!
//! Each section is defined beside its owner; this file only puts them together.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use botfleet_actors::actors::bot::settings::BotSettings;
use botfleet_actors::actors::chat::settings::ChatSettings;
use botfleet_actors::actors::fleet::settings::FleetSettings;
use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::{group, key};
use botfleet_actors::domain::keys::value::AsText;

use super::alerts::AlertSettings;
use super::audit::AuditSettings;
use super::cluster::ClusterSettings;
use super::fault::Fault;
use super::sections::{BotKeys, ChatKeys, FleetKeys, StoreKeys};
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
        /// Form and level of the logs.
        pub log: LogSettings = group::<LogSettings>();
    }
}

keyed! {
    /// The HTTP edge.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ServerSettings {
        /// Address at which the HTTP API, health and metrics listen. Only on this machine, since there is no sign-in; it may
        /// be another address once `hosts` says by which names requests may address it. Port 0 lets the system choose.
        pub listen: SocketAddr =
            key(AsText(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))).map(|listen| listen.0);
        /// Path of the local socket, through which whoever runs the fleet steers it: its file has mode 600, and only the fleet's
        /// user and root are served. At most 107 bytes.
        pub local_socket: Option<PathBuf> = key(None)
            .unset("beside the database file, as `botfleet.sock`; with PostgreSQL none").example("\"/run/botfleet/botfleet.sock\"");
        /// Names, besides those of this machine, by which requests may address the API, as `["botfleet-api"]`. Only in a
        /// network that strangers cannot reach: whoever reaches the API steers the fleet.
        pub hosts: Vec<String> = key(Vec::new());
        /// Time for which a process that was asked to end goes on serving, unready, so that balancers turn away.
        pub drain_for: Option<Duration> = key(None).within(Duration::ZERO..=Duration::from_mins(1))
            .unset("0s with an embedded store, 2s on a node of a cluster").example("\"2s\"");
    }
}

/// Time that balancers need to see that readiness is off, unless it is set.
const DRAIN_FOR: Duration = Duration::from_secs(2);

impl ServerSettings {
    /// Returns the time for which the edge goes on serving, unready, on a node of a cluster or on a lone node.
    pub fn drain_for(&self, in_a_cluster: bool) -> Duration {
        self.drain_for.unwrap_or(if in_a_cluster { DRAIN_FOR } else { Duration::ZERO })
    }

    /// Returns the fault of listening for other machines while no hosts are named.
    pub(super) fn check_exposed(&self, source: &str) -> Option<Fault> {
        (!self.listen.ip().is_loopback()).then(|| {
            Fault::new(
                source,
                "server.listen",
                format!("{} can be reached from other machines, and the HTTP API has no sign-in", self.listen),
                "use 127.0.0.1:PORT or [::1]:PORT, and a tunnel or an authenticating proxy in front of it; in a closed \
                 network, tell in server.hosts by which names it may be addressed",
            )
        })
    }
}

impl Config {
    /// Returns the path of the local socket.
    pub fn local_socket(&self) -> Option<PathBuf> {
        let beside = || (!self.many_nodes()).then(|| self.store.path.with_extension("sock"));
        self.server.local_socket.clone().or_else(beside)
    }

    /// Returns the faults of single values, named under `source`, that no bounds express.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        for host in &self.server.hosts {
            if host.is_empty() || host.contains([':', '/', ' ', '*']) {
                let remedy = "write a name or an IPv4 address as clients do, without port";
                faults.push(Fault::new(source, "server.hosts", format!("{host:?} is no name of a host"), remedy));
            }
        }
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
        faults.extend(self.cluster.check_values(source));
        faults.extend(self.check_addresses(source));
        faults
    }

    /// Returns the faults of values that do not fit one another.
    pub(super) fn check_together(&self) -> Vec<Fault> {
        let mut faults = self.webhooks.check_together(&self.telegram.api_url);
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
