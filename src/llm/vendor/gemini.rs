//! Google Gemini, through its OpenAI-compatible endpoint. Layer `adapters`.
//!
//! A refusal comes as a list, a bad key is a bad request, and the details of a refusal hold the pause of a limit.
//!
//! # Source
//! ai.google.dev: "`OpenAI` compatibility", "Rate limits", "Troubleshooting guide".

use crate::llm::vendor::facts::{COMMON, Meaning, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    base_url: Some("https://generativelanguage.googleapis.com/v1beta/openai"),
    reads: |refusal| match refusal.status {
        400 if refusal.says("API_KEY_INVALID") => Some(Meaning::Key),
        // A day's quota comes back tomorrow, whatever pause is named.
        429 if refusal.says("PerDay") => Some(Meaning::Quota),
        429 => Some(Meaning::Limited),
        _ => None,
    },
    ..COMMON
};
