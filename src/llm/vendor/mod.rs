//! Describes the differences between providers that all speak `OpenAI`'s API: one file each. Layer `adapters`.
//!
//! The files hold pure facts: addresses, names of fields, shapes of refusals. A file leaves out what is the common
//! case.

mod anthropic;
mod compatible;
mod gemini;
mod groq;
mod llama_cpp;
mod ollama;
mod openai;

use super::settings::ProviderKind;

/// The field that bounds an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundField {
    /// The older name, which nearly all servers know.
    MaxTokens,
    /// The successor at `OpenAI`, whose newer models refuse the older name.
    MaxCompletionTokens,
}

/// The way to ask for a JSON answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaMode {
    /// `response_format` with the schema.
    Schema,
    /// `response_format` asks for an object; the schema stands in the prompt.
    Object,
    /// The schema stands in the prompt.
    Prompt,
}

/// Meaning of a refusal for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The key is wrong, revoked or not allowed.
    Key,
    /// The key's quota or credit is used up.
    Quota,
    /// The model is not there, or not for this key.
    Model,
    /// Too many calls or tokens for now.
    Limited,
    /// The request can never succeed: too long, malformed, refused.
    Request,
    /// The provider cannot answer now.
    Unavailable,
}

/// A refusal as the provider words it.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Codes, types and statuses that the body names, with blanks between.
    pub code: &'a str,
    /// The message.
    pub message: &'a str,
}

impl Refusal<'_> {
    /// Returns whether the body names this code, or its message holds these words.
    fn says(&self, words: &str) -> bool {
        self.code.contains(words) || self.message.contains(words)
    }
}

/// One vendor.
#[derive(Clone, Copy, Debug)]
pub struct Vendor {
    /// Address when the settings give none.
    pub base_url: Option<&'static str>,
    /// Set when the vendor refuses calls without a key.
    pub needs_key: bool,
    /// The field that bounds an answer.
    pub bound: BoundField,
    /// Set when a stream must be asked to end with its usage.
    pub stream_usage: bool,
    /// The highest temperature that the vendor takes.
    pub temperature_max: f64,
    /// Beginnings of the names of models that take no temperature.
    pub no_temperature: &'static [&'static str],
    /// The way to ask for a JSON answer.
    pub schema: SchemaMode,
    /// Set when models may put their reasoning between marks before the text.
    pub reasoning_in_text: bool,
    /// Meaning of the vendor's own refusals; `None` for the common meaning.
    pub reads: fn(&Refusal<'_>) -> Option<Meaning>,
}

/// The common case: true of most servers.
const COMMON: Vendor = Vendor {
    base_url: None,
    needs_key: true,
    bound: BoundField::MaxTokens,
    stream_usage: true,
    temperature_max: 2.0,
    no_temperature: &[],
    schema: SchemaMode::Schema,
    reasoning_in_text: false,
    reads: |_| None,
};

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

    /// Returns the temperature as this model takes it; `None` if it takes none.
    pub fn temperature(&self, model: &str, wanted: f64) -> Option<f64> {
        let takes = !self.no_temperature.iter().any(|start| model.starts_with(start));
        takes.then(|| wanted.min(self.temperature_max))
    }

    /// Returns the meaning of a refusal.
    pub fn meaning(&self, refusal: &Refusal<'_>) -> Meaning {
        (self.reads)(refusal).unwrap_or_else(|| common(refusal))
    }
}

/// Returns the meaning that a refusal has nearly everywhere.
fn common(refusal: &Refusal<'_>) -> Meaning {
    let model = refusal.says("model_not_found") || (refusal.says("model") && refusal.says("not found"));
    match refusal.status {
        402 => Meaning::Quota,
        _ if refusal.says("insufficient_quota") || refusal.says("exceeded your current quota") => Meaning::Quota,
        _ if refusal.says("invalid_api_key") || refusal.says("API key not valid") => Meaning::Key,
        429 => Meaning::Limited,
        403 if refusal.says("model") => Meaning::Model,
        401 | 403 => Meaning::Key,
        404 => Meaning::Model,
        400 if model => Meaning::Model,
        408 | 409 | 425 => Meaning::Unavailable,
        400..=499 => Meaning::Request,
        _ => Meaning::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
