//! Calls the API of a product's node through its local socket. Layer: world.
//!
//! At the local socket of a node, the user who runs the node is an admin and sends no secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::people::http::{self, HttpError};

/// How long an answer may take, unless told otherwise.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The beginning of every URL: the socket is the address, the host a mere word.
const BASE: &str = "http://localhost";
/// Longest path of a socket, in bytes.
///
/// # Source
/// unix(7): `sun_path` holds 108 bytes, the last of them 0.
const PATH_MAX_BYTES: usize = 107;

/// The API of one node.
#[derive(Debug, Clone)]
pub struct Api {
    client: reqwest::Client,
    socket: PathBuf,
}

impl Api {
    /// Creates a client of the node at this socket, whether or not the node runs.
    ///
    /// # Errors
    /// The path is too long for a socket, or no client can be made.
    pub fn new(socket: &Path) -> Result<Self, HttpError> {
        if socket.as_os_str().len() > PATH_MAX_BYTES {
            let path = socket.display();
            return Err(HttpError::Client(format!("{path} is too long for a socket: choose a shorter folder")));
        }
        let client = http::builder().unix_socket(socket).build();
        let client = client.map_err(|error| HttpError::Client(error.to_string()))?;
        Ok(Self { client, socket: socket.to_owned() })
    }

    /// Returns the address as the product's commands take it after `--api`.
    pub fn address(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Prepares a request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{BASE}{path}"))
    }

    /// Prepares a GET.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// Gets what is at a path; `within` bounds the whole answer.
    ///
    /// # Errors
    /// The node does not answer, or refuses.
    pub async fn look(&self, path: &str, within: Duration) -> Result<Response, HttpError> {
        http::send(self.get(path).timeout(within), &self.place(path)).await
    }

    /// Gets what is at a path, and reads it.
    ///
    /// # Errors
    /// The node does not answer, refuses, or answers something else.
    pub async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, HttpError> {
        let read = self.look(path, ANSWER_WITHIN).await?.json().await;
        read.map_err(|error| HttpError::NoAnswer { url: self.place(path), reason: error.without_url().to_string() })
    }

    /// Posts an order.
    ///
    /// # Errors
    /// The node does not answer, or refuses.
    pub async fn order(&self, path: &str, body: &impl Serialize) -> Result<(), HttpError> {
        self.order_within(path, body, ANSWER_WITHIN).await
    }

    /// Posts an order whose answer may take so long.
    ///
    /// # Errors
    /// The node does not answer, or refuses.
    pub async fn order_within(&self, path: &str, body: &impl Serialize, within: Duration) -> Result<(), HttpError> {
        let request = self.request(Method::POST, path).timeout(within).json(body);
        http::send(request, &self.place(path)).await.map(drop)
    }

    /// Returns the name of a path in errors.
    fn place(&self, path: &str) -> String {
        format!("{} {path}", self.address())
    }
}
