//! A wish to a provider, and how it ends. Layer `actors`.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::allowance::BudgetKey;
use crate::domain::ids::{BotId, ChatId};
use crate::policy::breaker::Admission;
use crate::policy::queue::Place;
use crate::ports::llm::{Completion, CompletionRequest, EmbeddingRequest, Embeddings, LlmError};

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A completion.
    Completion(CompletionRequest),
    /// Embeddings.
    Embeddings(EmbeddingRequest),
}

impl Ask {
    /// The model that is asked.
    pub fn model(&self) -> &str {
        match self {
            Self::Completion(request) => &request.model,
            Self::Embeddings(request) => &request.model,
        }
    }
}

/// A wish to a provider.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked for.
    pub ask: Ask,
    /// The bot that asks: budgets.
    pub bot: BotId,
    /// The chat that it is for: budgets, and fairness among chats.
    pub chat: ChatId,
    /// 0 for people who wait, 1 for bots, 2 for talk that nobody asked for.
    pub priority: u8,
    /// After this the answer is of no use.
    pub deadline: Instant,
    /// Whether anybody still wants the answer.
    pub wanted: Wanted,
}

/// Whether anybody still wants an answer; clones tell the same.
#[derive(Clone, Debug)]
pub struct Wanted(Arc<watch::Sender<bool>>);

impl Default for Wanted {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }
}

impl Wanted {
    /// Nobody wants it any more: calls that wait are not made, the one under way is given up.
    pub fn withdraw(&self) {
        self.0.send_replace(false);
    }

    /// Whether nobody wants it any more.
    pub fn is_withdrawn(&self) -> bool {
        !*self.0.borrow()
    }

    /// Waits until nobody wants it.
    pub(super) async fn withdrawn(&self) {
        let _ = self.0.subscribe().wait_for(|wanted| !wanted).await;
    }
}

/// What a provider answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A completion.
    Completion(Completion),
    /// Embeddings.
    Embeddings(Embeddings),
}

/// An answer whose use is still to be judged. Who asked says whether it was of use; dropped, it says nothing.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub reply: Reply,
    /// The model's breaker hears what it was worth.
    pub worth: Admission,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The provider did not give one.
    #[error(transparent)]
    Llm(#[from] LlmError),
    /// Too many calls wait, and this one was the least urgent.
    #[error("too many calls wait")]
    Shed,
    /// Its deadline passed.
    #[error("its deadline passed")]
    Late,
    /// Nobody wants the answer any more.
    #[error("nobody wants the answer any more")]
    Withdrawn,
    /// A budget does not have it.
    #[error("budget exhausted: {0}")]
    Exhausted(BudgetKey),
}

impl CallError {
    /// An error of the way to the provider.
    pub fn unavailable(words: impl Into<String>) -> Self {
        Self::Llm(LlmError::Unavailable(words.into()))
    }
}

/// How the caller hears of its answer; dropped unanswered it says `Unavailable`.
pub struct Answer(Option<AnswerWith>);

type AnswerWith = Box<dyn FnOnce(Result<Answered, CallError>) + Send>;

impl Answer {
    /// Calls `with` once.
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
    /// Keys that refused it.
    pub(super) refusals: usize,
    /// Times that the store was asked for its allowance.
    pub(super) takes: usize,
    /// Where it stood in the queue.
    pub(super) place: Place,
}

impl Waiting {
    pub(super) fn new(call: Call, answer: Answer, now: Instant) -> Self {
        let place = Place::new(call.priority.into(), now);
        Self { call, answer, refusals: 0, takes: 0, place }
    }
}

/// Tells all of them the same.
pub(super) fn give_all(waiting: Vec<Waiting>, error: &CallError) {
    for waiting in waiting {
        waiting.answer.give(Err(error.clone()));
    }
}
