//! Implements the provider: the only place where a response is decided. Layer: world.
//!
//! Faults and limits are decided here too. The router and the stream only write out the decided answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::calls::{CallLog, CallRecord, Settlement, Slot};
use super::faults::{self, Asked, ProviderFault, ProviderFaults, Struck};
use super::kept::Kept;
use super::limits::{Left, Limits, Meter, Used};
use super::smalltalk::{SmallTalk, prompt::Prompt};
use super::spec::{Latency, Mode, ProviderSpec};
use super::wire::{ApiError, ChatRequest, TOKENS_PER_MESSAGE, Usage, tokens_of};
use super::{dialect, echo, obedient, refusal};
use crate::ledger::marker_of;

/// The name of the provider under `/v1`.
pub const MAIN: &str = "main";

/// A simulated LLM provider with its record of calls.
#[derive(Debug)]
pub struct Provider {
    name: String,
    spec: ProviderSpec,
    calls: Arc<CallLog>,
    meter: Arc<Mutex<Meter>>,
    faults: Mutex<Faults>,
    mind: Mutex<Mind>,
}

/// The state that changes from call to call.
#[derive(Debug)]
struct Mind {
    latency: Latency,
    rng: fastrand::Rng,
    talk: SmallTalk,
    kept: Kept,
}

/// The schedule of faults, and the counts of what it did.
#[derive(Debug)]
struct Faults {
    schedule: ProviderFaults,
    set: Instant,
    requests: u64,
    injected: BTreeMap<String, u64>,
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
    /// The fault that the answer's body shows.
    pub(super) spoiled: Option<ProviderFault>,
    /// The settlement, to be finished when the whole answer was handed over.
    pub(super) settlement: Settlement,
}

/// A request for embeddings that the provider accepted.
#[derive(Debug)]
pub(super) struct Embedding {
    /// How long the client waits.
    pub(super) delay: Duration,
    /// The fault that the answer's body shows.
    pub(super) spoiled: Option<ProviderFault>,
    /// The request's place among the calls under way.
    pub(super) _slot: Slot,
}

impl Provider {
    /// Starts the provider under `/v1`; its clock starts now.
    pub fn new(spec: ProviderSpec) -> Arc<Self> {
        Self::named(MAIN, spec)
    }

    /// Starts a provider under a name that fault rules can use; its clock starts now.
    pub fn named(name: &str, spec: ProviderSpec) -> Arc<Self> {
        let mind = Mind {
            latency: spec.latency,
            rng: fastrand::Rng::with_seed(spec.seed),
            talk: SmallTalk::new(spec.seed),
            kept: Kept::default(),
        };
        let faults =
            Faults { schedule: ProviderFaults::default(), set: Instant::now(), requests: 0, injected: BTreeMap::new() };
        Arc::new(Self {
            name: name.to_owned(),
            calls: Arc::new(CallLog::starting_at(spec.first_call)),
            meter: Arc::default(),
            faults: Mutex::new(faults),
            mind: Mutex::new(mind),
            spec,
        })
    }

    /// Returns the description that the provider was made from; the latency may have changed since.
    pub fn spec(&self) -> &ProviderSpec {
        &self.spec
    }

    /// Changes the latency of later calls.
    pub fn set_latency(&self, latency: Latency) {
        lock(&self.mind).latency = latency;
    }

    /// Sets the schedule of faults; its windows count from now.
    pub fn set_faults(&self, schedule: ProviderFaults) {
        let mut faults = lock(&self.faults);
        faults.schedule = schedule;
        faults.set = Instant::now();
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.set_faults(ProviderFaults::default());
    }

    /// Returns the schedule of faults in force.
    pub fn faults(&self) -> ProviderFaults {
        lock(&self.faults).schedule.clone()
    }

    /// Returns how many faults struck so far, by kind.
    pub fn injected(&self) -> BTreeMap<String, u64> {
        lock(&self.faults).injected.clone()
    }

    /// Returns the usage of each key since the start, as billed.
    pub fn used_by_key(&self) -> BTreeMap<String, Used> {
        lock(&self.meter).by_key()
    }

    /// Returns the usage of all keys since the start, as billed.
    pub fn used(&self) -> Used {
        lock(&self.meter).total()
    }

    /// Copies the record of all calls, in the order of their numbers.
    pub fn ledger(&self) -> Vec<CallRecord> {
        self.calls.snapshot()
    }

    /// Returns the number of calls so far.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// Returns the microseconds since the provider's start, which is the clock of the calls' records.
    pub fn now_us(&self) -> u64 {
        self.calls.now_us()
    }

    /// Reports usage, limits and faults for the control API.
    pub fn report(&self) -> Value {
        let spec = &self.spec;
        json!({
            "name": self.name,
            "calls": self.call_count(),
            "used": self.used(),
            "keys": self.used_by_key(),
            "limits": {
                "requests_per_minute": spec.requests_per_minute,
                "tokens_per_minute": spec.tokens_per_minute,
                "concurrency": spec.concurrency,
            },
            "faults": self.faults(),
            "injected": self.injected(),
        })
    }

    /// Returns the remainder of a key's limits, for the headers.
    pub(super) fn left(&self, key: &str) -> [Option<Left>; 2] {
        lock(&self.meter).left(self.limits(), key, self.calls.age())
    }

    /// Decides the response to a chat completion and records it.
    ///
    /// # Errors
    /// The refusal of a request without messages, as `OpenAI` refuses it, or the refusal of a limit or a fault.
    pub(super) fn decide(&self, request: &ChatRequest, key: &str) -> Result<Answer, Box<Response>> {
        if request.messages.is_empty() {
            let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, \
                           but got an empty array instead.";
            let error = ApiError::invalid(message, Some("messages"))
                .with(axum::http::StatusCode::BAD_REQUEST, Some("empty_array"));
            return Err(Box::new(error.into_response()));
        }
        let struck = self.strike(&request.model, key)?;
        let spoiled = struck.fault.map(|(fault, _)| fault);
        if let Some(refused) = spoiled.and_then(|fault| dialect::refusal(fault, request, self.spec.seed)) {
            lock(&self.meter).failed(key);
            return Err(Box::new(refused));
        }
        let last_user_text = request.last_user_text().unwrap_or_default();
        let marker = marker_of(&last_user_text);
        let prompt_tokens = request
            .messages
            .iter()
            .map(|message| TOKENS_PER_MESSAGE.saturating_add(tokens_of(&message.text())))
            .fold(0, u32::saturating_add);

        let mut mind = lock(&self.mind);
        let call = self.calls.next_call();
        let whole = match self.spec.mode {
            Mode::SmallTalk => mind.talk.reply(&Prompt::read(&request.messages)),
            Mode::EchoMarker => echo::text(call, marker),
            Mode::NumberCalls => echo::text(call, None),
            Mode::Obedient => {
                obedient::obey(request).unwrap_or_else(|| mind.talk.reply(&Prompt::read(&request.messages)))
            }
        };
        let whole = match spoiled {
            Some(ProviderFault::Obedient) => obedient::obey(request).unwrap_or(whole),
            _ => whole,
        };
        let (text, finish_reason) = bounded(altered(whole, spoiled, call), request.token_bound());
        let usage = Usage::new(prompt_tokens, tokens_of(&text));
        let slot = self.take(key, usage)?;
        let usage = usage.with_cached(mind.kept.read(request, key, self.calls.age()));
        let Mind { latency, rng, .. } = &mut *mind;
        let delay = latency.sample(rng) + struck.delay;
        self.calls.add(CallRecord {
            call,
            at_us: self.calls.now_us(),
            model: request.model.clone(),
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            cached_tokens: usage.cached_tokens(),
            text: text.clone(),
            streamed: request.stream.unwrap_or(false),
            marker: marker.map(str::to_owned),
            answered: false,
            ended_us: None,
            key: key.to_owned(),
            fault: spoiled.or(struck.delayed_by).map(|fault| fault.as_str().to_owned()),
        });
        drop(mind);
        let settlement = Settlement::new(Arc::clone(&self.calls), call, slot);
        Ok(Answer { call, delay, text, finish_reason, usage, spoiled, settlement })
    }

    /// Accepts or refuses a request for embeddings.
    ///
    /// # Errors
    /// The refusal of a limit or a fault.
    pub(super) fn decide_embedding(&self, model: &str, key: &str, tokens: u32) -> Result<Embedding, Box<Response>> {
        let struck = self.strike(model, key)?;
        let slot = self.take(key, Usage::new(tokens, 0))?;
        Ok(Embedding { delay: struck.delay, spoiled: struck.fault.map(|(fault, _)| fault), _slot: slot })
    }

    /// Chooses the fault that strikes a request, and counts the fault.
    fn strike(&self, model: &str, key: &str) -> Result<Struck, Box<Response>> {
        let mut faults = lock(&self.faults);
        faults.requests += 1;
        let asked =
            Asked { provider: &self.name, model, key, request: faults.requests, since_set: faults.set.elapsed() };
        let struck = faults.schedule.strike(&asked);
        for fault in struck.fault.map(|(fault, _)| fault).into_iter().chain(struck.delayed_by) {
            faults::count(&mut faults.injected, fault);
        }
        drop(faults);
        match struck.fault.and_then(|(fault, retry_after)| refusal::of_fault(fault, retry_after)) {
            Some(refused) => {
                lock(&self.meter).failed(key);
                Err(Box::new(refused))
            }
            None => Ok(struck),
        }
    }

    fn take(&self, key: &str, usage: Usage) -> Result<Slot, Box<Response>> {
        let (prompt, completion) = (u64::from(usage.prompt_tokens), u64::from(usage.completion_tokens));
        let taken = lock(&self.meter).take(self.limits(), key, prompt, completion, self.calls.age());
        match taken {
            Ok(()) => Ok(Slot::taken(Arc::clone(&self.meter))),
            Err(refused) => Err(Box::new(refusal::of_limit(&refused))),
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            requests: self.spec.requests_per_minute,
            tokens: self.spec.tokens_per_minute,
            concurrency: self.spec.concurrency,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes the text of an answer as a fault demands.
fn altered(text: String, spoiled: Option<ProviderFault>, call: u64) -> String {
    match spoiled {
        Some(ProviderFault::EmptyText | ProviderFault::EmptyBody) => String::new(),
        Some(ProviderFault::LeakedReasoning) if call.is_multiple_of(2) => {
            format!("<think>Okay, the user wants an answer. Let me keep it short.</think>\n\n{text}")
        }
        Some(ProviderFault::LeakedReasoning) => {
            format!("<think>\nOkay, let me see what they asked. I should answer: {text}")
        }
        // A character that JSON escapes as a surrogate pair.
        Some(ProviderFault::OddFraming) => match text.split_once(' ') {
            Some((first, rest)) => format!("{first} 😀 {rest}"),
            None => text,
        },
        Some(ProviderFault::CutByLength | ProviderFault::Filtered) => {
            let kept = text.chars().count() * 2 / 3;
            text.chars().take(kept.max(1)).collect()
        }
        Some(ProviderFault::ToolJson) => json!({"name": "send_message", "arguments": {"text": text}}).to_string(),
        _ => text,
    }
}

/// Cuts a text that has more tokens than the bound; returns the text and its finish reason.
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
            .decide(&request(json!({"messages": [{"role": "user", "content": "hi #m1"}], "max_tokens": 2})), "")
            .unwrap();
        assert_eq!((answer.finish_reason, answer.usage.completion_tokens), ("length", 2));
        assert_eq!(answer.text.chars().count(), 8);
    }

    #[test]
    fn a_call_is_answered_only_once_it_is_settled() {
        let provider = Provider::new(ProviderSpec::default());
        let ask =
            || provider.decide(&request(json!({"messages": [{"role": "user", "content": "hi #m4"}]})), "").unwrap();
        ask().settlement.finish();
        drop(ask());
        let ledger = provider.ledger();
        assert_eq!(ledger.iter().map(|call| (call.call, call.answered)).collect::<Vec<_>>(), [(1, true), (2, false)]);
        assert_eq!(ledger[0].marker.as_deref(), Some("#m4"));
        assert!(ledger.iter().all(|call| call.ended_us >= Some(call.at_us)));
    }

    #[test]
    fn the_same_seed_gives_the_same_texts() {
        let texts = |seed| {
            let provider = Provider::new(ProviderSpec { seed, ..ProviderSpec::default() });
            (0..20)
                .map(|_| {
                    let request = request(json!({"messages": [{"role": "user", "content": "tea?"}]}));
                    provider.decide(&request, "").unwrap().text
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }
}
