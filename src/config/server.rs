//! Settings of the HTTP edge: where it listens, how it speaks, and whom it serves. Part of `config`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::{Key, Mapped, group, key};
use botfleet_actors::domain::keys::value::AsText;
use toml::{Table, Value};

use super::fault::Fault;
use super::network::Network;

/// Time that balancers need to see that readiness is off, unless it is set.
const DRAIN_FOR: Duration = Duration::from_secs(2);

/// Requests a minute of an address whose requests prove no account, unless it is set.
const STRANGERS_A_MINUTE: u32 = 100;

/// Connections of an address at a time, unless it is set: a browser holds six, a program with HTTP/2 one.
const CONNECTIONS: u32 = 64;

/// Requests a minute of an account, unless it is set.
const USER_A_MINUTE: u32 = 600;

/// Requests a minute of an API key, unless it is set.
const KEY_A_MINUTE: u32 = 1_000;

keyed! {
    /// The HTTP edge.
    #[derive(Clone, Debug, PartialEq)]
    pub struct ServerSettings {
        /// Address at which the HTTP API listens. Another address than one of this machine takes `hosts`, the names by which
        /// requests may address it, and one of `tls`, `proxies` and `plaintext`. Port 0 lets the system choose.
        pub listen: SocketAddr =
            key(AsText(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))).map(|listen| listen.0);
        /// Path of the local socket, through which whoever runs the fleet steers it: its file has mode 600, and only the fleet's
        /// user and root are served. At most 107 bytes.
        pub local_socket: Option<PathBuf> = key(None)
            .unset("beside the database file, as `botfleet.sock`; with PostgreSQL none").example("\"/run/botfleet/botfleet.sock\"");
        /// File of the key by which earlier versions sealed the seeds of one-time codes: 32 bytes, mode 600. Such seeds go on
        /// opening; `botfleet secrets rotate` moves them to the keys of `secrets.keys`, and then the file has no use.
        pub key_file: Option<PathBuf> = key(None)
            .unset("beside the database file, as `botfleet.key`; with PostgreSQL none").example("\"/etc/botfleet/botfleet.key\"");
        /// File with the name and the password's argon2id hash of the first admin, where nobody reads a terminal: a TOML table
        /// with `name` and `password_hash`, as `botfleet user hash` prints it. It counts while there is no admin.
        pub first_admin: Option<PathBuf> = key(None)
            .unset("a one-time link, on the terminal or in a file").example("\"/run/secrets/first-admin.toml\"");
        /// Names, besides those of this machine, by which requests may address the API, as `["botfleet-api"]`.
        pub hosts: Vec<String> = key(Vec::new());
        /// Certificate of the API's port, which then speaks TLS alone.
        pub tls: TlsSettings = group::<TlsSettings>();
        /// Addresses and networks of proxies, as `["10.0.0.5"]`: their headers `Forwarded` or `X-Forwarded-For` and
        /// `X-Forwarded-Proto` tell the client, and they may use plain HTTP. Name only proxies that set these headers themselves.
        pub proxies: Vec<Network> = networks();
        /// Networks in which plain HTTP is allowed, as `["172.18.0.0/16"]`: whoever listens there reads passwords and
        /// sessions. Other peers are turned away; this is warned of at each start.
        pub plaintext: Vec<Network> = networks();
        /// A second address, in plain HTTP and open to everybody who reaches it, with `/health`, `/health/live`, `/health/ready` and
        /// `/metrics` alone. The API's port has these four for this machine alone.
        pub observe: Option<SocketAddr> = key(None::<AsText<SocketAddr>>).unset("none").example("\"0.0.0.0:9100\"")
            .map(|observe| observe.map(|AsText(address)| address));
        /// Requests a minute, and connections at a time.
        pub limits: LimitSettings = group::<LimitSettings>();
        /// Time for which a process that was asked to end goes on serving, unready, so that balancers turn away.
        pub drain_for: Option<Duration> = key(None).within(Duration::ZERO..=Duration::from_mins(1))
            .unset("0s with an embedded store, 2s on a node of a cluster").example("\"2s\"");
    }
}

keyed! {
    /// Certificate of the API's port, which then speaks TLS alone: HTTP/2 and HTTP/1.1. Changed files are read within 10 s.
    #[derive(Clone, Debug, PartialEq)]
    pub struct TlsSettings {
        /// PEM file with the certificate, and those that lead from it to a known authority.
        pub cert: Option<PathBuf> = key(None).unset("plain HTTP").example("\"/etc/botfleet/tls.crt\"");
        /// PEM file with the private key of the certificate, without a password.
        pub key: Option<PathBuf> = key(None).unset("plain HTTP").example("\"/etc/botfleet/tls.key\"");
    }
}

keyed! {
    /// Requests that are served a minute, by all nodes together where they share a Redis, else by each; more are answered with 429. The
    /// local socket has no limit, and a stop counts towards the first one alone.
    #[derive(Clone, Debug, PartialEq)]
    pub struct LimitSettings {
        /// For an address, or an IPv6 network of 64 bits, whose requests prove no account.
        pub strangers: NonZeroU32 = key(number(STRANGERS_A_MINUTE));
        /// For an account, over all its sessions.
        pub user: NonZeroU32 = key(number(USER_A_MINUTE));
        /// For an API key.
        pub key: NonZeroU32 = key(number(KEY_A_MINUTE));
        /// Connections to the API's port that an address, or an IPv6 network of 64 bits, holds at a time on each node; further ones are
        /// closed. `proxies` have no such limit.
        pub connections: NonZeroU32 = key(number(CONNECTIONS));
    }
}

const fn number(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

/// Creates the rule of a list of networks.
fn networks() -> Mapped<Vec<AsText<Network>>, Vec<Network>> {
    let none: Key<Vec<AsText<Network>>> = key(Vec::new());
    none.map(|networks| networks.into_iter().map(|AsText(network)| network).collect())
}

impl ServerSettings {
    /// Returns the time for which the edge goes on serving, unready, on a node of a cluster or on a lone node.
    pub fn drain_for(&self, in_a_cluster: bool) -> Duration {
        self.drain_for.unwrap_or(if in_a_cluster { DRAIN_FOR } else { Duration::ZERO })
    }

    /// Returns the faults of single values, named under `source`, that no bounds express.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let unfit = |host: &&String| host.is_empty() || host.contains([':', '/', ' ', '*']);
        let fault = |host: &String| {
            let remedy = "write a name or an IPv4 address as clients do, without port";
            Fault::new(source, "server.hosts", format!("{host:?} is no name of a host"), remedy)
        };
        self.hosts.iter().filter(unfit).map(fault).collect()
    }

    /// Returns the faults of values that do not fit one another.
    pub(super) fn check_together(&self) -> Vec<Fault> {
        let source = "configuration";
        let mut faults = Vec::new();
        match (&self.tls.cert, &self.tls.key) {
            (Some(_), None) => {
                let remedy = "name the file of the certificate's private key";
                faults.push(Fault::new(source, "server.tls.key", "is missing beside server.tls.cert", remedy));
            }
            (None, Some(_)) => {
                let remedy = "name the file of the certificate";
                faults.push(Fault::new(source, "server.tls.cert", "is missing beside server.tls.key", remedy));
            }
            (Some(_), Some(_)) if !self.plaintext.is_empty() => {
                let remedy = "remove server.plaintext, or server.tls";
                faults.push(Fault::new(source, "server.plaintext", "has no use: the port speaks TLS alone", remedy));
            }
            _ => {}
        }
        let known = Known { hosts: !self.hosts.is_empty(), guarded: self.is_guarded() };
        faults.extend(self.check_exposed(source, known));
        faults
    }

    /// Returns whether anything keeps strangers on the network from reading along.
    fn is_guarded(&self) -> bool {
        self.tls.cert.is_some() || !self.proxies.is_empty() || !self.plaintext.is_empty()
    }

    /// Returns the fault of listening for other machines without what that takes.
    pub(super) fn check_exposed(&self, source: &str, known: Known) -> Option<Fault> {
        if self.listen.ip().is_loopback() {
            return None;
        }
        let fault = |what: &str, remedy| {
            let what = format!("{} can be reached from other machines, and {what}", self.listen);
            Some(Fault::new(source, "server.listen", what, remedy))
        };
        if !known.guarded {
            let remedy = "set server.tls to a certificate, or server.proxies to the proxy in front that has one, or \
                          server.plaintext to a network that strangers cannot reach; else listen on 127.0.0.1:PORT or [::1]:PORT";
            return fault("everybody on the way could read along", remedy);
        }
        if !known.hosts {
            let remedy = "write into server.hosts the names by which requests may address it, for example [\"botfleet.example\"]";
            return fault("no name is set by which they may address it", remedy);
        }
        None
    }
}

/// Settings for other machines that stand in any source, not only in the one that sets the address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    hosts: bool,
    guarded: bool,
}

impl Known {
    /// Finds them in the tables of all sources.
    pub(super) fn of<'a>(tables: &(impl Iterator<Item = &'a Table> + Clone)) -> Self {
        let sets = |key: &str| {
            let is_set = |value: &Value| match value {
                Value::Array(list) => !list.is_empty(),
                Value::Table(table) => !table.is_empty(),
                _ => true,
            };
            tables.clone().any(|table| table.get("server").and_then(|server| server.get(key)).is_some_and(is_set))
        };
        Self { hosts: sets("hosts"), guarded: sets("tls") || sets("proxies") || sets("plaintext") }
    }
}
