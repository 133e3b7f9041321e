//! The rules for addresses that are not the operator's own word, and their resolution. Layer: adapter. Keeps I12.
//!
//! An address is judged twice: as it is written, and as its name resolves. The connection goes to the very addresses that were
//! judged, so that a name which changes its mind in between reaches nothing else.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::special::is_public;

/// Longest address.
const ADDRESS_MAX_BYTES: usize = 2_048;

/// Most addresses of a name that are looked at; a name with more is refused.
const RESOLVED_MAX: usize = 64;

/// The rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The schemes, in lower case.
    pub schemes: Vec<String>,
    /// The ports.
    pub ports: Vec<u16>,
    /// Hosts, as `HOST` or `HOST:PORT`, that may be private, use any port and go without TLS.
    pub private_hosts: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { schemes: vec!["https".to_owned()], ports: vec![443, 8443], private_hosts: Vec::new() }
    }
}

/// The reason why an address is refused. It repeats no part of the address that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The text is no address.
    #[error("is no http or https address")]
    NoAddress,
    /// The address holds a user or a password.
    #[error("holds a user or a password")]
    UserInfo,
    /// The host ends with a dot.
    #[error("names a host that ends with a dot")]
    TrailingDot,
    /// The scheme is not on the list.
    #[error("has the scheme {0}, which outbound.schemes does not name")]
    Scheme(String),
    /// The port is not on the list.
    #[error("has the port {0}, which outbound.ports does not name")]
    Port(u16),
    /// The host is none of the internet's.
    #[error("leads to a private network; name the host in outbound.private_hosts if that is meant")]
    Private,
    /// The name does not resolve.
    #[error("names a host that does not resolve")]
    Unresolved,
}

/// Looks names up.
pub trait Lookup: Send + Sync + 'static {
    /// Returns the addresses of a host.
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Looks names up as the machine does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|found| found.ip()).collect())
        })
    }
}

/// Judges addresses by the rules.
pub struct Guard {
    rules: Rules,
    lookup: Arc<dyn Lookup>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Guard {
    /// Creates a guard with these rules, which looks names up as the machine does.
    pub fn new(rules: Rules) -> Self {
        Self::looking_up(rules, Arc::new(SystemLookup))
    }

    /// Creates a guard that looks names up in another way.
    pub fn looking_up(mut rules: Rules, lookup: Arc<dyn Lookup>) -> Self {
        for word in rules.private_hosts.iter_mut().chain(&mut rules.schemes) {
            word.make_ascii_lowercase();
        }
        Self { rules, lookup }
    }

    /// Judges an address as it is written: scheme, port, host. A name is judged again as it resolves.
    ///
    /// # Errors
    /// The reason why the address is refused.
    pub fn read(&self, text: &str) -> Result<Url, Unfit> {
        if text.len() > ADDRESS_MAX_BYTES {
            return Err(Unfit::NoAddress);
        }
        let url: Url = text.parse().map_err(|_| Unfit::NoAddress)?;
        self.judge(&url)?;
        Ok(url)
    }

    /// Judges an address that was read, for example that of a redirect.
    ///
    /// # Errors
    /// The reason why the address is refused.
    pub fn judge(&self, url: &Url) -> Result<(), Unfit> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Unfit::NoAddress);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Unfit::UserInfo);
        }
        let host = host_of(url).filter(|host| !host.is_empty()).ok_or(Unfit::NoAddress)?;
        if host.ends_with('.') {
            return Err(Unfit::TrailingDot);
        }
        let port = url.port_or_known_default().ok_or(Unfit::NoAddress)?;
        if self.may_be_private(host, Some(port)) {
            return Ok(());
        }
        if !self.rules.schemes.iter().any(|scheme| scheme == url.scheme()) {
            return Err(Unfit::Scheme(url.scheme().to_owned()));
        }
        if !self.rules.ports.contains(&port) {
            return Err(Unfit::Port(port));
        }
        match host.parse::<IpAddr>() {
            Ok(address) if !is_public(address) => Err(Unfit::Private),
            _ => Ok(()),
        }
    }

    /// Judges an address as it is written and as its host resolves now.
    ///
    /// # Errors
    /// The reason why the address is refused.
    pub async fn check(&self, text: &str) -> Result<Url, Unfit> {
        let url = self.read(text)?;
        let host = host_of(&url).ok_or(Unfit::NoAddress)?;
        if host.parse::<IpAddr>().is_err() && !self.may_be_private(host, url.port_or_known_default()) {
            self.resolved(host).await?;
        }
        Ok(url)
    }

    /// Returns the addresses of a host. One private address among public ones refuses them all.
    async fn resolved(&self, host: &str) -> Result<Vec<IpAddr>, Unfit> {
        let found = self.lookup.lookup(host).await.map_err(|_| Unfit::Unresolved)?;
        if found.is_empty() || found.len() > RESOLVED_MAX {
            return Err(Unfit::Unresolved);
        }
        // The port is not known here; `judge` has looked at it before a request goes out.
        let private = self.may_be_private(host, None);
        if private || found.iter().all(|address| is_public(*address)) { Ok(found) } else { Err(Unfit::Private) }
    }

    /// Returns whether the operator allowed a host to be private: with that port, or with any where no port is known.
    fn may_be_private(&self, host: &str, port: Option<u16>) -> bool {
        let host = host.to_ascii_lowercase();
        self.rules.private_hosts.iter().any(|named| match (named.strip_prefix(host.as_str()), port) {
            (Some(""), _) => true,
            (Some(rest), Some(port)) => rest.strip_prefix(':').is_some_and(|rest| rest.parse() == Ok(port)),
            (Some(rest), None) => rest.starts_with(':'),
            (None, _) => false,
        })
    }
}

/// Returns the host of an address, an IPv6 address without its brackets.
fn host_of(url: &Url) -> Option<&str> {
    Some(url.host_str()?.trim_start_matches('[').trim_end_matches(']'))
}

/// Resolves names for a client, and gives it judged addresses alone.
pub(super) struct Judged(pub(super) Arc<Guard>);

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found = guard.resolved(name.as_str()).await?;
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;

    /// Answers each name with the next of its answers; the last one stays.
    #[derive(Default)]
    struct Scripted(Mutex<BTreeMap<&'static str, Vec<Vec<&'static str>>>>);

    impl Lookup for Scripted {
        fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let mut names = self.0.lock().unwrap();
            let found = names.get_mut(host).map(|answers| {
                let next = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
                next.into_iter().map(|address| address.parse().unwrap()).collect()
            });
            Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
        }
    }

    fn guard(rules: Rules, names: &[(&'static str, &[&[&'static str]])]) -> Guard {
        let names = names.iter().map(|(name, answers)| (*name, answers.iter().map(|one| one.to_vec()).collect()));
        Guard::looking_up(rules, Arc::new(Scripted(Mutex::new(names.collect()))))
    }

    #[test]
    fn i12_what_leads_to_a_private_network_is_refused_as_it_is_written() {
        let guard = guard(Rules::default(), &[]);
        for (text, why) in [
            ("https://127.0.0.1/v1", Unfit::Private),
            ("https://127.1/v1", Unfit::Private),
            ("https://2130706433/", Unfit::Private),
            ("https://0x7f.0.0.1/", Unfit::Private),
            ("https://0177.0.0.1/", Unfit::Private),
            ("https://169.254.169.254/latest/meta-data/", Unfit::Private),
            ("https://[::1]/", Unfit::Private),
            ("https://[::ffff:169.254.169.254]/", Unfit::Private),
            ("https://[fd00:ec2::254]/", Unfit::Private),
            ("https://[64:ff9b::a9fe:a9fe]/", Unfit::Private),
            ("https://[2002:a9fe:a9fe::1]/", Unfit::Private),
            ("https://[fe80::1]/", Unfit::Private),
            ("https://100.64.0.1/", Unfit::Private),
            ("https://0.0.0.0/", Unfit::Private),
            ("https://localhost./v1", Unfit::TrailingDot),
            ("https://api.example.com./v1", Unfit::TrailingDot),
            ("https://api.example.com@127.0.0.1/v1", Unfit::UserInfo),
            ("https://key:secret@api.example.com/v1", Unfit::UserInfo),
            ("http://api.example.com/v1", Unfit::Scheme("http".to_owned())),
            ("https://api.example.com:6379/v1", Unfit::Port(6379)),
            ("ftp://api.example.com/", Unfit::NoAddress),
            ("file:///etc/passwd", Unfit::NoAddress),
            ("gopher://127.0.0.1/", Unfit::NoAddress),
            ("127.0.0.1", Unfit::NoAddress),
            ("", Unfit::NoAddress),
        ] {
            assert_eq!(guard.read(text), Err(why), "{text}");
        }
        assert!(guard.read(&format!("https://api.example.com/{}", "x".repeat(3_000))).is_err());
        for fit in ["https://api.example.com/v1", "https://API.example.com:8443/v1", "https://1.1.1.1/v1"] {
            assert!(guard.read(fit).is_ok(), "{fit}");
        }
    }

    #[tokio::test]
    async fn i12_a_name_with_one_private_address_is_refused_with_all_of_them() {
        let names: &[(&str, &[&[&str]])] = &[
            ("good.example", &[&["1.1.1.1", "2606:4700::1111"]]),
            ("half.example", &[&["1.1.1.1", "10.0.0.7"]]),
            ("meta.example", &[&["169.254.169.254"]]),
            ("none.example", &[&[]]),
        ];
        let guard = guard(Rules::default(), names);
        assert!(guard.check("https://good.example/v1").await.is_ok());
        assert_eq!(guard.check("https://half.example/v1").await, Err(Unfit::Private));
        assert_eq!(guard.check("https://meta.example/v1").await, Err(Unfit::Private));
        for unknown in ["https://none.example/", "https://unknown.example/"] {
            assert_eq!(guard.check(unknown).await, Err(Unfit::Unresolved));
        }
    }

    #[tokio::test]
    async fn i12_a_name_that_changes_its_mind_is_judged_as_it_is_connected_to() {
        let names: &[(&str, &[&[&str]])] = &[("rebinding.example", &[&["1.1.1.1"], &["127.0.0.1"]])];
        let guard = Arc::new(guard(Rules::default(), names));
        assert!(guard.check("https://rebinding.example/").await.is_ok(), "at first it looks public");
        let resolved = Judged(Arc::clone(&guard)).resolve("rebinding.example".parse().unwrap()).await;
        assert!(resolved.is_err(), "and what the client gets is judged once more");
    }

    #[tokio::test]
    async fn the_operator_may_allow_private_hosts_by_name_and_port() {
        let named = ["127.0.0.1:9000", "Ollama.Internal"].map(str::to_owned).to_vec();
        let rules = Rules { private_hosts: named, ..Rules::default() };
        let guard = guard(rules, &[("ollama.internal", &[&["10.0.0.9"]])]);
        assert!(guard.check("http://127.0.0.1:9000/v1").await.is_ok());
        assert!(guard.check("http://ollama.internal:11434/v1").await.is_ok());
        for other in ["http://127.0.0.1:9001/v1", "https://127.0.0.1/", "https://127.0.0.2:9000/"] {
            assert!(guard.check(other).await.is_err(), "{other}");
        }
    }
}
