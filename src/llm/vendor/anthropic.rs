//! Anthropic, through its OpenAI-compatible endpoint. Layer `adapters`.
//!
//! The endpoint ignores `response_format`, takes temperatures up to 1, and answers an empty account as a bad request.
//!
//! # Source
//! docs.anthropic.com: "`OpenAI` SDK compatibility", "Errors".

use crate::llm::vendor::facts::{COMMON, Meaning, SchemaMode, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    base_url: Some("https://api.anthropic.com/v1"),
    temperature_max: 1.0,
    schema: SchemaMode::Prompt,
    reads: |refusal| match refusal.status {
        400 | 403 if refusal.says("credit balance") => Some(Meaning::Quota),
        529 => Some(Meaning::Unavailable),
        _ => None,
    },
    ..COMMON
};
