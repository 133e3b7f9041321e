//! Converts the JSON arrays that a batch loads, on either database, to domain types. Layer: adapter.

use std::collections::BTreeSet;

use botfleet_actors::domain::allowance::AllowanceKey;
use botfleet_actors::domain::commit::needs::Needs;
use botfleet_actors::domain::commit::rows::{Loaded, OutboxHead, TurnHead};
use botfleet_actors::domain::ids::{
    AttemptId, BotId, ChatId, Epoch, InboxId, MessageId, OutboxId, TelegramUserId, TurnId,
};
use botfleet_actors::domain::inbox::Source;
use botfleet_actors::domain::outbox::{OutboxState, SendProgress};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::turn::{TurnProgress, TurnState, Usage};
use botfleet_actors::domain::window::{Window, WindowKey};
use botfleet_actors::ports::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::columns::{pause, stop_of, stop_scope};
use super::rows::part::{Columns, unreadable};

/// Returns the columns of an inbox row's unique key.
pub(super) fn source_key(bot: BotId, source: Source) -> (BotId, &'static str, i64) {
    match source {
        Source::Update(update) => (bot, "update", update.0),
        Source::Sent(outbox) => (bot, "sent", outbox.0),
    }
}

/// Returns the columns of the key of a budget's period.
pub(super) fn allowance_key(key: &AllowanceKey) -> (&'static str, i64, &'static str, &'static str, Timestamp) {
    let budget = key.budget;
    (budget.scope.kind(), budget.scope.id(), budget.unit.as_str(), budget.per.as_str(), key.start)
}

/// Encodes values as JSON; numbers and strings cannot fail to serialise.
pub(super) fn array<T: Serialize + ?Sized>(values: &T) -> String {
    serde_json::to_string(values).unwrap_or_else(|_| "[]".to_owned())
}

/// The results of a loading statement, each a JSON array of rows. Some arrays name what was found by its position among
/// what was asked for.
pub(super) struct Texts<'r> {
    pub(super) sources: &'r str,
    pub(super) inbox: &'r str,
    pub(super) entries: &'r str,
    pub(super) turns: &'r str,
    pub(super) outbox: &'r str,
    pub(super) windows: &'r str,
    pub(super) stops: &'r str,
    pub(super) pauses: &'r str,
    pub(super) allowances: &'r str,
    pub(super) people: &'r str,
}

type PersonRow = (TelegramUserId, u8, Option<Timestamp>, Option<Timestamp>);
type TurnRow = (
    TurnId,
    BotId,
    String,
    u32,
    Option<Epoch>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<u32>,
    Option<u32>,
);
type OutboxRow = (
    OutboxId,
    BotId,
    ChatId,
    u32,
    Timestamp,
    String,
    u32,
    Option<AttemptId>,
    Option<Epoch>,
    Timestamp,
    Option<MessageId>,
    Option<String>,
    u8,
);

type StopRow = (String, i64, Timestamp, String, Option<Timestamp>, Option<String>);

/// Reads the texts into `loaded`.
pub(super) fn read(
    texts: &Texts<'_>,
    loaded: &mut Loaded,
    needs: &Needs,
    windows: &[WindowKey],
    allowances: &[AllowanceKey],
) -> Result<(), StoreError> {
    loaded.sources.extend(picked(texts.sources, &needs.sources)?);
    for (inbox, waits, emptied) in column::<(InboxId, u8, u8)>(texts.inbox)? {
        loaded.inbox.insert(inbox, waits != 0);
        loaded.emptied.extend((emptied != 0).then_some(inbox));
    }
    loaded.entries.extend(picked(texts.entries, &needs.entries)?);
    for (person, out, forgotten, said) in column::<PersonRow>(texts.people)? {
        loaded.said.extend(said.map(|at| (person, at)));
        loaded.opted_out.extend((out != 0).then_some(person));
        loaded.forgotten.extend(forgotten.map(|until| (person, until)));
    }
    for (id, bot, state, attempts, claimed_epoch, error, provider, model, prompt, completion) in
        column::<TurnRow>(texts.turns)?
    {
        let state = TurnState::parse(&state).ok_or_else(|| unreadable("state of a turn", &state))?;
        let usage = provider.map(|provider| Usage {
            provider,
            model: model.unwrap_or_default(),
            prompt_tokens: prompt.unwrap_or_default(),
            completion_tokens: completion.unwrap_or_default(),
        });
        loaded
            .turns
            .insert(id, TurnHead { bot, progress: TurnProgress { state, attempts, claimed_epoch, error, usage } });
    }
    for outbox in column::<OutboxRow>(texts.outbox)? {
        let (
            id,
            bot,
            chat,
            chain_depth,
            expires_at,
            state,
            attempts,
            attempt,
            claimed_epoch,
            due_at,
            message_id,
            error,
            emptied,
        ) = outbox;
        let state = OutboxState::parse(&state).ok_or_else(|| unreadable("state of a message", &state))?;
        let progress = SendProgress { state, attempts, attempt, claimed_epoch, due_at, message_id, error };
        loaded.outbox.insert(id, OutboxHead { bot, chat, chain_depth, expires_at, emptied: emptied != 0, progress });
    }
    for (index, window) in column::<(usize, Window)>(texts.windows)? {
        if let Some(key) = windows.get(index) {
            loaded.windows.insert(*key, window);
        }
    }
    for (scope, key, at, by, until, orders) in column::<StopRow>(texts.stops)? {
        loaded.stops.0.insert(stop_scope(&scope, key)?, stop_of(at, &by, until, orders.as_deref())?);
    }
    for (bot, chat, until) in column::<(BotId, ChatId, Timestamp)>(texts.pauses)? {
        loaded.pauses.add(pause(bot, chat, until));
    }
    for (index, granted) in column::<(usize, i64)>(texts.allowances)? {
        if let Some(key) = allowances.get(index) {
            loaded.allowances.insert(*key, granted);
        }
    }
    Ok(())
}

/// Returns the JSON array in the next column.
pub(super) fn json_of<'r>(columns: &mut Columns<'r>) -> Result<&'r str, StoreError> {
    Ok(columns.text()?.unwrap_or("[]"))
}

/// Parses a JSON array of rows.
pub(super) fn column<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable("loaded column", error))
}

/// Returns those of `asked` whose positions the column holds.
fn picked<T: Copy>(text: &str, asked: &BTreeSet<T>) -> Result<Vec<T>, StoreError> {
    let found = column::<usize>(text)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<T> = asked.iter().copied().collect();
    Ok(found.into_iter().filter_map(|place| asked.get(place).copied()).collect())
}
