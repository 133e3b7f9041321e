//! The facts that describe one vendor. Layer `adapters`.

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
    pub(super) fn says(&self, words: &str) -> bool {
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
pub(super) const COMMON: Vendor = Vendor {
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
