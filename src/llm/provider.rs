//! Implements `LlmProvider` for one provider, in its wire format, over HTTP. Layer `adapters`. Keeps I12.
//!
//! Makes one attempt per call: limits, breakers, retries and fallbacks belong to the caller.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_openai::error::OpenAIError;
use async_trait::async_trait;
use botfleet_actors::ports::llm::{
    Completion, CompletionRequest, EmbeddingRequest, Embeddings, FinishReason, KeyIndex, LlmError, LlmProvider,
    PromptMessage,
};
use botfleet_actors::ports::metrics;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Request, Url};
use secrecy::SecretString;
use serde_json::value::RawValue;

use super::address::BaseUrl;
use super::dialect::{Dialect, Dialects, Lesson, Refused};
use super::door::{Door, door};
use super::embeddings::{EmbeddingsAnswer, EmbeddingsRequest};
use super::ends::End;
use super::exchange::{Exchanged, exchange};
use super::fault::Fault;
use super::redact::Redaction;
use super::settings::{LlmProviderSettings, ProviderKind};
use super::vendor::wire_of;
use super::wire::Wire;
use crate::llm::vendor::facts::Vendor;
use crate::outbound::guard::Unfit;
use crate::outbound::origin::Origin;

/// Most refusals of one call that are learned from; after them, the next call goes on learning.
const LESSONS_MAX: usize = 4;

/// Prompt of calls that are no completion: there is none that a refusal could quote.
const NO_PROMPT: &[PromptMessage] = &[];

/// Reason why a provider cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LlmSetupError {
    /// A compatible provider has no base URL of its own.
    #[error("provider {0} needs a base_url")]
    NoBaseUrl(String),
    /// The base URL is no http or https URL.
    #[error("base_url of provider {0} is no http or https URL")]
    BaseUrl(String),
    /// The base URL is somebody else's word, and may not be asked.
    #[error("base_url of provider {0} {1}")]
    Refused(String, Unfit),
    /// The kind refuses calls without a key.
    #[error("provider {0} needs an api_key")]
    NoKey(String),
    /// The key cannot stand in a header.
    #[error("api_key of provider {0} holds characters that no header may")]
    Key(String),
    /// The HTTP client cannot be built, for example for want of root certificates.
    #[error("no http client for provider {name}: {reason}")]
    HttpClient {
        /// The provider.
        name: String,
        /// The cause.
        reason: String,
    },
}

/// One provider.
pub struct HttpProvider {
    name: Arc<str>,
    kind: ProviderKind,
    vendor: &'static Vendor,
    wire: &'static dyn Wire,
    dialects: Dialects,
    first_token_timeout: Duration,
    http: reqwest::Client,
    completions: Url,
    /// The address that keys are for, up to and with the version.
    base: String,
    /// One way to call for each API key, at least one.
    doors: Vec<RwLock<Result<Arc<Door>, String>>>,
}

impl fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProvider").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl HttpProvider {
    /// Builds the provider `name`, without connecting to anything yet.
    ///
    /// # Errors
    /// When the settings name no usable URL or key, or the HTTP client cannot be built.
    pub fn new(name: &str, settings: &LlmProviderSettings, origin: &Origin) -> Result<Self, LlmSetupError> {
        Self::speaking(name, settings, origin, wire_of(settings.kind))
    }

    fn speaking(
        name: &str,
        settings: &LlmProviderSettings,
        origin: &Origin,
        wire: &'static dyn Wire,
    ) -> Result<Self, LlmSetupError> {
        let base = match (&settings.base_url, settings.kind.default_base_url()) {
            (Some(url), _) => url.as_str(),
            (None, Some(url)) => url,
            (None, None) => return Err(LlmSetupError::NoBaseUrl(name.to_owned())),
        };
        let base = BaseUrl::read(base).map_err(|_| LlmSetupError::BaseUrl(name.to_owned()))?.url;
        let completions = Url::parse(&[&base, wire.path()].concat());
        let completions = completions.map_err(|_| LlmSetupError::BaseUrl(name.to_owned()))?;
        origin.judge(&completions).map_err(|why| LlmSetupError::Refused(name.to_owned(), why))?;
        let mut keys = settings.api_keys.clone();
        if keys.is_empty() {
            if settings.kind.needs_key() {
                return Err(LlmSetupError::NoKey(name.to_owned()));
            }
            keys.push(SecretString::default());
        }
        let http = origin
            .client()
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .build()
            .map_err(|e| LlmSetupError::HttpClient { name: name.to_owned(), reason: e.without_url().to_string() })?;
        let door = |key: SecretString| Ok(RwLock::new(Ok(Arc::new(door(name, (wire, &http), &base, key)?))));
        let vendor = Vendor::of(settings.kind);
        Ok(Self {
            name: name.into(),
            kind: settings.kind,
            vendor,
            wire,
            dialects: Dialects::new(Dialect::new(vendor, settings.roles, settings.stream, &settings.omit)),
            first_token_timeout: settings.first_token_timeout,
            doors: keys.into_iter().map(door).collect::<Result<_, LlmSetupError>>()?,
            base,
            http,
            completions,
        })
    }

    /// Returns the address that keys are for.
    pub fn destination(&self) -> &str {
        &self.base
    }

    /// Puts another key in the place of the first one, for the calls that begin from now on; or the reason why there is none.
    ///
    /// # Errors
    /// `Key` when the key cannot stand in a header; the one before stays.
    pub fn replace_key(&self, key: Result<SecretString, String>) -> Result<(), LlmSetupError> {
        let Some(place) = self.doors.first() else { return Ok(()) };
        let new = match key {
            Ok(key) => Ok(Arc::new(door(&self.name, (self.wire, &self.http), &self.base, key)?)),
            Err(why) => Err(why),
        };
        *place.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    fn door(&self, key: KeyIndex) -> Result<Arc<Door>, LlmError> {
        let none = || LlmError::KeyRefused(format!("there is no key {}", key.0));
        let place = self.doors.get(key.0).ok_or_else(none)?.read().unwrap_or_else(PoisonError::into_inner);
        place.as_ref().map(Arc::clone).map_err(|why| LlmError::KeyRefused(why.clone()))
    }

    /// Asks in the model's dialect. A refusal that teaches a better dialect is no attempt, and not billed.
    async fn ask(&self, door: &Door, request: &CompletionRequest) -> Result<Completion, LlmError> {
        let redaction = Redaction { key: &door.key, prompt: &request.messages };
        let mut dialect = self.dialects.of(&request.model);
        let mut lessons: Vec<Lesson> = Vec::new();
        loop {
            let outcome = self.exchange(door, request, dialect).await;
            let lesson = match &outcome {
                Err(Fault::Refused { status, message, param, .. }) if lessons.len() < LESSONS_MAX => {
                    dialect.lesson(request, Refused { status: status.as_u16(), message, param: param.as_deref() })
                }
                _ => None,
            };
            if let Some(lesson) = lesson {
                dialect = dialect.after(lesson);
                lessons.push(lesson);
                continue;
            }
            // A lesson that did not help is not kept: the refusal may have named words of people.
            if outcome.is_ok() {
                self.keep(&request.model, &lessons);
            }
            return outcome
                .and_then(|exchanged| self.completion(&request.model, exchanged))
                .map_err(|fault| fault.into_error(self.vendor, redaction));
        }
    }

    async fn exchange(&self, door: &Door, request: &CompletionRequest, dialect: Dialect) -> Result<Exchanged, Fault> {
        let body = self.wire.body(request, self.vendor, dialect);
        let body = body.map_err(|e| Fault::Malformed(format!("request is no JSON: {e}")))?;
        let mut asked = Request::new(reqwest::Method::POST, self.completions.clone());
        asked.headers_mut().clone_from(&door.headers);
        asked.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *asked.body_mut() = Some(body.into());
        let first_until = dialect.stream.then(|| tokio::time::Instant::now() + self.first_token_timeout);
        exchange(&self.http, asked, first_until, self.wire.reader()).await
    }

    /// Remembers how to ask the model, and logs each new lesson once.
    fn keep(&self, model: &str, lessons: &[Lesson]) {
        for lesson in lessons {
            if self.dialects.keep(model, *lesson) {
                tracing::warn!(provider = %self.name, model, lesson = %lesson, "model was asked another way, and is from now on");
            }
        }
    }

    async fn ask_embeddings(&self, door: &Door, request: &EmbeddingRequest) -> Result<Embeddings, LlmError> {
        let wire = EmbeddingsRequest::new(request);
        let body: Box<RawValue> = door.sdk.embeddings().create_byot(wire).await.map_err(|e| self.told(door, e))?;
        let answer: EmbeddingsAnswer = serde_json::from_str(body.get())
            .map_err(|e| LlmError::Garbage(format!("unexpected answer at column {}", e.column())))?;
        answer.read(request.texts.len())
    }

    /// Turns an answer into a completion. Only an answer that ended well is a whole text (I13).
    fn completion(&self, model: &str, exchanged: Exchanged) -> Result<Completion, Fault> {
        let Exchanged { answer, closed } = exchanged;
        let garbage = |words: String| Err(Fault::Malformed(words));
        let finish_reason = match &answer.end {
            _ if answer.refused => FinishReason::ContentFilter,
            Some(End::Filtered) => FinishReason::ContentFilter,
            Some(End::Broken(_)) if answer.calls_tools => {
                return garbage("answer calls tools that nobody offered".to_owned());
            }
            Some(End::Broken(word)) => return garbage(format!("answer ended with {word:?}")),
            Some(End::Length) => FinishReason::Length,
            Some(End::Whole) => FinishReason::Stop,
            // Some servers never give a reason. An answer without one, of a server that gives reasons, was cut.
            None if closed && !self.dialects.gives_reasons(model) => FinishReason::Stop,
            None => return garbage("answer ended without a finish reason".to_owned()),
        };
        if answer.end.is_some() {
            self.dialects.gave_reason(model);
        }
        let text = if self.vendor.reasoning_in_text { without_reasoning(answer.text) } else { answer.text };
        // A filter may leave no text; any other answer without text is a fault.
        if finish_reason != FinishReason::ContentFilter {
            if answer.calls_tools {
                return garbage("answer calls tools that nobody offered".to_owned());
            }
            if text.trim().is_empty() {
                return garbage("answer without text".to_owned());
            }
        }
        Ok(Completion {
            text,
            finish_reason,
            prompt_tokens: answer.usage.prompt,
            cached_tokens: answer.usage.cached,
            completion_tokens: answer.usage.billed_completion(),
        })
    }

    fn told(&self, door: &Door, error: OpenAIError) -> LlmError {
        match error {
            OpenAIError::Boxed(cause) => match cause.downcast::<Fault>() {
                Ok(fault) => fault.into_error(self.vendor, Redaction { key: &door.key, prompt: NO_PROMPT }),
                Err(_) => LlmError::Unavailable("unexpected error below the sdk".to_owned()),
            },
            // The text of these errors may hold the URL or the body.
            OpenAIError::Reqwest(_) => LlmError::Unavailable("request failed within the sdk".to_owned()),
            OpenAIError::InvalidArgument(_) => LlmError::Rejected("request cannot be written as JSON".to_owned()),
            _ => LlmError::Garbage("answer refused by the sdk".to_owned()),
        }
    }

    fn record(&self, model: &str, started: Instant, outcome: Result<(Option<u32>, Option<u32>), &LlmError>) {
        let provider = || self.name.clone();
        let model = || model.to_owned();
        let status = outcome.map_or_else(LlmError::label, |_| "ok");
        metrics::llm_api_calls_total { provider: provider(), model: model(), status }.increment(1);
        metrics::llm_api_duration_seconds { provider: provider(), model: model() }.handle().record(started.elapsed());
        let Ok((prompt, completion)) = outcome else { return };
        for (kind, tokens) in [("prompt", prompt), ("completion", completion)] {
            metrics::llm_token_usage_total { provider: provider(), model: model(), r#type: kind }
                .increment(tokens.unwrap_or(0).into());
        }
    }
}

/// Returns a text without the reasoning between marks before it. Reasoning that never ends is left to the firewall.
fn without_reasoning(text: String) -> String {
    let Some(rest) = text.trim_start().strip_prefix("<think>") else {
        return text;
    };
    match rest.split_once("</think>") {
        Some((_, answer)) => answer.trim_start().to_owned(),
        None => text,
    }
}

#[async_trait]
impl LlmProvider for HttpProvider {
    fn keys(&self) -> usize {
        self.doors.len()
    }

    async fn complete(&self, key: KeyIndex, request: CompletionRequest) -> Result<Completion, LlmError> {
        let (door, started) = (self.door(key)?, Instant::now());
        let outcome = self.ask(&door, &request).await;
        let used = outcome.as_ref().map(|completion| (completion.prompt_tokens, completion.completion_tokens));
        self.record(&request.model, started, used);
        if let Some(cached) = outcome.as_ref().ok().and_then(|completion| completion.cached_tokens) {
            let (provider, model) = (self.name.clone(), request.model.clone());
            metrics::llm_cached_tokens_total { provider, model }.increment(cached.into());
        }
        outcome
    }

    async fn embed(&self, key: KeyIndex, request: EmbeddingRequest) -> Result<Embeddings, LlmError> {
        let (door, started) = (self.door(key)?, Instant::now());
        let outcome = self.ask_embeddings(&door, &request).await;
        self.record(&request.model, started, outcome.as_ref().map(|embeddings| (embeddings.tokens, None)));
        outcome
    }

    /// Lists the models. A server without such a list has answered all the same.
    async fn probe(&self) -> Result<(), LlmError> {
        let door = self.door(KeyIndex(0))?;
        let error = match door.sdk.models().list_byot::<Box<RawValue>>().await {
            Ok(_) => return Ok(()),
            Err(OpenAIError::Boxed(cause)) => match cause.downcast_ref::<Fault>() {
                Some(Fault::Malformed(_)) => return Ok(()),
                Some(Fault::Refused { status, .. }) if matches!(status.as_u16(), 404 | 405) => return Ok(()),
                _ => OpenAIError::Boxed(cause),
            },
            Err(error) => error,
        };
        Err(self.told(&door, error))
    }
}

#[cfg(test)]
mod tests;
