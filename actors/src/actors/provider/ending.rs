//! Ends a call that was made, for its caller and for the provider's actor. Layer `actors`. Runs in a task of the
//! provider's actor.

use super::attempt::{End, Shop};
use super::call::{Answered, CallError, Waiting};
use super::key::KeyLease;
use crate::actors::provider::concluded::{Concluded, Failure};
use crate::domain::commit::operations::TakeAllowance;
use crate::policy::breaker::Admission;
use crate::policy::treasury::Reservation;
use crate::ports::llm::LlmError;
use crate::ports::metrics;

/// Makes the call and tells its caller, unless another key may make it.
pub(super) async fn make(
    shop: &Shop,
    lease: &KeyLease,
    waiting: Waiting,
    reserved: (Reservation, Vec<TakeAllowance>),
    admission: Admission,
) -> Concluded {
    let (end, tokens) = shop.attempt(lease.key, &waiting.call, reserved).await;
    match &end {
        End::Made(Ok(_)) => shop.node.vitals.call_ended(&shop.name, None),
        End::Made(Err(error)) => shop.node.vitals.call_ended(&shop.name, Some(error.to_string())),
        End::CutShort(true) => shop.node.vitals.call_ended(&shop.name, Some("no answer in time".to_owned())),
        _ => {}
    }
    match end {
        End::CutShort(long_enough) => {
            let failure = if long_enough {
                admission.failed();
                Failure::Of("no answer until the deadline of the call".to_owned())
            } else {
                Failure::Other
            };
            waiting.answer.give(Err(CallError::Late));
            Concluded::Made { failure: Some(failure), tokens }
        }
        End::Withdrawn => {
            metrics::completions_wasted_total.increment(1);
            waiting.answer.give(Err(CallError::Withdrawn));
            Concluded::Made { failure: Some(Failure::Other), tokens }
        }
        End::Made(Ok(reply)) => {
            waiting.answer.give(Ok(Answered { reply, worth: admission }));
            Concluded::Made { failure: None, tokens }
        }
        End::Made(Err(error)) if is_of_the_key(&error) => Concluded::KeyRefused(error, Box::new(waiting)),
        End::Made(Err(error)) => {
            if error.is_failure() {
                admission.failed();
            } else {
                admission.succeeded();
            }
            let failure = Failure::Of(error.to_string());
            waiting.answer.give(Err(error.into()));
            Concluded::Made { failure: Some(failure), tokens }
        }
    }
}

fn is_of_the_key(error: &LlmError) -> bool {
    matches!(error, LlmError::RateLimited { .. } | LlmError::KeyRefused(_) | LlmError::QuotaExhausted(_))
}
