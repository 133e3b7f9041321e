//! Requests that carry an idempotency key, and the answers that are kept for their repeats. Layer `domain`. Keeps I12.

use super::names::names;
use super::time::Timestamp;

/// A request that carries a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    /// The principal, with the kind of its proof.
    pub principal: String,
    /// Name of the route.
    pub route: String,
    /// SHA-256 of the key.
    pub key: String,
    /// The fingerprint of the request, made with the key, so that the stored row alone tells nobody a short body.
    pub fingerprint: String,
    /// Instant of the claim.
    pub at: Timestamp,
}

/// The state of a keyed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// Claimed: it is being carried out, or the process died meanwhile.
    UnderWay,
    /// Over.
    Done,
}

names! {
    RequestState { UnderWay = "under_way", Done = "done" }
}

/// An answer, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The media type.
    pub media_type: String,
    /// The body; absent where it is not kept.
    pub body: Option<String>,
    /// The version of what was answered.
    pub version: Option<i64>,
    /// The path of what is under way, or the id of what was made, where the body is not kept.
    pub location: Option<String>,
}

/// The result of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The request is new; who claimed it carries it out.
    Won,
    /// The key belongs to another request.
    Mismatch,
    /// The request was claimed before, and no answer is stored.
    UnderWay,
    /// The request was answered.
    Answered(KeptAnswer),
}
