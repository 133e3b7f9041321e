//! Raises alerts: tells operators that something is wrong, and when it is well again. Layer `runtime`. Keeps I12.
//!
//! Alerts go to a webhook, signed, or into a chat of operators by one of the bots, or both. Alerts tell of the fleet
//! and are no part of a conversation, so they do not pass the outbox, which may be the part that is broken. The line of
//! the log that is written before each alert is its record ([ADR 34](../../docs/adr/0034-alerts.md)). A try may be
//! repeated, so an alert may come twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use botfleet_actors::domain::ids::TelegramChatId;
use botfleet_actors::policy::alarms::{Alarms, Notice};
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::telegram::{BotApi, SendMessage};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::view::Health;
use crate::hook::webhook::Webhook;

/// Most notices that wait to be told; further ones are counted and dropped.
const WAITING_MAX: usize = 64;

/// Most time of one try to tell; `TRY_AGAIN` holds the waits before the next ones.
const TRY_WITHIN: Duration = Duration::from_secs(10);
const TRY_AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];

/// Reason given for a try that was not answered.
const LATE: &str = "no answer in time";

/// Seconds after a node's start during which missing parts raise no alert, unless the node is unhealthy.
const BEGINS_FOR_S: u64 = 10;

/// Decides which alerts are raised.
pub(super) struct Alerts {
    alarms: Mutex<Alarms>,
    clock: Arc<dyn Clock>,
    waiting: mpsc::Sender<Notice>,
}

/// Tells the alerts.
pub(super) struct Teller {
    node: String,
    clock: Arc<dyn Clock>,
    webhook: Option<Webhook>,
    chat: Option<(Arc<dyn BotApi>, TelegramChatId)>,
    waiting: mpsc::Receiver<Notice>,
}

impl Alerts {
    /// Makes the alerts, and the teller that sends them to `webhook` and into `chat`.
    pub(super) fn new(
        node: &str,
        clock: Arc<dyn Clock>,
        every: Duration,
        webhook: Option<Webhook>,
        chat: Option<(Arc<dyn BotApi>, TelegramChatId)>,
    ) -> (Self, Teller) {
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        let teller = Teller { node: node.to_owned(), clock: Arc::clone(&clock), webhook, chat, waiting };
        (Self { alarms: Mutex::new(Alarms::new(every)), clock, waiting: sender }, teller)
    }

    /// Looks at the node's health for causes that began or ended, and queues a notice of each.
    pub(super) fn heard(&self, health: &Health) {
        if health.uptime_seconds < BEGINS_FOR_S && health.status != "unhealthy" {
            return;
        }
        let wrong = health.checks.iter().filter(|check| !check.ok);
        let causes: BTreeMap<String, String> =
            wrong.map(|check| (check.name.clone(), check.detail.clone().unwrap_or_default())).collect();
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        for notice in alarms.look(&causes, self.clock.boot_time()) {
            tracing::warn!(cause = notice.cause, text = notice.text, over = notice.over, "alert");
            if self.waiting.try_send(notice).is_err() {
                metrics::alerts_dropped_total.increment(1);
            }
        }
    }
}

impl Teller {
    /// Tells the notices for ever, one after the other.
    pub(super) async fn run(mut self) {
        while let Some(notice) = self.waiting.recv().await {
            tokio::join!(self.by_webhook(&notice), self.in_chat(&notice));
        }
    }

    async fn by_webhook(&self, notice: &Notice) {
        let Some(webhook) = &self.webhook else { return };
        let at = self.clock.now();
        let Notice { cause, text, over } = notice;
        let alert = json!({ "node": self.node, "cause": cause, "text": text, "over": over, "at": at.as_millis() });
        let body = alert.to_string();
        let mut waits = TRY_AGAIN.into_iter();
        loop {
            let failed = match timeout(TRY_WITHIN, webhook.post(&body, at.as_millis() / 1000)).await {
                Ok(Ok(())) => return count("webhook", true),
                Ok(Err(error)) => (error.is_retryable(), error.to_string()),
                Err(_) => (true, LATE.to_owned()),
            };
            if !again("webhook", failed, &mut waits).await {
                return;
            }
        }
    }

    async fn in_chat(&self, notice: &Notice) {
        let Some((bot, chat)) = &self.chat else { return };
        let text = format!("botfleet {}: {}", self.node, words(notice));
        let message = SendMessage { chat: *chat, thread: None, reply_to: None, text, marks: Vec::new() };
        let mut waits = TRY_AGAIN.into_iter();
        loop {
            // A message that may have been sent is not sent again.
            let failed = match timeout(TRY_WITHIN, bot.send_message(&message)).await {
                Ok(Ok(_)) => return count("chat", true),
                Ok(Err(error)) => (error.is_retryable(), error.to_string()),
                Err(_) => (false, LATE.to_owned()),
            };
            if !again("chat", failed, &mut waits).await {
                return;
            }
        }
    }
}

/// Waits for another try; returns whether there is one.
async fn again(way: &'static str, failed: (bool, String), waits: &mut (impl Iterator<Item = Duration> + Send)) -> bool {
    let (retryable, reason) = failed;
    let Some(wait) = waits.next().filter(|_| retryable) else {
        tracing::warn!(way, reason, "an alert could not be told");
        count(way, false);
        return false;
    };
    tokio::time::sleep(wait).await;
    true
}

/// Puts a notice into words.
fn words(notice: &Notice) -> String {
    let Notice { cause, text, over } = notice;
    if *over { format!("{cause} is well again") } else { format!("{cause}: {text}") }
}

fn count(way: &'static str, told: bool) {
    let outcome = if told { "told" } else { "failed" };
    metrics::alerts_total { way, outcome }.increment(1);
}
