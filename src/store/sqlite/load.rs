//! Loads the rows that a batch needs: one statement, one row of JSON arrays. Layer: adapter.
//!
//! The text of the statement depends only on which groups of rows are needed and on whether it begins the transaction,
//! so there are at most 256 texts. The connection keeps those used last prepared.

use std::sync::{Arc, OnceLock};

use botfleet_actors::domain::allowance::AllowanceKey;
use botfleet_actors::domain::commit::needs::Needs;
use botfleet_actors::domain::commit::rows::{ChatHead, Loaded};
use botfleet_actors::domain::ids::{BotId, ChatId, DecisionNumber, Epoch, InboxId, Number};
use botfleet_actors::domain::window::WindowKey;
use botfleet_actors::ports::store::StoreError;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use crate::store::loaded::{Texts, allowance_key, array, column, json_of, read, source_key};
use crate::store::rows::part::Columns;

const LEASES: &str = "\
(SELECT json_group_array(json_array(l.key, l.epoch)) FROM json_each($1) j \
 CROSS JOIN lease l ON l.kind = 'bot' AND l.key = j.value), \
(SELECT json_group_array(json_array(l.key, l.epoch, h.last_number, h.last_decision)) FROM json_each($2) j \
 CROSS JOIN lease l ON l.kind = 'chat' AND l.key = j.value CROSS JOIN chat_head h ON h.chat = l.key)";
const SOURCES: &str = "\
(SELECT json_group_array(j.key) FROM json_each($3) j \
 CROSS JOIN inbox i ON i.bot = j.value ->> 0 AND i.source = j.value ->> 1 AND i.source_id = j.value ->> 2)";
const INBOX: &str = "\
(SELECT json_group_array(json_array(i.id, i.outcome IS NULL, \
 i.source = 'sent' AND EXISTS (SELECT 1 FROM outbox o WHERE o.id = i.source_id AND o.text = ''))) FROM json_each($4) j \
 CROSS JOIN inbox i ON i.id = j.value)";
const ENTRIES: &str = "\
(SELECT json_group_array(j.key) FROM json_each($5) j \
 CROSS JOIN transcript t ON t.telegram_chat = j.value ->> 0 AND t.message_id = j.value ->> 1 \
 AND t.kind = j.value ->> 2 AND t.revision = j.value ->> 3)";
const TURNS: &str = "\
(SELECT json_group_array(json_array(t.id, t.bot, t.state, t.attempts, t.claimed_epoch, t.error, \
 t.provider, t.model, t.prompt_tokens, t.completion_tokens)) FROM json_each($6) j CROSS JOIN turn t ON t.id = j.value)";
const OUTBOX: &str = "\
(SELECT json_group_array(json_array(o.id, o.bot, o.chat, o.chain_depth, o.expires_at, o.state, o.attempts, \
 o.attempt, o.claimed_epoch, o.due_at, o.message_id, o.error, o.text = '')) FROM json_each($7) j \
 CROSS JOIN outbox o ON o.id = j.value)";
const WINDOWS: &str = "\
(SELECT json_group_array(json_array(j.key, json(w.slots))) FROM json_each($8) j \
 CROSS JOIN send_window w ON w.key = j.value)";
const ALLOWANCES: &str = "\
(SELECT json_group_array(json_array(j.key, a.granted)) FROM json_each($9) j \
 CROSS JOIN allowance a ON a.scope = j.value ->> 0 AND a.key = j.value ->> 1 AND a.unit = j.value ->> 2 \
 AND a.per = j.value ->> 3 AND a.period_start = j.value ->> 4)";
const PEOPLE: &str = "\
(SELECT json_group_array(json_array(j.value, EXISTS (SELECT 1 FROM opt_out o WHERE o.person = j.value), \
 (SELECT max(a.at) FROM audit a WHERE a.action = 'forget' AND a.person = j.value), \
 (SELECT s.at FROM right_said s WHERE s.person = j.value))) FROM json_each($10) j)";
const STOPS: &str = "(SELECT json_group_array(json_array(scope, key, stopped_at, by, until, orders)) FROM control)";
const DEAD: &str = "SELECT i.id FROM json_each($1) j CROSS JOIN inbox i ON i.id = j.value AND i.outcome = 'dead'";
const PAUSES: &str = "\
(SELECT json_group_array(json_array(p.bot, p.chat, p.until)) FROM json_each($1) j \
 CROSS JOIN send_pause p ON p.bot = j.value)";

/// The groups of rows that a batch needs; leases are always loaded.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each group is there or not, whatever the others are")]
struct Groups {
    sources: bool,
    chats: bool,
    turns: bool,
    outbox: bool,
    rules: bool,
    allowances: bool,
    people: bool,
}

impl Groups {
    fn of(needs: &Needs) -> Self {
        Self {
            sources: !needs.sources.is_empty(),
            chats: !needs.inbox.is_empty() || !needs.entries.is_empty(),
            turns: !needs.turns.is_empty(),
            outbox: !needs.outbox.is_empty(),
            rules: needs.stops || !needs.windows.is_empty(),
            allowances: !needs.allowances.is_empty(),
            people: !needs.people.is_empty(),
        }
    }

    fn index(self, begin: bool) -> usize {
        [self.sources, self.chats, self.turns, self.outbox, self.rules, self.allowances, self.people, begin]
            .into_iter()
            .enumerate()
            .map(|(bit, set)| usize::from(set) << bit)
            .sum()
    }

    fn statement(self, begin: bool) -> Arc<str> {
        static STATEMENTS: [OnceLock<Arc<str>>; 256] = [const { OnceLock::new() }; 256];
        let build = || {
            let part = |wanted: bool, sql: &'static str| if wanted { sql } else { "'[]'" };
            let columns = [
                LEASES,
                part(self.sources, SOURCES),
                part(self.chats, INBOX),
                part(self.chats, ENTRIES),
                part(self.turns, TURNS),
                part(self.outbox, OUTBOX),
                part(self.rules, WINDOWS),
                part(self.rules, STOPS),
                part(self.rules, PAUSES),
                part(self.allowances, ALLOWANCES),
                part(self.people, PEOPLE),
            ];
            Arc::from(format!("{}SELECT {}", if begin { "BEGIN IMMEDIATE; " } else { "" }, columns.join(", ")))
        };
        STATEMENTS[self.index(begin)].get_or_init(build).clone()
    }
}

/// The reasons why a load failed.
pub(super) enum LoadError {
    /// SQLite reported an error.
    Database(sqlx::Error),
    /// This version cannot read a row.
    Row(StoreError),
}

/// Opens a transaction and loads the rows that `needs` names.
pub(super) async fn begin_and_load(connection: &mut SqliteConnection, needs: &Needs) -> Result<Loaded, LoadError> {
    fetch(connection, needs, true).await
}

/// Loads the rows that `needs` names, in the open transaction.
pub(super) async fn load(connection: &mut SqliteConnection, needs: &Needs) -> Result<Loaded, LoadError> {
    fetch(connection, needs, false).await
}

async fn fetch(connection: &mut SqliteConnection, needs: &Needs, begin: bool) -> Result<Loaded, LoadError> {
    let windows: Vec<WindowKey> = needs.windows.iter().copied().collect();
    let allowances: Vec<AllowanceKey> = needs.allowances.iter().copied().collect();
    let row = sqlx::query(AssertSqlSafe(Groups::of(needs).statement(begin)))
        .bind(array(&needs.bots))
        .bind(array(&needs.chats))
        .bind(array(&needs.sources.iter().map(|(bot, source)| source_key(*bot, *source)).collect::<Vec<_>>()))
        .bind(array(&needs.inbox))
        .bind(array(
            &needs.entries.iter().map(|e| (e.telegram_chat, e.message_id, e.kind, e.revision)).collect::<Vec<_>>(),
        ))
        .bind(array(&needs.turns))
        .bind(array(&needs.outbox))
        .bind(array(&windows.iter().map(|key| key.name()).collect::<Vec<_>>()))
        .bind(array(&allowances.iter().map(allowance_key).collect::<Vec<_>>()))
        .bind(array(&needs.people))
        .fetch_one(&mut *connection)
        .await
        .map_err(LoadError::Database)?;
    let mut loaded = assemble(&row, needs, &windows, &allowances).map_err(LoadError::Row)?;
    if !needs.dead_updates.is_empty() {
        let dead = sqlx::query(DEAD).bind(array(&needs.dead_updates)).fetch_all(connection).await;
        for row in dead.map_err(LoadError::Database)? {
            loaded.dead_updates.insert(InboxId(row.get(0)));
        }
    }
    Ok(loaded)
}

fn assemble(
    row: &SqliteRow,
    needs: &Needs,
    windows: &[WindowKey],
    allowances: &[AllowanceKey],
) -> Result<Loaded, StoreError> {
    let mut columns = Columns::of(row);
    let mut loaded = Loaded::default();
    loaded.bots.extend(column::<(BotId, Epoch)>(json_of(&mut columns)?)?);
    for (chat, epoch, last_number, last_decision) in
        column::<(ChatId, Epoch, Number, DecisionNumber)>(json_of(&mut columns)?)?
    {
        loaded.chats.insert(chat, ChatHead { epoch, last_number, last_decision });
    }
    let texts = Texts {
        sources: json_of(&mut columns)?,
        inbox: json_of(&mut columns)?,
        entries: json_of(&mut columns)?,
        turns: json_of(&mut columns)?,
        outbox: json_of(&mut columns)?,
        windows: json_of(&mut columns)?,
        stops: json_of(&mut columns)?,
        pauses: json_of(&mut columns)?,
        allowances: json_of(&mut columns)?,
        people: json_of(&mut columns)?,
    };
    read(&texts, &mut loaded, needs, windows, allowances)?;
    Ok(loaded)
}
