//! Applies pauses, limits, faults and latency between a call and its answer.
//!
//! Layer: telegram. Invariants: limits come before faults, so that no fault hides a violation; every send that was read
//! is in the ledger with its end, whichever fault strikes it.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::stream;
use serde_json::json;

use super::call::{Call, record};
use super::faults::{Fault, FaultKind};
use super::messages::OpenSend;
use super::methods;
use super::reply::{Answer, refuse, render, status_of};

/// The version on the pages of a failing gateway.
const GATEWAY: &str = "nginx/1.18.0";

/// Answers a call that was read.
pub(crate) async fn answer(mut call: Call) -> Response {
    let open = OpenSend::of(&mut call);
    let chat = call.params.chat_id().ok();
    if let Err(refusal) = admit(&call, chat) {
        close(open);
        told(&call, refusal.code);
        return refuse(&refusal);
    }
    let Some(fault) = call.world.fault_for(call.bot, chat, Some(&call.method)) else {
        return plain(call, open).await;
    };
    call.world.record_fault(call.bot, &call.method, fault, call.send);
    strike(fault, call, open, chat).await
}

/// Carries out a call that came in the answer of a webhook; nobody gets the result.
pub(crate) async fn carry_out(mut call: Call) {
    let open = OpenSend::of(&mut call);
    let chat = call.params.chat_id().ok();
    match admit(&call, chat) {
        Ok(()) => {
            let answer = methods::call(&call).await;
            told(&call, status_of(&answer));
        }
        Err(refusal) => told(&call, refusal.code),
    }
    close(open);
}

fn admit(call: &Call, chat: Option<i64>) -> Result<(), crate::world::error::ApiError> {
    match (call.send, chat) {
        (Some(send), Some(chat)) => call.world.admit_send(call.bot, chat, &call.method, send),
        (Some(_), None) => Ok(()),
        (None, chat) => call.world.admit_call(call.bot, chat, &call.method),
    }
}

/// Answers as Telegram does when nothing goes wrong.
async fn plain(call: Call, open: Option<OpenSend>) -> Response {
    let answer = perform(&call).await;
    close(open);
    render(answer)
}

/// Carries out a call and waits for its latency.
async fn perform(call: &Call) -> Answer {
    let latency = call.world.draw_latency(call.send.is_some());
    if call.method == "getupdates" {
        pause(latency).await;
        return methods::call(call).await;
    }
    let answer = methods::call(call).await;
    told(call, status_of(&answer));
    pause(latency).await;
    answer
}

async fn strike(fault: Fault, call: Call, open: Option<OpenSend>, chat: Option<i64>) -> Response {
    let stalled = Duration::from_millis(fault.for_ms);
    match fault.kind {
        FaultKind::BadGatewayJson => {
            let body = json!({"ok": false, "error_code": 502, "description": "Bad Gateway"}).to_string();
            without_effect(&call, open, 502, "application/json", body)
        }
        FaultKind::BadGatewayHtml => without_effect(&call, open, 502, "text/html", page("502 Bad Gateway")),
        FaultKind::GatewayTimeout => without_effect(&call, open, 504, "text/html", page("504 Gateway Time-out")),
        FaultKind::MalformedJson => without_effect(&call, open, 200, "application/json", r#"{"ok":true,"resu"#.into()),
        FaultKind::ResetBefore => {
            told(&call, 0);
            drop(open);
            cut_off()
        }
        FaultKind::StallBefore => {
            pause(stalled).await;
            plain(call, open).await
        }
        FaultKind::TooManyRequests => {
            let refusal = call.world.force_pause(call.bot, chat, &call.method, call.send, fault.retry_after);
            close(open);
            told(&call, refusal.code);
            refuse(&refusal)
        }
        FaultKind::BadGatewayAfter => with_effect(&call, open, 502, "text/html", page("502 Bad Gateway")).await,
        FaultKind::GatewayTimeoutAfter => {
            with_effect(&call, open, 504, "text/html", page("504 Gateway Time-out")).await
        }
        FaultKind::MalformedJsonAfter => {
            with_effect(&call, open, 200, "application/json", r#"{"ok":true,"result":{"message_id":"#.into()).await
        }
        FaultKind::ResetAfter => {
            perform(&call).await.ok();
            drop(open);
            cut_off()
        }
        FaultKind::StallAfter => {
            let answer = perform(&call).await;
            pause(stalled).await;
            close(open);
            render(answer)
        }
        FaultKind::UnknownUpdate => {
            call.world.queue_unknown_update(call.bot);
            plain(call, open).await
        }
        // These faults strike deliveries, never a call.
        FaultKind::WebhookFails | FaultKind::WebhookUnreached => plain(call, open).await,
    }
}

fn without_effect(call: &Call, open: Option<OpenSend>, status: u16, kind: &'static str, body: String) -> Response {
    close(open);
    told(call, status);
    respond(status, kind, body)
}

async fn with_effect(call: &Call, open: Option<OpenSend>, status: u16, kind: &'static str, body: String) -> Response {
    perform(call).await.ok();
    close(open);
    respond(status, kind, body)
}

fn close(open: Option<OpenSend>) {
    if let Some(open) = open {
        open.answer();
    }
}

/// Records a call in the ledger, unless its method writes a richer record of its own.
fn told(call: &Call, status: u16) {
    if !methods::has_own_record(&call.method) {
        record(&call.world, call.bot, call.method.clone(), status);
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn page(title: &str) -> String {
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>{GATEWAY}</center>\r\n</body>\r\n</html>\r\n"
    )
}

fn respond(status: u16, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Returns an answer of which not a byte is sent: when a body fails before the head is flushed, the server closes the
/// connection.
fn cut_off() -> Response {
    let broken = stream::once(async { Err::<bytes::Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset)) });
    Response::new(Body::from_stream(broken))
}
