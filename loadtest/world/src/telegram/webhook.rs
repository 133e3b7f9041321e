//! Implements setWebhook, deleteWebhook and getWebhookInfo. Layer: telegram.
//!
//! # Source
//! tdlib/telegram-bot-api, `Client.cpp`: `process_set_webhook_query`, `process_get_webhook_info_query`.

use std::sync::Arc;

use reqwest::Url;
use serde_json::json;
use tokio::sync::Notify;

use super::call::Call;
use super::delivery;
use super::reply::{Answer, Success};
use super::updates::allowed_updates;
use crate::ledger::LedgerEvent;
use crate::world::error::ApiError;
use crate::world::state::BotState;
use crate::world::webhook::{Webhook, WebhookAddress};

/// The ports that a webhook may use (Bot API, setWebhook).
const PORTS: [u16; 4] = [443, 80, 88, 8443];
/// The number of requests that may be under way, unless the call says another (Bot API, setWebhook).
const CONNECTIONS: i64 = 40;
const MOST_CONNECTIONS: i64 = 100;
const LONGEST_SECRET: usize = 256;

pub(crate) fn set_webhook(call: &Call) -> Answer {
    let url = call.params.text("url").unwrap_or_default();
    if url.is_empty() {
        return delete_webhook(call);
    }
    if call.params.file("certificate").is_some() || call.params.text("certificate").is_some_and(|c| !c.is_empty()) {
        return Err(ApiError::bad("bad webhook: this simulation takes no certificates"));
    }
    let address = WebhookAddress {
        url: checked(&url)?,
        secret: secret(call)?,
        max_connections: call.params.integer("max_connections").unwrap_or(CONNECTIONS).clamp(1, MOST_CONNECTIONS)
            as usize,
    };
    let allowed = allowed_updates(call)?;
    let client = delivery::client()?;
    let mut state = call.world.lock();
    let bot = state.bots.get_mut(&call.bot).ok_or_else(ApiError::unauthorized)?;
    let dropped = drop_pending(call, bot);
    if let Some(allowed) = allowed {
        bot.updates.allow(allowed);
    }
    let is_served = |webhook: &Webhook| webhook.address == address && webhook.delivery.is_some();
    if !dropped && bot.webhook.as_ref().is_some_and(is_served) {
        return Ok(Success::Described(json!(true), "Webhook is already set"));
    }
    let wake = Arc::new(Notify::new());
    let delivery = delivery::start(&call.world, call.bot, address.clone(), Arc::clone(&wake), client);
    bot.hook(Webhook { address, wake, last_error: None, delivery: Some(delivery) });
    Ok(Success::Described(json!(true), "Webhook was set"))
}

/// Accepts https on Telegram's ports, and any http or https address on this machine.
fn checked(url: &str) -> Result<String, ApiError> {
    let parsed = Url::parse(url).map_err(|_| ApiError::bad("invalid webhook URL specified"))?;
    let host = parsed.host_str().unwrap_or_default();
    let is_local = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    match parsed.scheme() {
        "http" if is_local => Ok(url.to_owned()),
        "https" if is_local || parsed.port_or_known_default().is_some_and(|port| PORTS.contains(&port)) => {
            Ok(url.to_owned())
        }
        "https" => Err(ApiError::bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")),
        _ => Err(ApiError::bad("bad webhook: An HTTPS URL must be provided for webhook")),
    }
}

fn secret(call: &Call) -> Result<Option<String>, ApiError> {
    let Some(secret) = call.params.text("secret_token").filter(|secret| !secret.is_empty()) else {
        return Ok(None);
    };
    if secret.len() > LONGEST_SECRET {
        return Err(ApiError::bad("secret token is too long"));
    }
    if !secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(ApiError::bad("secret token contains unallowed characters"));
    }
    Ok(Some(secret))
}

pub(crate) fn delete_webhook(call: &Call) -> Answer {
    let mut state = call.world.lock();
    let bot = state.bots.get_mut(&call.bot).ok_or_else(ApiError::unauthorized)?;
    drop_pending(call, bot);
    let description = match bot.webhook.take() {
        Some(_) => "Webhook was deleted",
        None => "Webhook is already deleted",
    };
    Ok(Success::Described(json!(true), description))
}

fn drop_pending(call: &Call, bot: &mut BotState) -> bool {
    let wanted = call.params.flag("drop_pending_updates");
    if wanted {
        let update_ids = bot.updates.clear();
        if !update_ids.is_empty() {
            call.world.ledger().record(LedgerEvent::UpdatesDropped { bot: call.bot, update_ids });
        }
    }
    wanted
}

pub(crate) fn get_webhook_info(call: &Call) -> Answer {
    let state = call.world.lock();
    let bot = state.bots.get(&call.bot).ok_or_else(ApiError::unauthorized)?;
    let url = bot.webhook.as_ref().map_or("", |webhook| webhook.address.url.as_str());
    let mut info = json!({
        "url": url,
        "has_custom_certificate": false,
        "pending_update_count": bot.updates.len(),
    });
    if let Some(webhook) = &bot.webhook {
        info["max_connections"] = json!(webhook.address.max_connections);
        if let Some((at_s, why)) = &webhook.last_error {
            info["last_error_date"] = json!(at_s);
            info["last_error_message"] = json!(why);
        }
    }
    if let Some(allowed) = bot.updates.allowed() {
        info["allowed_updates"] = json!(allowed);
    }
    Ok(info.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_https_on_telegrams_ports_or_on_this_machine() {
        for good in ["https://a.example/h", "https://a.example:8443/h", "http://127.0.0.1:9/h", "http://localhost/"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in ["http://a.example/h", "https://a.example:9000/", "ftp://127.0.0.1/", "nonsense"] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }
}
