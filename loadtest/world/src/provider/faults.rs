//! Defines the provider's faults: their kinds, and rules for which calls they strike, how often and when. Layer: load
//! test; plain data and one pure choice.
//!
//! A hash of seed, rule and request number decides whether a rule strikes, so that a run can be replayed. Of the rules
//! that strike, the first that does more than delay decides; all delays add up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::names::names;

/// How long a delay takes when its rule does not say, in milliseconds.
const SLOW_MS: u64 = 3000;

/// A schedule of faults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderFaults {
    /// The seed of every choice.
    pub seed: u64,
    /// The rules; the first fault that strikes decides, and all delays add up.
    pub rules: Vec<ProviderRule>,
}

/// One rule of the schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderRule {
    /// The kind of fault.
    pub what: ProviderFault,
    /// The names of the providers that the rule strikes, `main` for the one under `/v1`; an empty list strikes all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// The models that the rule strikes; an empty list strikes all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The API keys that the rule strikes; an empty list strikes all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The probability that the rule strikes a call, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// When the rule begins to strike, in milliseconds after the schedule was set; `None` is from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// When the rule ends, in milliseconds after the schedule was set; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Seconds in the Retry-After header of a refusal in `OpenAI`'s format; `None` leaves the header out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// How long a delay takes, in milliseconds; `None` is 3 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

fn always() -> f64 {
    1.0
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderFault {
    /// 429 `rate_limit_exceeded`.
    TooManyRequests,
    /// 429 `insufficient_quota`: the money is spent, so that waiting does not help.
    QuotaExhausted,
    /// 401 `invalid_api_key`.
    RevokedKey,
    /// 500 in `OpenAI`'s shape.
    InternalError,
    /// 503 in `OpenAI`'s shape.
    Unavailable,
    /// 502 as the HTML page of a proxy.
    ErrorHtml,
    /// 500 as plain text.
    ErrorText,
    /// 400 as `{"detail": ...}`.
    ErrorDetail,
    /// The connection is closed before any answer; the call is made and billed.
    Reset,
    /// The answer ends after its first half: no finish reason, no `[DONE]`. Billed.
    Cut,
    /// The connection breaks after the first half of the answer. Billed.
    CutReset,
    /// 200 with a completion without text. Billed for its prompt.
    EmptyText,
    /// 200 without a body. Billed for its prompt.
    EmptyBody,
    /// 200 with JSON that breaks off. Billed.
    MalformedJson,
    /// 200 whose text opens with the model's reasoning. Billed.
    LeakedReasoning,
    /// 200 whose text is the JSON of a tool call. Billed.
    ToolJson,
    /// The first byte comes late; otherwise the answer is sound.
    SlowFirstByte,
    /// The same as `SlowFirstByte`, for a provider that is slow as a whole.
    Slow,
    /// 200 with the whole text, in fields that differ from chunk to chunk. Billed.
    OddFields,
    /// 200 with one part of the text in a way that nobody can read. Billed.
    UnreadablePart,
    /// 200 with an odd finish reason, a bad one, none, or an error beside the text. Billed.
    OddEnd,
    /// 200 with a text that breaks off within a word, with the reason `length`. Billed.
    CutByLength,
    /// 200 with a text that breaks off, with a filter as the reason. Billed.
    Filtered,
    /// 200 with the whole text, and odd bytes, lines, comments and content types around it. Billed.
    OddFraming,
    /// 200 with the whole text and nonsense as usage. Billed by the true usage.
    OddUsage,
    /// A refusal of roles that do not alternate after the system message.
    AlternatingRoles,
    /// A refusal of a system message, and of roles that do not alternate.
    NoSystemRole,
    /// 400 or 422 that names a parameter, which the server refuses at each call.
    RefusedParameter,
    /// 200 with the text that the last message told the model to say. Billed.
    Obedient,
}

names! { ProviderFault {
    TooManyRequests = "too_many_requests", QuotaExhausted = "quota_exhausted", RevokedKey = "revoked_key",
    InternalError = "internal_error", Unavailable = "unavailable", ErrorHtml = "error_html", ErrorText = "error_text",
    ErrorDetail = "error_detail", Reset = "reset", Cut = "cut", CutReset = "cut_reset", EmptyText = "empty_text",
    EmptyBody = "empty_body", MalformedJson = "malformed_json", LeakedReasoning = "leaked_reasoning",
    ToolJson = "tool_json", SlowFirstByte = "slow_first_byte", Slow = "slow", OddFields = "odd_fields",
    UnreadablePart = "unreadable_part", OddEnd = "odd_end", CutByLength = "cut_by_length", Filtered = "filtered",
    OddFraming = "odd_framing", OddUsage = "odd_usage", AlternatingRoles = "alternating_roles",
    NoSystemRole = "no_system_role", RefusedParameter = "refused_parameter", Obedient = "obedient",
} }

impl ProviderFault {
    /// Returns whether the fault only delays an answer.
    pub fn is_delay(self) -> bool {
        matches!(self, Self::SlowFirstByte | Self::Slow)
    }
}

/// The properties of a call that rules look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The provider's name.
    pub(super) provider: &'a str,
    /// The model.
    pub(super) model: &'a str,
    /// The API key, empty without one.
    pub(super) key: &'a str,
    /// The request's number.
    pub(super) request: u64,
    /// How long ago the schedule was set.
    pub(super) since_set: Duration,
}

/// The faults that strike a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Struck {
    /// The fault, with the seconds of its Retry-After.
    pub(super) fault: Option<(ProviderFault, Option<u64>)>,
    /// How much longer the answer takes.
    pub(super) delay: Duration,
    /// The kind of the delay, for the count.
    pub(super) delayed_by: Option<ProviderFault>,
}

/// The reason why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("provider.rules[{index}].{field}: {reason}")]
pub struct FaultsError {
    /// The rule's index, from 0.
    pub index: usize,
    /// The field that is wrong.
    pub field: &'static str,
    /// The reason why the field is wrong.
    pub reason: &'static str,
}

impl ProviderFaults {
    /// Checks the ranges of every rule.
    ///
    /// # Errors
    /// The first wrong field.
    pub fn check(&self) -> Result<(), FaultsError> {
        for (index, rule) in self.rules.iter().enumerate() {
            let wrong = |field, reason| Err(FaultsError { index, field, reason });
            if !(0.0..=1.0).contains(&rule.probability) {
                return wrong("probability", "must be between 0 and 1");
            }
            if rule.until_ms.is_some_and(|until| until <= rule.from_ms.unwrap_or(0)) {
                return wrong("until_ms", "must be later than from_ms");
            }
        }
        Ok(())
    }

    /// Chooses the faults that strike a call.
    pub(super) fn strike(&self, asked: &Asked<'_>) -> Struck {
        let mut struck = Struck::default();
        for (index, rule) in self.rules.iter().enumerate() {
            if !rule.is_about(asked) || !self.is_drawn(index, rule.probability, asked.request) {
                continue;
            }
            if rule.what.is_delay() {
                struck.delay += Duration::from_millis(rule.for_ms.unwrap_or(SLOW_MS));
                struck.delayed_by.get_or_insert(rule.what);
            } else if struck.fault.is_none() {
                struck.fault = Some((rule.what, rule.retry_after));
            }
        }
        struck
    }

    fn is_drawn(&self, rule: usize, probability: f64, request: u64) -> bool {
        let drawn = mix(mix(mix(self.seed) ^ rule as u64) ^ request);
        // 53 bits make a fraction of at least 0 and below 1.
        ((drawn >> 11) as f64) / ((1_u64 << 53) as f64) < probability
    }
}

impl ProviderRule {
    /// Makes a rule that strikes every call.
    pub fn always(what: ProviderFault) -> Self {
        Self {
            what,
            providers: Vec::new(),
            models: Vec::new(),
            keys: Vec::new(),
            probability: 1.0,
            from_ms: None,
            until_ms: None,
            retry_after: None,
            for_ms: None,
        }
    }

    fn is_about(&self, asked: &Asked<'_>) -> bool {
        let names = |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
        let now = u64::try_from(asked.since_set.as_millis()).unwrap_or(u64::MAX);
        names(&self.providers, asked.provider)
            && names(&self.models, asked.model)
            && names(&self.keys, asked.key)
            && self.from_ms.is_none_or(|from| now >= from)
            && self.until_ms.is_none_or(|until| now < until)
    }
}

/// Counts one fault under its kind.
pub(super) fn count(counts: &mut BTreeMap<String, u64>, fault: ProviderFault) {
    *counts.entry(fault.as_str().to_owned()).or_default() += 1;
}

/// Spreads a number over 64 bits.
///
/// # Source
/// Sebastiano Vigna, `SplitMix64`.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(request: u64, at_ms: u64) -> Asked<'static> {
        Asked { provider: "main", model: "m", key: "k", request, since_set: Duration::from_millis(at_ms) }
    }

    #[test]
    fn a_schedule_replays_and_keeps_its_probability() {
        let schedule = |seed| ProviderFaults {
            seed,
            rules: vec![ProviderRule { probability: 0.3, ..ProviderRule::always(ProviderFault::Unavailable) }],
        };
        let struck = |seed| {
            let faults = schedule(seed);
            (0..10_000).map(|request| faults.strike(&asked(request, 0)).fault.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(struck(5), struck(5));
        assert_ne!(struck(5), struck(6));
        let hits = struck(5).into_iter().filter(|hit| *hit).count();
        assert!((2800..3200).contains(&hits), "{hits}");
    }

    #[test]
    fn a_rule_strikes_only_in_its_window_and_its_providers_models_and_keys() {
        let rule =
            ProviderRule { from_ms: Some(100), until_ms: Some(200), ..ProviderRule::always(ProviderFault::RevokedKey) };
        let strikes = |rule: ProviderRule, at_ms| {
            ProviderFaults { seed: 1, rules: vec![rule] }.strike(&asked(1, at_ms)).fault.is_some()
        };
        let at = |at_ms| strikes(rule.clone(), at_ms);
        assert_eq!([at(99), at(100), at(199), at(200)], [false, true, true, false]);
        for other in [
            ProviderRule { keys: vec!["x".into()], ..rule.clone() },
            ProviderRule { models: vec!["x".into()], ..rule.clone() },
            ProviderRule { providers: vec!["x".into()], ..rule.clone() },
        ] {
            assert!(!strikes(other, 150));
        }
    }

    #[test]
    fn delays_add_up_beside_the_first_fault() {
        let delay = |what, ms| ProviderRule { for_ms: Some(ms), ..ProviderRule::always(what) };
        let faults = ProviderFaults {
            seed: 1,
            rules: vec![
                delay(ProviderFault::Slow, 100),
                ProviderRule::always(ProviderFault::Cut),
                ProviderRule::always(ProviderFault::Reset),
                delay(ProviderFault::SlowFirstByte, 50),
            ],
        };
        let struck = faults.strike(&asked(1, 0));
        assert_eq!(struck.delay, Duration::from_millis(150));
        assert_eq!(struck.fault, Some((ProviderFault::Cut, None)));
    }

    #[test]
    fn every_kind_is_written_as_it_is_read() {
        for kind in ProviderFault::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        let rule: ProviderRule = serde_json::from_str(r#"{"what":"cut"}"#).unwrap();
        assert_eq!(rule, ProviderRule::always(ProviderFault::Cut));
        assert!(serde_json::from_str::<ProviderRule>(r#"{"what":"cut","often":1}"#).is_err());
    }
}
