//! How a call to a provider ended. Layer `actors`.

use super::price;
use crate::actors::provider::call::Waiting;
use crate::ports::llm::LlmError;

/// The end of a call, for the actor.
pub(super) enum Concluded {
    /// The provider was asked: the failure, if there is no answer, and the usage, if it is believable.
    Made { failure: Option<Failure>, tokens: Option<price::TokenCount> },
    /// The key was refused; another key may make the call.
    KeyRefused(LlmError, Box<Waiting>),
}

/// Why a call that was made has no answer.
pub(super) enum Failure {
    /// An error, or no answer although the provider had long enough; counts as the model's trouble.
    Of(String),
    /// The caller withdrew, or its deadline came too early; counts as nobody's trouble.
    Other,
}
