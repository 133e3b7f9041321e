//! One key: its limits, its state for each model, and the models that wait for it. Layer `actors`; pure.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::price::TokenCount;
use super::snapshot::KeyState;
use crate::policy::minute::{MinuteLimit, Ticket};
use crate::ports::llm::{KeyIndex, LlmError};

/// After waiting this long for a limit, a model keeps the others from it.
const CLAIM_AFTER: Duration = Duration::from_secs(5);

/// How soon the models that are kept from a limit look again.
const CLAIMED_AGAIN: Duration = Duration::from_millis(50);

/// Permission to make one call with a key.
#[derive(Debug)]
pub(super) struct KeyLease {
    pub(super) key: KeyIndex,
    requests: Option<Ticket>,
    tokens: Option<Ticket>,
    pub(super) model: String,
    pub(super) bound: TokenCount,
}

/// Why no key is available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// Each usable key has as many calls under way as it may have.
    Busy,
    /// A limit per minute allows no call before then.
    Paced(Instant),
    /// The provider asked every key to pause; the first pause ends then.
    Paused(Instant),
    /// Every key is refused or used up.
    Refused(LlmError),
}

/// Tells whether a key may be used.
#[derive(Default)]
pub(super) enum Health {
    #[default]
    Usable,
    Paused(Instant),
    Refused(Instant, LlmError),
}

/// A key.
pub(super) struct Key {
    pub(super) requests: Option<MinuteLimit>,
    pub(super) tokens: Option<MinuteLimit>,
    pub(super) in_flight: usize,
    /// Health of the key itself, for all models: revoked or not.
    pub(super) health: Health,
    pub(super) models: BTreeMap<String, Standing>,
}

/// State of a key for one model.
pub(super) struct Standing {
    pub(super) in_flight: usize,
    pub(super) health: Health,
    /// Number of refusals in a row.
    pub(super) limited: u32,
    /// Largest share of their bounds that prompts lately used.
    pub(super) part: f64,
    /// Since when and until when a limit keeps a call waiting.
    pub(super) claim: Option<(Instant, Instant)>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { in_flight: 0, health: Health::Usable, limited: 0, part: 1.0, claim: None }
    }
}

impl Health {
    pub(super) fn is_over(&self, now: Instant) -> bool {
        !matches!(self, Self::Paused(until) | Self::Refused(until, _) if *until > now)
    }

    /// Returns whether a call may be made. After a refusal for good, one call tries the key before others follow.
    fn permits(&self, in_flight: usize, now: Instant) -> Result<(), NoKey> {
        match self {
            Self::Refused(until, error) if *until > now => Err(NoKey::Refused(error.clone())),
            Self::Paused(until) if *until > now => Err(NoKey::Paused(*until)),
            Self::Refused(..) if in_flight > 0 => Err(NoKey::Busy),
            _ => Ok(()),
        }
    }
}

impl Key {
    pub(super) fn standing(&mut self, model: &str) -> &mut Standing {
        self.models.entry(model.to_owned()).or_default()
    }

    /// Returns the weight of a call with that bound, if it may be made now.
    pub(super) fn room(
        &mut self,
        model: &str,
        bound: TokenCount,
        side_by_side: usize,
        now: Instant,
    ) -> Result<u64, NoKey> {
        self.health.permits(self.in_flight, now)?;
        let (in_flight, first) = (self.in_flight, self.first_claim(now).is_none_or(|(_, first)| first == model));
        let claimed_until = self.first_claim(now).map(|(until, _)| until);
        let standing = self.standing(model);
        let busy = if in_flight >= side_by_side { Err(NoKey::Busy) } else { Ok(()) };
        if let Err(why) = standing.health.permits(standing.in_flight, now).and(busy) {
            // No limit keeps this model waiting, so others may go.
            standing.claim = None;
            return Err(why);
        }
        let weight = ((bound.prompt as f64 * standing.part).ceil() as u64 + bound.completion).max(1);
        let waits = [
            self.requests.as_mut().and_then(|limit| limit.room(1, now).err()),
            self.tokens.as_mut().and_then(|limit| limit.room(weight, now).err()),
        ];
        let mut wait_until = waits.into_iter().flatten().max().map(|wait| now + wait);
        if !first {
            wait_until = wait_until.max(claimed_until).max(Some(now + CLAIMED_AGAIN));
        }
        match wait_until {
            Some(until) => {
                let claim = &mut self.standing(model).claim;
                *claim = Some((claim.map_or(now, |(since, _)| since), until));
                Err(NoKey::Paced(until))
            }
            None => Ok(weight),
        }
    }

    /// Returns the claim of the model that has waited for a limit the longest, if longer than `CLAIM_AFTER`: until
    /// when, and which model.
    fn first_claim(&self, now: Instant) -> Option<(Instant, &str)> {
        let claims = self.models.iter().filter_map(|(model, standing)| Some((standing.claim?, model.as_str())));
        let ((since, until), model) = claims.min_by_key(|((since, _), _)| *since)?;
        (since + CLAIM_AFTER <= now).then_some((until, model))
    }

    pub(super) fn lease(
        &mut self,
        key: KeyIndex,
        model: &str,
        weight: u64,
        bound: TokenCount,
        now: Instant,
    ) -> KeyLease {
        self.in_flight += 1;
        self.standing(model).in_flight += 1;
        let requests = self.requests.as_mut().map(|limit| limit.take(1, now));
        let tokens = self.tokens.as_mut().map(|limit| limit.take(weight, now));
        KeyLease { key, requests, tokens, model: model.to_owned(), bound }
    }

    /// Ends a call.
    pub(super) fn end(&mut self, lease: &KeyLease) {
        self.in_flight -= 1;
        self.standing(&lease.model).in_flight -= 1;
    }

    /// Returns the worst state of the key, the reason, and the time left.
    pub(super) fn shown(&self, now: Instant) -> (KeyState, Option<String>, Duration) {
        let mut worst = (KeyState::Usable, None, Duration::ZERO);
        let models = self.models.iter().map(|(model, standing)| (format!("{model}: "), &standing.health));
        for (of, health) in std::iter::once((String::new(), &self.health)).chain(models) {
            match health {
                Health::Refused(until, error) if *until > now && worst.0 != KeyState::Refused => {
                    worst = (KeyState::Refused, Some(format!("{of}{error}")), until.saturating_duration_since(now));
                }
                Health::Paused(until) if *until > now && worst.0 == KeyState::Usable => {
                    worst = (KeyState::Paused, None, until.saturating_duration_since(now));
                }
                _ => {}
            }
        }
        worst
    }

    pub(super) fn correct(&mut self, lease: &KeyLease, requests: u64, tokens: u64) {
        if let (Some(limit), Some(ticket)) = (&mut self.requests, lease.requests) {
            limit.correct(ticket, requests);
        }
        if let (Some(limit), Some(ticket)) = (&mut self.tokens, lease.tokens) {
            limit.correct(ticket, tokens);
        }
    }
}
