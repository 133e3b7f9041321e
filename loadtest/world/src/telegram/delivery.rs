//! Delivers a bot's updates to its webhook, with one task for each bot.
//!
//! Layer: telegram. Invariants: the updates of one chat are delivered in order, one at a time; chats do not wait for
//! each other, up to the webhook's number of connections; a delivery removes an update from the queue only after an
//! answer of 2xx. When the task is aborted, the updates under way stay in the queue, whether or not they arrived.
//!
//! # Source
//! tdlib/telegram-bot-api, `WebhookActor.cpp`: `send_updates`, `on_update_ok`, `on_update_error`.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::call::Call;
use super::faults::{Fault, FaultKind};
use super::params::Params;
use super::seam;
use crate::ledger::LedgerEvent;
use crate::people::http;
use crate::world::World;
use crate::world::error::ApiError;
use crate::world::queue::Pending;
use crate::world::webhook::{Delivery, WebhookAddress};

/// The header that carries the webhook's secret (Bot API, setWebhook).
const SECRET_HEADER: &str = "X-Telegram-Bot-Api-Secret-Token";
/// The first pause between attempts, in seconds; the second attempt follows without a pause.
const FIRST_PAUSE_S: u64 = 2;
/// The longest pause between attempts, in seconds.
const LONGEST_PAUSE_S: u64 = 60;
/// The largest answer that is read.
const LARGEST_ANSWER_BYTES: usize = 1024 * 1024;

/// Makes a client for one webhook; the client follows no redirects.
///
/// # Errors
/// 500, when no client can be made.
pub(crate) fn client() -> Result<reqwest::Client, ApiError> {
    let client = http::builder().redirect(reqwest::redirect::Policy::none()).build();
    client.map_err(|_| ApiError::new(500, "Internal Server Error"))
}

/// Starts the task that delivers updates.
#[allow(clippy::disallowed_methods, reason = "one task a webhook; the handle is kept with it and aborted by its drop")]
pub(crate) fn start(
    world: &Arc<World>,
    bot: i64,
    address: WebhookAddress,
    wake: Arc<Notify>,
    client: reqwest::Client,
) -> Delivery {
    let spec = world.spec().webhooks;
    let courier = Courier {
        world: Arc::downgrade(world),
        bot,
        address,
        client,
        timeout: Duration::from_millis(spec.timeout_ms),
        time_scale: spec.time_scale,
        busy: HashSet::new(),
        failing: HashMap::new(),
    };
    Delivery(tokio::spawn(courier.run(wake)))
}

struct Courier {
    world: Weak<World>,
    bot: i64,
    address: WebhookAddress,
    client: reqwest::Client,
    timeout: Duration,
    time_scale: f64,
    /// The lanes with a request under way. A lane is a chat; updates without a chat share one lane.
    busy: HashSet<Option<i64>>,
    /// The lanes whose first update failed.
    failing: HashMap<Option<i64>, Failing>,
}

struct Failing {
    attempts: u32,
    not_before: Instant,
}

struct Ended {
    lane: Option<i64>,
    update_id: i64,
    result: Result<Option<Map<String, Value>>, Failure>,
    status: u16,
}

struct Failure {
    why: String,
    retry_after_s: Option<u64>,
}

impl Courier {
    async fn run(mut self, wake: Arc<Notify>) {
        let mut under_way: FuturesUnordered<BoxFuture<'static, Ended>> = FuturesUnordered::new();
        loop {
            let Some(world) = self.world.upgrade() else {
                return;
            };
            for request in self.next(&world) {
                under_way.push(request);
            }
            drop(world);
            let due = self.failing.values().map(|failing| failing.not_before).filter(|at| *at > Instant::now()).min();
            let until_due = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(ended) = under_way.next(), if !under_way.is_empty() => self.end(ended).await,
                () = wake.notified() => {}
                () = until_due => {}
            }
        }
    }

    /// Takes the first update of every free lane, up to the number of free connections.
    fn next(&mut self, world: &World) -> Vec<BoxFuture<'static, Ended>> {
        let now = Instant::now();
        let now_ms = world.calendar_ms();
        let free = self.address.max_connections.saturating_sub(self.busy.len());
        let heads: Vec<Pending> = {
            let mut state = world.lock();
            let Some(bot) = state.bots.get_mut(&self.bot) else {
                return Vec::new();
            };
            world.drop_expired(bot, now_ms);
            let waits = |lane: Option<i64>| {
                self.busy.contains(&lane) || self.failing.get(&lane).is_some_and(|failing| failing.not_before > now)
            };
            bot.updates.heads(free, waits)
        };
        heads.into_iter().map(|head| self.request(world, head)).collect()
    }

    fn request(&mut self, world: &World, head: Pending) -> BoxFuture<'static, Ended> {
        self.busy.insert(head.lane);
        let fault = world.fault_for(self.bot, head.lane, None);
        if let Some(fault) = fault {
            world.record_fault(self.bot, "webhook", fault, None);
        }
        let mut request = self
            .client
            .post(&self.address.url)
            .timeout(self.timeout)
            .header(CONTENT_TYPE, "application/json")
            .body(head.json);
        if let Some(secret) = &self.address.secret {
            request = request.header(SECRET_HEADER, secret);
        }
        let (lane, update_id) = (head.lane, head.id);
        Box::pin(async move {
            let (status, result) = attempt(request, fault).await;
            Ended { lane, update_id, result, status }
        })
    }

    async fn end(&mut self, ended: Ended) {
        self.busy.remove(&ended.lane);
        let Some(world) = self.world.upgrade() else {
            return;
        };
        let attempts = self.failing.get(&ended.lane).map_or(0, |failing| failing.attempts) + 1;
        world.ledger().record(LedgerEvent::WebhookAttempt {
            bot: self.bot,
            update_id: ended.update_id,
            attempt: attempts,
            status: ended.status,
        });
        match ended.result {
            Ok(order) => {
                self.failing.remove(&ended.lane);
                world.delivered(self.bot, ended.update_id);
                if let Some(order) = order {
                    self.obey(world, order).await;
                }
            }
            Err(failure) => {
                world.not_delivered(self.bot, failure.why);
                let pause_s = pause_after(attempts).max(failure.retry_after_s.unwrap_or(0));
                let pause = Duration::from_secs(pause_s).mul_f64(self.time_scale.max(0.0));
                self.failing.insert(ended.lane, Failing { attempts, not_before: Instant::now() + pause });
            }
        }
    }

    /// Carries out the method that an answer names; nobody gets the result.
    async fn obey(&self, world: Arc<World>, mut order: Map<String, Value>) {
        let Some(Value::String(method)) = order.remove("method") else {
            return;
        };
        let method = method.to_ascii_lowercase();
        if method == "getupdates" {
            return;
        }
        let connection = "webhook".to_owned();
        let params = Params::of(order);
        seam::carry_out(Call { world, bot: self.bot, method, params, send: None, connection }).await;
    }
}

/// Returns how long to wait after a number of failures, in seconds: the second attempt follows at once.
fn pause_after(failures: u32) -> u64 {
    match failures {
        0 | 1 => 0,
        more => FIRST_PAUSE_S.saturating_mul(1 << (more - 2).min(10)).min(LONGEST_PAUSE_S),
    }
}

type Attempted = (u16, Result<Option<Map<String, Value>>, Failure>);

async fn attempt(request: reqwest::RequestBuilder, fault: Option<Fault>) -> Attempted {
    let failed = |status, why: &str, retry_after_s| (status, Err(Failure { why: why.to_owned(), retry_after_s }));
    let kind = fault.map(|fault| fault.kind);
    if kind == Some(FaultKind::WebhookUnreached) {
        return failed(0, "Connection timed out", None);
    }
    let mut answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => return failed(0, "Read timeout expired", None),
        Err(error) if error.is_connect() => return failed(0, "Connection refused", None),
        Err(_) => return failed(0, "Connection closed", None),
    };
    let status = answer.status();
    let retry_after_s = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = read(&mut answer).await;
    if kind == Some(FaultKind::WebhookFails) {
        return failed(0, "Read timeout expired", None);
    }
    if !status.is_success() {
        let why = format!("Wrong response from the webhook: {status}");
        return failed(status.as_u16(), &why, retry_after_s);
    }
    (status.as_u16(), Ok(serde_json::from_slice(&body).ok()))
}

/// Reads an answer; one that breaks off or is too long counts as empty.
async fn read(answer: &mut reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + Bytes::len(&chunk) <= LARGEST_ANSWER_BYTES => {
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return body,
            Ok(Some(_)) | Err(_) => return Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_attempt_follows_at_once_and_pauses_double_up_to_a_minute() {
        let pauses: Vec<u64> = (1..=8).map(pause_after).collect();
        assert_eq!(pauses, [0, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause_after(u32::MAX), 60);
    }
}
