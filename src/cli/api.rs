//! Calls the API of the running fleet for a command: one request, one answer, on this machine. Layer `cli`.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Most time for an answer, since an order waits for the store.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Largest answer.
const ANSWER_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Names the address of the running fleet's API.
#[derive(Clone, Debug, Args)]
pub struct Api {
    /// Address of the running fleet's API, as `botfleet run` prints it.
    #[arg(long = "api", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub address: String,
}

impl Api {
    /// Gets a path.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask("GET", path, "").await
    }

    /// Posts an order.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask("POST", path, &body.to_string()).await
    }

    /// Returns the status and body of a path's answer, whatever they are.
    pub(super) async fn look(&self, path: &str) -> anyhow::Result<(u16, String)> {
        self.answer("GET", path, "").await
    }

    /// Replaces the resource at a path.
    pub(super) async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask("PUT", path, &body.to_string()).await
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let (status, body) = self.answer(method, path, body).await?;
        let value: Value = serde_json::from_str(&body).unwrap_or_default();
        if !(200..300).contains(&status) {
            let detail = value["detail"].as_str().unwrap_or("no detail");
            bail!("{detail} ({status} {})", value["code"].as_str().unwrap_or("unknown"));
        }
        Ok(value)
    }

    async fn answer(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        let exchange = tokio::time::timeout(ANSWER_WITHIN, self.exchange(method, path, body));
        let answer = exchange.await.context("the fleet does not answer in time")??;
        let (status, body) = read(&answer).context("the answer is not the fleet's")?;
        Ok((status, body.to_owned()))
    }

    async fn exchange(&self, method: &str, path: &str, body: &str) -> anyhow::Result<String> {
        let address = self.address.trim_start_matches("http://").trim_end_matches('/');
        let hint = "is the fleet running? name its address with --api";
        let mut stream =
            TcpStream::connect(address).await.with_context(|| format!("cannot reach {address} ({hint})"))?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX_BYTES).read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

/// Splits an answer into status and body. The API sends each answer to these commands in one piece.
fn read(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        assert_eq!(read("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"), Some((404, "{}")));
        assert_eq!(read("SSH-2.0-x"), None);
    }
}
