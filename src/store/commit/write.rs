//! Writes the changes of a batch. Layer: adapter. Keeps I2, I3.
//!
//! On PostgreSQL all parts see the same snapshot, and none sees what another part writes. No row may therefore be
//! touched by two parts: a row that is new and moved on in the same batch is written once, in its final state. A chat's
//! new address must see the other parts, and has statements of its own there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use botfleet_actors::domain::commit::rows::{Changes, Loaded};
use botfleet_actors::domain::ids::{ChatId, DecisionNumber, InboxId};
use botfleet_actors::domain::inbox::{Handled, InboxRow};
use botfleet_actors::ports::store::StoreError;

use super::held::{self, Held};
use super::{Part, Texts, chosen, texts};
use crate::store::engine::{Run, Values};
use crate::store::fault::Fault;
use crate::store::rows::part::{Latest, Of, Put};
use crate::store::sql::text::{Sql, statements};
use crate::store::sql::values::{Column, Database, Rows, values};
use crate::store::sql::{orders, tenure};

statements! {
    INBOX "write inbox" = "\
INSERT INTO inbox (`columns inbox`, number, decision) SELECT `columns inbox`, number, decision FROM \
`rows 1 ..inbox, number, decision``| ON CONFLICT (bot, source, source_id) DO NOTHING`";
    CURSORS "write cursors" = "\
INSERT INTO bot_cursor (bot, next_offset) SELECT bot, next_offset FROM `rows 1 bot, next_offset` WHERE true \
ON CONFLICT (bot) DO UPDATE SET next_offset = excluded.next_offset";
    HANDLED "write handled" = "\
UPDATE inbox SET outcome = r.outcome, reason = r.reason, number = r.number, decision = r.decision \
FROM `rows 1 id, outcome text, reason text, number, decision` WHERE inbox.id = r.id";
    HEADS "write heads" = "\
UPDATE chat_head SET last_number = r.last_number, last_decision = coalesce(r.last_decision, chat_head.last_decision), \
next_tick_at = r.next_tick_at, calm_until = r.calm_until, disclosed = (chat_head.disclosed OR r.disclosed) \
FROM `rows 1 chat, last_number, last_decision, next_tick_at, calm_until, disclosed truth` WHERE chat_head.chat = r.chat";
    ENTRIES "write entries" = "\
INSERT INTO transcript (`columns transcript`) SELECT `columns transcript` FROM `rows 1 ..transcript`";
    DECISIONS "write decisions" = "\
INSERT INTO decision (`columns decision`) SELECT `columns decision` FROM `rows 1 ..decision`";
    NEW_TURNS "write new turns" = "INSERT INTO turn (`columns turn`) SELECT `columns turn` FROM `rows 1 ..turn`";
    TURNS "write turns" = "UPDATE turn SET `set turn_progress` FROM `rows 1 id, ..turn_progress` WHERE turn.id = r.id";
    NEW_OUTBOX "write new outbox" = "\
INSERT INTO outbox (`columns outbox``|, claimed_by`) \
SELECT `columns outbox``|, CASE WHEN r.state = 'sending' THEN $2::bigint END` FROM `rows 1 ..outbox`";
    OUTBOX "write outbox" = "\
UPDATE outbox SET `set send_progress`\
`|, claimed_by = CASE WHEN r.state = 'sending' THEN $2::bigint ELSE outbox.claimed_by END` \
FROM `rows 1 id, ..send_progress` WHERE outbox.id = r.id";
    WINDOWS "write windows" = "\
INSERT INTO send_window (key, slots) SELECT key, slots FROM `rows 1 key text, slots json` WHERE true \
ON CONFLICT (key) DO UPDATE SET slots = excluded.slots";
    ALLOWANCES "write allowances" = "\
INSERT INTO allowance (`columns period`, granted) SELECT `columns period`, granted FROM `rows 1 ..period, granted` \
WHERE true ON CONFLICT (scope, key, unit, per, period_start) DO UPDATE SET granted = excluded.granted";
    STOPPED "write stops" = "\
INSERT INTO control (`columns control`) SELECT `columns control` FROM `rows 1 ..control` WHERE true \
ON CONFLICT (scope, key) DO UPDATE SET stopped_at = excluded.stopped_at, by = excluded.by, until = excluded.until, \
orders = excluded.orders";
    STARTED "lift stops" = "\
DELETE FROM control WHERE (scope, key) IN (SELECT scope, key FROM `rows 1 scope text, key`)";
    PAUSES "write pauses" = "\
INSERT INTO send_pause (`columns send_pause`) SELECT `columns send_pause` FROM `rows 1 ..send_pause` WHERE true \
ON CONFLICT (bot, chat) DO UPDATE SET until = `max|greatest`(send_pause.until, excluded.until)";
    ABSENT "write absences" = "\
INSERT INTO chat_absence (chat, bot) SELECT chat, bot FROM `rows 1 chat, bot` WHERE true \
ON CONFLICT (chat, bot) DO NOTHING";
    PRESENT "lift absences" = "\
DELETE FROM chat_absence WHERE (chat, bot) IN (SELECT chat, bot FROM `rows 1 chat, bot`)";
    ALIASES "aliases" = "\
INSERT INTO chat_alias (telegram_chat_id, chat, since) SELECT telegram, chat, since \
FROM `rows 1 telegram, chat, since` WHERE true ON CONFLICT (telegram_chat_id) DO NOTHING";
    /// Replaces the chat's own field only: within a string its quotes would be escaped.
    ADDRESSES "addresses" = "\
UPDATE chat SET telegram_id = r.telegram, spec = `json_set(spec, '$.telegram_id', r.telegram)|\
regexp_replace(chat.spec, '\"telegram_id\": ?-?[0-9]+', '\"telegram_id\":' || r.telegram)` \
FROM `rows 1 telegram, chat, since` WHERE chat.id = r.chat \
AND EXISTS (SELECT 1 FROM chat_alias a WHERE a.telegram_chat_id = r.telegram AND a.chat = chat.id)";
    READDRESSED "readdressed" = "\
UPDATE outbox SET telegram_chat = r.telegram, reply_to = NULL FROM `rows 1 telegram, chat, since` \
WHERE `open messages` state IN ('queued', 'retry_at') AND outbox.chat = r.chat";
}

/// A batch that is judged, and the incarnation that writes it.
struct Batch<'b> {
    changes: &'b Changes,
    loaded: &'b Loaded,
    me: Option<i64>,
    db: Database,
}

/// Determines the values of a part, if the batch has rows for it.
type Found = for<'b> fn(&Batch<'b>) -> Option<Values<'b>>;

macro_rules! writes {
    ($($sql:ident $group:literal $values:expr;)+) => {
        const WRITES: &[Part<Found>] = &[$(Part { sql: &$sql, group: $group, does: $values }),+];
    };
}

writes! {
    INBOX 0 |b| some(&b.changes.inbox, |rows| arrivals(b, rows));
    CURSORS 0 |b| some(&b.changes.offsets, |rows| b.rows(rows.iter().map(|(bot, offset)| (*bot, *offset))));
    HANDLED 1 |b| handled(b);
    HEADS 1 |b| some(&b.changes.chats, |_| heads(b));
    ENTRIES 1 |b| some(&b.changes.entries, |rows| b.rows(rows.iter().map(Of)));
    DECISIONS 1 |b| some(&b.changes.decisions, |rows| b.rows(rows.iter().map(Of)));
    NEW_TURNS 1 |b| some(&b.changes.new_turns, |rows| b.rows(rows.iter().map(|turn| {
        Latest(turn, b.loaded.turns.get(&turn.id).map_or(&turn.progress, |head| &head.progress))
    })));
    TURNS 2 |b| some(&b.changes.turns, |ids| b.rows(ids.iter().filter_map(|id| {
        Some((*id, Of(&b.loaded.turns.get(id)?.progress)))
    })));
    NEW_OUTBOX 3 |b| some(&b.changes.new_outbox, |rows| b.rows(rows.iter().map(|message| {
        Latest(message, b.loaded.outbox.get(&message.id).map_or(&message.progress, |head| &head.progress))
    }))).map(|values| b.with_me(values));
    OUTBOX 3 |b| some(&b.changes.outbox, |ids| b.rows(ids.iter().filter_map(|id| {
        Some((*id, Of(&b.loaded.outbox.get(id)?.progress)))
    }))).map(|values| b.with_me(values));
    WINDOWS 4 |b| some(&b.changes.windows, |keys| b.rows(keys.iter().filter_map(|key| {
        Some((key.name(), Of(b.loaded.windows.get(key)?)))
    })));
    ALLOWANCES 7 |b| some(&b.changes.allowances, |keys| b.rows(keys.iter().filter_map(|key| {
        Some((*key, *b.loaded.allowances.get(key)?))
    })));
    STOPPED 5 |b| stops(b, true);
    STARTED 5 |b| stops(b, false);
    PAUSES 6 |b| some(&b.changes.pauses, |_| pauses(b));
    ABSENT 6 |b| absences(b, true);
    PRESENT 6 |b| absences(b, false);
    ALIASES 6 |b| migrations(b);
    ADDRESSES 6 |b| migrations(b);
    READDRESSED 6 |b| migrations(b);
}

/// The last parts, which on PostgreSQL are statements that follow the others.
const MIGRATIONS: [&Sql; 3] = [&ALIASES, &ADDRESSES, &READDRESSED];

impl<'b> Batch<'b> {
    fn rows<P: Put>(&self, rows: impl IntoIterator<Item = P>) -> Values<'b> {
        values![Rows::of(self.db, rows)]
    }

    /// Adds this incarnation, which PostgreSQL notes with what is being sent.
    fn with_me(&self, mut values: Values<'b>) -> Values<'b> {
        if self.db == Database::Postgres {
            values.push(self.me.into());
        }
        values
    }
}

fn some<'b, C>(rows: &'b C, values: impl FnOnce(&'b C) -> Values<'b>) -> Option<Values<'b>>
where
    &'b C: IntoIterator<IntoIter: ExactSizeIterator>,
{
    (rows.into_iter().len() > 0).then(|| values(rows))
}

fn if_any<'b>(rows: Rows) -> Option<Values<'b>> {
    (!rows.is_empty()).then(|| values![rows])
}

/// A new inbox row, with the result that it got in the same batch.
struct Arrival<'b>(&'b InboxRow, Option<&'b Handled>);

impl Put for Arrival<'_> {
    fn columns(name: &'static str, into: &mut Vec<Column>) {
        <(InboxRow, InboxId, InboxId)>::columns(name, into);
    }

    fn put(&self, rows: &mut Rows) {
        let Self(row, handled) = self;
        match handled {
            Some(Handled { outcome, number, decision, .. }) => {
                (InboxRow { outcome: Some(outcome.clone()), ..(*row).clone() }, *number, *decision).put(rows);
            }
            None => (Of(*row), None::<InboxId>, None::<InboxId>).put(rows),
        }
    }
}

fn arrivals<'b>(b: &Batch<'b>, new: &'b [InboxRow]) -> Values<'b> {
    let handled: HashMap<InboxId, &Handled> = b.changes.handled.iter().map(|row| (row.inbox, row)).collect();
    b.rows(new.iter().map(|row| Arrival(row, handled.get(&row.id).copied())))
}

fn handled<'b>(b: &Batch<'b>) -> Option<Values<'b>> {
    let new: HashSet<InboxId> = b.changes.inbox.iter().map(|row| row.id).collect();
    let old = b.changes.handled.iter().filter(|row| !new.contains(&row.inbox)).map(|row| {
        let Handled { inbox, outcome, number, decision } = row;
        (*inbox, (outcome.kind, outcome.reason.as_deref()), *number, *decision)
    });
    if_any(Rows::of(b.db, old))
}

fn heads<'b>(b: &Batch<'b>) -> Values<'b> {
    b.rows(b.changes.chats.iter().map(|(chat, change)| {
        let times = (change.next_tick_at, change.calm_until);
        (*chat, change.last_number, last_decision(b.changes, *chat), times, change.disclosed)
    }))
}

fn last_decision(changes: &Changes, chat: ChatId) -> Option<DecisionNumber> {
    changes.decisions.iter().filter(|decision| decision.chat == chat).map(|decision| decision.number).max()
}

fn stops<'b>(b: &Batch<'b>, stopped: bool) -> Option<Values<'b>> {
    let stops = b.changes.stops.iter().filter(|(_, change)| change.stop.is_some() == stopped);
    if_any(if stopped {
        Rows::of(b.db, stops.map(|(scope, change)| (*scope, Of(change))))
    } else {
        Rows::over(b.db, stops.map(|(scope, _)| scope))
    })
}

/// Of two pauses for the same bot and place the longer one counts.
fn pauses<'b>(b: &Batch<'b>) -> Values<'b> {
    let mut longest = BTreeMap::new();
    for pause in &b.changes.pauses {
        let until = longest.entry((pause.bot, pause.chat)).or_insert(pause.until);
        *until = (*until).max(pause.until);
    }
    let zero = ChatId(0);
    b.rows(longest.into_iter().map(|((bot, chat), until)| (bot, chat.unwrap_or(zero), until)))
}

fn absences<'b>(b: &Batch<'b>, absent: bool) -> Option<Values<'b>> {
    let rows = b.changes.absences.iter().filter(|(_, is)| **is == absent).map(|(place, _)| *place);
    if_any(Rows::of(b.db, rows))
}

fn migrations<'b>(b: &Batch<'b>) -> Option<Values<'b>> {
    some(&b.changes.migrations, |rows| b.rows(rows.iter().map(|(chat, (to, at))| (*to, *chat, *at))))
}

/// Returns whether a batch changes nothing.
pub(crate) fn is_nothing(changes: &Changes) -> bool {
    #[rustfmt::skip]
    let Changes {
        inbox, handled, offsets, chats, entries, decisions, new_turns, turns, new_outbox, outbox, windows, pauses,
        absences, migrations, allowances, stops, hand_overs, orders,
    } = changes;
    let rows = inbox.len() + handled.len() + entries.len() + decisions.len() + new_turns.len() + new_outbox.len();
    let moves = offsets.len() + chats.len() + turns.len() + outbox.len() + windows.len() + allowances.len();
    let rare = pauses.len() + absences.len() + migrations.len() + stops.len() + hand_overs.len();
    rows + moves + rare == 0 && orders.is_empty()
}

/// Writes the rare changes that must come before all others: orders of people, and leases that are given away.
pub(crate) async fn before(run: &mut impl Run, changes: &Changes) -> Result<(), Fault> {
    if !changes.orders.is_empty() {
        orders::write(run, &changes.orders).await?;
    }
    if !changes.hand_overs.is_empty() {
        tenure::hand_over(run, &changes.hand_overs).await?;
    }
    Ok(())
}

/// Gives chats their new address, after all other writes of the batch, whose new messages go there too. For PostgreSQL.
pub(crate) async fn after<R: Run>(run: &mut R, changes: &Changes) -> Result<(), Fault> {
    if changes.migrations.is_empty() {
        return Ok(());
    }
    for statement in MIGRATIONS {
        let rows = changes.migrations.iter().map(|(chat, (to, at))| (*to, *chat, *at));
        run.execute(statement, values![Rows::of(R::DATABASE, rows)]).await?;
    }
    Ok(())
}

fn found<'b>(batch: &Batch<'b>) -> Vec<Option<Values<'b>>> {
    WRITES.iter().map(|write| (write.does)(batch)).collect()
}

/// Returns the statements for SQLite, in one text that ends with `last`, and their values.
pub(crate) fn for_sqlite<'b>(
    changes: &'b Changes,
    loaded: &'b Loaded,
    last: &'static str,
) -> Result<(Arc<str>, Values<'b>), StoreError> {
    static TEXTS: [Texts; 2] = [const { Texts::none() }; 2];
    let batch = Batch { changes, loaded, me: None, db: Database::Sqlite };
    let (parts, values) = chosen(WRITES, found(&batch), batch.db);
    let text = TEXTS[usize::from(last.is_empty())].get(parts, || {
        let (mut texts, _) = texts(WRITES, parts, Database::Sqlite)?;
        texts.push(last.to_owned());
        Ok(texts.join("; "))
    })?;
    Ok((text, values))
}

/// Returns the one statement for PostgreSQL, which ends with `mark`, and its values. With `held` it writes nothing unless the
/// batch is held to what it was judged by.
pub(crate) fn for_postgres<'b>(
    changes: &'b Changes,
    loaded: &'b Loaded,
    me: Option<i64>,
    held: Option<&Held<'b>>,
    (mark, of_mark): (&'static Sql, Values<'b>),
) -> Result<(Arc<str>, Values<'b>), StoreError> {
    static TEXTS: [Texts; 2] = [const { Texts::none() }; 2];
    let batch = Batch { changes, loaded, me, db: Database::Postgres };
    let mut found = found(&batch);
    // A chat's new address follows in statements of its own.
    found.truncate(WRITES.len() - MIGRATIONS.len());
    let (parts, mut values) = chosen(WRITES, found, batch.db);
    values.extend(of_mark);
    values.extend(held.map(held::values_of_table).into_iter().flatten());
    let text = TEXTS[usize::from(held.is_some())].get(parts, || {
        let (texts, before) = texts(WRITES, parts, Database::Postgres)?;
        let (mut mark, before) = mark.part(Database::Postgres, before)?;
        let mut parts = Vec::new();
        if held.is_some() {
            parts.push(held::table(before)?);
            mark.push_str(" AND EXISTS (SELECT 1 FROM held)");
        }
        parts.extend(texts.iter().enumerate().map(|(place, text)| match held {
            Some(_) => format!("w{place} AS ({})", held::if_held(text)),
            None => format!("w{place} AS ({text})"),
        }));
        Ok(if parts.is_empty() { mark } else { format!("WITH {} {mark}", parts.join(", ")) })
    })?;
    Ok((text, values))
}

/// Returns whether the changes are written by that one statement alone.
pub(crate) fn is_one_statement(changes: &Changes) -> bool {
    changes.orders.is_empty() && changes.hand_overs.is_empty() && changes.migrations.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_part_of_postgresql_has_its_rows_only_if_the_batch_is_held() {
        let parts = (1 << (WRITES.len() - MIGRATIONS.len())) - 1;
        for text in texts(WRITES, parts, Database::Postgres).unwrap().0 {
            assert_eq!(text.matches("unnest(").count(), 1, "{text}");
            assert!(held::if_held(&text).contains("FROM held CROSS JOIN unnest("), "{text}");
        }
    }
}
