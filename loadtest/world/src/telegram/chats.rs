//! Implements methods about chats and their members. Layer: telegram.

use serde_json::{Value, json};

use super::call::Call;
use super::reply::Answer;
use crate::ledger::LedgerEvent;
use crate::world::error::ApiError;
use crate::world::outgoing::chat_of;
use crate::world::render;
use crate::world::state::Standing;

pub(crate) fn get_chat(call: &Call) -> Answer {
    let chat = call.params.chat_id()?;
    let state = call.world.lock();
    let room = chat_of(&state, call.bot, chat)?;
    Ok(render::full_chat(room).into())
}

pub(crate) fn get_chat_member(call: &Call) -> Answer {
    let chat = call.params.chat_id()?;
    let user = call.params.integer("user_id");
    let user = user.ok_or_else(|| ApiError::bad("invalid user_id specified"))?;
    let state = call.world.lock();
    let room = chat_of(&state, call.bot, chat)?;
    let author = state.author(user);
    let author = author.ok_or_else(|| ApiError::bad("user not found"))?;
    let standing = room.members.get(&user).copied().unwrap_or(Standing::Left);
    Ok(render::member(&author, standing).into())
}

pub(crate) fn get_chat_member_count(call: &Call) -> Answer {
    let chat = call.params.chat_id()?;
    let state = call.world.lock();
    let room = chat_of(&state, call.bot, chat)?;
    let count = room.members.values().filter(|s| s.is_present()).count();
    Ok(json!(count).into())
}

/// Lists the administrators; other bots are left out, as the Bot API says.
pub(crate) fn get_chat_administrators(call: &Call) -> Answer {
    let chat = call.params.chat_id()?;
    let state = call.world.lock();
    let room = chat_of(&state, call.bot, chat)?;
    let admins: Vec<Value> = room
        .members
        .iter()
        .filter(|(id, standing)| standing.is_admin() && (**id == call.bot || !state.bots.contains_key(id)))
        .filter_map(|(id, standing)| Some(render::member(&state.author(*id)?, *standing)))
        .collect();
    Ok(json!(admins).into())
}

pub(crate) fn leave_chat(call: &Call) -> Answer {
    let chat = call.params.chat_id()?;
    chat_of(&call.world.lock(), call.bot, chat)?;
    call.world.leave(chat, call.bot).map_err(|_| ApiError::bad("chat not found"))?;
    call.world.ledger().record(LedgerEvent::Left { bot: call.bot, chat });
    Ok(json!(true).into())
}
