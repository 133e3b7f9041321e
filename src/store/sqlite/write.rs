//! Writes the changes of a batch and commits: several statements in one text, in one crossing. Layer: adapter.
//!
//! The parts of the text depend only on which kinds of rows changed, so there are at most 512 texts.

use std::sync::{Arc, OnceLock};

use botfleet_actors::domain::commit::rows::{Changes, Loaded};
use botfleet_actors::domain::ids::{ChatId, DecisionNumber};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::engine::Within;
use super::written::{
    ChatRow, DecisionRow, EntryRow, HandledRow, NewInboxRow, OutboxMove, OutboxRow, TurnMove, TurnRow,
};
use crate::store::columns::stop_row;
use crate::store::engine::Fault;
use crate::store::loaded::{allowance_key, array};
use crate::store::sql::{orders, tenure};

const INBOX: &str = "\
INSERT INTO inbox (id, chat, bot, source, source_id, payload, received_at, outcome, reason) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
value ->> 8 FROM json_each($1); \
INSERT INTO bot_cursor (bot, next_offset) SELECT value ->> 0, value ->> 1 FROM json_each($2) WHERE true \
ON CONFLICT (bot) DO UPDATE SET next_offset = excluded.next_offset; ";
const ADVANCE: &str = "\
UPDATE inbox SET outcome = j.value ->> 1, reason = j.value ->> 2, number = j.value ->> 3, decision = j.value ->> 4 \
FROM json_each($3) j WHERE inbox.id = j.value ->> 0; \
UPDATE chat_head SET last_number = j.value ->> 1, last_decision = coalesce(j.value ->> 2, last_decision), \
next_tick_at = j.value ->> 3, calm_until = j.value ->> 4, disclosed = max(disclosed, j.value ->> 5) \
FROM json_each($4) j WHERE chat_head.chat = j.value ->> 0; \
INSERT INTO transcript (chat, number, kind, revision, telegram_chat, message_id, thread, reply_to, author, fleet_bot, \
text, entities, media, date, inbox, chain_depth, root) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, \
value ->> 16 FROM json_each($5); \
INSERT INTO decision (chat, number, cause_entry, seed, at, config_seq, policy, verdict, reason, inputs, scores, root, \
chain_depth, standing) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, \
value ->> 7, value ->> 8, value -> 9, value -> 10, value ->> 11, value ->> 12, value -> 13 FROM json_each($6); \
INSERT INTO turn (id, chat, decision, bot, ordinal, target, answers_bot, chain_depth, root, priority, due_at, \
expires_at, created_at, state, attempts, claimed_epoch, error, provider, model, prompt_tokens, completion_tokens, act) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, \
value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20, value ->> 21 FROM json_each($7); ";
const TURNS: &str = "\
UPDATE turn SET state = j.value ->> 1, attempts = j.value ->> 2, claimed_epoch = j.value ->> 3, error = j.value ->> 4, \
provider = j.value ->> 5, model = j.value ->> 6, prompt_tokens = j.value ->> 7, completion_tokens = j.value ->> 8 \
FROM json_each($8) j WHERE turn.id = j.value ->> 0; ";
const OUTBOX: &str = "\
INSERT INTO outbox (id, turn, part, parts, bot, chat, telegram_chat, thread, reply_to, text, answers_bot, chain_depth, \
root, expires_at, created_at, state, attempts, attempt, claimed_epoch, due_at, message_id, error, on_unknown) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, \
value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20, value ->> 21, value ->> 22 FROM json_each($9); \
UPDATE outbox SET state = j.value ->> 1, attempts = j.value ->> 2, attempt = j.value ->> 3, \
claimed_epoch = j.value ->> 4, due_at = j.value ->> 5, message_id = j.value ->> 6, error = j.value ->> 7 \
FROM json_each($10) j WHERE outbox.id = j.value ->> 0; ";
const WINDOWS: &str = "\
INSERT INTO send_window (key, slots) SELECT value ->> 0, value -> 1 FROM json_each($11) WHERE true \
ON CONFLICT (key) DO UPDATE SET slots = excluded.slots; ";
const STOPS: &str = "\
DELETE FROM control WHERE (scope, key) IN (SELECT value ->> 0, value ->> 1 FROM json_each($12)); \
INSERT INTO control (scope, key, stopped_at, by, until, orders) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each($12) \
WHERE value ->> 5 IS NOT NULL; ";

const DELIVERY: &str = "\
INSERT INTO send_pause (bot, chat, until) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($13) WHERE true \
ON CONFLICT (bot, chat) DO UPDATE SET until = max(until, excluded.until); \
DELETE FROM chat_absence WHERE (chat, bot) IN (SELECT value ->> 0, value ->> 1 FROM json_each($14)); \
INSERT INTO chat_absence (chat, bot) SELECT value ->> 0, value ->> 1 FROM json_each($14) WHERE value ->> 2; \
INSERT INTO chat_alias (telegram_chat_id, chat, since) SELECT value ->> 1, value ->> 0, value ->> 2 \
FROM json_each($15) WHERE true ON CONFLICT (telegram_chat_id) DO NOTHING; \
UPDATE chat SET telegram_id = j.value ->> 1, spec = json_set(spec, '$.telegram_id', j.value ->> 1) \
FROM json_each($15) j WHERE chat.id = j.value ->> 0 \
AND EXISTS (SELECT 1 FROM chat_alias a WHERE a.telegram_chat_id = j.value ->> 1 AND a.chat = chat.id); \
UPDATE outbox SET telegram_chat = j.value ->> 1, reply_to = NULL FROM json_each($15) j \
WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') AND state IN ('queued', 'retry_at') \
AND outbox.chat = j.value ->> 0; ";
const ALLOWANCES: &str = "\
INSERT INTO allowance (scope, key, unit, per, period_start, granted) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each($16) WHERE true \
ON CONFLICT (scope, key, unit, per, period_start) DO UPDATE SET granted = excluded.granted; ";

/// The state of the transaction after the writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The transaction commits.
    Commit,
    /// The transaction stays open.
    StayOpen,
}

#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each group is there or not, whatever the others are")]
struct Groups {
    inbox: bool,
    advance: bool,
    turns: bool,
    outbox: bool,
    windows: bool,
    stops: bool,
    delivery: bool,
    allowances: bool,
}

impl Groups {
    fn of(changes: &Changes) -> Self {
        Self {
            inbox: !changes.inbox.is_empty() || !changes.offsets.is_empty(),
            advance: !changes.chats.is_empty(),
            turns: !changes.turns.is_empty(),
            outbox: !changes.new_outbox.is_empty() || !changes.outbox.is_empty(),
            windows: !changes.windows.is_empty(),
            stops: !changes.stops.is_empty(),
            delivery: !(changes.pauses.is_empty() && changes.absences.is_empty() && changes.migrations.is_empty()),
            allowances: !changes.allowances.is_empty(),
        }
    }

    fn index(self, then: Then) -> usize {
        [
            self.inbox,
            self.advance,
            self.turns,
            self.outbox,
            self.windows,
            self.stops,
            self.delivery,
            self.allowances,
            then == Then::StayOpen,
        ]
        .into_iter()
        .enumerate()
        .map(|(bit, set)| usize::from(set) << bit)
        .sum()
    }

    fn statement(self, then: Then) -> Arc<str> {
        static STATEMENTS: [OnceLock<Arc<str>>; 512] = [const { OnceLock::new() }; 512];
        let build = || {
            let part = |wanted: bool, sql: &'static str| if wanted { sql } else { "" };
            let parts = [
                part(self.inbox, INBOX),
                part(self.advance, ADVANCE),
                part(self.turns, TURNS),
                part(self.outbox, OUTBOX),
                part(self.windows, WINDOWS),
                part(self.stops, STOPS),
                part(self.delivery, DELIVERY),
                part(self.allowances, ALLOWANCES),
                part(then == Then::Commit, "COMMIT"),
            ];
            Arc::from(parts.concat())
        };
        STATEMENTS[self.index(then)].get_or_init(build).clone()
    }
}

/// Writes `changes`. The progress of turns and messages comes from `loaded`, where the judge has moved it on.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    changes: &Changes,
    loaded: &Loaded,
    then: Then,
) -> Result<(), Fault> {
    let moved_turns = changes.turns.iter().filter_map(|id| Some(TurnMove::of(*id, &loaded.turns.get(id)?.progress)));
    let moved_outbox =
        changes.outbox.iter().filter_map(|id| Some(OutboxMove::of(*id, &loaded.outbox.get(id)?.progress)));
    let new_turns = changes
        .new_turns
        .iter()
        .map(|turn| TurnRow::of(turn, loaded.turns.get(&turn.id).map_or(&turn.progress, |head| &head.progress)));
    let new_outbox = changes.new_outbox.iter().map(|message| {
        OutboxRow::of(message, loaded.outbox.get(&message.id).map_or(&message.progress, |head| &head.progress))
    });
    if !changes.orders.is_empty() {
        orders::write(&mut Within(connection), &changes.orders).await?;
    }
    if !changes.hand_overs.is_empty() {
        tenure::hand_over(&mut Within(connection), &changes.hand_overs).await?;
    }
    let windows = changes.windows.iter().filter_map(|key| Some((key.name(), loaded.windows.get(key)?)));
    let allowances = changes.allowances.iter().filter_map(|key| {
        let (scope, id, unit, per, start) = allowance_key(key);
        Some((scope, id, unit, per, start, *loaded.allowances.get(key)?))
    });
    sqlx::query(AssertSqlSafe(Groups::of(changes).statement(then)))
        .bind(rows(changes.inbox.iter().map(NewInboxRow::of)))
        .bind(rows(changes.offsets.iter()))
        .bind(rows(changes.handled.iter().map(HandledRow::of)))
        .bind(rows(
            changes.chats.iter().map(|(chat, change)| ChatRow::of(*chat, change, last_decision(changes, *chat))),
        ))
        .bind(rows(changes.entries.iter().map(EntryRow::of)))
        .bind(rows(changes.decisions.iter().map(DecisionRow::of)))
        .bind(rows(new_turns))
        .bind(rows(moved_turns))
        .bind(rows(new_outbox))
        .bind(rows(moved_outbox))
        .bind(rows(windows))
        .bind(rows(changes.stops.iter().map(stop_row)))
        .bind(rows(changes.pauses.iter().map(|pause| (pause.bot, pause.chat.unwrap_or(ChatId(0)), pause.until))))
        .bind(rows(changes.absences.iter().map(|((chat, bot), absent)| (chat, bot, absent))))
        .bind(rows(changes.migrations.iter().map(|(chat, (to, at))| (chat, to, at))))
        .bind(rows(allowances))
        .execute(connection)
        .await?;
    Ok(())
}

/// Encodes rows as a JSON array; `None` when there are none.
fn rows<T: Serialize>(rows: impl Iterator<Item = T>) -> Option<String> {
    let rows: Vec<T> = rows.collect();
    (!rows.is_empty()).then(|| array(&rows))
}

fn last_decision(changes: &Changes, chat: ChatId) -> Option<DecisionNumber> {
    changes.decisions.iter().filter(|decision| decision.chat == chat).map(|decision| decision.number).max()
}
