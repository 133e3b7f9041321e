//! Serves late updates, closed chats and the simulated Telegram's clock under `/sim/`. Layer: beside `telegram`.
//!
//! | path | does |
//! |---|---|
//! | `GET /sim/clock`, `PUT /sim/clock` | `{offset_ms}`: how far dates and `Date` headers are ahead |
//! | `POST /sim/bots/{id}/updates` | `{kind, content, chat?, message_id?}`: puts any update into the bot's queue |
//! | `POST /sim/bots/{id}/copies` | `{bot, update_id}` or `{chat, message_id, kind?}`: queues a copy of it |
//! | `POST /sim/bots/{id}/hold` | `{chat?}`: holds back the bot's updates, of one chat or all |
//! | `POST /sim/bots/{id}/release` | releases the bot's updates; answers `{updates}`, their number |
//! | `POST /sim/chats/{id}/close` | `{code?, description?}`: closes the chat to bots, with this refusal |
//! | `POST /sim/chats/{id}/open`, `.../delete` | opens the chat again; deletes the chat |
//! | `POST /sim/chats/{id}/topics` | `{name}`: creates a topic; answers `{thread}` |
//! | `POST /sim/chats/{id}/topics/{thread}/close`, `.../open`, `.../delete` | closes, opens or deletes a topic |
//! | `POST /sim/lift` | opens everything, gives back every right to write, releases held updates, ends all pauses |

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::error::WorldError;
use crate::world::lateness::Which;
use crate::world::shut::Shut;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/sim/clock", get(clock).put(set_clock))
        .route("/sim/bots/{id}/updates", post(queue))
        .route("/sim/bots/{id}/copies", post(copy))
        .route("/sim/bots/{id}/hold", post(hold))
        .route("/sim/bots/{id}/release", post(release))
        .route("/sim/chats/{id}/close", post(close))
        .route("/sim/chats/{id}/open", post(open))
        .route("/sim/chats/{id}/delete", post(delete))
        .route("/sim/chats/{id}/topics", post(create_topic))
        .route("/sim/chats/{id}/topics/{thread}/close", post(close_topic))
        .route("/sim/chats/{id}/topics/{thread}/open", post(open_topic))
        .route("/sim/chats/{id}/topics/{thread}/delete", post(delete_topic))
        .route("/sim/lift", post(lift))
}

#[derive(Deserialize)]
struct Clock {
    offset_ms: i64,
}

#[derive(Deserialize)]
struct Update {
    kind: String,
    content: Value,
    #[serde(default)]
    chat: Option<i64>,
    #[serde(default)]
    message_id: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Original {
    Update {
        bot: i64,
        update_id: i64,
    },
    About {
        chat: i64,
        message_id: i64,
        #[serde(default)]
        kind: Option<String>,
    },
}

#[derive(Deserialize)]
struct OfChat {
    #[serde(default)]
    chat: Option<i64>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: Option<u16>,
    #[serde(default)]
    description: Option<String>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

type Done = Result<StatusCode, WorldError>;

fn done(result: Result<(), WorldError>) -> Done {
    result.map(|()| StatusCode::NO_CONTENT)
}

async fn clock(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({"offset_ms": world.clock_offset(), "date": world.calendar_ms().div_euclid(1000)}))
}

async fn set_clock(State(world): State<Arc<World>>, Json(clock): Json<Clock>) -> StatusCode {
    world.set_clock_offset(clock.offset_ms);
    StatusCode::NO_CONTENT
}

async fn queue(State(world): State<Arc<World>>, Path(bot): Path<i64>, Json(update): Json<Update>) -> Done {
    let about = update.chat.zip(update.message_id);
    done(world.queue_update(bot, &update.kind, &update.content, about))
}

async fn copy(State(world): State<Arc<World>>, Path(to): Path<i64>, Json(original): Json<Original>) -> Done {
    let which = match &original {
        Original::Update { bot, update_id } => Which::Update { bot: *bot, update_id: *update_id },
        Original::About { chat, message_id, kind } => {
            Which::About { chat: *chat, message_id: *message_id, kind: kind.as_deref() }
        }
    };
    done(world.copy_update(which, to))
}

async fn hold(State(world): State<Arc<World>>, Path(bot): Path<i64>, Json(of): Json<OfChat>) -> StatusCode {
    world.hold_updates(bot, of.chat);
    StatusCode::NO_CONTENT
}

async fn release(State(world): State<Arc<World>>, Path(bot): Path<i64>) -> Json<Value> {
    Json(json!({"updates": world.release_updates(bot)}))
}

async fn close(State(world): State<Arc<World>>, Path(chat): Path<i64>, Json(refusal): Json<Refusal>) -> Done {
    let usual = Shut::without_rights();
    let code = refusal.code.unwrap_or(usual.code);
    done(world.close_chat(chat, Shut::closed(code, refusal.description.unwrap_or(usual.description))))
}

async fn open(State(world): State<Arc<World>>, Path(chat): Path<i64>) -> Done {
    done(world.open_chat(chat))
}

async fn delete(State(world): State<Arc<World>>, Path(chat): Path<i64>) -> Done {
    done(world.delete_chat(chat))
}

async fn create_topic(
    State(world): State<Arc<World>>,
    Path(chat): Path<i64>,
    Json(topic): Json<Name>,
) -> Result<Json<Value>, WorldError> {
    Ok(Json(json!({"thread": world.create_topic(chat, &topic.name)?})))
}

async fn close_topic(State(world): State<Arc<World>>, Path((chat, thread)): Path<(i64, i64)>) -> Done {
    done(world.close_topic(chat, thread))
}

async fn open_topic(State(world): State<Arc<World>>, Path((chat, thread)): Path<(i64, i64)>) -> Done {
    done(world.open_topic(chat, thread))
}

async fn delete_topic(State(world): State<Arc<World>>, Path((chat, thread)): Path<(i64, i64)>) -> Done {
    done(world.delete_topic(chat, thread))
}

async fn lift(State(world): State<Arc<World>>) -> StatusCode {
    world.lift();
    StatusCode::NO_CONTENT
}
