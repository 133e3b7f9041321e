//! The seam for wire formats: how a completion is asked for, and how its answer is read. Layer `adapters`. Keeps I13.
//!
//! `chat` is the format that `OpenAI` set and most vendors speak. A vendor with another format has a [`Wire`] of its own.
//! Connections, streams, keys, retries in other dialects, refusals, redaction and counting lie above the seam; queue,
//! limits and breaker lie above the port.

use std::fmt::Debug;

use botfleet_actors::ports::llm::CompletionRequest;
use serde_json::Value;

use super::dialect::Dialect;
use super::ends::End;
use super::fault::{Fault, malformed};
use super::usage::Usage;
use crate::llm::vendor::facts::Vendor;

/// A wire format.
pub(super) trait Wire: Debug + Send + Sync {
    /// Returns the path of completions, below the base URL.
    fn path(&self) -> &'static str;

    /// Returns the headers, by their names in lower case, of every call with this key; the key may be empty.
    fn headers(&self, key: &str) -> Vec<(&'static str, String)>;

    /// Makes the body of a request, as this vendor's model wants it.
    fn body(&self, request: &CompletionRequest, vendor: &Vendor, dialect: Dialect) -> serde_json::Result<Vec<u8>>;

    /// Begins to read an answer.
    fn reader(&self) -> Box<dyn Reader>;
}

/// Reads one answer.
pub(super) trait Reader: Debug + Send {
    /// Reads a whole document, or the data of the next event of a stream.
    ///
    /// # Errors
    /// The provider's refusal, or `Malformed` for data of which a part cannot be read.
    fn take(&mut self, data: &str) -> Result<(), Fault>;

    /// Returns whether any of the answer, or of the thinking before it, has come.
    fn has_begun(&self) -> bool;

    /// Returns the answer, when all of it was read.
    ///
    /// # Errors
    /// `Malformed` for a text that holds half a character.
    fn into_answer(self: Box<Self>) -> Result<Answer, Fault>;

    /// Makes a fault of a refusal within the answer. Text before it is billed, so only a refusal that comes first
    /// counts as one.
    fn refusal(&self, error: &str) -> Fault {
        let fault = match serde_json::from_str(error) {
            Ok(error) => Fault::embedded(&error),
            Err(_) => Fault::embedded(&Value::String(error.to_owned())),
        };
        if self.has_begun() { malformed(&format!("the answer broke off: {fault}")) } else { fault }
    }
}

/// An answer as it was given.
#[derive(Debug)]
pub(super) struct Answer {
    /// The text of the model's answer; empty when the model gave none.
    pub(super) text: String,
    /// The reason why the answer ended; `None` when the server gave none.
    pub(super) end: Option<End>,
    /// Set when the model refused.
    pub(super) refused: bool,
    /// Set when the model wants tools called; nobody offered it any.
    pub(super) calls_tools: bool,
    /// Tokens used.
    pub(super) usage: Usage,
}
