//! Implements methods about the bot itself: getMe, commands, description, logOut, close. Layer: telegram.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::call::Call;
use super::reply::Answer;
use crate::world::error::ApiError;
use crate::world::render;
use crate::world::state::{BotState, Wake};

/// How long after the world's start a bot may not be closed (Bot API, close).
const CLOSE_AFTER: Duration = Duration::from_mins(10);
/// The largest number of commands (Bot API, setMyCommands).
const MAX_COMMANDS: usize = 100;
/// The longest description, in characters (Bot API, setMyDescription).
const MAX_DESCRIPTION: usize = 512;

fn with_bot<T>(call: &Call, work: impl FnOnce(&mut BotState) -> T) -> Result<T, ApiError> {
    let mut state = call.world.lock();
    let bot = state.bots.get_mut(&call.bot);
    bot.map(work).ok_or_else(ApiError::unauthorized)
}

pub(crate) fn get_me(call: &Call) -> Answer {
    Ok(with_bot(call, |bot| render::me(&bot.spec))?.into())
}

/// Returns the scope and language of a list of commands.
fn scope_of(call: &Call) -> (String, String) {
    let scope = call.params.json("scope");
    let scope = scope.unwrap_or_else(|| json!({"type": "default"}));
    let language = call.params.text("language_code").unwrap_or_default();
    (scope.to_string(), language)
}

pub(crate) fn get_my_commands(call: &Call) -> Answer {
    let scope = scope_of(call);
    let commands = with_bot(call, |bot| bot.commands.get(&scope).cloned())?;
    Ok(commands.unwrap_or_else(|| json!([])).into())
}

pub(crate) fn set_my_commands(call: &Call) -> Answer {
    let Some(Value::Array(list)) = call.params.json("commands") else {
        return Err(ApiError::bad("can't parse commands: expected an Array of BotCommand"));
    };
    if list.len() > MAX_COMMANDS {
        return Err(ApiError::bad("BOT_COMMANDS_TOO_MUCH"));
    }
    let mut commands = Vec::with_capacity(list.len());
    for command in &list {
        let text = |name: &str| command.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = text("command").trim_start_matches('/');
        let is_name_byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !(1..=32).contains(&name.len()) || !name.bytes().all(is_name_byte) {
            return Err(ApiError::bad("BOT_COMMAND_INVALID"));
        }
        let description = text("description");
        if !(1..=256).contains(&description.chars().count()) {
            return Err(ApiError::bad("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
        commands.push(json!({"command": name, "description": description}));
    }
    let scope = scope_of(call);
    with_bot(call, |bot| bot.commands.insert(scope, json!(commands)))?;
    Ok(json!(true).into())
}

pub(crate) fn delete_my_commands(call: &Call) -> Answer {
    let scope = scope_of(call);
    with_bot(call, |bot| bot.commands.remove(&scope))?;
    Ok(json!(true).into())
}

pub(crate) fn set_my_description(call: &Call) -> Answer {
    let description = call.params.text("description").unwrap_or_default();
    if description.chars().count() > MAX_DESCRIPTION {
        return Err(ApiError::bad("bot description is too long"));
    }
    let language = call.params.text("language_code").unwrap_or_default();
    with_bot(call, |bot| bot.descriptions.insert(language, description))?;
    Ok(json!(true).into())
}

pub(crate) fn get_my_description(call: &Call) -> Answer {
    let language = call.params.text("language_code").unwrap_or_default();
    let description = with_bot(call, |bot| {
        let known = bot.descriptions.get(&language).filter(|text| !text.is_empty());
        known.or_else(|| bot.descriptions.get("")).cloned()
    })?;
    Ok(json!({"description": description.unwrap_or_default()}).into())
}

pub(crate) fn log_out(call: &Call) -> Answer {
    with_bot(call, |bot| {
        bot.logged_out = Some(Instant::now());
        bot.wake(Wake::Unauthorized);
    })?;
    Ok(json!(true).into())
}

pub(crate) fn close(call: &Call) -> Answer {
    if let Some(wait) = CLOSE_AFTER.checked_sub(call.world.uptime()) {
        return Err(ApiError::too_many_requests(wait.as_secs() + 1));
    }
    Ok(json!(true).into())
}
