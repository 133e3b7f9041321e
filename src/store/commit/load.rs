//! Loads the rows that a batch needs: one row of JSON arrays. Layer: adapter.
//!
//! The parts stand in the order in which their rows are locked.

use std::collections::BTreeSet;
use std::sync::Arc;

use botfleet_actors::domain::commit::needs::Needs;
use botfleet_actors::domain::commit::rows::{ChatHead, Loaded, OrderHead, OutboxHead, TurnHead};
use botfleet_actors::domain::ids::{
    BotId, ChatId, DecisionNumber, Epoch, InboxId, Number, OutboxId, TelegramUserId, TurnId,
};
use botfleet_actors::domain::operator_order::{OrderId, OrderState, OrderTarget};
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::takeover::Takeover;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::window::Window;
use botfleet_actors::ports::store::StoreError;

use super::{Part, Texts, chosen, held, of, texts};
use crate::store::engine::Values;
use crate::store::rows::array::{read_all, read_numbers};
use crate::store::rows::control::StoredStop;
use crate::store::rows::part::{self, Cells, Columns, Put};
use crate::store::sql::text::statements;
use crate::store::sql::values::{Database, Rows, values};

statements! {
    BOTS "load bots" = "\
SELECT `collect l.key, l.epoch` FROM `json_each($1) j CROSS JOIN lease l ON l.kind = 'bot' AND l.key = j.value|\
lease l WHERE l.kind = 'bot' AND l.key = ANY($1)`";
    CHATS "load chats" = "\
SELECT `collect l.key, l.epoch, h.last_number, h.last_decision` FROM \
`json_each($1) j CROSS JOIN lease l ON l.kind = 'chat' AND l.key = j.value CROSS JOIN chat_head h ON h.chat = l.key|\
lease l JOIN chat_head h ON h.chat = l.key WHERE l.kind = 'chat' AND l.key = ANY($1)`";
    WINDOWS "load windows" = "\
SELECT `collect t.place, t.slots` FROM (SELECT r.place, w.slots FROM `places 1 key text` \
`CROSS JOIN|JOIN` send_window w ON w.key = r.key `|ORDER BY w.key FOR NO KEY UPDATE OF w`) t";
    ALLOWANCES "load allowances" = "\
SELECT `collect t.place, t.granted` FROM (SELECT r.place, a.granted FROM `places 1 ..period` \
`CROSS JOIN|JOIN` allowance a ON a.scope = r.scope AND a.key = r.key AND a.unit = r.unit AND a.per = r.per \
AND a.period_start = r.period_start \
`|ORDER BY a.scope, a.key, a.unit, a.per, a.period_start FOR NO KEY UPDATE OF a`) t";
    TURNS "load turns" = "\
SELECT `collect t.id, ..turn_head of t` FROM `json_each($1) j CROSS JOIN turn t ON t.id = j.value|\
(SELECT * FROM turn WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) t`";
    OUTBOX "load outbox" = "\
SELECT `collect o.id, o.bot, o.chat, o.chain_depth, o.expires_at, o.text = '', ..send_progress of o` FROM \
`json_each($1) j CROSS JOIN outbox o ON o.id = j.value|\
(SELECT * FROM outbox WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) o`";
    SOURCES "load sources" = "\
SELECT `collect r.place` FROM `places 1 bot, source text, source_id` \
`CROSS JOIN|JOIN` inbox i ON i.bot = r.bot AND i.source = r.source AND i.source_id = r.source_id";
    INBOX "load inbox" = "\
SELECT `collect i.id, i.outcome IS NULL, i.source = 'sent' AND EXISTS (\
SELECT 1 FROM outbox o WHERE o.id = i.source_id AND o.text = '')` \
FROM `json_each($1) j CROSS JOIN inbox i ON i.id = j.value|inbox i WHERE i.id = ANY($1)`";
    ENTRIES "load entries" = "\
SELECT `collect r.place` FROM `places 1 ..key` `CROSS JOIN|JOIN` transcript t ON t.telegram_chat = r.telegram_chat \
AND t.message_id = r.message_id AND t.kind = r.kind AND t.revision = r.revision";
    STOPS "load stops" = "SELECT `collect ..control of c` FROM control c";
    TAKEOVERS "load takeovers" = "SELECT `collect ..takeover of k` FROM takeover k";
    PAUSES "load pauses" = "\
SELECT `collect ..send_pause of p` FROM \
`json_each($1) j CROSS JOIN send_pause p ON p.bot = j.value|send_pause p WHERE p.bot = ANY($1)`";
    PEOPLE "load people" = "\
SELECT `collect r.person, EXISTS (SELECT 1 FROM opt_out o WHERE o.person = r.person), \
(SELECT max(e.at) FROM erasure e WHERE e.person = r.person), \
(SELECT s.at FROM right_said s WHERE s.person = r.person)` FROM `rows 1 person`";
    DEAD_UPDATES "load dead updates" = "\
SELECT `collect i.id` FROM `json_each($1) j CROSS JOIN inbox i ON i.id = j.value AND i.outcome = 'dead'|\
(SELECT id FROM inbox WHERE id = ANY($1) AND outcome = 'dead' ORDER BY id FOR NO KEY UPDATE) i`";
    /// Tells of each order when it is judged, on the database's clock, and the intent in the audit while that is open.
    ORDERS "load operator orders" = "\
SELECT `collect q.id, q.target_kind, q.target, q.state, q.epoch, q.expires_at, q.now, \
(SELECT a.body FROM audit_entry a WHERE a.id = q.intent AND a.waits_since IS NOT NULL)` FROM `json_each($1) j CROSS JOIN \
(SELECT *, CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now, printf('%016x%016x', id, 1) AS intent \
FROM operator_order) q ON q.id = j.value|\
(SELECT *, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, \
lpad(to_hex(id), 16, '0') || lpad(to_hex(1), 16, '0') AS intent FROM operator_order \
WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) q`";
}

/// Determines the values of a part, if a batch needs it, and reads its rows.
struct Load {
    values: fn(&Needs, Database) -> Option<Values<'static>>,
    read: fn(&str, &Needs, &mut Loaded) -> Result<(), StoreError>,
}

macro_rules! loads {
    ($($sql:ident $group:literal $values:expr, |$text:ident, $needs:pat_param, $loaded:ident| $read:expr;)+) => {
        const LOADS: &[Part<Load>] = &[$(Part {
            sql: &$sql,
            group: $group,
            does: Load { values: $values, read: |$text, $needs, $loaded| { $read; Ok(()) } },
        }),+];
    };
}

type Head = (ChatId, Epoch, Number, DecisionNumber);
type Order = (OrderId, OrderTarget, OrderState, Option<Epoch>, Timestamp, Timestamp, Option<String>);
type Person = (TelegramUserId, bool, Option<Timestamp>, Option<Timestamp>);

loads! {
    BOTS 0 |needs, _| ids(needs.bots.iter().map(|bot| bot.0)),
        |text, _, loaded| loaded.bots.extend(read_numbers::<(BotId, Epoch)>(text)?);
    CHATS 0 |needs, _| ids(needs.chats.iter().map(|chat| chat.0)),
        |text, _, loaded| loaded.chats.extend(read_numbers(text)?.into_iter().map(head));
    WINDOWS 5 |needs, db| (!needs.windows.is_empty()).then(|| values![Rows::of(db, needs.windows.iter().map(|key| key.name()))]),
        |text, needs, loaded| loaded.windows.extend(placed::<_, Window>(text, &needs.windows)?);
    ALLOWANCES 6 |needs, db| keys(db, &needs.allowances),
        |text, needs, loaded| loaded.allowances.extend(placed::<_, i64>(text, &needs.allowances)?);
    TURNS 3 |needs, _| ids(needs.turns.iter().map(|turn| turn.0)),
        |text, _, loaded| loaded.turns.extend(read_all::<(TurnId, TurnHead)>(text)?);
    OUTBOX 4 |needs, _| ids(needs.outbox.iter().map(|outbox| outbox.0)),
        |text, _, loaded| loaded.outbox.extend(read_all::<(OutboxId, OutboxHead)>(text)?);
    SOURCES 1 |needs, db| keys(db, &needs.sources),
        |text, needs, loaded| loaded.sources.extend(found(text, &needs.sources)?);
    INBOX 2 |needs, _| ids(needs.inbox.iter().map(|inbox| inbox.0)),
        |text, _, loaded| for (inbox, waits, emptied) in read_all::<(InboxId, bool, bool)>(text)? {
            loaded.inbox.insert(inbox, waits);
            loaded.emptied.extend(emptied.then_some(inbox));
        };
    ENTRIES 2 |needs, db| keys(db, &needs.entries),
        |text, needs, loaded| loaded.entries.extend(found(text, &needs.entries)?);
    STOPS 5 |needs, _| rules(needs).then(Vec::new),
        |text, _, loaded| loaded.stops.0.extend(read_all(text)?.into_iter().map(|(scope, StoredStop(stop))| (scope, stop)));
    TAKEOVERS 5 |needs, _| rules(needs).then(Vec::new),
        |text, _, loaded| loaded.takeovers = read_all::<Takeover>(text)?.into_iter().collect();
    PAUSES 5 |needs, _| ids(needs.bots.iter().map(|bot| bot.0)).filter(|_| rules(needs)),
        |text, _, loaded| read_all::<Pause>(text)?.into_iter().for_each(|pause| loaded.pauses.add(pause));
    PEOPLE 7 |needs, db| keys(db, &needs.people),
        |text, _, loaded| for (person, out, forgotten, said) in read_all::<Person>(text)? {
            loaded.said.extend(said.map(|at| (person, at)));
            loaded.opted_out.extend(out.then_some(person));
            loaded.forgotten.extend(forgotten.map(|until| (person, until)));
        };
    DEAD_UPDATES 8 |needs, _| ids(needs.dead_updates.iter().map(|inbox| inbox.0)),
        |text, _, loaded| loaded.dead_updates.extend(read_all::<InboxId>(text)?);
    ORDERS 8 |needs, _| ids(needs.orders.iter().map(|order| order.0)),
        |text, _, loaded| loaded.orders.extend(read_all::<Order>(text)?.into_iter().map(order_head));
}

/// Returns whether the batch holds rules for a send.
fn rules(needs: &Needs) -> bool {
    needs.stops || !needs.windows.is_empty()
}

fn ids(ids: impl ExactSizeIterator<Item = i64>) -> Option<Values<'static>> {
    (ids.len() > 0).then(|| values![ids.collect::<Vec<i64>>()])
}

fn keys<P: Put>(db: Database, keys: &BTreeSet<P>) -> Option<Values<'static>> {
    (!keys.is_empty()).then(|| values![Rows::over(db, keys)])
}

fn order_head((id, target, state, epoch, expires_at, now, intent): Order) -> (OrderId, OrderHead) {
    // An entry of a later version has no outcome here: a task closes it.
    let intent = intent.and_then(|body| serde_json::from_str(&body).ok());
    (id, OrderHead { target, state, epoch, late: expires_at <= now, now, intent })
}

fn head((chat, epoch, last_number, last_decision): Head) -> (ChatId, ChatHead) {
    (chat, ChatHead { epoch, last_number, last_decision })
}

/// Returns those of `asked` whose places, from 1, were found, each with what stands there.
fn placed<K: Copy, P: part::Part>(text: &str, asked: &BTreeSet<K>) -> Result<Vec<(K, P)>, StoreError> {
    let found: Vec<(usize, P)> = read_all(text)?;
    let asked: Vec<K> = if found.is_empty() { Vec::new() } else { asked.iter().copied().collect() };
    Ok(found.into_iter().filter_map(|(place, part)| Some((*asked.get(place.checked_sub(1)?)?, part))).collect())
}

/// Returns those of `asked` whose places, from 1, were found.
fn found<K: Copy>(text: &str, asked: &BTreeSet<K>) -> Result<Vec<K>, StoreError> {
    let found: Vec<(usize,)> = read_numbers(text)?;
    let asked: Vec<K> = if found.is_empty() { Vec::new() } else { asked.iter().copied().collect() };
    Ok(found.into_iter().filter_map(|(place,)| asked.get(place.checked_sub(1)?).copied()).collect())
}

/// Returns the bits of the parts that a batch needs, the statement with what comes before it, and its values.
pub(crate) fn statement(
    needs: &Needs,
    db: Database,
    before: &'static str,
) -> Result<(u32, Arc<str>, Values<'static>), StoreError> {
    static TEXTS: [Texts; 3] = [const { Texts::none() }; 3];
    let (parts, values) = chosen(LOADS, LOADS.iter().map(|load| (load.does.values)(needs, db)).collect(), db);
    let kept = if db == Database::Postgres { 2 } else { usize::from(before.is_empty()) };
    let text = TEXTS[kept].get(parts, || {
        let column = |text: String| match db {
            Database::Sqlite => format!("({text})"),
            Database::Postgres => column_of_postgres(&text),
        };
        let columns: Vec<String> = texts(LOADS, parts, db)?.0.into_iter().map(column).collect();
        Ok(format!("{before}SELECT {}", if columns.is_empty() { "1".to_owned() } else { columns.join(", ") }))
    })?;
    Ok((parts, text, values))
}

/// Returns the same for PostgreSQL without locks; the last column tells the versions of the rows.
pub(crate) fn without_locks(needs: &Needs) -> Result<(u32, Arc<str>, Values<'static>), StoreError> {
    static TEXTS: Texts = Texts::none();
    let db = Database::Postgres;
    let (parts, mut values) = chosen(LOADS, LOADS.iter().map(|load| (load.does.values)(needs, db)).collect(), db);
    values.extend(held::values_of(needs));
    let text = TEXTS.get(parts, || {
        let (texts, before) = texts(LOADS, parts, db)?;
        let mut columns: Vec<String> = texts.iter().map(|text| column_of_postgres(text)).collect();
        columns.push(held::versions(before)?.0);
        columns.push(held::READ_AT.to_owned());
        Ok(held::without_locks(&format!("SELECT {}", columns.join(", "))))
    })?;
    Ok((parts, text, values))
}

fn column_of_postgres(text: &str) -> String {
    format!("coalesce(({text})::text, '[]')")
}

/// Reads the row that the statement of these parts returned.
pub(crate) fn read(parts: u32, row: &dyn Cells, needs: &Needs) -> Result<Loaded, StoreError> {
    read_on(parts, &mut Columns::of(row), needs)
}

/// Reads the row that the statement without locks returned, the versions of the rows, and the time of the reading.
pub(crate) fn read_with_versions(
    parts: u32,
    row: &dyn Cells,
    needs: &Needs,
) -> Result<(Loaded, (String, i64)), StoreError> {
    let mut columns = Columns::of(row);
    let loaded = read_on(parts, &mut columns, needs)?;
    Ok((loaded, (columns.text()?.unwrap_or_default().to_owned(), columns.take()?)))
}

fn read_on(parts: u32, columns: &mut Columns<'_>, needs: &Needs) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for load in of(LOADS, parts) {
        (load.does.read)(columns.text()?.unwrap_or("[]"), needs, &mut loaded)?;
    }
    Ok(loaded)
}
