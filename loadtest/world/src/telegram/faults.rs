//! Defines the schedule of faults: their kinds, and where, when and how often they strike.
//!
//! Layer: telegram; plain data and a pure decision; the world keeps the schedule. Invariant: a decision depends on the
//! seed, the rule and the number of calls that the rule has considered, and on nothing else, so that a schedule can be
//! replayed.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::names::names;

/// How long a stall lasts when its rule does not say, in milliseconds.
const STALL_MS: u64 = 5_000;
/// The `retry_after` of a forced 429 whose rule does not say, in seconds.
const RETRY_AFTER_S: u64 = 2;

/// The faults of the simulated Telegram; by default none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelegramFaults {
    /// The seed of every decision.
    pub seed: u64,
    /// The rules in the order in which they are tried; the first that strikes decides.
    pub rules: Vec<FaultRule>,
}

/// A kind of fault, and where it may strike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The kind of fault.
    pub what: FaultKind,
    /// The methods that the rule may strike, in any case; an empty list means all. Webhook faults ignore this list.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The bots that the rule may strike; an empty list means all.
    #[serde(default)]
    pub bots: Vec<i64>,
    /// The chats that the rule may strike; an empty list means all, and also calls about no chat.
    #[serde(default)]
    pub chats: Vec<i64>,
    /// The probability that the rule strikes a call, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// When the rule begins to strike, in milliseconds after the faults were set.
    #[serde(default)]
    pub from_ms: u64,
    /// When the rule ends, in milliseconds after the faults were set; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// How long a stall lasts, in milliseconds; 5000 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// The `retry_after` of a forced 429, in seconds; 2 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

fn always() -> f64 {
    1.0
}

/// A kind of fault. "Before" means that the call has no effect, "after" that the call has its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 502 as the Bot API's JSON; the call has no effect.
    BadGatewayJson,
    /// 502 as an nginx page; the call has no effect.
    BadGatewayHtml,
    /// 502 as an nginx page, after the effect.
    BadGatewayAfter,
    /// 504 as an nginx page; the call has no effect.
    GatewayTimeout,
    /// 504 as an nginx page, after the effect.
    GatewayTimeoutAfter,
    /// The connection is closed before anything is done.
    ResetBefore,
    /// The connection is closed without an answer, after the effect.
    ResetAfter,
    /// Nothing happens for `for_ms`; then the call goes on, if its client still waits.
    StallBefore,
    /// The call has its effect at once; the answer comes after `for_ms`.
    StallAfter,
    /// 200 with a body that is cut off; the call has no effect.
    MalformedJson,
    /// 200 with a body that is cut off, after the effect.
    MalformedJsonAfter,
    /// An update of a kind that no present bot knows enters the bot's queue; the call itself goes on.
    UnknownUpdate,
    /// 429 with `retry_after`; the penalty is enforced afterwards.
    TooManyRequests,
    /// A webhook's update is delivered, but the answer is lost.
    WebhookFails,
    /// A webhook's update is not delivered, as when the webhook cannot be reached.
    WebhookUnreached,
}

names! { FaultKind {
    BadGatewayJson = "bad_gateway_json", BadGatewayHtml = "bad_gateway_html", BadGatewayAfter = "bad_gateway_after",
    GatewayTimeout = "gateway_timeout", GatewayTimeoutAfter = "gateway_timeout_after", ResetBefore = "reset_before",
    ResetAfter = "reset_after", StallBefore = "stall_before", StallAfter = "stall_after",
    MalformedJson = "malformed_json", MalformedJsonAfter = "malformed_json_after", UnknownUpdate = "unknown_update",
    TooManyRequests = "too_many_requests", WebhookFails = "webhook_fails", WebhookUnreached = "webhook_unreached",
} }

impl FaultKind {
    /// Returns whether the fault strikes a delivery to a webhook instead of a call.
    pub const fn is_of_webhooks(self) -> bool {
        matches!(self, Self::WebhookFails | Self::WebhookUnreached)
    }
}

/// A fault that strikes one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// How long a stall lasts, in milliseconds.
    pub for_ms: u64,
    /// The `retry_after` of a forced 429, in seconds.
    pub retry_after: u64,
}

/// The call, or the delivery to a webhook, that a fault may strike.
#[derive(Debug, Clone, Copy)]
pub struct Target<'c> {
    /// The bot.
    pub bot: i64,
    /// The chat that the call or delivery is about.
    pub chat: Option<i64>,
    /// The method in lower case; `None` for a delivery to a webhook.
    pub method: Option<&'c str>,
    /// Milliseconds since the faults were set.
    pub at_ms: u64,
}

/// The reason why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("telegram.rules[{index}].{field}: {reason}")]
pub struct FaultsError {
    /// The rule's index, from 0.
    pub index: usize,
    /// The field that is wrong.
    pub field: &'static str,
    /// The reason why the field is wrong.
    pub reason: &'static str,
}

impl TelegramFaults {
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
            if rule.until_ms.is_some_and(|until| until <= rule.from_ms) {
                return wrong("until_ms", "must be later than from_ms");
            }
            if rule.retry_after == Some(0) {
                return wrong("retry_after", "must be at least one second");
            }
        }
        Ok(())
    }

    /// Decides whether a fault strikes. `looked_at` counts for each rule the calls that the rule has considered.
    pub(crate) fn decide(&self, looked_at: &mut Vec<u64>, target: Target<'_>) -> Option<Fault> {
        looked_at.resize(self.rules.len(), 0);
        for (index, (rule, count)) in self.rules.iter().zip(looked_at).enumerate() {
            if !rule.may_strike(target) {
                continue;
            }
            *count += 1;
            if draw(self.seed, index as u64, *count) < rule.probability {
                return Some(Fault {
                    kind: rule.what,
                    for_ms: rule.for_ms.unwrap_or(STALL_MS),
                    retry_after: rule.retry_after.unwrap_or(RETRY_AFTER_S),
                });
            }
        }
        None
    }
}

impl FaultRule {
    /// Makes a rule that strikes every call.
    pub fn always(what: FaultKind) -> Self {
        Self {
            what,
            methods: Vec::new(),
            bots: Vec::new(),
            chats: Vec::new(),
            probability: 1.0,
            from_ms: 0,
            until_ms: None,
            for_ms: None,
            retry_after: None,
        }
    }

    /// Adds a method to the rule.
    #[must_use]
    pub fn on(mut self, method: &str) -> Self {
        self.methods.push(method.to_ascii_lowercase());
        self
    }

    fn may_strike(&self, target: Target<'_>) -> bool {
        let is_named = match target.method {
            None => self.what.is_of_webhooks(),
            Some(method) => {
                !self.what.is_of_webhooks()
                    && (self.methods.is_empty() || self.methods.iter().any(|name| name.eq_ignore_ascii_case(method)))
            }
        };
        is_named
            && (self.bots.is_empty() || self.bots.contains(&target.bot))
            && (self.chats.is_empty() || target.chat.is_some_and(|chat| self.chats.contains(&chat)))
            && target.at_ms >= self.from_ms
            && self.until_ms.is_none_or(|until| target.at_ms < until)
    }
}

/// Draws a number in 0..1 from three others, equal in every run and on every machine.
///
/// # Source
/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014): the finaliser of `SplitMix64`.
fn draw(seed: u64, rule: u64, count: u64) -> f64 {
    let mut mixed = seed ^ 0x7465_6c65_6772_616d;
    for part in [rule, count] {
        mixed = mixed.wrapping_add(part.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn send_at(at_ms: u64) -> Target<'static> {
        Target { bot: 1, chat: Some(-5), method: Some("sendmessage"), at_ms }
    }

    #[test]
    fn a_schedule_replays_and_keeps_its_probability() {
        let half = FaultRule { probability: 0.3, ..FaultRule::always(FaultKind::ResetAfter) };
        let faults = TelegramFaults { seed: 5, rules: vec![half] };
        let run = |faults: &TelegramFaults| -> Vec<bool> {
            let mut looked_at = Vec::new();
            (0..2_000).map(|_| faults.decide(&mut looked_at, send_at(0)).is_some()).collect()
        };
        assert_eq!(run(&faults), run(&faults));
        let struck = run(&faults).iter().filter(|struck| **struck).count();
        assert!((540..660).contains(&struck), "{struck} of 2000");
        assert_ne!(run(&faults), run(&TelegramFaults { seed: 6, ..faults }));
    }

    #[test]
    fn a_rule_strikes_only_where_and_when_it_says() {
        let mut rule = FaultRule::always(FaultKind::StallBefore).on("sendMessage");
        (rule.bots, rule.chats, rule.from_ms, rule.until_ms) = (vec![1], vec![-5], 10, Some(20));
        let faults = TelegramFaults { seed: 1, rules: vec![rule] };
        let strikes = |target| faults.decide(&mut Vec::new(), target).is_some();
        assert!(strikes(send_at(10)) && strikes(send_at(19)));
        assert!(!strikes(send_at(9)) && !strikes(send_at(20)));
        assert!(!strikes(Target { bot: 2, ..send_at(10) }));
        assert!(!strikes(Target { chat: None, ..send_at(10) }));
        assert!(!strikes(Target { method: Some("getupdates"), ..send_at(10) }));
        assert!(!strikes(Target { method: None, ..send_at(10) }));
    }

    #[test]
    fn faults_of_webhooks_strike_deliveries_only() {
        let faults = TelegramFaults { seed: 1, rules: vec![FaultRule::always(FaultKind::WebhookFails)] };
        let delivery = Target { method: None, ..send_at(0) };
        assert!(faults.decide(&mut Vec::new(), delivery).is_some());
        assert!(faults.decide(&mut Vec::new(), send_at(0)).is_none());
    }

    #[test]
    fn the_names_are_those_of_the_wire() {
        for kind in FaultKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn a_wrong_rule_is_named_by_its_place_and_field() {
        let rule = FaultRule { probability: 1.5, ..FaultRule::always(FaultKind::ResetAfter) };
        let faults = TelegramFaults { seed: 0, rules: vec![FaultRule::always(FaultKind::ResetAfter), rule] };
        let error = faults.check().unwrap_err();
        assert_eq!(error.to_string(), "telegram.rules[1].probability: must be between 0 and 1");
        let unknown = serde_json::from_str::<TelegramFaults>(r#"{"rules":[{"what":"reset_after","chance":1}]}"#);
        assert!(unknown.unwrap_err().to_string().contains("chance"));
    }
}
