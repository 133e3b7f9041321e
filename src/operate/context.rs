//! The circumstances of a request, for the audit. Layer `operate`.

use std::net::IpAddr;

use botfleet_actors::domain::audit::Origin;

/// The place that a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Address of the client.
    pub address: Option<IpAddr>,
    /// User agent of the client.
    pub agent: Option<String>,
    /// Id of the request.
    pub request: Option<String>,
}

impl Context {
    /// Returns the origin of an entry; the audit adds the node.
    pub(super) fn origin(&self) -> Origin {
        Origin::new(self.address.map(|address| address.to_string()), self.agent.as_deref(), self.request.as_deref(), "")
    }
}
