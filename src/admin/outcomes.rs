//! GET /api/v1/outcomes: the outcome of every update, as NDJSON. Layer `admin`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use botfleet_actors::ports::store::OutcomeCursor;
use futures::stream;

use super::edge::Edge;

/// Number of lines read from the store at once: bounds the memory of a request.
const PAGE: usize = 500;

/// Streams all outcomes, oldest first.
pub(super) async fn get(State(edge): State<Edge>) -> Response {
    let pages = stream::try_unfold(Some(OutcomeCursor::default()), move |cursor| {
        let fleet = Arc::clone(&edge.fleet);
        async move {
            let Some(cursor) = cursor else {
                return Ok::<_, std::io::Error>(None);
            };
            let (records, next) = fleet.outcomes(cursor, PAGE).await.map_err(std::io::Error::other)?;
            if records.is_empty() {
                return Ok(None);
            }
            let mut lines = Vec::with_capacity(records.len() * 256);
            for record in records {
                serde_json::to_writer(&mut lines, &record)?;
                lines.push(b'\n');
            }
            Ok(Some((Bytes::from(lines), Some(next))))
        }
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pages)).into_response()
}
