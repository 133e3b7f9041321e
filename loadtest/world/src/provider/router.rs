//! Serves the provider's paths, authorisation and plain answers. Layer: world.
//!
//! The router has no fallback of its own, because it is merged into the simulation's router. Unknown paths under `/v1`
//! are answered as `OpenAI` answers them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::decide::{Answer, Provider};
use super::faults::ProviderFault;
use super::wire::{ApiError, ChatRequest, EmbeddingRequest, Usage, tokens_of};
use super::{embedding, refusal, shapes, stream};

/// The largest body that is read.
const LARGEST_BODY_BYTES: usize = 16 * 1024 * 1024;
/// The creation time that models and answers report, in seconds since 1970; any fixed time would do.
pub(super) const CREATED: u64 = 1_750_000_000;

/// Serves `/v1/chat/completions`, `/v1/embeddings` and `/v1/models`.
pub fn router(provider: Arc<Provider>) -> Router {
    Router::new()
        .route("/v1/chat/completions", only(post(chat_completions)))
        .route("/v1/embeddings", only(post(embeddings)))
        .route("/v1/models", only(get(models)))
        .route("/v1/{*path}", any(unknown_path))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&provider), authorise))
        .layer(DefaultBodyLimit::max(LARGEST_BODY_BYTES))
        .with_state(provider)
}

fn only(route: MethodRouter<Arc<Provider>>) -> MethodRouter<Arc<Provider>> {
    route.fallback(wrong_method)
}

async fn authorise(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    let spec = provider.spec();
    let accepted: Vec<&str> = spec.api_key.iter().chain(&spec.keys).map(String::as_str).collect();
    if let Err(error) = check_key(&accepted, request.headers()) {
        return error.into_response();
    }
    let key = key_of(request.headers()).to_owned();
    let mut response = next.run(request).await;
    refusal::tell_left(response.headers_mut(), provider.left(&key));
    response
}

/// Returns the bearer key of a request, or an empty text without one.
fn key_of(headers: &HeaderMap) -> &str {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

fn check_key(accepted: &[&str], headers: &HeaderMap) -> Result<(), ApiError> {
    if accepted.is_empty() {
        return Ok(());
    }
    let refusal = |message: &str, code| Err(ApiError::invalid(message, None).with(StatusCode::UNAUTHORIZED, code));
    match key_of(headers) {
        "" => refusal("You didn't provide an API key.", None),
        key if accepted.contains(&key) => Ok(()),
        _ => refusal("Incorrect API key provided.", Some("invalid_api_key")),
    }
}

async fn unknown_path(method: Method, uri: Uri) -> ApiError {
    let message = format!("Invalid URL ({method} {})", uri.path());
    ApiError::invalid(message, None).with(StatusCode::NOT_FOUND, Some("unknown_url"))
}

async fn wrong_method(method: Method) -> ApiError {
    let message = format!("Not allowed to {method} on this path");
    ApiError::invalid(message, None).with(StatusCode::METHOD_NOT_ALLOWED, None)
}

fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, ApiError> {
    let body =
        body.map_err(|rejection| ApiError::invalid(rejection.body_text(), None).with(rejection.status(), None))?;
    serde_json::from_slice(&body)
        .map_err(|error| ApiError::invalid(format!("We could not parse the JSON body of your request: {error}"), None))
}

async fn chat_completions(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request: ChatRequest = match parse(body) {
        Ok(request) => request,
        Err(error) => return error.into_response(),
    };
    let answer = match provider.decide(&request, key_of(&headers)) {
        Ok(answer) => answer,
        Err(refused) => return *refused,
    };
    // Dropping this future, as when the client goes away, drops the settlement: the call counts as unanswered.
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    match answer.spoiled {
        Some(ProviderFault::Reset) => return refusal::reset(),
        Some(ProviderFault::EmptyBody) => {
            answer.settlement.finish();
            return spoiled_json(String::new());
        }
        _ => {}
    }
    if let Some(fault) = answer.spoiled.filter(|fault| shapes::is_shape(*fault)) {
        // The drawn shape depends on the provider's seed and the call's number.
        let seed = provider.spec().seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ answer.call;
        return shapes::respond(fault, answer, request.stream.unwrap_or(false), seed);
    }
    if request.stream.unwrap_or(false) {
        let with_usage = request.stream_options.is_some_and(|options| options.include_usage);
        return stream::respond(answer, &request.model, with_usage);
    }
    let whole = completion(&answer, &request.model);
    match answer.spoiled {
        // The answer breaks off, so the settlement is dropped: the call counts as unanswered.
        Some(ProviderFault::MalformedJson | ProviderFault::Cut) => spoiled_json(half(&whole.to_string())),
        Some(ProviderFault::CutReset) => Response::new(refusal::broken(vec![half(&whole.to_string()).into()])),
        _ => {
            answer.settlement.finish();
            Json(whole).into_response()
        }
    }
}

/// Returns the first half of a text.
pub(super) fn half(text: &str) -> String {
    text.chars().take(text.chars().count() / 2).collect()
}

fn spoiled_json(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn completion(answer: &Answer, model: &str) -> Value {
    json!({
        "id": format!("chatcmpl-{}", answer.call),
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": answer.text, "refusal": null},
            "logprobs": null,
            "finish_reason": answer.finish_reason,
        }],
        "usage": answer.usage,
        "system_fingerprint": "fp_simulated",
    })
}

async fn embeddings(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (whole, model, tokens) = match parse(body).and_then(|request: EmbeddingRequest| embedded(&request)) {
        Ok(embedded) => embedded,
        Err(error) => return error.into_response(),
    };
    let admitted = match provider.decide_embedding(&model, key_of(&headers), tokens) {
        Ok(admitted) => admitted,
        Err(refused) => return *refused,
    };
    if !admitted.delay.is_zero() {
        tokio::time::sleep(admitted.delay).await;
    }
    match admitted.spoiled {
        Some(ProviderFault::Reset | ProviderFault::CutReset) => refusal::reset(),
        Some(ProviderFault::EmptyBody | ProviderFault::EmptyText) => spoiled_json(String::new()),
        Some(ProviderFault::MalformedJson | ProviderFault::Cut) => spoiled_json(half(&whole.to_string())),
        _ => Json(whole).into_response(),
    }
}

/// Returns the answer to a request for embeddings, its model and its tokens.
fn embedded(request: &EmbeddingRequest) -> Result<(Value, String, u32), ApiError> {
    let (texts, dimensions) = embedding::read(request)?;
    let as_base64 = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            return Err(ApiError::invalid("'$.encoding_format' is invalid.", Some("encoding_format")));
        }
    };
    let tokens = texts.iter().map(|text| tokens_of(text)).fold(0, u32::saturating_add);
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = embedding::embed(text, dimensions);
            let value = if as_base64 { json!(embedding::base64(&vector)) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": value})
        })
        .collect();
    let usage = Usage::new(tokens, 0);
    let whole = json!({
        "object": "list",
        "data": data,
        "model": request.model,
        "usage": {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens},
    });
    Ok((whole, request.model.clone(), tokens))
}

async fn models(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let data: Vec<Value> = provider
        .spec()
        .models
        .iter()
        .map(|id| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "botfleet-loadtest"}))
        .collect();
    Json(json!({"object": "list", "data": data}))
}
