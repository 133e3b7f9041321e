//! The server of llama.cpp. Layer `adapters`.
//!
//! The server needs no key unless it was started with one, answers 503 while it loads its model, and has an error type
//! of its own for a prompt that is too long.
//!
//! # Source
//! github.com/ggml-org/llama.cpp, tools/server/README.md.

use crate::llm::vendor::facts::{COMMON, Meaning, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    base_url: Some("http://localhost:8080/v1"),
    needs_key: false,
    reasoning_in_text: true,
    reads: |refusal| {
        // Older servers answer 500.
        let too_long = refusal.says("exceed_context_size_error") || refusal.says("context size");
        too_long.then_some(Meaning::Request)
    },
    ..COMMON
};
