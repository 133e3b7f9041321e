//! The client of a vault: signs in, renews its token, reads a secret. Layer: adapter. Keeps I12.
//!
//! # Source
//! HTTP API of OpenBao 2 and HashiCorp Vault 1: `kv` version 2, `auth/approle/login`, `auth/token/renew-self`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::outbound::origin::Origin;

/// The longest time of one request.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Largest answer.
const BODY_MAX_BYTES: usize = 256 * 1024;

/// The reason why a secret was not read. No variant holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Another try may succeed.
    #[error("the vault does not answer: {0}")]
    Unavailable(String),
    /// The vault refuses the proof.
    #[error("the vault refuses: status {0}")]
    Refused(u16),
    /// There is no such secret, or it lacks the field.
    #[error("the vault holds no {0}")]
    Missing(String),
    /// The answer cannot be read.
    #[error("the vault answers as none does: {0}")]
    Garbage(&'static str),
}

/// The proof that a vault takes.
pub enum Login {
    /// A token.
    Token(SecretString),
    /// A role, whose token is fetched.
    AppRole {
        /// The role.
        role_id: SecretString,
        /// Its secret.
        secret_id: SecretString,
    },
}

/// A value, with the number of its version.
pub struct Versioned {
    /// The value.
    pub value: String,
    /// The version, from 1.
    pub version: u64,
}

/// A token, and when half of its life is over.
#[derive(Clone)]
struct Token {
    token: SecretString,
    renew_at: Option<Instant>,
}

/// A client of one vault.
pub struct VaultClient {
    http: reqwest::Client,
    address: String,
    namespace: Option<String>,
    login: Login,
    token: Mutex<Option<Token>>,
}

#[derive(Deserialize)]
struct Auth {
    client_token: Option<String>,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

impl VaultClient {
    /// Builds a client, without connecting yet. The address is the operator's own word.
    ///
    /// # Errors
    /// `Unavailable` when no HTTP client can be made.
    pub fn new(address: &str, namespace: Option<String>, login: Login) -> Result<Self, VaultError> {
        let http = Origin::Trusted.client().timeout(ANSWER_WITHIN);
        // Some calls are made in a runtime of their own, in which no connection outlives them.
        let http = http.pool_max_idle_per_host(0).build().map_err(|error| lost(&error.without_url()))?;
        Ok(Self { http, address: address.trim_end_matches('/').to_owned(), namespace, login, token: Mutex::default() })
    }

    /// Reads a field of a secret; the path begins with the mount.
    ///
    /// # Errors
    /// The reason why there is no value. A refused token is fetched anew once, where a role can.
    pub async fn read(&self, path: &str, field: &str) -> Result<Versioned, VaultError> {
        match self.read_with(path, field, &self.token().await?).await {
            Err(VaultError::Refused(403)) if matches!(self.login, Login::AppRole { .. }) => {
                self.put(None);
                self.read_with(path, field, &self.token().await?).await
            }
            other => other,
        }
    }

    async fn read_with(&self, path: &str, field: &str, token: &SecretString) -> Result<Versioned, VaultError> {
        let missing = || VaultError::Missing(format!("{path}#{field}"));
        let (mount, rest) = path.split_once('/').ok_or_else(missing)?;
        let request = self.request(Method::GET, &format!("{mount}/data/{rest}"), Some(token));
        let answer = match self.send(request).await {
            Err(VaultError::Refused(404)) => return Err(missing()),
            other => other?,
        };
        let value = answer.pointer("/data/data").and_then(|data| data.get(field)).and_then(Value::as_str);
        let version = answer.pointer("/data/metadata/version").and_then(Value::as_u64).unwrap_or(0);
        Ok(Versioned { value: value.ok_or_else(missing)?.to_owned(), version })
    }

    /// Renews the token once half of its life is over; a role that cannot signs in again at the next read.
    ///
    /// # Errors
    /// The reason why the token was not renewed.
    pub async fn keep(&self) -> Result<(), VaultError> {
        let held = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let due = held.filter(|held| held.renew_at.is_some_and(|at| at <= Instant::now()));
        let Some(held) = due else { return Ok(()) };
        let request = self.request(Method::POST, "auth/token/renew-self", Some(&held.token)).json(&json!({}));
        match self.send(request).await.and_then(|answer| auth_of(&answer)) {
            Ok(auth) => {
                self.put(Some(Token { token: held.token, renew_at: renew_at(&auth) }));
                Ok(())
            }
            Err(error) => {
                if matches!((&self.login, &error), (Login::AppRole { .. }, VaultError::Refused(_))) {
                    self.put(None);
                }
                Err(error)
            }
        }
    }

    /// Returns the token, which is fetched first where there is none.
    async fn token(&self) -> Result<SecretString, VaultError> {
        if let Some(held) = &*self.token.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(held.token.clone());
        }
        let fetched = match &self.login {
            Login::Token(token) => {
                let request = self.request(Method::GET, "auth/token/lookup-self", Some(token));
                let ttl = self.send(request).await?.pointer("/data/ttl").and_then(Value::as_u64).unwrap_or(0);
                Token { token: token.clone(), renew_at: half_of(ttl) }
            }
            Login::AppRole { role_id, secret_id } => {
                let body = json!({ "role_id": role_id.expose_secret(), "secret_id": secret_id.expose_secret() });
                let request = self.request(Method::POST, "auth/approle/login", None).json(&body);
                let auth = auth_of(&self.send(request).await?)?;
                let token = auth.client_token.clone().ok_or(VaultError::Garbage("no token"))?;
                Token { token: token.into(), renew_at: renew_at(&auth) }
            }
        };
        self.put(Some(fetched.clone()));
        Ok(fetched.token)
    }

    fn put(&self, token: Option<Token>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    fn request(&self, method: Method, path: &str, token: Option<&SecretString>) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}/v1/{path}", self.address));
        if let Some(token) = token {
            request = request.header("x-vault-token", token.expose_secret());
        }
        match &self.namespace {
            Some(namespace) => request.header("x-vault-namespace", namespace),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, VaultError> {
        let mut answer = request.send().await.map_err(|error| lost(&error.without_url()))?;
        let status = answer.status();
        let passes = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        match status {
            status if passes => return Err(VaultError::Unavailable(format!("status {}", status.as_u16()))),
            status if !status.is_success() => return Err(VaultError::Refused(status.as_u16())),
            _ => {}
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error.without_url()))? {
            if body.len() + chunk.len() > BODY_MAX_BYTES {
                return Err(VaultError::Garbage("the answer is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| VaultError::Garbage("no JSON"))
    }
}

fn lost(error: &reqwest::Error) -> VaultError {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    VaultError::Unavailable(what.to_owned())
}

fn auth_of(answer: &Value) -> Result<Auth, VaultError> {
    let auth = answer.get("auth").cloned().unwrap_or_default();
    serde_json::from_value(auth).map_err(|_| VaultError::Garbage("no proof"))
}

fn renew_at(auth: &Auth) -> Option<Instant> {
    if auth.renewable { half_of(auth.lease_duration) } else { None }
}

/// Returns when half of a life of so many seconds is over; a life without end has no half.
fn half_of(seconds: u64) -> Option<Instant> {
    (seconds > 0).then(|| Instant::now() + Duration::from_secs(seconds) / 2)
}
