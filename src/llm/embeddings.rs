//! Makes requests for embeddings and reads the answers. Layer `adapters`.

use botfleet_actors::ports::llm::{EmbeddingRequest, Embeddings, LlmError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::usage::Usage;

/// A request for embeddings.
#[derive(Debug, Serialize)]
pub(super) struct EmbeddingsRequest<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
}

impl<'a> EmbeddingsRequest<'a> {
    pub(super) fn new(request: &'a EmbeddingRequest) -> Self {
        Self { model: &request.model, input: &request.texts, encoding_format: "float" }
    }
}

/// An answer with embeddings.
#[derive(Debug, Deserialize)]
pub(super) struct EmbeddingsAnswer {
    #[serde(default)]
    data: Vec<Row>,
    #[serde(default)]
    usage: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct Row {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl EmbeddingsAnswer {
    /// Returns the vectors in the order of the texts.
    ///
    /// # Errors
    /// `Garbage` when a vector is missing, empty, of another length, or holds a value that is no number.
    pub(super) fn read(self, texts: usize) -> Result<Embeddings, LlmError> {
        let garbage = |words: &str| Err(LlmError::Garbage(words.to_owned()));
        if self.data.len() != texts {
            return garbage("embeddings are not as many as the texts");
        }
        let mut vectors = vec![Vec::new(); texts];
        for (place, row) in self.data.into_iter().enumerate() {
            match vectors.get_mut(row.index.unwrap_or(place)) {
                Some(slot) if slot.is_empty() => *slot = row.embedding,
                _ => return garbage("embeddings are numbered wrongly"),
            }
        }
        let length = vectors.first().map_or(0, Vec::len);
        let sound = |vector: &Vec<f32>| vector.len() == length && vector.iter().all(|value| value.is_finite());
        if length == 0 || !vectors.iter().all(sound) {
            return garbage("embeddings are empty or of several lengths");
        }
        let tokens = self.usage.as_deref().and_then(Usage::read).and_then(|usage| usage.prompt);
        Ok(Embeddings { vectors, tokens })
    }
}
