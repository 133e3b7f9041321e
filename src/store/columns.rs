//! Reads the rows that the group commit loads. Layer: adapter.

use botfleet_actors::domain::commit::rows::StopChange;
use botfleet_actors::domain::control::{Rank, Stop, StopScope};
use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;

use super::rows::part::unreadable;

/// Reads the scope of a stop.
pub(super) fn stop_scope(scope: &str, key: i64) -> Result<StopScope, StoreError> {
    match scope {
        "fleet" => Ok(StopScope::Fleet),
        "chat" => Ok(StopScope::Chat(ChatId(key))),
        "bot" => Ok(StopScope::Bot(BotId(key))),
        _ => Err(unreadable("scope of a stop", scope)),
    }
}

/// Returns the scope and key under which a stop is stored.
fn scope_key(scope: StopScope) -> (&'static str, i64) {
    match scope {
        StopScope::Fleet => ("fleet", 0),
        StopScope::Chat(chat) => ("chat", chat.0),
        StopScope::Bot(bot) => ("bot", bot.0),
    }
}

/// The scope, the key, when and by whom the stop was last changed, when it ends, and its orders as JSON. The end and
/// the orders are `None` for a lifted stop.
pub(super) type StopRow<'a> = (&'static str, i64, Timestamp, &'a str, Option<Timestamp>, Option<String>);

/// Builds the row of a stop.
pub(super) fn stop_row<'a>((scope, change): (&StopScope, &'a StopChange)) -> StopRow<'a> {
    let (kind, key) = scope_key(*scope);
    let orders = change.stop.as_ref().map(|stop| serde_json::to_string(stop).unwrap_or_default());
    (kind, key, change.at, &change.by, change.stop.as_ref().and_then(Stop::until), orders)
}

/// Reads a stop. Earlier versions stored no orders: such a stop is firm until its end, with the rank that the name of
/// its author implies.
pub(super) fn stop_of(
    at: Timestamp,
    by: &str,
    until: Option<Timestamp>,
    orders: Option<&str>,
) -> Result<Stop, StoreError> {
    let rank = if by.starts_with("telegram user ") { Rank::Administrator } else { Rank::Operator };
    orders.map_or_else(
        || Ok(Stop::firm(until, rank, at)),
        |orders| serde_json::from_str(orders).map_err(|error| unreadable("orders of a stop", error)),
    )
}

/// Builds a pause from its row; chat 0 stands for the whole bot.
pub(super) fn pause(bot: BotId, chat: ChatId, until: Timestamp) -> Pause {
    Pause { bot, chat: (chat != ChatId(0)).then_some(chat), until }
}
