//! Records which node opened which connection and when nodes stood still: facts that a harness of many nodes knows
//! beside the ledger. Layer: world; plain data.

use std::collections::HashMap;

/// How long after the ledger first names a connection its opening may be noted, in microseconds.
const NOTED_WITHIN_US: u64 = 5_000;

/// The node behind each connection, and when its client left; times are microseconds on the ledger's clock.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    connections: HashMap<String, Vec<Origin>>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The node that opened the connection.
    pub node: String,
    /// When the connection was opened.
    pub opened_us: u64,
    /// When the client left the connection; the other side may have noticed much later.
    pub left_us: Option<u64>,
}

impl Origins {
    /// Adds a connection under the address that the ledger names; the order of calls does not matter.
    pub fn add(&mut self, connection: String, origin: Origin) {
        self.connections.entry(connection).or_default().push(origin);
    }

    /// Returns the owner of a connection at a time; one address can have several owners, because ports are used again.
    pub fn of(&self, connection: &str, at_us: u64) -> Option<&Origin> {
        let all = self.connections.get(connection)?;
        let begun = |origin: &&Origin| origin.opened_us <= at_us.saturating_add(NOTED_WITHIN_US);
        let first = || all.iter().min_by_key(|origin| origin.opened_us);
        all.iter().filter(begun).max_by_key(|origin| origin.opened_us).or_else(first)
    }
}

/// A time during which a node's process stood still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The node.
    pub node: String,
    /// The start, in microseconds on the ledger's clock.
    pub from_us: u64,
    /// The end, in microseconds on the ledger's clock.
    pub to_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_used_again_is_its_later_owners() {
        let mut origins = Origins::default();
        for (node, opened_us) in [("n2", 1_000_000), ("n1", 0)] {
            origins.add("p".into(), Origin { node: node.into(), opened_us, left_us: None });
        }
        let node = |at_us| origins.of("p", at_us).map(|origin| origin.node.as_str());
        assert_eq!((node(500_000), node(2_000_000)), (Some("n1"), Some("n2")));
        assert_eq!(origins.of("q", 0), None);
    }
}
