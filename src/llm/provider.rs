//! `LlmProvider` for one OpenAI-compatible provider. Layer `adapters`. Keeps I12.
//!
//! Makes one attempt per call: limits, breakers, retries and fallbacks belong to the caller.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_openai::Client;
use async_openai::config::Config;
use async_openai::error::OpenAIError;
use async_trait::async_trait;
use botfleet_actors::ports::llm::{Completion, CompletionRequest, FinishReason, LlmError, LlmProvider};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;

use super::fault::Fault;
use super::settings::{LlmProviderSettings, ProviderKind};
use super::stream;
use super::transport::Transport;
use super::wire::{ChatAnswer, ChatRequest, Content, finish_reason};

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
    stream: bool,
    key: SecretString,
    client: Client<Endpoint>,
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
        let key = match &settings.api_key {
            Some(key) => key.clone(),
            None if settings.kind.needs_key() => return Err(LlmSetupError::NoKey(name.to_owned())),
            None => SecretString::default(),
        };
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .build()
            .map_err(|e| LlmSetupError::HttpClient { name: name.to_owned(), reason: e.without_url().to_string() })?;
        let endpoint =
            Endpoint { base: base.trim_end_matches('/').to_owned(), headers: headers(name, &key)?, key: key.clone() };
        let client = Client::build(http.clone(), endpoint).with_http_service(Transport::new(http, settings.stream));
        Ok(Self { name: name.into(), kind: settings.kind, stream: settings.stream, key, client })
    }

    async fn ask(&self, request: &CompletionRequest) -> Result<Completion, LlmError> {
        let wire = ChatRequest::new(request, self.kind, self.stream);
        let chat = self.client.chat();
        let answer = if self.stream {
            let chunks = chat.create_stream_byot::<_, Box<RawValue>>(wire).await.map_err(|e| self.told(e))?;
            stream::assemble(chunks).await.map_err(|e| self.told(e))?
        } else {
            let body: Box<RawValue> = chat.create_byot(wire).await.map_err(|e| self.told(e))?;
            serde_json::from_str(body.get())
                .map_err(|e| LlmError::Garbage(format!("unexpected answer at column {}", e.column())))?
        };
        self.completion(answer)
    }

    fn completion(&self, answer: ChatAnswer) -> Result<Completion, LlmError> {
        let usage = answer.usage.unwrap_or_default();
        let Some(choice) = answer.choices.into_iter().flatten().next() else {
            return Err(match answer.error {
                Some(error) => Fault::embedded(&error).into_error(&self.key),
                None => LlmError::Garbage("answer without choices".to_owned()),
            });
        };
        let mut reason = choice.finish_reason.as_deref().map_or(FinishReason::Other, finish_reason);
        let (text, refused) = match choice.message {
            Some(message) => (message.content.map(Content::into_text).unwrap_or_default(), message.refusal.is_some()),
            None => (String::new(), false),
        };
        if text.is_empty() && refused {
            reason = FinishReason::ContentFilter;
        }
        // A filter's silence is an answer; any other is none.
        if text.trim().is_empty() && reason != FinishReason::ContentFilter {
            return Err(LlmError::Garbage("answer without text".to_owned()));
        }
        Ok(Completion {
            text,
            finish_reason: reason,
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
        })
    }

    fn told(&self, error: OpenAIError) -> LlmError {
        match error {
            OpenAIError::Boxed(cause) => match cause.downcast::<Fault>() {
                Ok(fault) => fault.into_error(&self.key),
                Err(_) => LlmError::Unavailable("unexpected error below the sdk".to_owned()),
            },
            // The words of these may hold the URL or the body.
            OpenAIError::Reqwest(_) => LlmError::Unavailable("request failed within the sdk".to_owned()),
            OpenAIError::InvalidArgument(_) => LlmError::Rejected("request cannot be written as JSON".to_owned()),
            _ => LlmError::Garbage("answer refused by the sdk".to_owned()),
        }
    }

    fn record(&self, model: &str, started: Instant, outcome: &Result<Completion, LlmError>) {
        let provider = || self.name.clone();
        let model = || model.to_owned();
        let status = outcome.as_ref().map_or_else(LlmError::label, |_| "ok");
        metrics::counter!("botfleet_llm_api_calls_total",
            "provider" => provider(), "model" => model(), "status" => status)
        .increment(1);
        metrics::histogram!("botfleet_llm_api_duration_seconds", "provider" => provider(), "model" => model())
            .record(started.elapsed());
        let Ok(completion) = outcome else { return };
        for (kind, tokens) in [("prompt", completion.prompt_tokens), ("completion", completion.completion_tokens)] {
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
    async fn complete(&self, request: CompletionRequest) -> Result<Completion, LlmError> {
        let started = Instant::now();
        let outcome = self.ask(&request).await;
        self.record(&request.model, started, &outcome);
        outcome
    }

    /// Lists the models; a server that has no such list answers all the same.
    async fn probe(&self) -> Result<(), LlmError> {
        let error = match self.client.models().list_byot::<Box<RawValue>>().await {
            Ok(_) => return Ok(()),
            Err(OpenAIError::Boxed(cause)) => match cause.downcast_ref::<Fault>() {
                Some(Fault::Malformed(_)) => return Ok(()),
                Some(Fault::Refused { status, .. }) if matches!(status.as_u16(), 404 | 405) => return Ok(()),
                _ => OpenAIError::Boxed(cause),
            },
            Err(error) => error,
        };
        Err(self.told(error))
    }
}
