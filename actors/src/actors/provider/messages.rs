//! The messages of a provider's actor. Layer `actors`.

use ractor::RpcReplyPort;

use crate::actors::provider::call::{Answer, Call, CallError, Waiting};
use crate::actors::provider::concluded::Concluded;
use crate::actors::provider::key::KeyLease;
use crate::actors::provider::snapshot::ProviderSnapshot;

/// Messages of a provider's actor.
pub enum ProviderMsg {
    /// Make a call.
    Make(Call, Answer),
    /// A call ended.
    CallFinished(Box<Finished>),
    /// The store was asked for a call's allowance.
    Funded(Box<Funded>),
    /// A limit may let another call through, an allowance may have come back, or a deadline has passed.
    Wake,
    /// This many nodes share the keys: each uses its part of their limits.
    Shared(u64),
    /// Another actor takes the provider's place: finish what is in hand, then end.
    Retire,
    /// The first key was replaced: what was known of its refusals is over.
    KeyReplaced,
    /// One of the actor's calls panicked.
    TaskPanicked,
    /// Return a snapshot.
    GetSnapshot(RpcReplyPort<ProviderSnapshot>),
}

/// A call that ended.
pub struct Finished {
    pub(super) model: String,
    pub(super) lease: KeyLease,
    pub(super) end: Concluded,
}

/// A call for which the store was asked for an allowance, with the result.
pub struct Funded {
    pub(super) model: String,
    pub(super) waiting: Waiting,
    pub(super) result: Result<(), CallError>,
}
