//! Provider actor. Layer `actors`. Parent: Fleet. Children: none; calls run in tracked tasks.
//!
//! Load bound: `concurrency` calls under way and `waiting` in its queue, further ones are refused at once. On failure
//! of a call: the caller is told, the breaker counts. On failure of the actor: the fleet restarts it; calls under way
//! end with it, and their callers hear `Unavailable` because the answering half is dropped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use serde::Serialize;

use super::settings::ProviderSettings;
use crate::actors::tasks::{TaskPanicked, Tasks};
use crate::policy::breaker::{Admission, Breaker, BreakerState};
use crate::ports::llm::{Completion, CompletionRequest, LlmError, LlmProvider};

/// How the caller hears of its completion; dropped unanswered it says `Unavailable`.
pub struct Answer(Option<AnswerWith>);

type AnswerWith = Box<dyn FnOnce(Result<Completion, LlmError>) + Send>;

impl Answer {
    /// Calls `with` once.
    pub fn new(with: impl FnOnce(Result<Completion, LlmError>) + Send + 'static) -> Self {
        Self(Some(Box::new(with)))
    }

    fn give(mut self, result: Result<Completion, LlmError>) {
        if let Some(with) = self.0.take() {
            with(result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(with) = self.0.take() {
            with(Err(LlmError::Unavailable("provider actor ended".to_owned())));
        }
    }
}

/// What a provider is made of.
pub struct ProviderArgs {
    /// Its name in the manifest.
    pub name: String,
    /// The adapter.
    pub llm: Arc<dyn LlmProvider>,
    /// Its limits.
    pub settings: ProviderSettings,
}

/// What a provider hears.
pub enum ProviderMsg {
    /// Make a completion.
    Complete(CompletionRequest, Answer),
    /// A call ended.
    CallFinished,
    /// The rate limit lets another call through.
    RateAllows,
    /// One of its calls panicked.
    TaskPanicked,
    /// Tell how it is.
    GetSnapshot(RpcReplyPort<ProviderSnapshot>),
}

/// How a provider is.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderSnapshot {
    /// Its name in the manifest.
    pub name: String,
    /// Its breaker.
    pub breaker: BreakerState,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait.
    pub waiting: usize,
    /// Calls made since start.
    pub calls: u64,
}

/// State of a provider.
pub struct ProviderState {
    name: String,
    llm: Arc<dyn LlmProvider>,
    settings: ProviderSettings,
    breaker: Arc<Breaker>,
    rate: Option<DefaultDirectRateLimiter>,
    rate_timer: bool,
    queue: VecDeque<(CompletionRequest, Answer)>,
    in_flight: usize,
    calls: u64,
    tasks: Tasks,
}

/// The provider actor.
pub struct ProviderActor;

impl Actor for ProviderActor {
    type Msg = ProviderMsg;
    type State = ProviderState;
    type Arguments = ProviderArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(ProviderState {
            breaker: Arc::new(Breaker::new(args.settings.breaker)),
            rate: args.settings.requests_per_minute.map(|limit| RateLimiter::direct(Quota::per_minute(limit))),
            rate_timer: false,
            queue: VecDeque::new(),
            in_flight: 0,
            calls: 0,
            tasks: Tasks::new(move || drop(myself.cast(ProviderMsg::TaskPanicked))),
            name: args.name,
            llm: args.llm,
            settings: args.settings,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ProviderMsg::Complete(request, answer) => state.on_complete(request, answer),
            ProviderMsg::CallFinished => state.in_flight -= 1,
            ProviderMsg::RateAllows => state.rate_timer = false,
            ProviderMsg::TaskPanicked => return Err(TaskPanicked.into()),
            ProviderMsg::GetSnapshot(reply) => {
                let _ = reply.send(state.snapshot());
                return Ok(());
            }
        }
        state.pump(&myself);
        Ok(())
    }
}

impl ProviderState {
    fn on_complete(&mut self, request: CompletionRequest, answer: Answer) {
        if self.queue.len() >= self.settings.waiting.get() {
            answer.give(Err(LlmError::Unavailable("too many calls wait".to_owned())));
        } else {
            self.queue.push_back((request, answer));
        }
    }

    /// Starts as many waiting calls as the limits allow.
    fn pump(&mut self, myself: &ActorRef<ProviderMsg>) {
        while self.in_flight < self.settings.concurrency.get() && !self.queue.is_empty() && !self.rate_timer {
            let Some(admission) = self.breaker.admit() else {
                for (_, answer) in self.queue.drain(..) {
                    answer.give(Err(LlmError::Unavailable("breaker open".to_owned())));
                }
                return;
            };
            if let Some(Err(refused)) = self.rate.as_ref().map(DefaultDirectRateLimiter::check) {
                let wait = refused.wait_time_from(DefaultClock::default().now());
                self.rate_timer = true;
                drop(myself.send_after(wait, || ProviderMsg::RateAllows));
                return;
            }
            if let Some((request, answer)) = self.queue.pop_front() {
                self.start(myself.clone(), request, answer, admission);
            }
        }
    }

    fn start(
        &mut self,
        myself: ActorRef<ProviderMsg>,
        request: CompletionRequest,
        answer: Answer,
        admission: Admission,
    ) {
        self.in_flight += 1;
        self.calls += 1;
        let (llm, timeout) = (Arc::clone(&self.llm), self.settings.timeout);
        let duration = metrics::histogram!("botfleet_llm_call_duration_seconds", "provider" => self.name.clone());
        self.tasks.spawn(async move {
            let started = Instant::now();
            let result = match tokio::time::timeout(timeout, llm.complete(request)).await {
                Ok(result) => result,
                Err(_) => Err(LlmError::Unavailable(format!("no answer within {} s", timeout.as_secs()))),
            };
            duration.record(started.elapsed().as_secs_f64());
            match &result {
                Err(LlmError::Unavailable(_) | LlmError::Unauthorized(_)) => admission.failed(),
                _ => admission.succeeded(),
            }
            answer.give(result);
            let _ = myself.cast(ProviderMsg::CallFinished);
        });
    }

    fn snapshot(&self) -> ProviderSnapshot {
        ProviderSnapshot {
            name: self.name.clone(),
            breaker: self.breaker.state(),
            in_flight: self.in_flight,
            waiting: self.queue.len(),
            calls: self.calls,
        }
    }
}
