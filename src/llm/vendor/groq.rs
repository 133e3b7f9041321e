//! Groq. Layer `adapters`.
//!
//! A request beyond the limit of tokens a minute is "too large" and never succeeds. Models that reason put their
//! reasoning into the text. Few models take a schema, all take an object.
//!
//! # Source
//! console.groq.com/docs: "Error codes", "Rate limits", "Reasoning", "Structured outputs".

use crate::llm::vendor::facts::{COMMON, Meaning, SchemaMode, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    base_url: Some("https://api.groq.com/openai/v1"),
    schema: SchemaMode::Object,
    reasoning_in_text: true,
    reads: |refusal| match refusal.status {
        413 => Some(Meaning::Request),
        400 if refusal.says("model_decommissioned") => Some(Meaning::Model),
        _ => None,
    },
    ..COMMON
};
