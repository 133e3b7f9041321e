//! Receives the body of a request: so many bytes, within a time. Layer `http`.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};

/// Why a body was not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreceived {
    /// The body is longer than allowed.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The client broke off.
    Broken,
}

/// Receives a body of at most `max` bytes. One that is announced as longer is not read at all.
pub(super) async fn received(
    headers: &HeaderMap,
    body: Body,
    max: usize,
    within: Duration,
) -> Result<Bytes, Unreceived> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > max) {
        return Err(Unreceived::TooLarge);
    }
    match tokio::time::timeout(within, to_bytes(body, max)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) if announced.is_none() => Err(Unreceived::TooLarge),
        Ok(Err(_)) => Err(Unreceived::Broken),
        Err(_) => Err(Unreceived::TooSlow),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::HeaderValue;
    use futures::stream;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_body_is_short_enough_and_comes_in_time_or_is_refused() {
        let none = HeaderMap::new();
        assert_eq!(received(&none, Body::from("four"), 4, WITHIN).await, Ok(Bytes::from("four")));
        assert_eq!(received(&none, Body::from("fives"), 4, WITHIN).await, Err(Unreceived::TooLarge));
        let announced = HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from(5))]);
        let endless = || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(received(&announced, endless(), 4, WITHIN).await, Err(Unreceived::TooLarge), "without reading");
        assert_eq!(received(&announced, endless(), 5, WITHIN).await, Err(Unreceived::TooSlow));
        let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]));
        assert_eq!(received(&announced, broken, 5, WITHIN).await, Err(Unreceived::Broken));
    }
}
