//! Implements the ports `Store` and `Archive`, once for both databases: each method is a line that names the call.
//! Layer: adapter.

use std::sync::Arc;

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
    Backlog, ChatMemory, Cut, OutcomeCursor, OutcomeRecord, QueueDepths, Store, StoreError, Tenure,
};

use super::engine::{Engine, Reads};
use super::sql::{archive, expiry, outcomes, people, reads, roster, tenure};

/// Stores all state of a fleet in the database of an engine.
pub struct SqlStore<E> {
    pub(super) engine: E,
}

type Entries = Vec<Arc<TranscriptEntry>>;
type WithMessages = (Turn, Vec<OutboxMessage>);

/// Implements a port: each line is a method, its result, and the call that it is. A call may be dropped at any time:
/// its transaction is then stored as a whole, or not at all.
macro_rules! port {
    ($port:ident for $store:ty: $($line:tt)+) => {
        $crate::store::port::port! { () $port for $store: $($line)+ }
    };
    (($($generic:tt)*) $port:ident for $store:ty: $($method:ident($($value:ident: $type:ty),*) -> $result:ty = $call:path;)+) => {
        #[async_trait::async_trait]
        impl $($generic)* $port for $store {
            $(
                async fn $method(&self, $($value: $type),*) -> Result<$result, StoreError> {
                    let _timed = $crate::store::engine::Reads::timed(&self.engine, stringify!($method));
                    $call(&self.engine, $($value),*).await.map_err(StoreError::from)
                }
            )+
        }
    };
}

pub(super) use port;

port! { (<E: Engine>) Store for SqlStore<E>:
    commit(batch: Vec<Operation>) -> Vec<Result<Applied, Refusal>> = Engine::commit;
    apply_roster(plan: &RosterPlan, now: Timestamp) -> Roster = roster::apply;
    roster() -> Roster = Engine::roster;
    set_username(bot: BotId, username: &str) -> () = roster::set_username;
    begin_tenure(node: &str, now: Timestamp) -> Tenure = Engine::begin_tenure;
    reclaim(bot: BotId) -> () = tenure::reclaim;
    chat_memory(chat: ChatId, recent: usize) -> ChatMemory = reads::chat_memory;
    unhandled(chat: ChatId, limit: usize) -> Vec<InboxRow> = reads::unhandled;
    transcript(chat: ChatId, upto: Number, limit: usize) -> Entries = reads::transcript;
    conversation(chat: ChatId, upto: Number, said: usize) -> Entries = reads::conversation;
    find_messages(chat: TelegramChatId, messages: &[MessageId]) -> Entries = reads::find_messages;
    entry_numbers(keys: &[EntryKey]) -> Vec<(EntryKey, Number)> = reads::entry_numbers;
    next_offset(bot: BotId) -> Option<i64> = reads::next_offset;
    queued_turns(bot: BotId, limit: usize) -> Vec<Turn> = reads::queued_turns;
    waiting_messages(bot: BotId, limit: usize) -> Vec<OutboxMessage> = reads::waiting_messages;
    backlog(now: Timestamp) -> Backlog = reads::backlog;
    depths() -> QueueDepths = reads::depths;
    allowances() -> Vec<(AllowanceKey, i64)> = reads::allowances;
    rights(known: i64) -> Option<Rights> = people::rights;
    person(person: TelegramUserId) -> PersonRecord = people::person;
    forget(person: TelegramUserId, wish: Option<i64>, cut: Cut<'_>) -> Forgotten = people::forget;
    stops() -> Stops = reads::stops;
    outcomes(cursor: OutcomeCursor, limit: usize) -> (Vec<OutcomeRecord>, OutcomeCursor) = outcomes::page;
    prune(before: Timestamp) -> u64 = expiry::prune;
    expire(now: Timestamp) -> u64 = expiry::expire;
    expire_unspoken(before: Timestamp) -> u64 = expiry::expire_unspoken;
    turn(turn: TurnId) -> Option<WithMessages> = reads::turn;
    check() -> () = Engine::check;
    pauses(bot: BotId) -> Vec<Pause> = reads::pauses;
    said_lately(bot: BotId, limit: usize) -> Vec<String> = reads::said_lately;
    unknown_messages(chat: ChatId) -> Vec<OutboxMessage> = reads::unknown_messages;
    dead_letters(after: Option<DeadLetterId>, limit: usize) -> Vec<DeadLetter> = reads::dead_letters;
    delivery(bot: BotId) -> Option<DeliveryChoice> = reads::delivery;
    close() -> () = Engine::close;
    message(outbox: OutboxId) -> Option<OutboxMessage> = reads::message;
}

port! { (<E: Reads>) Archive for SqlStore<E>:
    recorded_roster() -> Roster = archive::recorded_roster;
    decisions(chat: ChatId, query: &DecisionQuery) -> Vec<Decision> = archive::decisions;
    turns_of(chat: ChatId, decisions: &[DecisionNumber]) -> Vec<WithMessages> = archive::turns_of;
    entries(chat: ChatId, from: Number, limit: usize) -> Entries = archive::entries;
    message_number(chat: ChatId, message: MessageId) -> Option<Number> = archive::message_number;
}
