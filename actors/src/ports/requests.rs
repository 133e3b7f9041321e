//! The port to requests that carry an idempotency key. Layer `ports`. Keeps I12.
//!
//! A claim is stored before the act, so of two equal requests at once, on whichever nodes, one is carried out. A claim
//! whose process died stays: nobody knows whether the act took place, and nobody repeats it.

use super::declare::port;
use super::store::StoreError;

// Adapters import no type of a method: the code that the list of methods makes finds them all here.
#[doc(hidden)]
pub use crate::domain::{
    idempotency::{Claim, KeptAnswer, KeyedRequest},
    time::Timestamp,
};

port! {
    $ __requests_methods of requests:
    /// Requests that carry a key, and their answers.
    pub trait Requests: Send + Sync + 'static {
        /// Claims a request, unless its key was claimed at `over` or later.
        async fn claim_request(&self, request: &KeyedRequest, over: Timestamp) -> Result<Claim, StoreError>;

        /// Stores the answer of a claimed request.
        async fn answer_request(&self, request: &KeyedRequest, answer: &KeptAnswer) -> Result<(), StoreError>;

        /// Gives up the claim of a request that was not carried out; its key may be used again.
        async fn free_request(&self, request: &KeyedRequest) -> Result<(), StoreError>;

        /// Removes some of the requests that were claimed before an instant; returns how many.
        async fn prune_requests(&self, before: Timestamp) -> Result<u64, StoreError>;
    }
}

#[doc(hidden)]
pub use __requests_methods as requests_methods;
