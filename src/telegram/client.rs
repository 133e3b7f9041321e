//! The HTTP client that all bots of a node share: makes one attempt of one call. Layer `adapters`. Keeps I4, I12.
//!
//! The token is part of the URL, so no error of the HTTP client leaves this file: errors are put into words without
//! URL, and the token is taken out of them.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::DateListener;
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::telegram::TelegramError;
use bytes::Bytes;
use chrono::DateTime;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::bot::{TelegramBot, TokenSource};
use super::breaker::Breaker;
use super::settings::TelegramSettings;

/// Reason why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TelegramSetupError {
    /// The base URL is no http or https URL.
    #[error("telegram.api_url is no http or https URL")]
    ApiUrl,
    /// The proxy's URL is no URL of a proxy.
    #[error("telegram.proxy is no URL of a proxy")]
    Proxy,
    /// The HTTP client cannot be built, for example for want of root certificates.
    #[error("no http client for telegram: {0}")]
    HttpClient(String),
}

/// The access of a node to Telegram; cheap to clone.
#[derive(Clone, Debug)]
pub struct TelegramClient {
    shared: Arc<Shared>,
}

/// Interval at which the date of an answer is read: it tells Telegram's time in whole seconds.
const DATES_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Shared {
    http: reqwest::Client,
    base: Url,
    breaker: Breaker,
    request_timeout: Duration,
    poll_margin: Duration,
    dates: Dates,
}

/// Passes the dates of answers on, now and then.
struct Dates {
    listener: OnceLock<Arc<dyn DateListener>>,
    started: Instant,
    /// Milliseconds since `started` before which no date is looked at.
    next_ms: AtomicU64,
}

impl std::fmt::Debug for Dates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dates")
    }
}

impl Dates {
    fn heard(&self, answer: &Answer) {
        let Some(listener) = self.listener.get().filter(|_| answer.status.is_success()) else {
            return;
        };
        let now = self.started.elapsed();
        if (now.as_millis() as u64) < self.next_ms.load(Ordering::Relaxed) {
            return;
        }
        // RFC 9110, 5.6.7: such a date is one of RFC 2822 in GMT.
        let date = answer.headers.get(DATE).and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
        if let Some(date) = date {
            self.next_ms.store((now + DATES_EVERY).as_millis() as u64, Ordering::Relaxed);
            listener.telegram_answered(Timestamp::from_secs(date.timestamp()));
        }
    }
}

/// The parts of a call that an attempt needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) url: &'a Url,
    pub(super) token: &'a SecretString,
    pub(super) effect: Effect,
}

/// The effect of a call, which decides whether the breaker gates the call and what its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Changes nothing, or may be repeated freely; passes an open breaker, and closes it when answered.
    Probe,
    /// Changes nothing.
    Read,
    /// Does something that must not be done twice.
    Write,
}

/// An answer, whatever it says.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl TelegramClient {
    /// Builds the client, without connecting to anything yet.
    ///
    /// # Errors
    /// When the settings name no usable URL, or the HTTP client cannot be built.
    pub fn new(settings: &TelegramSettings) -> Result<Self, TelegramSetupError> {
        // A second installation finds the first one in place, as it should.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base: Url = settings.api_url.parse().map_err(|_| TelegramSetupError::ApiUrl)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(TelegramSetupError::ApiUrl);
        }
        let mut http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(settings.connect_timeout)
            .pool_max_idle_per_host(usize::MAX)
            .pool_idle_timeout(settings.idle_timeout);
        if let Some(proxy) = &settings.proxy {
            let proxy = reqwest::Proxy::all(proxy.expose_secret()).map_err(|_| TelegramSetupError::Proxy)?;
            http = http.proxy(proxy);
        }
        let http = http.build().map_err(|e| TelegramSetupError::HttpClient(told(&e.without_url())))?;
        let shared = Shared {
            http,
            base,
            breaker: Breaker::new(settings.breaker_failures.get(), settings.breaker_open_for),
            request_timeout: settings.request_timeout,
            poll_margin: settings.poll_margin,
            dates: Dates { listener: OnceLock::new(), started: Instant::now(), next_ms: AtomicU64::new(0) },
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns the Bot API for one token.
    pub fn bot(&self, token: SecretString) -> TelegramBot {
        TelegramBot::new(self.clone(), token, None)
    }

    /// Returns the Bot API for one token, and a source in which the token is looked up again once it is refused.
    pub fn bot_with_source(&self, token: SecretString, source: TokenSource) -> TelegramBot {
        TelegramBot::new(self.clone(), token, Some(source))
    }

    /// Tells the dates of Telegram's answers to `listener` from now on; the first listener stays for good.
    pub fn tell_dates(&self, listener: Arc<dyn DateListener>) {
        let _ = self.shared.dates.listener.set(listener);
    }

    /// Returns whether sends go; `false` while the breaker refuses them or tries one at a time.
    pub fn sends_go(&self) -> bool {
        self.shared.breaker.is_closed()
    }

    /// Returns whether the breaker would admit a send now.
    pub(super) fn sends_have_a_chance(&self) -> bool {
        self.shared.breaker.would_admit()
    }

    /// Returns the URL of a method, which holds the token.
    pub(super) fn url(&self, token: &SecretString, method: &str) -> Url {
        let mut url = self.shared.base.clone();
        // An http URL always has a path, so this cannot fail.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&format!("bot{}", token.expose_secret())).push(method);
        }
        url
    }

    /// Makes one attempt. `wait` is the time that Telegram itself was asked to wait.
    ///
    /// # Errors
    /// `Unreachable` when nothing was done, `Unknown` when a write may have been done.
    pub(super) async fn attempt<P: Serialize + Sync>(
        &self,
        call: Call<'_>,
        payload: &P,
        wait: Option<Duration>,
    ) -> Result<Answer, TelegramError> {
        let breaker = &self.shared.breaker;
        let probe = call.effect == Effect::Probe;
        let admission = if call.effect == Effect::Probe { None } else { Some(breaker.admit().ok_or_else(open)?) };
        let body = serde_json::to_vec(payload).map_err(|_| TelegramError::Rejected {
            code: 400,
            description: "the request cannot be written as JSON".to_owned(),
        })?;
        let mut request = Request::new(Method::POST, call.url.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        *request.timeout_mut() = Some(match wait {
            Some(wait) => wait + self.shared.poll_margin,
            None => self.shared.request_timeout,
        });
        let answer = self.exchange(request).await;
        if let Ok(answer) = &answer {
            self.shared.dates.heard(answer);
        }
        match &answer {
            // A gateway with nothing behind it does not answer for Telegram.
            Ok(answer) if matches!(answer.status.as_u16(), 502..=504) => breaker.failed(),
            Ok(_) => breaker.answered(probe),
            Err(_) => breaker.failed(),
        }
        drop(admission);
        answer.map_err(|e| lost(&call, e))
    }

    async fn exchange(&self, request: Request) -> Result<Answer, reqwest::Error> {
        let response = self.shared.http.execute(request).await?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = response.bytes().await?;
        Ok(Answer { status, headers, body })
    }
}

fn open() -> TelegramError {
    TelegramError::Unreachable("breaker open".to_owned())
}

/// Converts the error of an exchange without an answer.
fn lost(call: &Call<'_>, error: reqwest::Error) -> TelegramError {
    let definite = error.is_connect() || error.is_builder() || call.effect != Effect::Write;
    let reason = without(call.token, told(&error.without_url()));
    if definite { TelegramError::Unreachable(reason) } else { TelegramError::Unknown(reason) }
}

/// Formats an error and its causes in one line.
fn told(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

/// Returns a text without the token (I12).
pub(super) fn without(token: &SecretString, text: String) -> String {
    let token = token.expose_secret();
    if !token.is_empty() && text.contains(token) { text.replace(token, "[token]") } else { text }
}

/// Counts a call and, unless Telegram was asked to wait, measures its time.
pub(super) fn record<T>(method: &'static str, started: Option<Instant>, outcome: &Result<T, TelegramError>) {
    let status = match outcome {
        Ok(_) => "ok",
        Err(error) => {
            metrics::telegram_api_errors_total { error_type: error.label() }.increment(1);
            error.label()
        }
    };
    metrics::telegram_api_calls_total { method, status }.increment(1);
    if let Some(started) = started {
        metrics::telegram_api_duration_seconds { method }.handle().record(started.elapsed());
    }
}
