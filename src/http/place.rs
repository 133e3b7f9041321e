//! The place of a connection among those that a server takes. Layer `http`. Keeps I9.
//!
//! A server takes so many connections at a time, whoever calls. A stream of events gives its place back: it is counted among
//! the streams of its principal and the readers of the node instead, so that readers keep nobody out.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

/// A place, held until it is given back or its connection ends.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }

    /// Gives the place back.
    pub(super) fn give_back(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
