//! Settings of addresses that come by API: where the program may connect by somebody else's word. Part of `config`.

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;

use super::fault::Fault;

keyed! {
    /// Addresses that come by API, such as that of a provider to be tried. They must lead to public hosts, whatever their names
    /// resolve to. An address of the manifest or of these settings is your own word, and used as it is written.
    #[derive(Clone, Debug)]
    pub struct OutboundSettings {
        /// Schemes that such an address may have: `https`, `http`.
        pub schemes: Vec<String> = key(vec!["https".to_owned()]);
        /// Ports that such an address may have.
        pub ports: Vec<u32> = key(vec![443, 8443]);
        /// Hosts that may be private, as `["ollama.internal:11434", "127.0.0.1:8000"]`: at any port where none is written, and
        /// without TLS.
        pub private_hosts: Vec<String> = key(Vec::new());
    }
}

impl OutboundSettings {
    /// Returns the ports that exist.
    pub fn known_ports(&self) -> Vec<u16> {
        self.ports.iter().filter_map(|port| u16::try_from(*port).ok()).filter(|port| *port > 0).collect()
    }

    /// Returns the faults of single values, named under `source`.
    pub(super) fn check_values(&self, source: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        for scheme in self.schemes.iter().filter(|scheme| !matches!(scheme.as_str(), "http" | "https")) {
            let what = format!("{scheme:?} is no scheme that is spoken here");
            faults.push(Fault::new(source, "outbound.schemes", what, "write \"https\" or \"http\""));
        }
        if self.known_ports().len() != self.ports.len() {
            faults.push(Fault::new(source, "outbound.ports", "holds what is no port", "write 1 to 65535"));
        }
        for host in self.private_hosts.iter().filter(|host| host.is_empty() || host.contains(['/', '@', ' ', '*'])) {
            let what = format!("{host:?} is no name of a host");
            let remedy = "write HOST or HOST:PORT, as in ollama.internal:11434";
            faults.push(Fault::new(source, "outbound.private_hosts", what, remedy));
        }
        faults
    }
}
