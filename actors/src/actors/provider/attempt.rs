//! One call: allowance reserved, call made, allowance settled. Layer `actors`. Runs in a task of the provider's actor.
//!
//! | what happens | the allowance |
//! |---|---|
//! | an answer that says what it used | settles down to that |
//! | an answer that does not, garbage, timeout, reset, 5xx, deadline, withdrawn, crash | stays spent: it may be billed |
//! | refused, limited, not reached, not made | comes back |

use std::sync::Arc;

use tokio::time::Instant;

use super::call::{Ask, Call, CallError, Reply};
use super::price::{self, TokenCount};
use super::settings::ProviderSettings;
use crate::actors::node::Node;
use crate::domain::commit::operation::{Applied, Operation, TakeAllowance};
use crate::policy::treasury::{Cost, Reservation, Reserve};
use crate::ports::llm::{KeyIndex, LlmError, LlmProvider};

/// What all attempts of a provider share.
pub(super) struct Shop {
    pub(super) name: String,
    pub(super) llm: Arc<dyn LlmProvider>,
    pub(super) settings: ProviderSettings,
    pub(super) node: Arc<Node>,
}

/// How an attempt ended.
pub(super) enum End {
    /// The deadline of whoever asked came before the answer; true when the provider had long enough.
    CutShort(bool),
    /// Nobody wanted the answer any more.
    Withdrawn,
    /// The provider was asked.
    Made(Result<Reply, LlmError>),
}

impl End {
    /// What was billed, as far as the provider says.
    pub(super) fn tokens(&self) -> Option<TokenCount> {
        match self {
            Self::Made(Ok(reply)) => price::used(reply),
            _ => None,
        }
    }
}

impl Shop {
    /// The most that a call can cost.
    pub(super) fn bound(&self, call: &Call) -> Cost {
        price::cost(&self.settings, call.ask.model(), price::bound(&call.ask))
    }

    /// Reserves the most that the call can cost, before it is made.
    pub(super) fn reserve(&self, call: &Call) -> Reserve {
        let reserve = self.node.treasury.reserve(call.bot, call.chat, self.bound(call), self.node.clock.now());
        if let Reserve::Exhausted(budget) = &reserve {
            metrics::counter!("botfleet_budget_exhausted_total", "scope" => budget.scope.kind(),
                "unit" => budget.unit.as_str(), "per" => budget.per.as_str())
            .increment(1);
        }
        reserve
    }

    /// Takes from the store what a call lacks.
    pub(super) async fn fund(&self, orders: Vec<TakeAllowance>) -> Result<(), CallError> {
        for order in orders {
            match self.node.committer.commit(Operation::TakeAllowance(order)).await {
                Ok(Applied::Allowance { taken, granted }) => self.node.treasury.book(&order, taken, granted),
                Ok(_) => return Err(CallError::unavailable("the store answered another question")),
                Err(error) => return Err(CallError::unavailable(format!("no allowance: {error}"))),
            }
        }
        Ok(())
    }

    /// The call is not made after all.
    pub(super) fn not_made(&self, (reservation, ahead): (Reservation, Vec<TakeAllowance>)) {
        reservation.refund();
        for order in &ahead {
            self.node.treasury.not_booked(order);
        }
    }

    /// Makes one call under its reservation.
    pub(super) async fn attempt(
        &self,
        key: KeyIndex,
        call: &Call,
        (reservation, ahead): (Reservation, Vec<TakeAllowance>),
    ) -> End {
        let (end, ()) = tokio::join!(self.ask(key, call), self.take_ahead(ahead));
        self.settle(reservation, call, &end);
        end
    }

    /// Takes the next blocks while the model thinks.
    async fn take_ahead(&self, orders: Vec<TakeAllowance>) {
        for order in orders {
            match self.node.committer.commit(Operation::TakeAllowance(order)).await {
                Ok(Applied::Allowance { taken, granted }) => self.node.treasury.book(&order, taken, granted),
                _ => self.node.treasury.not_booked(&order),
            }
        }
    }

    async fn ask(&self, key: KeyIndex, call: &Call) -> End {
        let (started, timeout) = (Instant::now(), self.settings.timeout);
        let asked = async {
            match &call.ask {
                Ask::Completion(request) => self.llm.complete(key, request.clone()).await.map(Reply::Completion),
                Ask::Embeddings(request) => self.llm.embed(key, request.clone()).await.map(Reply::Embeddings),
            }
        };
        let asked = async {
            tokio::select! {
                result = asked => Some(result),
                () = call.wanted.withdrawn() => None,
            }
        };
        let end = match tokio::time::timeout_at((started + timeout).min(call.deadline), asked).await {
            Ok(None) => End::Withdrawn,
            Ok(Some(result)) => End::Made(result),
            Err(_) if started + timeout <= call.deadline => {
                End::Made(Err(LlmError::Unavailable(format!("no answer within {} s", timeout.as_secs_f64()))))
            }
            Err(_) => End::CutShort(started.elapsed() >= timeout / 2),
        };
        let (provider, model) = (self.name.clone(), call.ask.model().to_owned());
        metrics::histogram!("botfleet_llm_call_duration_seconds", "provider" => provider, "model" => model)
            .record(started.elapsed().as_secs_f64());
        end
    }

    fn settle(&self, reservation: Reservation, call: &Call, end: &End) {
        let refund = match end {
            End::Made(Err(error)) => !error.may_be_billed(),
            End::Made(Ok(_)) | End::CutShort(_) | End::Withdrawn => false,
        };
        if refund {
            reservation.refund();
        } else if let Some(tokens) = end.tokens() {
            reservation.settle(price::cost(&self.settings, call.ask.model(), tokens));
        }
    }
}
