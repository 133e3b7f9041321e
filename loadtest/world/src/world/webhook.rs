//! A bot's webhook: its address, its delivery task and the last failure. Layer: world; `telegram` makes the requests.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The address that a bot's updates are delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebhookAddress {
    pub(crate) url: String,
    pub(crate) secret: Option<String>,
    pub(crate) max_connections: usize,
}

/// A webhook in force.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) address: WebhookAddress,
    /// Notified when there is a new update.
    pub(crate) wake: Arc<Notify>,
    /// When (seconds since 1970) and why the last delivery failed.
    pub(crate) last_error: Option<(i64, String)>,
    /// The task that delivers; `None` for a webhook that another program left behind.
    pub(crate) delivery: Option<Delivery>,
}

/// The task that delivers updates; dropping the value ends the task.
#[derive(Debug)]
pub(crate) struct Delivery(pub(crate) JoinHandle<()>);

impl Drop for Delivery {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Webhook {
    pub(super) fn left_behind(url: &str) -> Self {
        let address = WebhookAddress { url: url.to_owned(), secret: None, max_connections: 40 };
        Self { address, wake: Arc::new(Notify::new()), last_error: None, delivery: None }
    }
}
