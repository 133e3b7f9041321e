//! `LlmProvider` for one OpenAI-compatible provider. Layer `adapters`. Keeps I12.
//!
//! Makes one attempt per call: limits, breakers, retries and fallbacks belong to the caller.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_openai::Client;
use async_openai::config::Config;
use async_openai::error::OpenAIError;
use async_trait::async_trait;
use botfleet_actors::ports::llm::{
    Completion, CompletionRequest, EmbeddingRequest, Embeddings, FinishReason, KeyIndex, LlmError, LlmProvider,
};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;

use super::embeddings::{EmbeddingsAnswer, EmbeddingsRequest};
use super::fault::Fault;
use super::settings::{LlmProviderSettings, ProviderKind};
use super::stream;
use super::transport::Transport;
use super::vendor::Vendor;
use super::wire::{ChatAnswer, ChatRequest, Content, finish_reason, without_reasoning};

/// Why there is no provider.
#[derive(Debug, thiserror::Error)]
pub enum LlmSetupError {
    /// A compatible provider has no base URL of its own.
    #[error("provider {0} needs a base_url")]
    NoBaseUrl(String),
    /// The base URL is none.
    #[error("base_url of provider {0} is no http or https URL")]
    BaseUrl(String),
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
pub struct OpenAiProvider {
    name: Arc<str>,
    kind: ProviderKind,
    vendor: &'static Vendor,
    stream: bool,
    first_token_timeout: Duration,
    /// One for each key, at least one.
    doors: Vec<Door>,
}

/// The way in with one key.
struct Door {
    key: SecretString,
    /// For completions, which may be streamed.
    chat: Client<Endpoint>,
    /// For everything else.
    plain: Client<Endpoint>,
}

impl fmt::Debug for OpenAiProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiProvider").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Where and how the SDK calls; unlike its own configuration it reads nothing from the environment.
#[derive(Clone)]
struct Endpoint {
    base: String,
    key: SecretString,
    headers: HeaderMap,
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        [&self.base, path].concat()
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

impl OpenAiProvider {
    /// Builds the provider `name`; connects to nothing yet.
    ///
    /// # Errors
    /// Settings that name no usable URL or key, or an HTTP client that cannot be built.
    pub fn new(name: &str, settings: &LlmProviderSettings) -> Result<Self, LlmSetupError> {
        // A second installation finds the first one in place: that is the wish.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = match (&settings.base_url, settings.kind.default_base_url()) {
            (Some(url), _) => url.as_str(),
            (None, Some(url)) => url,
            (None, None) => return Err(LlmSetupError::NoBaseUrl(name.to_owned())),
        };
        let usable = Url::parse(base).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !usable {
            return Err(LlmSetupError::BaseUrl(name.to_owned()));
        }
        let mut keys = settings.api_keys.clone();
        if keys.is_empty() {
            if settings.kind.needs_key() {
                return Err(LlmSetupError::NoKey(name.to_owned()));
            }
            keys.push(SecretString::default());
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .build()
            .map_err(|e| LlmSetupError::HttpClient { name: name.to_owned(), reason: e.without_url().to_string() })?;
        let base = base.trim_end_matches('/');
        let door = |key: SecretString| {
            let endpoint = Endpoint { base: base.to_owned(), headers: headers(name, &key)?, key: key.clone() };
            let client = |stream| {
                Client::build(http.clone(), endpoint.clone()).with_http_service(Transport::new(http.clone(), stream))
            };
            Ok(Door { key, chat: client(settings.stream), plain: client(false) })
        };
        Ok(Self {
            name: name.into(),
            kind: settings.kind,
            vendor: Vendor::of(settings.kind),
            stream: settings.stream,
            first_token_timeout: settings.first_token_timeout,
            doors: keys.into_iter().map(door).collect::<Result<_, _>>()?,
        })
    }

    fn door(&self, key: KeyIndex) -> Result<&Door, LlmError> {
        self.doors.get(key.0).ok_or_else(|| LlmError::KeyRefused(format!("there is no key {}", key.0)))
    }

    async fn ask(&self, door: &Door, request: &CompletionRequest) -> Result<Completion, LlmError> {
        let wire = ChatRequest::new(request, self.vendor, self.stream);
        let chat = door.chat.chat();
        let answer = if self.stream {
            let first_until = tokio::time::Instant::now() + self.first_token_timeout;
            let opened = tokio::time::timeout_at(first_until, chat.create_stream_byot::<_, Box<RawValue>>(wire)).await;
            let chunks = opened.unwrap_or_else(|_| Err(stream::late())).map_err(|e| self.told(door, e))?;
            stream::assemble(chunks, first_until).await.map_err(|e| self.told(door, e))?
        } else {
            let body: Box<RawValue> = chat.create_byot(wire).await.map_err(|e| self.told(door, e))?;
            serde_json::from_str(body.get())
                .map_err(|e| LlmError::Garbage(format!("unexpected answer at column {}", e.column())))?
        };
        self.completion(door, answer)
    }

    async fn ask_embeddings(&self, door: &Door, request: &EmbeddingRequest) -> Result<Embeddings, LlmError> {
        let wire = EmbeddingsRequest::new(request);
        let body: Box<RawValue> = door.plain.embeddings().create_byot(wire).await.map_err(|e| self.told(door, e))?;
        let answer: EmbeddingsAnswer = serde_json::from_str(body.get())
            .map_err(|e| LlmError::Garbage(format!("unexpected answer at column {}", e.column())))?;
        answer.read(request.texts.len())
    }

    fn completion(&self, door: &Door, answer: ChatAnswer) -> Result<Completion, LlmError> {
        let usage = answer.usage.unwrap_or_default();
        let Some(choice) = answer.choices.into_iter().flatten().next() else {
            return Err(match answer.error {
                Some(error) => Fault::embedded(&error).into_error(self.vendor, &door.key),
                None => LlmError::Garbage("answer without choices".to_owned()),
            });
        };
        let mut reason = choice.finish_reason.as_deref().map_or(FinishReason::Other, finish_reason);
        let (mut text, mut refused, mut calls_tools) = (String::new(), false, false);
        if let Some(message) = choice.message {
            refused = message.refusal.is_some();
            calls_tools =
                message.tool_calls.is_some_and(|calls| calls.as_array().is_some_and(|calls| !calls.is_empty()));
            text = message.content.map(Content::into_text).unwrap_or_default();
        }
        if self.vendor.reasoning_in_text {
            text = without_reasoning(text);
        }
        if text.is_empty() && refused {
            reason = FinishReason::ContentFilter;
        }
        // A filter's silence is an answer; any other is none.
        if text.trim().is_empty() && reason != FinishReason::ContentFilter {
            let what = if calls_tools { "answer calls tools that nobody offered" } else { "answer without text" };
            return Err(LlmError::Garbage(what.to_owned()));
        }
        Ok(Completion {
            text,
            finish_reason: reason,
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.billed_completion(),
        })
    }

    fn told(&self, door: &Door, error: OpenAIError) -> LlmError {
        match error {
            OpenAIError::Boxed(cause) => match cause.downcast::<Fault>() {
                Ok(fault) => fault.into_error(self.vendor, &door.key),
                Err(_) => LlmError::Unavailable("unexpected error below the sdk".to_owned()),
            },
            // The words of these may hold the URL or the body.
            OpenAIError::Reqwest(_) => LlmError::Unavailable("request failed within the sdk".to_owned()),
            OpenAIError::InvalidArgument(_) => LlmError::Rejected("request cannot be written as JSON".to_owned()),
            _ => LlmError::Garbage("answer refused by the sdk".to_owned()),
        }
    }

    fn record(&self, model: &str, started: Instant, outcome: Result<(Option<u32>, Option<u32>), &LlmError>) {
        let provider = || self.name.clone();
        let model = || model.to_owned();
        let status = outcome.map_or_else(LlmError::label, |_| "ok");
        metrics::counter!("botfleet_llm_api_calls_total",
            "provider" => provider(), "model" => model(), "status" => status)
        .increment(1);
        metrics::histogram!("botfleet_llm_api_duration_seconds", "provider" => provider(), "model" => model())
            .record(started.elapsed());
        let Ok((prompt, completion)) = outcome else { return };
        for (kind, tokens) in [("prompt", prompt), ("completion", completion)] {
            metrics::counter!("botfleet_llm_token_usage_total",
                "provider" => provider(), "model" => model(), "type" => kind)
            .increment(tokens.unwrap_or(0).into());
        }
    }
}

fn headers(name: &str, key: &SecretString) -> Result<HeaderMap, LlmSetupError> {
    let mut headers = HeaderMap::new();
    if !key.expose_secret().is_empty() {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
            .map_err(|_| LlmSetupError::Key(name.to_owned()))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    Ok(headers)
}

#[async_trait]
impl LlmProvider for OpenAiProvider {
    fn keys(&self) -> usize {
        self.doors.len()
    }

    async fn complete(&self, key: KeyIndex, request: CompletionRequest) -> Result<Completion, LlmError> {
        let (door, started) = (self.door(key)?, Instant::now());
        let outcome = self.ask(door, &request).await;
        let used = outcome.as_ref().map(|completion| (completion.prompt_tokens, completion.completion_tokens));
        self.record(&request.model, started, used);
        outcome
    }

    async fn embed(&self, key: KeyIndex, request: EmbeddingRequest) -> Result<Embeddings, LlmError> {
        let (door, started) = (self.door(key)?, Instant::now());
        let outcome = self.ask_embeddings(door, &request).await;
        self.record(&request.model, started, outcome.as_ref().map(|embeddings| (embeddings.tokens, None)));
        outcome
    }

    /// Lists the models; a server that has no such list answers all the same.
    async fn probe(&self) -> Result<(), LlmError> {
        let door = self.door(KeyIndex(0))?;
        let error = match door.plain.models().list_byot::<Box<RawValue>>().await {
            Ok(_) => return Ok(()),
            Err(OpenAIError::Boxed(cause)) => match cause.downcast_ref::<Fault>() {
                Some(Fault::Malformed(_)) => return Ok(()),
                Some(Fault::Refused { status, .. }) if matches!(status.as_u16(), 404 | 405) => return Ok(()),
                _ => OpenAIError::Boxed(cause),
            },
            Err(error) => error,
        };
        Err(self.told(door, error))
    }
}
