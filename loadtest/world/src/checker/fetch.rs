//! Reads the product's account of its outcomes over HTTP. Layer: world.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use thiserror::Error;

use super::outcome::OutcomeLine;
use crate::api::Api;
use crate::people::http::HttpError;

/// The largest account that is read.
const LARGEST_BODY_BYTES: usize = 1024 * 1024 * 1024;
/// The longest line of an account.
const LONGEST_LINE_BYTES: usize = 4 * 1024 * 1024;
/// How long the whole account may take.
const DEADLINE: Duration = Duration::from_mins(5);

/// The reason why an account could not be read.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The request to the product failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The account broke off.
    #[error("outcomes broke off: {0}")]
    BrokeOff(String),
    /// A line of the product's account cannot be read as the outcome of one inbox row.
    #[error("outcome line {line} cannot be read: {reason}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// The reason why the line cannot be read.
        reason: String,
    },
    /// The account, or one of its lines, is longer than its limit.
    #[error("outcomes are larger than {0} bytes")]
    TooLarge(usize),
}

/// Fetches `/api/v1/outcomes` of a node: one JSON object on each line.
///
/// # Errors
/// Returns what was wrong with the answer or with one of its lines.
pub async fn fetch_outcomes(api: &Api) -> Result<Vec<OutcomeLine>, FetchError> {
    let response = api.look("/api/v1/outcomes", DEADLINE).await?;
    let chunks = response.bytes_stream().map(|chunk| chunk.map_err(|error| error.without_url().to_string()));
    read_lines(chunks).await
}

async fn read_lines<B: AsRef<[u8]>>(
    chunks: impl Stream<Item = Result<B, String>>,
) -> Result<Vec<OutcomeLine>, FetchError> {
    let mut chunks = std::pin::pin!(chunks);
    let mut lines = Lines::default();
    let mut read_bytes = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(FetchError::BrokeOff)?;
        read_bytes = read_bytes.saturating_add(chunk.as_ref().len());
        if read_bytes > LARGEST_BODY_BYTES {
            return Err(FetchError::TooLarge(LARGEST_BODY_BYTES));
        }
        lines.take_in(chunk.as_ref())?;
    }
    lines.finish()
}

/// Assembles lines from chunks.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
    count: usize,
    read: Vec<OutcomeLine>,
}

impl Lines {
    fn take_in(&mut self, mut chunk: &[u8]) -> Result<(), FetchError> {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(&chunk[..end]);
            chunk = &chunk[end + 1..];
            self.end_line()?;
        }
        self.rest.extend_from_slice(chunk);
        if self.rest.len() > LONGEST_LINE_BYTES {
            return Err(FetchError::TooLarge(LONGEST_LINE_BYTES));
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), FetchError> {
        self.count += 1;
        let line = std::mem::take(&mut self.rest);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let outcome = serde_json::from_slice(&line)
            .map_err(|error| FetchError::Line { line: self.count, reason: error.to_string() })?;
        self.read.push(outcome);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<OutcomeLine>, FetchError> {
        self.end_line()?;
        Ok(self.read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::stream;

    use super::*;

    async fn read(chunks: &[&str]) -> Result<Vec<OutcomeLine>, FetchError> {
        read_lines(stream::iter(chunks.iter().map(|chunk| Ok(chunk.as_bytes().to_vec())))).await
    }

    #[tokio::test]
    async fn lines_may_be_cut_anywhere() {
        let lines = read(&[
            "{\"source\":\"tick\",\"out",
            "come\":\"ignored\"}\n\n{\"source\":\"notice\"",
            ",\"outcome\":\"ignored\"}",
        ])
        .await
        .unwrap();
        assert_eq!(lines.len(), 2);
    }

    #[tokio::test]
    async fn a_bad_line_is_named_by_its_number() {
        let error = read(&["{\"source\":\"tick\",\"outcome\":\"ignored\"}\n", "nonsense\n"]).await.unwrap_err();
        assert!(matches!(error, FetchError::Line { line: 2, .. }), "{error}");
    }

    #[tokio::test]
    async fn an_endless_line_is_refused() {
        let half = "x".repeat(LONGEST_LINE_BYTES / 2 + 1);
        let error = read(&[&half, &half]).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge(_)), "{error}");
    }
}
