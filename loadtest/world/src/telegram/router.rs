//! Routes `/bot<token>/<method>` and `/file/bot<token>/<path>`: finds the bot, the method and the parameters.
//!
//! Layer: telegram. A call that was read goes to `seam`, which answers it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::call::{Call, authenticate, record};
use super::params::{MAX_BODY_BYTES, Params, decode};
use super::reply::refuse;
use super::{files, seam};
use crate::world::World;
use crate::world::error::ApiError;

/// Serves the Bot API of a world on every path.
pub fn router(world: Arc<World>) -> Router {
    Router::new().fallback(answer).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(world)
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
