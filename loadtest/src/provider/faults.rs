//! The provider's faults: what goes wrong, with which calls, how often and when. Layer: load test; plain data and
//! one pure choice.
//!
//! Whether a rule strikes is a seeded hash of (seed, rule, number of the request), so that a run replays. Of the rules
//! that strike, the first that is no mere delay decides; delays add up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How long a slow first byte takes unless the rule says.
const SLOW_MS: u64 = 3000;

/// A schedule of faults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderFaults {
    /// Seeds every choice.
    pub seed: u64,
    /// The rules, the first that strikes decides.
    pub rules: Vec<ProviderRule>,
}

/// One rule of the schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderRule {
    /// What goes wrong.
    pub what: ProviderFault,
    /// Names of providers that it strikes, `main` for the one under `/v1`; none strikes all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// Models that it strikes; none strikes all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// API keys that it strikes; none strikes all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// How many of the calls it strikes, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// Milliseconds after the schedule was set before which it strikes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// Milliseconds after the schedule was set from which on it strikes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Seconds in the Retry-After of a 429 or 503; none sends no such header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// How long a delay takes, in milliseconds; 3 s without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

fn always() -> f64 {
    1.0
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderFault {
    /// 429 `rate_limit_exceeded`.
    TooManyRequests,
    /// 429 `insufficient_quota`: no money is left, waiting does not help.
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
    /// The connection is closed before any answer; the call was made and is billed.
    Reset,
    /// Half of the answer comes, then the answer ends: no finish reason, no `[DONE]`. Billed.
    Cut,
    /// Half of the answer comes, then the connection breaks. Billed.
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
    /// The first byte comes late; the call is well otherwise.
    SlowFirstByte,
    /// As a late first byte: for a provider that is slow as a whole.
    Slow,
    /// 200 that says all, in fields that differ from chunk to chunk. Billed.
    OddFields,
    /// 200 of which one part says its words in a way that nobody can read. Billed.
    UnreadablePart,
    /// 200 that ends by an odd word, by a bad one, by none, or with an error beside the text. Billed.
    OddEnd,
    /// 200 whose text breaks off in a word, with the reason `length`. Billed.
    CutByLength,
    /// 200 whose text breaks off, with a filter as the reason. Billed.
    Filtered,
    /// 200 that says all, with odd bytes, lines, comments and content types around. Billed.
    OddFraming,
    /// 200 that says all and counts nonsense. Billed as it was.
    OddUsage,
    /// A refusal of roles that do not alternate behind the system message.
    AlternatingRoles,
    /// A refusal of a system message, and of roles that do not alternate.
    NoSystemRole,
    /// 400 or 422 that names a parameter: the server refuses it at each call.
    RefusedParameter,
    /// 200 whose text is whatever the last message told the model to say. Billed.
    Obedient,
}

impl ProviderFault {
    /// Every kind.
    pub const ALL: [Self; 29] = [
        Self::TooManyRequests,
        Self::QuotaExhausted,
        Self::RevokedKey,
        Self::InternalError,
        Self::Unavailable,
        Self::ErrorHtml,
        Self::ErrorText,
        Self::ErrorDetail,
        Self::Reset,
        Self::Cut,
        Self::CutReset,
        Self::EmptyText,
        Self::EmptyBody,
        Self::MalformedJson,
        Self::LeakedReasoning,
        Self::ToolJson,
        Self::SlowFirstByte,
        Self::Slow,
        Self::OddFields,
        Self::UnreadablePart,
        Self::OddEnd,
        Self::CutByLength,
        Self::Filtered,
        Self::OddFraming,
        Self::OddUsage,
        Self::AlternatingRoles,
        Self::NoSystemRole,
        Self::RefusedParameter,
        Self::Obedient,
    ];

    /// Its name as in a scenario.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooManyRequests => "too_many_requests",
            Self::QuotaExhausted => "quota_exhausted",
            Self::RevokedKey => "revoked_key",
            Self::InternalError => "internal_error",
            Self::Unavailable => "unavailable",
            Self::ErrorHtml => "error_html",
            Self::ErrorText => "error_text",
            Self::ErrorDetail => "error_detail",
            Self::Reset => "reset",
            Self::Cut => "cut",
            Self::CutReset => "cut_reset",
            Self::EmptyText => "empty_text",
            Self::EmptyBody => "empty_body",
            Self::MalformedJson => "malformed_json",
            Self::LeakedReasoning => "leaked_reasoning",
            Self::ToolJson => "tool_json",
            Self::SlowFirstByte => "slow_first_byte",
            Self::Slow => "slow",
            Self::OddFields => "odd_fields",
            Self::UnreadablePart => "unreadable_part",
            Self::OddEnd => "odd_end",
            Self::CutByLength => "cut_by_length",
            Self::Filtered => "filtered",
            Self::OddFraming => "odd_framing",
            Self::OddUsage => "odd_usage",
            Self::AlternatingRoles => "alternating_roles",
            Self::NoSystemRole => "no_system_role",
            Self::RefusedParameter => "refused_parameter",
            Self::Obedient => "obedient",
        }
    }

    /// Whether it only delays an answer.
    pub fn is_delay(self) -> bool {
        matches!(self, Self::SlowFirstByte | Self::Slow)
    }
}

/// A call as the rules see it.
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
    /// How long the schedule has stood.
    pub(super) since_set: Duration,
}

/// What strikes a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Struck {
    /// The fault, with its Retry-After.
    pub(super) fault: Option<(ProviderFault, Option<u64>)>,
    /// How much longer the answer takes.
    pub(super) delay: Duration,
    /// The kind of the delay, for the count.
    pub(super) delayed_by: Option<ProviderFault>,
}

/// A schedule that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("provider.rules[{index}].{field}: {reason}")]
pub struct FaultsError {
    /// The rule, from 0.
    pub index: usize,
    /// Its field.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl ProviderFaults {
    /// Checks the ranges of every rule.
    ///
    /// # Errors
    /// The first fault found.
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

    /// Chooses what strikes a call.
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
        // 53 bits make a fraction in [0, 1).
        ((drawn >> 11) as f64) / ((1_u64 << 53) as f64) < probability
    }
}

impl ProviderRule {
    /// A rule that strikes every call.
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

/// Counts faults by kind.
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
