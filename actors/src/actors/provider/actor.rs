//! Provider actor. Layer `actors`. Parent: Fleet. Children: none; calls run in tracked tasks. Keeps I9, I12.
//!
//! Load bound: for each model `concurrency` calls under way and `waiting` in its queue; beyond that, the least urgent
//! call is shed. On failure of a call: the caller is told, and the model's breaker counts. On failure of the actor: the
//! fleet restarts it. Its calls under way end with it, and their callers get `Unavailable` since their `Answer` is
//! dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;

use super::alarm::Alarm;
use super::attempt::Shop;
use super::call::{Answer, Call, CallError, Waiting, give_all};
use super::ending::make;
use super::key::{KeyLease, NoKey};
use super::keys::KeyPool;
use super::lane::Lane;
use super::price;
use super::settings::ProviderSettings;
use super::snapshot::ProviderSnapshot;
use super::trouble::{LastError, Tell};
use crate::actors::node::Node;
use crate::actors::node::tasks::{TaskPanicked, Tasks};
use crate::actors::provider::concluded::{Concluded, Failure};
use crate::actors::provider::messages::{Finished, Funded, ProviderMsg};
use crate::policy::breaker::BreakerState;
use crate::policy::treasury::Reserve;
use crate::ports::llm::{KeyIndex, LlmError, LlmProvider};
use crate::ports::metrics;

/// Calls wait for a pause of all keys up to this long; during a longer pause callers turn elsewhere.
const PATIENCE: Duration = Duration::from_secs(2);

/// A caller hears of refusals by keys only after more than this many, and more than there are keys.
const REFUSALS_MAX: usize = 2;

/// Largest number of times that a call goes to the store for its allowance: others may reserve the amount taken before
/// the call does.
const TAKES_MAX: usize = 16;

/// How often parked calls look for allowances that calls at other providers gave back.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Arguments of a provider's actor.
pub struct ProviderArgs {
    /// The provider's name in the manifest.
    pub name: String,
    /// The adapter.
    pub llm: Arc<dyn LlmProvider>,
    /// The provider's limits.
    pub settings: ProviderSettings,
    /// The actor's node.
    pub node: Arc<Node>,
}

/// State of a provider.
pub struct ProviderState {
    myself: ActorRef<ProviderMsg>,
    shop: Arc<Shop>,
    keys: KeyPool,
    lanes: BTreeMap<String, Lane>,
    last_error: Option<LastError>,
    /// Rotates the order in which models are looked at.
    turn: usize,
    alarm: Alarm,
    tasks: Tasks,
    /// Set once another actor has the provider's place.
    retiring: bool,
}

/// The provider actor.
pub struct ProviderActor;

impl Actor for ProviderActor {
    type Msg = ProviderMsg;
    type State = ProviderState;
    type Arguments = ProviderArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let alarm = myself.clone();
        let ProviderArgs { name, llm, settings, node } = args;
        Ok(ProviderState {
            myself,
            keys: {
                let mut keys = KeyPool::new(llm.keys(), &settings);
                keys.share_among(node.leases.sharers());
                keys
            },
            shop: Arc::new(Shop { name, llm, settings, node }),
            lanes: BTreeMap::new(),
            last_error: None,
            turn: 0,
            alarm: Alarm::default(),
            tasks: Tasks::new(move || drop(alarm.cast(ProviderMsg::TaskPanicked))),
            retiring: false,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ProviderMsg::Make(call, answer) => state.on_make(call, answer),
            ProviderMsg::CallFinished(finished) => {
                state.on_finished(*finished);
                state.unpark();
            }
            ProviderMsg::Funded(funded) => state.on_funded(*funded),
            ProviderMsg::Wake => {
                state.alarm.rang(Instant::now());
                state.unpark();
            }
            ProviderMsg::Shared(nodes) => state.keys.share_among(nodes),
            ProviderMsg::Retire => state.retiring = true,
            ProviderMsg::KeyReplaced => state.keys.replaced(KeyIndex(0)),
            ProviderMsg::TaskPanicked => return Err(TaskPanicked.into()),
            ProviderMsg::GetSnapshot(reply) => {
                let _ = reply.send(state.snapshot());
                return Ok(());
            }
        }
        state.pump();
        if state.retiring && state.is_idle() {
            state.myself.stop(Some("replaced".to_owned()));
        }
        Ok(())
    }
}

impl ProviderState {
    fn on_make(&mut self, call: Call, answer: Answer) {
        let now = Instant::now();
        if call.deadline <= now {
            return answer.give(Err(CallError::Late));
        }
        let model = call.ask.model().to_owned();
        let shop = &self.shop;
        let new_lane = |model: &String| Lane::new(&shop.settings, &shop.name, model);
        let lane = self.lanes.entry(model).or_insert_with_key(new_lane);
        if let Some(shed) = lane.push(Waiting::new(call, answer, now), &self.shop.name, now) {
            shed.answer.give(Err(CallError::Shed));
        }
    }

    fn on_finished(&mut self, finished: Finished) {
        let Finished { model, lease, end } = finished;
        let (now, shop) = (Instant::now(), Arc::clone(&self.shop));
        let Some(lane) = self.lanes.get_mut(&model) else {
            return;
        };
        lane.in_flight -= 1;
        match end {
            Concluded::Made { failure: None, tokens } => {
                self.keys.made(&lease, tokens);
                self.keys.succeeded(&lease, now);
                // Usage that is missing or not believed is charged by its bound.
                let charged = tokens.unwrap_or(lease.bound);
                lane.count(&shop.name, &model, charged, price::cost(&shop.settings, &model, charged).nanos);
                if let Tell::WellAgain(failures) = lane.trouble.succeeded() {
                    tracing::info!(provider = %shop.name, model, failures, "model answers again");
                }
            }
            Concluded::Made { failure: Some(failure), tokens } => {
                self.keys.made(&lease, tokens);
                let Failure::Of(reason) = failure else { return };
                let at = shop.node.clock.now();
                self.last_error = Some(LastError { reason: format!("{model}: {reason}"), at });
                if lane.trouble.failed(reason.clone(), at, now) == Tell::Fails {
                    tracing::warn!(provider = %shop.name, model, reason, "model does not answer, further failures are counted");
                }
            }
            Concluded::KeyRefused(error, mut waiting) => {
                self.key_refused(&lease, &error, now);
                waiting.refusals += 1;
                if waiting.refusals > REFUSALS_MAX.max(self.keys.len()) {
                    waiting.answer.give(Err(error.into()));
                } else if let Some(lane) = self.lanes.get_mut(&model) {
                    lane.put_back(*waiting);
                }
            }
        }
    }

    fn on_funded(&mut self, funded: Funded) {
        let Funded { model, mut waiting, result } = funded;
        let Some(lane) = self.lanes.get_mut(&model) else {
            return;
        };
        lane.in_flight -= 1;
        waiting.takes += 1;
        match result {
            Ok(()) if waiting.takes < TAKES_MAX => lane.put_back(waiting),
            Ok(()) => waiting.answer.give(Err(CallError::unavailable("no allowance: others were quicker"))),
            Err(error) => waiting.answer.give(Err(error)),
        }
    }

    /// Returns whether no call waits or is under way.
    fn is_idle(&self) -> bool {
        self.lanes.values().all(|lane| lane.in_flight == 0 && lane.waiting() == 0)
    }

    fn unpark(&mut self) {
        self.lanes.values_mut().for_each(Lane::unpark);
    }

    fn key_refused(&mut self, lease: &KeyLease, error: &LlmError, now: Instant) {
        let provider = &self.shop.name;
        self.keys.refused(lease, error, self.shop.node.jitter.next(), now);
        if !matches!(error, LlmError::RateLimited { .. }) {
            self.last_error = Some(LastError { reason: error.to_string(), at: self.shop.node.clock.now() });
        }
        metrics::llm_key_refusals_total { provider: provider.clone(), reason: error.label() }.increment(1);
        if !matches!(error, LlmError::RateLimited { .. }) {
            tracing::error!(provider = %provider, key = lease.key.0, error = %error, "key is refused, it is left alone for a while");
        }
    }

    /// Starts as many waiting calls as the limits allow; the models take turns to be first.
    fn pump(&mut self) {
        let now = Instant::now();
        let models: Vec<String> = self.lanes.keys().cloned().collect();
        let mut wake: Option<Instant> = None;
        self.turn = self.turn.wrapping_add(1);
        for offset in 0..models.len() {
            let model = &models[(self.turn + offset) % models.len()];
            let next = self.pump_lane(model, now);
            wake = wake.into_iter().chain(next).min();
        }
        if let Some(at) = wake
            && self.alarm.set(at)
        {
            drop(self.myself.send_after(at.saturating_duration_since(now), || ProviderMsg::Wake));
        }
    }

    /// Starts waiting calls of one model; returns when to look again.
    fn pump_lane(&mut self, model: &str, now: Instant) -> Option<Instant> {
        let lane = self.lanes.get_mut(model)?;
        for late in lane.expired(now) {
            late.answer.give(Err(CallError::Late));
        }
        let (mut wake, mut paced) = (None, false);
        while lane.in_flight < self.shop.settings.concurrency.get() && !lane.is_empty() {
            // While one call probes, the others turn elsewhere: a dead provider may hold the probe up to its timeout.
            let Some(admission) = lane.breaker.admit() else {
                give_all(lane.drain(), &CallError::unavailable("breaker open"));
                break;
            };
            let Some(waiting) = lane.pop(now) else {
                break;
            };
            if waiting.call.wanted.is_withdrawn() {
                waiting.answer.give(Err(CallError::Withdrawn));
                continue;
            }
            if waiting.call.deadline <= now {
                waiting.answer.give(Err(CallError::Late));
                continue;
            }
            let (shop, myself, model) = (Arc::clone(&self.shop), self.myself.clone(), model.to_owned());
            let reserved = match shop.reserve(&waiting.call) {
                Reserve::Reserved(reservation, ahead) => (reservation, ahead),
                Reserve::Exhausted(budget) => {
                    waiting.answer.give(Err(CallError::Exhausted(budget)));
                    continue;
                }
                Reserve::Busy => {
                    lane.park(waiting);
                    continue;
                }
                Reserve::Short(orders) => {
                    lane.in_flight += 1;
                    self.tasks.spawn(async move {
                        let result = shop.fund(orders, waiting.call.deadline).await;
                        let _ = myself.cast(ProviderMsg::Funded(Box::new(Funded { model, waiting, result })));
                    });
                    continue;
                }
            };
            let lease = match self.keys.take(&model, price::bound(&waiting.call.ask), now) {
                Ok(lease) => lease,
                Err(why) => {
                    shop.not_made(reserved);
                    lane.put_back(waiting);
                    match why {
                        NoKey::Busy => {}
                        NoKey::Paced(until) => (wake, paced) = (Some(until), true),
                        NoKey::Paused(until) if until <= now + PATIENCE => wake = Some(until),
                        NoKey::Paused(until) => {
                            let retry_after = Some(until.saturating_duration_since(now));
                            give_all(lane.drain(), &LlmError::RateLimited { retry_after }.into());
                        }
                        NoKey::Refused(error) => give_all(lane.drain(), &error.into()),
                    }
                    break;
                }
            };
            lane.in_flight += 1;
            lane.calls += 1;
            self.tasks.spawn(async move {
                let end = make(&shop, &lease, waiting, reserved, admission).await;
                let _ = myself.cast(ProviderMsg::CallFinished(Box::new(Finished { model, lease, end })));
            });
        }
        if !paced {
            self.keys.forget_claims(model);
        }
        lane.publish();
        let look_again = lane.has_parked().then_some(now + LOOK_AGAIN);
        wake.into_iter().chain(lane.next_deadline()).chain(look_again).min()
    }

    fn snapshot(&mut self) -> ProviderSnapshot {
        let badness = |state: &BreakerState| match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        let breakers = self.lanes.values().map(|lane| lane.breaker.state());
        ProviderSnapshot {
            name: self.shop.name.clone(),
            breaker: breakers.max_by_key(badness).unwrap_or(BreakerState::Closed),
            in_flight: self.lanes.values().map(|lane| lane.in_flight).sum(),
            waiting: self.lanes.values().map(Lane::waiting).sum(),
            calls: self.lanes.values().map(|lane| lane.calls).sum(),
            last_error: self.last_error.clone(),
            models: self.lanes.iter().map(|(model, lane)| lane.snapshot(model)).collect(),
            keys: self.keys.snapshot(Instant::now()),
        }
    }
}
