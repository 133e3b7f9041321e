//! `OpenAI`. Layer `adapters`.
//!
//! # Source
//! platform.openai.com: "Error codes", "Create chat completion", "Reasoning models".

use crate::llm::vendor::facts::{BoundField, COMMON, Vendor};

/// The vendor `OpenAI`: newer models refuse `max_tokens`, and those that reason refuse a temperature.
pub(super) const VENDOR: Vendor = Vendor {
    base_url: Some("https://api.openai.com/v1"),
    bound: BoundField::MaxCompletionTokens,
    no_temperature: &["o1", "o3", "o4", "gpt-5"],
    ..COMMON
};
