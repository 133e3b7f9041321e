//! One call of the Bot API by a known bot. Layer: telegram.

use std::sync::Arc;

use super::params::Params;
use crate::ledger::LedgerEvent;
use crate::world::World;
use crate::world::error::ApiError;

/// How long after `logOut` a bot's calls are refused (Bot API, logOut).
const LOGGED_OUT_FOR: std::time::Duration = std::time::Duration::from_mins(10);

/// One call by a known bot.
pub(crate) struct Call {
    pub(crate) world: Arc<World>,
    pub(crate) bot: i64,
    /// The method in lower case.
    pub(crate) method: String,
    pub(crate) params: Params,
    /// The send's number in the ledger, when the call would post a message.
    pub(crate) send: Option<u64>,
    /// The client's address and port.
    pub(crate) connection: String,
}

pub(crate) fn record(world: &World, bot: i64, method: String, status: u16) {
    world.ledger().record(LedgerEvent::OtherCall { bot, method, status });
}

/// Finds the bot of a token. A text that is no token is refused with 404, an unknown or revoked token with 401, and a
/// bot that logged out with 400.
pub(crate) fn authenticate(world: &World, token: &str) -> Result<i64, (i64, ApiError)> {
    let id = token
        .split_once(':')
        .filter(|(id, secret)| !secret.is_empty() && !id.starts_with('0'))
        .and_then(|(id, _)| id.parse::<i64>().ok())
        .filter(|id| *id > 0);
    let Some(id) = id else {
        return Err((0, ApiError::new(404, "Not Found")));
    };
    let mut state = world.lock();
    let Some(bot) = state.tokens.get(token).copied() else {
        return Err((id, ApiError::unauthorized()));
    };
    if let Some(known) = state.bots.get_mut(&bot)
        && let Some(at) = known.logged_out
    {
        if at.elapsed() < LOGGED_OUT_FOR {
            return Err((bot, ApiError::new(400, "Logged out")));
        }
        known.logged_out = None;
    }
    Ok(bot)
}
