//! Checks once whether a Redis answers. Layer: adapter.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike as _;
use fred::types::config::Config;
use secrecy::{ExposeSecret as _, SecretString};

/// The longest time for the answer.
const WITHIN: Duration = Duration::from_secs(10);

/// Connects to Redis and pings it.
///
/// # Errors
/// The reason in plain words; never the address, which may hold a password (I12).
pub async fn answers(url: &SecretString) -> Result<(), String> {
    let config = Config::from_url(url.expose_secret()).map_err(|_| "redis.url is no address".to_owned())?;
    let client = Client::new(config, None, None, None);
    let asked = tokio::time::timeout(WITHIN, async {
        client.init().await?;
        client.ping::<String>(None).await
    });
    let answered = asked.await;
    let _ = tokio::time::timeout(Duration::from_secs(1), client.quit()).await;
    match answered {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("refuses: {}", error.details())),
        Err(_) => Err(format!("does not answer within {} s", WITHIN.as_secs())),
    }
}
