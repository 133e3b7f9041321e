//! Makes one call: allowance reserved, call made, allowance settled. Layer `actors`. Runs in a task of the provider's
//! actor.
//!
//! | result | the allowance |
//! |---|---|
//! | an answer with believable usage | settles down to that usage |
//! | no believable usage, garbage, timeout, reset, 5xx, deadline, withdrawn, crash | stays spent: it may be billed |
//! | refused, limited, not reached, not made | comes back |

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::call::{Ask, Call, CallError, Reply};
use super::price::{self, TokenCount};
use super::settings::ProviderSettings;
use crate::actors::node::Node;
use crate::domain::commit::operations::{Operation, TakeAllowance};
use crate::domain::commit::outcome::Applied;
use crate::policy::treasury::{Cost, Reservation, Reserve};
use crate::ports::llm::{KeyIndex, LlmError, LlmProvider};
use crate::ports::metrics;

/// The parts that all attempts of a provider share.
pub(super) struct Shop {
    pub(super) name: String,
    pub(super) llm: Arc<dyn LlmProvider>,
    pub(super) settings: ProviderSettings,
    pub(super) node: Arc<Node>,
}

/// How an attempt ended.
pub(super) enum End {
    /// The caller's deadline came before the answer; true when the provider had had long enough.
    CutShort(bool),
    /// The caller withdrew its call.
    Withdrawn,
    /// The provider was asked, with this result.
    Made(Result<Reply, LlmError>),
}

impl Shop {
    /// Returns the most that a call can cost.
    pub(super) fn bound(&self, call: &Call) -> Cost {
        price::cost(&self.settings, call.ask.model(), price::bound(&call.ask))
    }

    /// Reserves the most that the call can cost, before it is made.
    pub(super) fn reserve(&self, call: &Call) -> Reserve {
        let reserve = self.node.treasury.reserve(call.bot, call.chat, self.bound(call), self.node.clock.now());
        if let Reserve::Exhausted(budget) = &reserve {
            metrics::budget_exhausted_total {
                scope: budget.scope.kind(),
                unit: budget.unit.as_str(),
                per: budget.per.as_str(),
            }
            .increment(1);
        }
        reserve
    }

    /// Takes a call's missing allowances from the store, until the call's deadline; later answers are booked all the
    /// same.
    pub(super) async fn fund(&self, orders: Vec<TakeAllowance>, deadline: Instant) -> Result<(), CallError> {
        for taken in orders.into_iter().map(|order| self.take(order)).collect::<Vec<_>>() {
            let stopped = |_| Err(CallError::unavailable("no allowance: the committer stopped"));
            timeout_at(deadline, taken).await.map_err(|_| CallError::Late)?.unwrap_or_else(stopped)?;
        }
        Ok(())
    }

    /// Orders an allowance, which is booked as soon as the store grants it.
    fn take(&self, order: TakeAllowance) -> oneshot::Receiver<Result<(), CallError>> {
        let (sender, receiver) = oneshot::channel();
        let treasury = Arc::clone(&self.node.treasury);
        self.node.committer.submit(Operation::TakeAllowance(order), move |result| {
            let taken = match result {
                Ok(Applied::Allowance { taken, granted }) => {
                    treasury.book(&order, taken, granted);
                    Ok(())
                }
                Ok(_) => Err(CallError::unavailable("the store answered another question")),
                Err(error) => Err(CallError::unavailable(format!("no allowance: {error}"))),
            };
            if taken.is_err() && order.need == 0 {
                treasury.not_booked(&order);
            }
            let _ = sender.send(taken);
        });
        receiver
    }

    /// Undoes the reservation of a call that is not made after all.
    pub(super) fn not_made(&self, (reservation, ahead): (Reservation, Vec<TakeAllowance>)) {
        reservation.refund();
        for order in &ahead {
            self.node.treasury.not_booked(order);
        }
    }

    /// Makes one call under its reservation. Returns the end and the usage, if the provider reports a believable one.
    pub(super) async fn attempt(
        &self,
        key: KeyIndex,
        call: &Call,
        (reservation, ahead): (Reservation, Vec<TakeAllowance>),
    ) -> (End, Option<TokenCount>) {
        // The next blocks come while the model thinks, or later: the answer does not wait for them.
        for order in ahead {
            drop(self.take(order));
        }
        let end = self.ask(key, call).await;
        let tokens = self.used(call, &end);
        self.settle(reservation, call, &end, tokens);
        (end, tokens)
    }

    fn used(&self, call: &Call, end: &End) -> Option<TokenCount> {
        let End::Made(Ok(reply)) = end else { return None };
        let doubt = match price::used(reply, price::bound(&call.ask)) {
            Ok(tokens) => return Some(tokens),
            Err(doubt) => doubt,
        };
        metrics::llm_usage_doubted_total {
            provider: self.name.clone(),
            model: call.ask.model().to_owned(),
            reason: doubt.as_str(),
        }
        .increment(1);
        None
    }

    async fn ask(&self, key: KeyIndex, call: &Call) -> End {
        let (started, timeout) = (Instant::now(), self.settings.timeout);
        let asked = async {
            match &call.ask {
                Ask::Completion(request) => self.llm.complete(key, request.clone()).await.map(Reply::Completion),
                Ask::Embeddings(request) => self.llm.embed(key, request.clone()).await.map(Reply::Embeddings),
            }
        };
        // A client that panics fails this call alone (I7).
        let asked = AssertUnwindSafe(asked)
            .catch_unwind()
            .map(|asked| asked.unwrap_or_else(|_| Err(LlmError::Unavailable("the client panicked".to_owned()))));
        let asked = async {
            tokio::select! {
                result = asked => Some(result),
                () = call.wanted.withdrawn() => None,
            }
        };
        let end = match timeout_at((started + timeout).min(call.deadline), asked).await {
            Ok(None) => End::Withdrawn,
            Ok(Some(result)) => End::Made(result),
            Err(_) if started + timeout <= call.deadline => {
                End::Made(Err(LlmError::Unavailable(format!("no answer within {} s", timeout.as_secs_f64()))))
            }
            Err(_) => End::CutShort(started.elapsed() >= timeout / 2),
        };
        let (provider, model) = (self.name.clone(), call.ask.model().to_owned());
        metrics::llm_call_duration_seconds { provider, model }.handle().record(started.elapsed().as_secs_f64());
        end
    }

    fn settle(&self, reservation: Reservation, call: &Call, end: &End, tokens: Option<TokenCount>) {
        let refund = match end {
            End::Made(Err(error)) => !error.may_be_billed(),
            End::Made(Ok(_)) | End::CutShort(_) | End::Withdrawn => false,
        };
        if refund {
            reservation.refund();
        } else if let Some(tokens) = tokens {
            reservation.settle(price::cost(&self.settings, call.ask.model(), tokens));
        }
    }
}
