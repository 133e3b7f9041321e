//! Sends one request for a completion, and reads the answer in whatever form it comes. Layer `adapters`.
//! Keeps I12, I13.
//!
//! Servers stream unasked, answer in one piece when asked to stream, and give either form many content types. The first
//! bytes decide which form an answer has; the content type counts only where they do not.

use std::future::pending;

use bytes::BytesMut;
use futures::FutureExt as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Request, Response};
use tokio::time::{Instant, sleep_until};

use super::fault::{Fault, malformed};
use super::redact::words_of_page;
use super::sse::{self, Event, Events};
use super::transport::{self, BODY_LIMIT_BYTES};
use super::wire::{Answer, Reader};

/// Mark with which some servers begin, though the standard of neither form wants one.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An answer, and whether the server said that nothing follows.
#[derive(Debug)]
pub(super) struct Exchanged {
    /// The answer.
    pub(super) answer: Answer,
    /// Set by `[DONE]`, or by a whole document.
    pub(super) closed: bool,
}

/// Sends the request and reads its answer. A streamed answer must begin by `first_until`.
///
/// # Errors
/// The provider's refusal, or the reason why there is no answer.
///
/// # Cancel safety
/// Dropping the future closes the request.
pub(super) async fn exchange(
    client: &Client,
    request: Request,
    first_until: Option<Instant>,
    reader: Box<dyn Reader>,
) -> Result<Exchanged, Fault> {
    let first_token = || async move {
        match first_until {
            Some(until) => sleep_until(until).await,
            None => pending().await,
        }
    };
    let mut response = tokio::select! {
        response = client.execute(request) => response.map_err(transport::not_answered)?,
        () = first_token() => return Err(late()),
    };
    let status = response.status();
    if !status.is_success() {
        let headers = response.headers().clone();
        // A refusal whose text is lost is still a refusal.
        let body = transport::collect(response).await.unwrap_or_default();
        return Err(Fault::refused(status, &headers, &body));
    }
    let mut body = Body::new(response.headers(), reader);
    let mut bytes = 0;
    loop {
        let next = tokio::select! {
            next = response.chunk() => next,
            () = first_token(), if !body.reading.has_begun() => return Err(late()),
        };
        match next {
            Ok(Some(piece)) => {
                bytes += piece.len();
                if bytes > BODY_LIMIT_BYTES {
                    return Err(malformed("the answer is too long"));
                }
                body.take(&piece)?;
                if body.closed {
                    let_go(response);
                    return body.into_exchanged();
                }
            }
            Ok(None) => return body.into_exchanged(),
            Err(error) if error.is_timeout() && !body.reading.has_begun() => {
                return Err(Fault::Unreachable(transport::told(error)));
            }
            Err(error) => return Err(Fault::Malformed(format!("the answer broke off: {}", transport::told(error)))),
        }
    }
}

/// Makes the fault of a provider that is too slow to begin.
fn late() -> Fault {
    Fault::Unreachable("no first token in time".to_owned())
}

/// Reads the end of a response whose last byte has come, so that its connection can be used again.
fn let_go(mut response: Response) {
    let _ = response.chunk().now_or_never();
}

/// The form of an answer.
#[derive(Debug)]
enum Form {
    /// Unknown yet: the bytes so far.
    Unknown(BytesMut),
    /// One document.
    Document(BytesMut),
    /// A stream of events.
    Stream(Events),
}

/// An answer's body, as far as it has come.
#[derive(Debug)]
struct Body {
    form: Form,
    says_stream: bool,
    is_page: bool,
    reading: Box<dyn Reader>,
    closed: bool,
}

impl Body {
    fn new(headers: &HeaderMap, reading: Box<dyn Reader>) -> Self {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Self {
            form: Form::Unknown(BytesMut::new()),
            says_stream: kind == "text/event-stream",
            is_page: kind == "text/html",
            reading,
            closed: false,
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Fault> {
        match &mut self.form {
            Form::Unknown(begun) => {
                begun.extend_from_slice(piece);
                let Some(is_stream) = is_stream(begun, self.says_stream) else { return Ok(()) };
                let begun = std::mem::take(begun);
                let begun = without_mark(begun);
                if !is_stream {
                    self.form = Form::Document(begun);
                    return Ok(());
                }
                self.form = Form::Stream(Events::default());
                self.take(&begun)
            }
            Form::Document(document) => {
                document.extend_from_slice(piece);
                Ok(())
            }
            Form::Stream(events) => {
                let (reading, closed) = (self.reading.as_mut(), &mut self.closed);
                events.read(piece, |event| hear(reading, closed, &event))
            }
        }
    }

    fn into_exchanged(mut self) -> Result<Exchanged, Fault> {
        match self.form {
            Form::Stream(events) => {
                // Nothing counts after the end.
                let last = if self.closed { None } else { events.end()? };
                if let Some(event) = last {
                    hear(self.reading.as_mut(), &mut self.closed, &event)?;
                }
            }
            Form::Unknown(document) | Form::Document(document) => {
                let document = without_mark(document);
                let text = std::str::from_utf8(&document).map_err(|_| malformed("the answer is no text"))?;
                if self.is_page {
                    return Err(Fault::Malformed(format!("a page instead of JSON: {}", words_of_page(&document))));
                }
                self.reading.take(text).map_err(|fault| match fault {
                    Fault::Malformed(_) if text.trim().is_empty() => malformed("an empty answer"),
                    fault => fault,
                })?;
                self.closed = true;
            }
        }
        Ok(Exchanged { answer: self.reading.into_answer()?, closed: self.closed })
    }
}

fn hear(reading: &mut dyn Reader, closed: &mut bool, event: &Event) -> Result<(), Fault> {
    match event {
        _ if *closed => Ok(()),
        Event::Data(data) => reading.take(data),
        Event::Error(error) => Err(reading.refusal(error)),
        Event::Done => {
            *closed = true;
            Ok(())
        }
    }
}

impl From<sse::Unreadable> for Fault {
    fn from(_: sse::Unreadable) -> Self {
        malformed("the stream holds a line that is none of a stream")
    }
}

/// Returns whether the bytes begin a stream; `None` when they do not tell yet.
fn is_stream(begun: &[u8], says_stream: bool) -> Option<bool> {
    if begun.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(begun) {
        return None;
    }
    let begun = begun.strip_prefix(BYTE_ORDER_MARK).unwrap_or(begun).trim_ascii_start();
    let first = begun.first()?;
    let begins_a_field =
        || [&b"data"[..], b"event", b"id:", b"retry", b":"].iter().any(|field| begun.starts_with(field));
    Some(match first {
        b'{' | b'[' | b'"' | b'<' => false,
        _ if says_stream => true,
        _ if begun.len() < b"event".len() && *first != b':' => return None,
        _ => begins_a_field(),
    })
}

fn without_mark(bytes: BytesMut) -> BytesMut {
    match bytes.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => rest.into(),
        None => bytes,
    }
}
