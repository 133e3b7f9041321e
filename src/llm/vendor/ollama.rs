//! Ollama. Layer `adapters`.
//!
//! Ollama needs no key. A refusal is a bare string. Models that reason may put their reasoning into the text.
//!
//! # Source
//! github.com/ollama/ollama, docs: "`OpenAI` compatibility", "Structured outputs", "Thinking".

use crate::llm::vendor::facts::{COMMON, Meaning, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    base_url: Some("http://localhost:11434/v1"),
    needs_key: false,
    reasoning_in_text: true,
    reads: |refusal| (refusal.says("not found") && refusal.says("model")).then_some(Meaning::Model),
    ..COMMON
};
