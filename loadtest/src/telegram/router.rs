//! Routes `/bot<token>/<method>` and `/file/bot<token>/<path>`: finds the bot, the method and the parameters.
//!
//! Layer: telegram. A call that was read goes to `seam`, which answers it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::params::{MAX_BODY_BYTES, Params, decode};
use super::reply::refuse;
use super::{files, seam};
use crate::ledger::LedgerEvent;
use crate::world::World;
use crate::world::error::ApiError;

/// How long after `logOut` a bot's calls are refused (Bot API, logOut).
const LOGGED_OUT_FOR: std::time::Duration = std::time::Duration::from_mins(10);

/// Serves the Bot API of a world on every path.
pub fn router(world: Arc<World>) -> Router {
    Router::new().fallback(answer).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(world)
}

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

async fn answer(State(world): State<Arc<World>>, request: Request) -> Response {
    let mut answer = answer_undated(&world, request).await;
    if let Ok(date) = HeaderValue::from_str(&world.http_date()) {
        answer.headers_mut().insert(header::DATE, date);
    }
    answer
}

async fn answer_undated(world: &Arc<World>, request: Request) -> Response {
    let path = decode(request.uri().path().replace('+', "%2B").as_bytes());
    if let Some(rest) = path.strip_prefix("/file/bot") {
        return files::download(world, rest);
    }
    let Some((token, method)) = path.strip_prefix("/bot").and_then(|p| p.split_once('/')) else {
        return refuse(&ApiError::new(404, "Not Found"));
    };
    let method = method.to_ascii_lowercase();
    let bot = match authenticate(world, token) {
        Ok(bot) => bot,
        Err((bot, refusal)) => {
            record(world, bot, method, refusal.code);
            return refuse(&refusal);
        }
    };
    let connection = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or_else(String::new, |ConnectInfo(peer)| peer.to_string());
    let params = match Params::read(request).await {
        Ok(params) => params,
        Err(refusal) => {
            record(world, bot, method, refusal.code);
            return refuse(&refusal);
        }
    };
    seam::answer(Call { world: Arc::clone(world), bot, method, params, send: None, connection }).await
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
