//! Reads the numbers of tokens used, in whatever shape a server counts them. Layer `adapters`; pure.
//!
//! A number that cannot be read counts as not told. A number that is told but impossible is found where the bound is
//! known.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Tokens used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Tokens of the prompt.
    pub(super) prompt: Option<u32>,
    /// Tokens of the prompt that the server had kept from an earlier one.
    pub(super) cached: Option<u32>,
    /// Tokens of the answer.
    completion: Option<u32>,
    /// Tokens of both, and of thinking, which some providers bill but count nowhere else.
    total: Option<u32>,
}

/// The fields by either family of names.
///
/// # Source
/// `OpenAI`, "Prompt caching": `prompt_tokens_details.cached_tokens` of chat completions, `input_tokens_details` of
/// responses; xAI and Mistral do the same. `DeepSeek`, "Context caching": `prompt_cache_hit_tokens`.
#[derive(Deserialize)]
#[allow(clippy::struct_field_names, reason = "the names of the wire")]
struct Fields {
    prompt_tokens: Option<Value>,
    input_tokens: Option<Value>,
    completion_tokens: Option<Value>,
    output_tokens: Option<Value>,
    total_tokens: Option<Value>,
    prompt_tokens_details: Option<Value>,
    input_tokens_details: Option<Value>,
    prompt_cache_hit_tokens: Option<Value>,
}

impl Usage {
    /// Reads the field; `None` when it is no object.
    pub(super) fn read(field: &RawValue) -> Option<Self> {
        let fields: Fields = serde_json::from_str(field.get()).ok().filter(|_| field.get().starts_with('{'))?;
        let details = fields.prompt_tokens_details.or(fields.input_tokens_details);
        let cached = details.as_ref().and_then(|details| details.get("cached_tokens")).and_then(count);
        Some(Self {
            cached: cached.or_else(|| fields.prompt_cache_hit_tokens.as_ref().and_then(count)),
            prompt: fields.prompt_tokens.or(fields.input_tokens).as_ref().and_then(count),
            completion: fields.completion_tokens.or(fields.output_tokens).as_ref().and_then(count),
            total: fields.total_tokens.as_ref().and_then(count),
        })
    }

    /// Returns the tokens that the answer is billed for, thinking included.
    pub(super) fn billed_completion(self) -> Option<u32> {
        let rest = self.total.zip(self.prompt).map(|(total, prompt)| total.saturating_sub(prompt));
        self.completion.max(rest)
    }
}

/// Reads a whole number that is not negative, however it is written.
fn count(field: &Value) -> Option<u32> {
    let number = match field {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let whole = number >= 0.0 && number.fract() == 0.0 && number <= f64::from(u32::MAX);
    whole.then_some(number as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_read_in_every_shape_and_nothing_is_made_of_what_is_none() {
        let read = |text: &str| {
            let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
            Usage::read(&raw).map(|usage| (usage.prompt, usage.billed_completion()))
        };
        assert_eq!(read(r#"{"prompt_tokens":9,"completion_tokens":3}"#), Some((Some(9), Some(3))));
        assert_eq!(read(r#"{"prompt_tokens":"9","completion_tokens":3.0,"x":{}}"#), Some((Some(9), Some(3))));
        assert_eq!(read(r#"{"input_tokens":9,"output_tokens":3,"total_tokens":20}"#), Some((Some(9), Some(11))));
        assert_eq!(read(r#"{"prompt_tokens":-1,"completion_tokens":[]}"#), Some((None, None)));
        assert_eq!(read(r#"{"prompt_tokens":1.5,"completion_tokens":1e99}"#), Some((None, None)));
        assert_eq!((read("\"none\""), read("[1,2,3,4,5]"), read("{}")), (None, None, Some((None, None))));
    }

    #[test]
    fn kept_tokens_are_read_by_each_of_their_names() {
        let read = |text: &str| {
            let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
            Usage::read(&raw).and_then(|usage| usage.cached)
        };
        assert_eq!(read(r#"{"prompt_tokens":2006,"prompt_tokens_details":{"cached_tokens":1920}}"#), Some(1920));
        assert_eq!(read(r#"{"input_tokens":125,"input_tokens_details":{"cached_tokens":98}}"#), Some(98));
        assert_eq!(read(r#"{"prompt_tokens":10,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2}"#), Some(8));
        assert_eq!(read(r#"{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":0}}"#), Some(0));
        for odd in ["{}", r#"{"prompt_tokens_details":null}"#, r#"{"prompt_tokens_details":[7]}"#] {
            assert_eq!(read(odd), None, "{odd}");
        }
        assert_eq!(read(r#"{"prompt_tokens_details":{"cached_tokens":-5}}"#), None);
    }
}
