//! The place of a connection among those that a server takes. Layer `http`. Keeps I9.
//!
//! A server takes so many connections at a time, whoever calls. A stream of events gives its place back: it is counted among
//! the streams of its principal and the readers of the node instead, so that readers keep nobody out.

use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use tokio::sync::OwnedSemaphorePermit;

use super::counted::Open;

/// A place, held until it is given back or its connection ends.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Mutex<Option<Held>>>);

/// The place among all connections of the server, and among those of the peer's network.
type Held = (OwnedSemaphorePermit, Option<Open<IpNet>>);

impl Place {
    pub(super) fn new(permit: OwnedSemaphorePermit, of_network: Option<Open<IpNet>>) -> Self {
        Self(Arc::new(Mutex::new(Some((permit, of_network)))))
    }

    /// Gives the place back.
    pub(super) fn give_back(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
