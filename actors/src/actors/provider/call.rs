//! A request to a provider, and its result. Layer `actors`.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::allowance::BudgetKey;
use crate::domain::ids::{BotId, ChatId};
use crate::policy::breaker::Admission;
use crate::policy::queue::Place;
use crate::ports::llm::{Completion, CompletionRequest, EmbeddingRequest, Embeddings, LlmError};

/// The request of a call.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A completion.
    Completion(CompletionRequest),
    /// Embeddings.
    Embeddings(EmbeddingRequest),
}

impl Ask {
    /// Returns the name of the model that is asked.
    pub fn model(&self) -> &str {
        match self {
            Self::Completion(request) => &request.model,
            Self::Embeddings(request) => &request.model,
        }
    }
}

/// A call to a provider.
#[derive(Clone, Debug)]
pub struct Call {
    /// The request.
    pub ask: Ask,
    /// The bot that asks, for budgets.
    pub bot: BotId,
    /// The chat that the call is for, for budgets and for fairness among chats.
    pub chat: ChatId,
    /// 0 for people who wait, 1 for bots, 2 for talk that nobody asked for.
    pub priority: u8,
    /// The answer is of no use after this.
    pub deadline: Instant,
    /// Tells whether the caller still wants the answer.
    pub wanted: Wanted,
}

/// Tells whether a caller still wants an answer; all clones share one state.
#[derive(Clone, Debug)]
pub struct Wanted(Arc<watch::Sender<bool>>);

impl Default for Wanted {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }
}

impl Wanted {
    /// Withdraws the call: while it waits, it is not made; while it is under way, it is given up.
    pub fn withdraw(&self) {
        self.0.send_replace(false);
    }

    /// Returns whether the call was withdrawn.
    pub fn is_withdrawn(&self) -> bool {
        !*self.0.borrow()
    }

    /// Waits until the call is withdrawn.
    pub(super) async fn withdrawn(&self) {
        let _ = self.0.subscribe().wait_for(|wanted| !wanted).await;
    }
}

/// A provider's answer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A completion.
    Completion(Completion),
    /// Embeddings.
    Embeddings(Embeddings),
}

/// An answer of unknown use. The caller reports whether it was of use; dropping it reports nothing.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub reply: Reply,
    /// Reports to the model's breaker whether the answer was of use.
    pub worth: Admission,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The provider gave no answer.
    #[error(transparent)]
    Llm(#[from] LlmError),
    /// Too many calls wait, and this one was the least urgent.
    #[error("too many calls wait")]
    Shed,
    /// The deadline of the call passed.
    #[error("its deadline passed")]
    Late,
    /// The caller withdrew its call.
    #[error("nobody wants the answer any more")]
    Withdrawn,
    /// This budget does not have the amount.
    #[error("budget exhausted: {0}")]
    Exhausted(BudgetKey),
}

impl CallError {
    /// Returns an error of the way to the provider.
    pub fn unavailable(words: impl Into<String>) -> Self {
        Self::Llm(LlmError::Unavailable(words.into()))
    }
}

/// Passes the result to the caller; dropped without a result, it passes `Unavailable`.
pub struct Answer(Option<AnswerWith>);

type AnswerWith = Box<dyn FnOnce(Result<Answered, CallError>) + Send>;

impl Answer {
    /// Wraps `with`, which is called once.
    pub fn new(with: impl FnOnce(Result<Answered, CallError>) + Send + 'static) -> Self {
        Self(Some(Box::new(with)))
    }

    pub(super) fn give(mut self, result: Result<Answered, CallError>) {
        if let Some(with) = self.0.take() {
            with(result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(with) = self.0.take() {
            with(Err(CallError::unavailable("provider actor ended")));
        }
    }
}

/// A call that waits.
pub(super) struct Waiting {
    pub(super) call: Call,
    pub(super) answer: Answer,
    /// Number of keys that refused the call.
    pub(super) refusals: usize,
    /// Number of times that the store was asked for the call's allowance.
    pub(super) takes: usize,
    /// The place of the call in the queue.
    pub(super) place: Place,
}

impl Waiting {
    pub(super) fn new(call: Call, answer: Answer, now: Instant) -> Self {
        let place = Place::new(call.priority.into(), now);
        Self { call, answer, refusals: 0, takes: 0, place }
    }
}

/// Gives the same error to all of these calls.
pub(super) fn give_all(waiting: Vec<Waiting>, error: &CallError) {
    for waiting in waiting {
        waiting.answer.give(Err(error.clone()));
    }
}
