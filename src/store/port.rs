//! Implements the ports `Store` and `Archive`, once for both databases: each method is a line that names the call.
//! Layer: adapter.

use std::sync::Arc;

use async_trait::async_trait;
use botfleet_actors::domain::allowance::AllowanceKey;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::commit::outcome::{Applied, Refusal};
use botfleet_actors::domain::control::Stops;
use botfleet_actors::domain::dead_letter::{DeadLetter, DeadLetterId};
use botfleet_actors::domain::decision::Decision;
use botfleet_actors::domain::ids::{
    BotId, ChatId, DecisionNumber, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use botfleet_actors::domain::inbox::InboxRow;
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::people::{Forgotten, PersonRecord, Rights};
use botfleet_actors::domain::roster::{DeliveryChoice, Roster, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKey, TranscriptEntry};
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::archive::{Archive, DecisionQuery};
use botfleet_actors::ports::store::{
    Backlog, ChatMemory, Cut, Kept, OutcomeCursor, OutcomeRecord, QueueDepths, Store, StoreError, Tenure,
};

use super::engine::{Engine, Reads};
use super::sql::values::values;
use super::sql::{archive, expiry, growth, outcomes, people, reads, roster, tenure};

/// Stores all state of a fleet in the database of an engine.
pub struct SqlStore<E> {
    pub(super) engine: E,
}

type Entries = Vec<Arc<TranscriptEntry>>;
type WithMessages = (Turn, Vec<OutboxMessage>);

/// Implements a port: each line is a method, its result, and what it is: a call, or all rows of a statement, or the one
/// row that a statement finds. A call may be dropped at any time: its transaction is then stored as a whole, or not at
/// all.
macro_rules! port {
    ($port:ident for $engine:ident: $($method:ident($($value:ident: $type:ty),*) -> $result:ty = $what:ident $name:path;)+) => {
        #[async_trait]
        impl<E: $engine> $port for SqlStore<E> {
            $(
                async fn $method(&self, $($value: $type),*) -> Result<$result, StoreError> {
                    let _timed = self.engine.timed(stringify!($method));
                    port!(@$what $name, &self.engine, $($value),*)
                }
            )+
        }
    };
    (@call $call:path, $engine:expr, $($value:expr),*) => {
        $call($engine, $($value),*).await.map_err(StoreError::from)
    };
    (@all $sql:path, $engine:expr, $($value:expr),*) => {
        Ok($engine.all(&$sql, values![$($value),*]).await?)
    };
    (@one $sql:path, $engine:expr, $($value:expr),*) => {
        Ok($engine.all(&$sql, values![$($value),*]).await?.pop())
    };
}

port! { Store for Engine:
    commit(batch: Vec<Operation>) -> Vec<Result<Applied, Refusal>> = call Engine::commit;
    apply_roster(plan: &RosterPlan, now: Timestamp) -> Roster = call roster::apply;
    roster() -> Roster = call Engine::roster;
    set_username(bot: BotId, username: &str) -> () = call roster::set_username;
    begin_tenure(node: &str, now: Timestamp) -> Tenure = call Engine::begin_tenure;
    reclaim(bot: BotId) -> () = call tenure::reclaim;
    chat_memory(chat: ChatId, recent: usize) -> ChatMemory = call reads::chat_memory;
    unhandled(chat: ChatId, limit: usize) -> Vec<InboxRow> = call reads::unhandled;
    transcript(chat: ChatId, upto: Number, limit: usize) -> Entries = call reads::transcript;
    conversation(chat: ChatId, upto: Number, said: usize) -> Entries = call reads::conversation;
    find_messages(chat: TelegramChatId, messages: &[MessageId]) -> Entries = call reads::find_messages;
    entry_numbers(keys: &[EntryKey]) -> Vec<(EntryKey, Number)> = call reads::entry_numbers;
    next_offset(bot: BotId) -> Option<i64> = one reads::OFFSET;
    queued_turns(bot: BotId, limit: usize) -> Vec<Turn> = all reads::QUEUED_TURNS;
    waiting_messages(bot: BotId, limit: usize) -> Vec<OutboxMessage> = all reads::WAITING_MESSAGES;
    backlog(now: Timestamp) -> Backlog = call reads::backlog;
    depths() -> QueueDepths = call reads::depths;
    allowances() -> Vec<(AllowanceKey, i64)> = all reads::ALLOWANCES;
    rights(known: i64) -> Option<Rights> = call people::rights;
    person(person: TelegramUserId) -> PersonRecord = call people::person;
    forget(person: TelegramUserId, wish: Option<i64>, cut: Cut<'_>) -> Forgotten = call people::forget;
    stops() -> Stops = call reads::stops;
    outcomes(cursor: OutcomeCursor, limit: usize) -> (Vec<OutcomeRecord>, OutcomeCursor) = call outcomes::page;
    prune(now: Timestamp, kept: &Kept) -> u64 = call growth::prune;
    expire(now: Timestamp) -> u64 = call expiry::expire;
    expire_unspoken(before: Timestamp) -> u64 = call expiry::expire_unspoken;
    turn(turn: TurnId) -> Option<WithMessages> = call reads::turn;
    check() -> () = call Engine::check;
    pauses(bot: BotId) -> Vec<Pause> = all reads::PAUSES;
    said_lately(bot: BotId, limit: usize) -> Vec<String> = call reads::said_lately;
    unknown_messages(chat: ChatId) -> Vec<OutboxMessage> = all reads::UNKNOWN_MESSAGES;
    dead_letters(after: Option<DeadLetterId>, limit: usize) -> Vec<DeadLetter> = call reads::dead_letters;
    delivery(bot: BotId) -> Option<DeliveryChoice> = one reads::DELIVERY;
    close() -> () = call Engine::close;
    message(outbox: OutboxId) -> Option<OutboxMessage> = one reads::MESSAGE;
}

port! { Archive for Reads:
    recorded_roster() -> Roster = call archive::recorded_roster;
    decisions(chat: ChatId, query: &DecisionQuery) -> Vec<Decision> = call archive::decisions;
    turns_of(chat: ChatId, decisions: &[DecisionNumber]) -> Vec<WithMessages> = call archive::turns_of;
    entries(chat: ChatId, from: Number, limit: usize) -> Entries = call archive::entries;
    message_number(chat: ChatId, message: MessageId) -> Option<Number> = call archive::message_number;
}
