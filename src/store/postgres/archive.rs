//! Reads the archive. Layer: adapter.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use botfleet_actors::domain::decision::Decision;
use botfleet_actors::domain::ids::{ChatId, DecisionNumber, MessageId, Number};
use botfleet_actors::domain::outbox::OutboxMessage;
use botfleet_actors::domain::roster::Roster;
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::domain::turn::Turn;
use botfleet_actors::ports::archive::{Archive, DecisionQuery};
use botfleet_actors::ports::store::StoreError;
use sqlx::AssertSqlSafe;

use super::reads::all;
use super::{PgStore, roster};
use crate::store::archive::{MESSAGE_NUMBER, decision, decisions, joined};
use crate::store::columns::{self, Columns, OUTBOX, TRANSCRIPT, TURN};

/// The statements with their lists of columns filled in.
pub(super) struct Sql {
    pub(super) turns_of: Arc<str>,
    pub(super) messages_of: Arc<str>,
    pub(super) entries: Arc<str>,
}

pub(super) static SQL: LazyLock<Sql> = LazyLock::new(|| Sql {
    turns_of: format!("SELECT {TURN} FROM turn WHERE chat = $1 AND decision = ANY($2) ORDER BY decision, ordinal, id")
        .into(),
    messages_of: format!("SELECT {OUTBOX} FROM outbox WHERE turn = ANY($1) ORDER BY turn, part").into(),
    entries: format!("SELECT {TRANSCRIPT} FROM transcript WHERE chat = $1 AND number >= $2 ORDER BY number LIMIT $3")
        .into(),
});

/// Returns every form of the statement for decisions, for the test that proves that each uses an index.
pub(super) fn decision_statements() -> [String; 3] {
    let newest = DecisionQuery::default();
    let oldest = DecisionQuery { after: Some(DecisionNumber(0)), ..newest };
    let of_entry = DecisionQuery { entry: Some(Number(0)), ..newest };
    [newest, oldest, of_entry].map(|query| decisions(&query))
}

#[async_trait]
impl Archive for PgStore {
    async fn recorded_roster(&self) -> Result<Roster, StoreError> {
        roster::stored(&self.reads).await
    }

    async fn decisions(&self, chat: ChatId, query: &DecisionQuery) -> Result<Vec<Decision>, StoreError> {
        let (after, before) = query.bounds();
        let most = i64::try_from(query.most()).unwrap_or(i64::MAX);
        let text: Arc<str> = decisions(query).into();
        let statement = || {
            let statement = sqlx::query(AssertSqlSafe(text.clone())).bind(chat.0).bind(after).bind(before).bind(most);
            match query.entry {
                Some(entry) => statement.bind(entry.0),
                None => statement,
            }
        };
        all(&self.reads, "decisions", statement, decision).await
    }

    async fn turns_of(
        &self,
        chat: ChatId,
        decisions: &[DecisionNumber],
    ) -> Result<Vec<(Turn, Vec<OutboxMessage>)>, StoreError> {
        let numbers: Vec<i64> = decisions.iter().map(|number| number.0).collect();
        let statement = || sqlx::query(AssertSqlSafe(SQL.turns_of.clone())).bind(chat.0).bind(numbers.clone());
        let turns = all(&self.reads, "turns_of", statement, columns::turn).await?;
        let ids: Vec<i64> = turns.iter().map(|turn| turn.id.0).collect();
        let statement = || sqlx::query(AssertSqlSafe(SQL.messages_of.clone())).bind(ids.clone());
        Ok(joined(turns, all(&self.reads, "messages_of", statement, columns::message).await?))
    }

    async fn entries(&self, chat: ChatId, from: Number, limit: usize) -> Result<Vec<Arc<TranscriptEntry>>, StoreError> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = || sqlx::query(AssertSqlSafe(SQL.entries.clone())).bind(chat.0).bind(from.0).bind(most);
        all(&self.reads, "entries", statement, |row| columns::entry(row).map(Arc::new)).await
    }

    async fn message_number(&self, chat: ChatId, message: MessageId) -> Result<Option<Number>, StoreError> {
        let statement = || sqlx::query(MESSAGE_NUMBER).bind(chat.0).bind(message.0);
        let found = all(&self.reads, "message_number", statement, |row| Columns::of(row).optional(Number)).await?;
        Ok(found.into_iter().flatten().next())
    }
}
