//! POST /webhook/telegram/{bot}: the receiver of updates. Layer `http`. Keeps I1, I12.
//!
//! The receiver checks the secret before it reads anything of the body, and answers an unknown bot like a wrong secret.
//! The answer is empty: Telegram would execute a method in it, and nobody would learn the result.
//!
//! | answer | when | what Telegram does |
//! |---|---|---|
//! | 200 | the update is in the store, or was before | goes on |
//! | 404 | unknown bot, wrong secret | tries again, up to a day |
//! | 400, 408, 413 | no JSON, too slow, too large | tries again, up to a day |
//! | 503 with Retry-After | the store cannot take it, or the process stops | tries again after that time |
//!
//! # Source
//! Bot API, setWebhook and "Making requests when getting updates".

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use botfleet_actors::actors::node::webhooks::RECEIVER_PATH;
use botfleet_actors::ports::metrics;
use tokio::sync::Semaphore;

use super::body::{Unreceived, received};
use super::port::BoundPort;
use crate::runtime::fleet::RunningFleet;
use crate::runtime::webhooks::BringError;

/// Header in which Telegram sends the secret.
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

/// Seconds after which Telegram should try again.
const RETRY_AFTER: &str = "2";

/// Most updates in work at a time; further ones are answered 503 (I9).
const IN_FLIGHT_MAX: usize = 1024;

/// Most time for the body to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Receiver {
    fleet: Arc<RunningFleet>,
    room: Arc<Semaphore>,
    body_max_bytes: usize,
}

/// Returns the receiver's routes.
pub(super) fn router(fleet: Arc<RunningFleet>, body_max_bytes: usize) -> Router {
    let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    Router::new().route(&format!("{RECEIVER_PATH}{{bot}}"), post(receive)).with_state(Receiver {
        fleet,
        room,
        body_max_bytes,
    })
}

async fn receive(
    State(receiver): State<Receiver>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let status = take(&receiver, name.ok().map(|Path(name)| name), request).await;
    metrics::webhook_requests_total { status: status.as_str().to_owned() }.increment(1);
    let mut response = status.into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    response
}

async fn take(receiver: &Receiver, name: Option<String>, request: Request) -> StatusCode {
    let presented = request.headers().get(SECRET_HEADER).map_or(&[][..], HeaderValue::as_bytes);
    let Some(bot) = receiver.fleet.webhook_bot(name.as_deref().unwrap_or(""), presented) else {
        return StatusCode::NOT_FOUND;
    };
    let Ok(_room) = receiver.room.try_acquire() else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    if receiver.fleet.takes_updates().is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let (head, body) = request.into_parts();
    let body = match received(&head.headers, body, receiver.body_max_bytes, BODY_WITHIN).await {
        Ok(body) => body,
        Err(Unreceived::TooLarge | Unreceived::Broken) => return StatusCode::PAYLOAD_TOO_LARGE,
        Err(Unreceived::TooSlow) => return StatusCode::REQUEST_TIMEOUT,
    };
    match receiver.fleet.bring(bot, body.into()).await {
        Ok(_) => StatusCode::OK,
        Err(BringError::Malformed) => StatusCode::BAD_REQUEST,
        Err(BringError::Busy(reason)) => {
            tracing::warn!(bot.id = %bot, reason, "an update was not taken, Telegram brings it again");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// Binds the receiver's port.
///
/// # Errors
/// When the port is in use, or the process may not bind it.
pub async fn bind(address: SocketAddr) -> anyhow::Result<BoundPort> {
    BoundPort::bind_for(address, "webhooks.listen").await
}
