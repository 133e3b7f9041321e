//! Puts together every section of the configuration, and checks the bounds of the values. Part of `config`.
//!
//! Each section is defined beside its owner; this file only puts them together.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use botfleet_actors::actors::bot::settings::BotSettings;
use botfleet_actors::actors::chat::settings::ChatSettings;
use botfleet_actors::actors::fleet::settings::FleetSettings;
use serde::Deserialize;

use super::alerts::AlertSettings;
use super::cluster::ClusterSettings;
use super::fault::Fault;
use super::webhooks::WebhookSettings;
use crate::bus::settings::RedisSettings;
use crate::logs::{self, LogSettings};
use crate::store::settings::StoreSettings;
use crate::telegram::settings::TelegramSettings;

/// All settings of the process; the manifest is not among them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The HTTP edge.
    pub server: ServerSettings,
    /// The receiver of webhooks.
    pub webhooks: WebhookSettings,
    /// The store.
    pub store: StoreSettings,
    /// Redis.
    pub redis: RedisSettings,
    /// This node's place in a cluster.
    pub cluster: ClusterSettings,
    /// The connection to Telegram.
    pub telegram: TelegramSettings,
    /// Supervision and stop of the fleet.
    pub fleet: FleetSettings,
    /// Polling, answers and sends of bots.
    pub bots: BotSettings,
    /// Memory and load of chats.
    pub chats: ChatSettings,
    /// The receivers of alerts.
    pub alerts: AlertSettings,
    /// Logs.
    pub log: LogSettings,
}

/// The HTTP edge.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Address at which the edge listens: only on this machine unless `hosts` says more, since the API has no sign-in.
    /// Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Names, besides those of this machine, by which requests may address the edge.
    pub hosts: Vec<String>,
    /// Time for which a process that is asked to end goes on serving, unready, so that balancers turn away. When
    /// absent: none with an embedded store, 2 s on a node of a cluster.
    #[serde(with = "humantime_serde")]
    pub drain_for: Option<Duration>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), hosts: Vec::new(), drain_for: None }
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

/// Whole numbers for which 0 in a file means no limit, by section and key.
pub(super) const ZERO_IS_NO_LIMIT: [(&str, &str); 3] =
    [("bots", "sends_per_second"), ("bots", "sends_per_chat_per_minute"), ("fleet", "ramp_per_minute")];

impl Config {
    /// Lifts a limit that `ZERO_IS_NO_LIMIT` names.
    pub(super) fn lift_limit(&mut self, section: &str, key: &str) {
        match (section, key) {
            ("bots", "sends_per_second") => self.bots.sends_per_second = None,
            ("bots", "sends_per_chat_per_minute") => self.bots.sends_per_chat_per_minute = None,
            ("fleet", "ramp_per_minute") => self.fleet.ramp_per_minute = None,
            _ => {}
        }
    }

    /// Returns the faults of single values, named under `source`; the types keep the other bounds.
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
        faults.extend(self.cluster.check_values(source));
        faults.extend(self.check_addresses(source));
        let seconds = Duration::from_secs;
        for (key, value, least, most) in [
            ("server.drain_for", self.server.drain_for.unwrap_or_default(), Duration::ZERO, seconds(60)),
            ("bots.poll_timeout", self.bots.poll_timeout, seconds(1), seconds(50)),
            (
                "fleet.reconcile_every",
                self.fleet.reconcile_every,
                Duration::from_millis(10),
                Duration::from_millis(500),
            ),
            ("fleet.keep_handled", self.fleet.keep_handled, seconds(48 * 3600), seconds(6 * 24 * 3600)),
            ("fleet.answer_within", self.fleet.answer_within, seconds(1), seconds(600)),
            ("fleet.stop_deadline", self.fleet.stop_deadline, seconds(1), seconds(29)),
            ("bots.refused_retry", self.bots.refused_retry, Duration::from_millis(100), seconds(3600)),
            ("bots.shut_retry", self.bots.shut_retry, Duration::from_millis(100), seconds(24 * 3600)),
            ("fleet.restart.within", self.fleet.restart.within, seconds(1), seconds(24 * 3600)),
            ("fleet.restart.backoff.first", self.fleet.restart.backoff.first, Duration::from_millis(1), seconds(3600)),
            ("fleet.restart.backoff.max", self.fleet.restart.backoff.max, Duration::from_millis(1), seconds(3600)),
            ("chats.passivate_after", self.chats.passivate_after, seconds(1), seconds(30 * 24 * 3600)),
            ("telegram.connect_timeout", self.telegram.connect_timeout, Duration::from_millis(10), seconds(120)),
            ("telegram.request_timeout", self.telegram.request_timeout, Duration::from_millis(10), seconds(300)),
            ("telegram.breaker_open_for", self.telegram.breaker_open_for, Duration::from_millis(10), seconds(3600)),
        ] {
            if value < least || value > most {
                let what = format!("{value:?} is out of bounds");
                faults.push(Fault::new(source, key, what, format!("from {least:?} to {most:?}")));
            }
        }
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
