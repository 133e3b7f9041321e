//! The provider itself: the one place where a response is decided. Layer: load test.
//!
//! Faults are decided here too: what comes back from `decide` is all that the router and the stream know.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::calls::{CallLog, CallRecord, Settlement};
use super::echo;
use super::smalltalk::{SmallTalk, prompt::Prompt};
use super::spec::{Latency, Mode, ProviderSpec};
use super::wire::{ApiError, ChatRequest, Usage, tokens_of};
use crate::ledger::marker_of;

/// Tokens that each message costs beyond its text.
const TOKENS_PER_MESSAGE: u32 = 4;

/// A simulated LLM provider with its record of calls.
#[derive(Debug)]
pub struct Provider {
    spec: ProviderSpec,
    started: Instant,
    calls: Arc<CallLog>,
    mind: Mutex<Mind>,
}

/// What changes from call to call.
#[derive(Debug)]
struct Mind {
    latency: Latency,
    rng: fastrand::Rng,
    talk: SmallTalk,
}

/// A decided answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The call's number.
    pub(super) call: u64,
    /// How long the client waits for the first byte.
    pub(super) delay: Duration,
    /// The text.
    pub(super) text: String,
    /// `stop` or `length`.
    pub(super) finish_reason: &'static str,
    /// The tokens of the call.
    pub(super) usage: Usage,
    /// To be finished when the whole answer was handed over.
    pub(super) settlement: Settlement,
}

impl Provider {
    /// Starts a provider; its clock begins now.
    pub fn new(spec: ProviderSpec) -> Arc<Self> {
        let mind =
            Mind { latency: spec.latency, rng: fastrand::Rng::with_seed(spec.seed), talk: SmallTalk::new(spec.seed) };
        Arc::new(Self { spec, started: Instant::now(), calls: Arc::default(), mind: Mutex::new(mind) })
    }

    /// What the provider was made from; the latency may have changed since.
    pub fn spec(&self) -> &ProviderSpec {
        &self.spec
    }

    /// Changes the latency of the calls that come from now on.
    pub fn set_latency(&self, latency: Latency) {
        self.mind.lock().unwrap_or_else(PoisonError::into_inner).latency = latency;
    }

    /// Copies the record of all calls, in the order of their numbers.
    pub fn ledger(&self) -> Vec<CallRecord> {
        self.calls.snapshot()
    }

    /// Counts the calls so far.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// Decides the response to a chat completion and records it.
    ///
    /// # Errors
    /// Gives what `OpenAI` refuses: no messages.
    pub(super) fn decide(&self, request: &ChatRequest) -> Result<Answer, ApiError> {
        if request.messages.is_empty() {
            let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, \
                           but got an empty array instead.";
            return Err(ApiError::invalid(message, Some("messages"))
                .with(axum::http::StatusCode::BAD_REQUEST, Some("empty_array")));
        }
        let last_user_text = request.last_user_text().unwrap_or_default();
        let marker = marker_of(&last_user_text);
        let prompt_tokens = request
            .messages
            .iter()
            .map(|message| TOKENS_PER_MESSAGE.saturating_add(tokens_of(&message.text())))
            .fold(0, u32::saturating_add);

        let mut mind = self.mind.lock().unwrap_or_else(PoisonError::into_inner);
        let Mind { latency, rng, talk } = &mut *mind;
        let delay = latency.sample(rng);
        let small_talk = match self.spec.mode {
            Mode::SmallTalk => talk.reply(&Prompt::read(&request.messages)),
            Mode::EchoMarker => String::new(),
        };
        let mut answer = (String::new(), "stop", Usage::new(prompt_tokens, 0));
        let call = self.calls.add(|call| {
            let whole = match self.spec.mode {
                Mode::SmallTalk => small_talk,
                Mode::EchoMarker => echo::text(call, marker),
            };
            let (text, finish_reason) = bounded(whole, request.token_bound());
            let usage = Usage::new(prompt_tokens, tokens_of(&text));
            answer = (text.clone(), finish_reason, usage);
            CallRecord {
                call,
                at_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
                model: request.model.clone(),
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
                text,
                streamed: request.stream.unwrap_or(false),
                marker: marker.map(str::to_owned),
                answered: false,
            }
        });
        drop(mind);
        let (text, finish_reason, usage) = answer;
        let settlement = Settlement::new(Arc::clone(&self.calls), call);
        Ok(Answer { call, delay, text, finish_reason, usage, settlement })
    }
}

/// Cuts a text that would take more tokens than it may.
fn bounded(text: String, bound: Option<u32>) -> (String, &'static str) {
    match bound {
        Some(bound) if tokens_of(&text) > bound => {
            let kept = usize::try_from(bound).unwrap_or(usize::MAX).saturating_mul(4);
            (text.chars().take(kept).collect(), "length")
        }
        _ => (text, "stop"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn request(value: serde_json::Value) -> ChatRequest {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_answer_is_cut_at_its_token_bound_and_says_so() {
        let provider = Provider::new(ProviderSpec { mode: Mode::EchoMarker, ..ProviderSpec::default() });
        let answer = provider
            .decide(&request(json!({"messages": [{"role": "user", "content": "hi #m1"}], "max_tokens": 2})))
            .unwrap();
        assert_eq!((answer.finish_reason, answer.usage.completion_tokens), ("length", 2));
        assert_eq!(answer.text.chars().count(), 8);
    }

    #[test]
    fn a_call_is_answered_only_once_it_is_settled() {
        let provider = Provider::new(ProviderSpec::default());
        let ask = || provider.decide(&request(json!({"messages": [{"role": "user", "content": "hi #m4"}]}))).unwrap();
        ask().settlement.finish();
        drop(ask());
        let ledger = provider.ledger();
        assert_eq!(ledger.iter().map(|call| (call.call, call.answered)).collect::<Vec<_>>(), [(1, true), (2, false)]);
        assert_eq!(ledger[0].marker.as_deref(), Some("#m4"));
    }

    #[test]
    fn the_same_seed_gives_the_same_texts() {
        let texts = |seed| {
            let provider = Provider::new(ProviderSpec { seed, ..ProviderSpec::default() });
            (0..20)
                .map(|_| {
                    provider.decide(&request(json!({"messages": [{"role": "user", "content": "tea?"}]}))).unwrap().text
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }
}
