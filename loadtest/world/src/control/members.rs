//! Serves changes of tokens, membership and messages under `/sim/`, as `BotFather`, administrators and people make
//! them.
//!
//! Layer: beside `telegram`.
//!
//! | path | does |
//! |---|---|
//! | `POST /sim/bots/{id}/revoke` | revokes the bot's token |
//! | `POST /sim/bots/{id}/token` | `{token?}`: gives the bot another token, or a random one; answers `{token}` |
//! | `POST /sim/bots/{id}/block`, `.../unblock` | `{person}`: lets a person block or unblock the bot |
//! | `POST /sim/chats/{id}/kick`, `.../add` | `{bot}`: removes a bot from a chat, or adds it |
//! | `POST /sim/chats/{id}/admin` | `{member, is_admin}`: makes a member an administrator, or an ordinary member |
//! | `POST /sim/chats/{id}/migrate` | `{to?, to_seen_by?, from_seen_by?}`: makes a basic group a supergroup; tells all bots, or those named for either chat; answers `{to}` |
//! | `POST /sim/chats/{id}/restrict`, `.../unrestrict` | `{bot}`: takes or gives back the bot's right to write |
//! | `POST /sim/chats/{id}/deletions` | `{from, message_id}`: lets a person delete a message |

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::error::WorldError;
use crate::world::membership::MigrationSeen;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/sim/bots/{id}/revoke", post(revoke))
        .route("/sim/bots/{id}/token", post(replace_token))
        .route("/sim/bots/{id}/block", post(block))
        .route("/sim/bots/{id}/unblock", post(unblock))
        .route("/sim/chats/{id}/kick", post(kick))
        .route("/sim/chats/{id}/add", post(add))
        .route("/sim/chats/{id}/restrict", post(restrict))
        .route("/sim/chats/{id}/unrestrict", post(unrestrict))
        .route("/sim/chats/{id}/admin", post(admin))
        .route("/sim/chats/{id}/migrate", post(migrate))
        .route("/sim/chats/{id}/deletions", post(delete))
}

#[derive(Deserialize)]
struct NewToken {
    #[serde(default)]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Person {
    person: i64,
}

#[derive(Deserialize)]
struct Bot {
    bot: i64,
}

#[derive(Deserialize)]
struct Rank {
    member: i64,
    is_admin: bool,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    to: Option<i64>,
    #[serde(default)]
    to_seen_by: Option<Vec<i64>>,
    #[serde(default)]
    from_seen_by: Option<Vec<i64>>,
}

#[derive(Deserialize)]
struct Deletion {
    from: i64,
    message_id: i64,
}

type Done = Result<StatusCode, WorldError>;

fn done(result: Result<(), WorldError>) -> Done {
    result.map(|()| StatusCode::NO_CONTENT)
}

async fn revoke(State(world): State<Arc<World>>, Path(bot): Path<i64>) -> Done {
    done(world.revoke_token(bot))
}

async fn replace_token(
    State(world): State<Arc<World>>,
    Path(bot): Path<i64>,
    Json(new): Json<NewToken>,
) -> Result<Json<Value>, WorldError> {
    let token = match new.token {
        Some(token) => token,
        None => world.make_token(bot),
    };
    world.replace_token(bot, &token)?;
    Ok(Json(json!({"token": token})))
}

async fn block(State(world): State<Arc<World>>, Path(bot): Path<i64>, Json(by): Json<Person>) -> Done {
    done(world.set_blocked(by.person, bot, true))
}

async fn unblock(State(world): State<Arc<World>>, Path(bot): Path<i64>, Json(by): Json<Person>) -> Done {
    done(world.set_blocked(by.person, bot, false))
}

async fn kick(State(world): State<Arc<World>>, Path(chat): Path<i64>, Json(who): Json<Bot>) -> Done {
    done(world.kick_bot(chat, who.bot))
}

async fn add(State(world): State<Arc<World>>, Path(chat): Path<i64>, Json(who): Json<Bot>) -> Done {
    done(world.add_bot(chat, who.bot))
}

async fn restrict(State(world): State<Arc<World>>, Path(chat): Path<i64>, Json(who): Json<Bot>) -> Done {
    done(world.set_restricted(chat, who.bot, true))
}

async fn unrestrict(State(world): State<Arc<World>>, Path(chat): Path<i64>, Json(who): Json<Bot>) -> Done {
    done(world.set_restricted(chat, who.bot, false))
}

async fn admin(State(world): State<Arc<World>>, Path(chat): Path<i64>, Json(rank): Json<Rank>) -> Done {
    done(world.set_admin(chat, rank.member, rank.is_admin))
}

async fn migrate(
    State(world): State<Arc<World>>,
    Path(chat): Path<i64>,
    Json(target): Json<Target>,
) -> Result<Json<Value>, WorldError> {
    let to = match target.to {
        Some(to) => to,
        None => world.free_supergroup_id(),
    };
    world.migrate_chat_seen(chat, to, &MigrationSeen { to: target.to_seen_by, from: target.from_seen_by })?;
    Ok(Json(json!({"to": to})))
}

async fn delete(State(world): State<Arc<World>>, Path(chat): Path<i64>, Json(gone): Json<Deletion>) -> Done {
    done(world.delete(chat, gone.from, gone.message_id))
}
