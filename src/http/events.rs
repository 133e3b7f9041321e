//! Streams of events on their way out: as server-sent events, or as messages of a WebSocket. Layer `http`.
//!
//! The bytes of an event are the same for all readers. Only the line with its id is the reader's own.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::api::answer::Form;
use crate::runtime::stream::frame::Sent;

/// Interval of the empty comments, or pings, that keep proxies from closing a quiet stream.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);

/// The longest time for a message to be taken by a WebSocket's client.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

/// The longest silence of a WebSocket's client: it answers each ping.
const SILENT_FOR: Duration = Duration::from_secs(60);

/// Largest message of a client; none is read.
const HEARD_MAX_BYTES: usize = 4 * 1024;

/// Most bytes that wait for one client.
const WAITING_MAX_BYTES: usize = 256 * 1024;

/// A comment, which clients leave out.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// Answers with server-sent events.
pub(super) fn as_events(events: impl Stream<Item = Sent> + Send + 'static) -> Response {
    let pieces = stream::unfold(events.boxed(), |mut events| async move {
        let pieces = match timeout(HEARTBEAT_EVERY, events.next()).await {
            Ok(Some(sent)) => {
                let id = sent.id.as_ref().map(|id| Bytes::from(format!("id: {id}\n")));
                [id, Some(sent.shown().event())]
            }
            Ok(None) => return None,
            Err(_) => [None, Some(COMMENT)],
        };
        let pieces = pieces.into_iter().flatten().map(Ok::<_, Infallible>);
        Some((stream::iter(pieces), events))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(Form::Events.media_type())),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        // A proxy that gathers an answer would keep events back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(pieces.flatten())).into_response()
}

/// Answers with a WebSocket whose messages are the events.
pub(super) fn as_socket(upgrade: WebSocketUpgrade, events: impl Stream<Item = Sent> + Send + 'static) -> Response {
    let upgrade = upgrade.max_message_size(HEARD_MAX_BYTES).max_frame_size(HEARD_MAX_BYTES);
    let upgrade = upgrade.write_buffer_size(0).max_write_buffer_size(WAITING_MAX_BYTES);
    let events = events.boxed();
    upgrade.on_upgrade(move |socket| talk(socket, events))
}

/// Sends events until they end, or the client goes, falls silent or stops reading.
async fn talk(mut socket: WebSocket, mut events: BoxStream<'static, Sent>) {
    let mut ping = interval(HEARTBEAT_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! {
            sent = events.next() => match sent {
                Some(sent) => Message::Text(text_of(&sent).into()),
                None => break,
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {
                    heard = Instant::now();
                    continue;
                }
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENT_FOR {
                    return;
                }
                Message::Ping(Bytes::new())
            }
        };
        if !taken(&mut socket, message).await {
            return;
        }
    }
    let over = CloseFrame { code: close_code::AWAY, reason: "the stream is over".into() };
    let _ = taken(&mut socket, Message::Close(Some(over))).await;
}

async fn taken(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(TAKEN_WITHIN, socket.send(message)).await, Ok(Ok(())))
}

/// Returns the message of an event: name, id and data.
fn text_of(sent: &Sent) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let id = sent.id.as_deref().map(|id| format!("\"id\":{},", quoted(id))).unwrap_or_default();
    format!("{{\"event\":{},{id}\"data\":{}}}", quoted(&sent.frame.name), sent.shown().data())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::runtime::stream::frame::{Frame, Source};

    fn sent(id: Option<&str>) -> Sent {
        let frame = Arc::new(Frame::plain("entry", Source::Fleet, &json!({ "number": 7 })).unwrap());
        Sent { frame, words: false, id: id.map(str::to_owned) }
    }

    #[test]
    fn a_message_of_a_socket_is_the_event_as_json() {
        assert_eq!(text_of(&sent(Some("1:2.3"))), r#"{"event":"entry","id":"1:2.3","data":{"number":7}}"#);
        assert_eq!(text_of(&sent(None)), r#"{"event":"entry","data":{"number":7}}"#);
    }

    #[tokio::test(start_paused = true)]
    async fn events_carry_their_ids_and_a_quiet_stream_breathes() {
        let quiet = stream::iter([sent(Some("1:2.3")), sent(None)]).chain(stream::once(async {
            tokio::time::sleep(HEARTBEAT_EVERY * 3 / 2).await;
            sent(None)
        }));
        let body = axum::body::to_bytes(as_events(quiet).into_body(), 4096).await.unwrap();
        let event = "event: entry\ndata: {\"number\":7}\n\n";
        assert_eq!(String::from_utf8_lossy(&body), format!("id: 1:2.3\n{event}{event}:\n\n{event}"));
    }
}
