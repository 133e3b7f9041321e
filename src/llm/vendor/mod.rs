//! Describes the differences between vendors, one file each, and names their wire formats. Layer `adapters`.
//!
//! The files hold pure facts: addresses, names of fields, shapes of refusals. A file leaves out what is the common
//! case.

mod anthropic;
mod compatible;
pub mod facts;
mod gemini;
mod groq;
mod llama_cpp;
mod ollama;
mod openai;

use super::chat::Chat;
use super::settings::ProviderKind;
use super::wire::Wire;
use crate::llm::vendor::facts::Vendor;

/// Returns the wire format that vendors of that kind speak.
pub(super) fn wire_of(kind: ProviderKind) -> &'static dyn Wire {
    use ProviderKind::{Anthropic, Compatible, Gemini, Groq, LlamaCpp, Ollama, Openai};
    match kind {
        Openai | Gemini | Groq | Anthropic | Ollama | LlamaCpp | Compatible => &Chat,
    }
}

impl Vendor {
    /// Returns the vendor of that kind.
    pub fn of(kind: ProviderKind) -> &'static Self {
        match kind {
            ProviderKind::Openai => &openai::VENDOR,
            ProviderKind::Gemini => &gemini::VENDOR,
            ProviderKind::Groq => &groq::VENDOR,
            ProviderKind::Anthropic => &anthropic::VENDOR,
            ProviderKind::Ollama => &ollama::VENDOR,
            ProviderKind::LlamaCpp => &llama_cpp::VENDOR,
            ProviderKind::Compatible => &compatible::VENDOR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::vendor::facts::{Meaning, Refusal};

    #[test]
    fn vendors_word_the_same_in_their_own_ways() {
        use ProviderKind::{Anthropic, Compatible, Gemini, Groq, LlamaCpp, Ollama, Openai};
        let table = [
            (Openai, 429, "insufficient_quota", "You exceeded your current quota", Meaning::Quota),
            (Openai, 404, "model_not_found", "The model `x` does not exist", Meaning::Model),
            (Openai, 400, "context_length_exceeded", "maximum context length", Meaning::Request),
            (Gemini, 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", Meaning::Key),
            (Gemini, 429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric, limit: 15", Meaning::Limited),
            (Gemini, 429, "RESOURCE_EXHAUSTED", "GenerateRequestsPerDayPerProjectPerModel", Meaning::Quota),
            (Groq, 413, "tokens rate_limit_exceeded", "Request too large for model", Meaning::Request),
            (Groq, 400, "model_decommissioned", "The model has been decommissioned", Meaning::Model),
            (Anthropic, 400, "invalid_request_error", "Your credit balance is too low", Meaning::Quota),
            (Anthropic, 400, "invalid_request_error", "prompt is too long: 9 tokens > 8", Meaning::Request),
            (Anthropic, 529, "overloaded_error", "Overloaded", Meaning::Unavailable),
            (Anthropic, 401, "authentication_error", "invalid x-api-key", Meaning::Key),
            (Ollama, 404, "", "model 'x' not found", Meaning::Model),
            (Ollama, 400, "", "model \"x\" not found, try pulling it first", Meaning::Model),
            (LlamaCpp, 400, "exceed_context_size_error", "the request exceeds the context size", Meaning::Request),
            (LlamaCpp, 503, "unavailable_error", "Loading model", Meaning::Unavailable),
            (Compatible, 402, "", "payment required", Meaning::Quota),
            (Compatible, 403, "", "not allowed to use this model", Meaning::Model),
            (Compatible, 403, "", "forbidden", Meaning::Key),
        ];
        for (kind, status, code, message, expected) in table {
            let refusal = Refusal { status, code, message };
            assert_eq!(Vendor::of(kind).meaning(&refusal), expected, "{kind:?} {status} {message}");
        }
    }

    #[test]
    fn temperatures_are_what_models_take() {
        let is = |kind, model, wanted, taken: Option<f64>| {
            assert_eq!(Vendor::of(kind).temperature(model, wanted), taken, "{kind:?} {model}");
        };
        is(ProviderKind::Openai, "gpt-4o-mini", 1.5, Some(1.5));
        is(ProviderKind::Openai, "o3-mini", 1.5, None);
        is(ProviderKind::Anthropic, "claude", 1.5, Some(1.0));
    }
}
