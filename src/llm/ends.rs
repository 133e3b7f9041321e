//! Knows the words with which servers end an answer. Layer `adapters`; pure. Keeps I13.
//!
//! Only a known word for a good end counts as one. After any other word the text may not be whole.
//!
//! # Source
//! The API references of `OpenAI`, Anthropic, Gemini, Mistral, Cohere, Zhipu and watsonx; vLLM, TGI and llama.cpp.

use serde_json::Value;

/// The end of an answer. A worse end is greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// The model was done.
    Whole,
    /// The tokens were used up.
    Length,
    /// A filter cut the answer.
    Filtered,
    /// An error, an abort, a call of tools, or an unknown word.
    Broken(String),
}

/// Words of servers that have no reason to give yet.
const NOT_YET: [&str; 6] = ["", "null", "none", "notfinished", "unspecified", "finishreasonunspecified"];

const WHOLE: [&str; 14] = [
    "stop",
    "endturn",
    "endofturn",
    "stopsequence",
    "stopstring",
    "stopword",
    "stoptoken",
    "eos",
    "eostoken",
    "eot",
    "endoftext",
    "complete",
    "completed",
    "finished",
];

const LENGTH: [&str; 9] = [
    "length",
    "maxtokens",
    "maxoutputtokens",
    "maxlength",
    "modellength",
    "tokenlimit",
    "lengthlimit",
    "contextlength",
    "modelcontextwindowexceeded",
];

const FILTERED: [&str; 13] = [
    "contentfilter",
    "contentfiltered",
    "safety",
    "imagesafety",
    "refusal",
    "prohibitedcontent",
    "blocklist",
    "blocked",
    "spii",
    "recitation",
    "sensitive",
    "guardrailintervened",
    "errortoxic",
];

/// Most characters of an unknown word that are shown.
const WORD_CHARS: usize = 40;

impl End {
    /// Reads the field of a reason; `None` while it holds no reason.
    pub(super) fn read(field: &Value) -> Option<Self> {
        match field {
            Value::Null => None,
            Value::String(word) => Self::of(word),
            Value::Object(fields) => match ["type", "reason"].iter().find_map(|key| fields.get(*key)?.as_str()) {
                Some(word) => Self::of(word),
                None => Some(Self::Broken("a reason that is an object".to_owned())),
            },
            _ => Some(Self::Broken("a reason that is no word".to_owned())),
        }
    }

    /// Reads a word in any case and punctuation, also one behind the name of an enumeration.
    fn of(word: &str) -> Option<Self> {
        let last = word.rsplit('.').next().unwrap_or(word);
        let bare: String = last.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let is_in = |words: &[&str]| words.contains(&bare.as_str());
        if is_in(&NOT_YET) {
            None
        } else if is_in(&WHOLE) {
            Some(Self::Whole)
        } else if is_in(&LENGTH) {
            Some(Self::Length)
        } else if is_in(&FILTERED) {
            Some(Self::Filtered)
        } else {
            let plain = word.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
            Some(Self::Broken(plain.take(WORD_CHARS).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_known_good_word_is_a_whole_answer() {
        for word in ["stop", "STOP", "end_turn", "endTurn", "eos_token", "FinishReason.STOP", "COMPLETE", " stop "] {
            assert_eq!(End::read(&json!(word)), Some(End::Whole), "{word}");
        }
        for word in ["length", "MAX_TOKENS", "model_length", "token_limit"] {
            assert_eq!(End::read(&json!(word)), Some(End::Length), "{word}");
        }
        for word in ["content_filter", "SAFETY", "RECITATION", "refusal"] {
            assert_eq!(End::read(&json!(word)), Some(End::Filtered), "{word}");
        }
        for word in [json!(""), json!(null), json!("null"), json!("not_finished")] {
            assert_eq!(End::read(&word), None, "{word}");
        }
        let broken = ["error", "abort", "tool_calls", "cancelled", "OTHER", "time_limit", "stopped by user", "unknown"];
        for word in broken.map(|word| json!(word)).into_iter().chain([json!(1), json!({}), json!(["stop"])]) {
            assert!(matches!(End::read(&word), Some(End::Broken(_))), "{word}");
        }
        assert_eq!(End::read(&json!({"type": "stop"})), Some(End::Whole));
    }

    #[test]
    fn the_worse_of_two_ends_counts() {
        let ends = [End::Whole, End::Length, End::Filtered, End::Broken(String::new())];
        assert!(ends.is_sorted());
    }
}
