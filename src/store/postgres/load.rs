//! Locks and loads the rows that a batch needs. Layer: adapter. Keeps I6, I11.
//!
//! Two statements do it. The first locks the leases, all of them at once in (kind, key) order. The second sees
//! everything that was committed before the locks were given, because under READ COMMITTED each statement has a
//! snapshot of its own. Rows that several nodes change (windows, budgets, turns, messages) are locked in key order as
//! they are read. A window or budget that nobody has counted yet has no row to lock. Its row is made first, so that two
//! nodes never both count from nothing.

use std::collections::HashSet;

use botfleet_actors::domain::allowance::AllowanceKey;
use botfleet_actors::domain::commit::needs::Needs;
use botfleet_actors::domain::commit::operations::Operation;
use botfleet_actors::domain::commit::rows::{ChatHead, Loaded};
use botfleet_actors::domain::ids::{BotId, ChatId, DecisionNumber, Epoch, InboxId, Number};
use botfleet_actors::domain::window::WindowKey;
use sqlx::AssertSqlSafe;

use super::assembly::Assembly;
use super::session::Session;
use crate::store::engine::Fault;
use crate::store::loaded::{Texts, allowance_key, column, json_of, read, source_key};
use crate::store::rows::part::Columns;

const LOCK: &str = "\
SELECT CASE kind WHEN 'bot' THEN 0 ELSE 1 END::bigint, key, epoch FROM lease \
WHERE (kind = 'bot' AND key = ANY($1)) OR (kind = 'chat' AND key = ANY($2)) ORDER BY kind, key ";
/// Lets other writers under the same lease go on; whoever changes the owner waits.
const SHARED: &str = "FOR SHARE";
/// Waits for everybody who writes under the lease.
const EXCLUSIVE: &str = "FOR NO KEY UPDATE";

const MAKE_WINDOWS: &str = "\
INSERT INTO send_window (key, slots) SELECT key, '[]' FROM unnest($1::text[]) AS j (key) ORDER BY key \
ON CONFLICT (key) DO NOTHING";
const MAKE_ALLOWANCES: &str = "\
INSERT INTO allowance (scope, key, unit, per, period_start, granted) \
SELECT scope, key, unit, per, start, 0 \
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) AS j (scope, key, unit, per, start) \
ORDER BY scope, key, unit, per, start ON CONFLICT (scope, key, unit, per, period_start) DO NOTHING";

const WINDOWS: &str = "\
SELECT json_agg(json_build_array(t.place, t.slots::json)) FROM (\
SELECT j.place - 1 AS place, w.slots FROM unnest($1::text[]) WITH ORDINALITY AS j (key, place) \
JOIN send_window w ON w.key = j.key ORDER BY w.key FOR NO KEY UPDATE OF w) t";
const ALLOWANCES: &str = "\
SELECT json_agg(json_build_array(t.place, t.granted)) FROM (\
SELECT j.place - 1 AS place, a.granted \
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) WITH ORDINALITY \
AS j (scope, key, unit, per, start, place) JOIN allowance a ON a.scope = j.scope AND a.key = j.key \
AND a.unit = j.unit AND a.per = j.per AND a.period_start = j.start \
ORDER BY a.scope, a.key, a.unit, a.per, a.period_start FOR NO KEY UPDATE OF a) t";
pub(super) const TURNS: &str = "\
SELECT json_agg(json_build_array(t.id, t.bot, t.state, t.attempts, t.claimed_epoch, t.error, t.provider, t.model, \
t.prompt_tokens, t.completion_tokens)) FROM (\
SELECT * FROM turn WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) t";
pub(super) const OUTBOX: &str = "\
SELECT json_agg(json_build_array(o.id, o.bot, o.chat, o.chain_depth, o.expires_at, o.state, o.attempts, o.attempt, \
o.claimed_epoch, o.due_at, o.message_id, o.error, (o.text = '')::int)) FROM (\
SELECT * FROM outbox WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) o";
const HEADS: &str = "\
SELECT json_agg(json_build_array(chat, last_number, last_decision)) FROM chat_head WHERE chat = ANY($1)";
pub(super) const SOURCES: &str = "\
SELECT json_agg(j.place - 1) FROM unnest($1::bigint[], $2::text[], $3::bigint[]) WITH ORDINALITY \
AS j (bot, source, source_id, place) \
JOIN inbox i ON i.bot = j.bot AND i.source = j.source AND i.source_id = j.source_id";
pub(super) const INBOX: &str = "\
SELECT json_agg(json_build_array(i.id, (i.outcome IS NULL)::int, (i.source = 'sent' AND EXISTS (\
SELECT 1 FROM outbox o WHERE o.id = i.source_id AND o.text = ''))::int)) FROM inbox i WHERE i.id = ANY($1)";
pub(super) const DEAD_UPDATES: &str = "\
SELECT json_agg(t.id) FROM (\
SELECT id FROM inbox WHERE id = ANY($1) AND outcome = 'dead' ORDER BY id FOR NO KEY UPDATE) t";
pub(super) const ENTRIES: &str = "\
SELECT json_agg(j.place - 1) FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) WITH ORDINALITY \
AS j (telegram_chat, message_id, kind, revision, place) JOIN transcript t ON t.telegram_chat = j.telegram_chat \
AND t.message_id = j.message_id AND t.kind = j.kind AND t.revision = j.revision";
const PEOPLE: &str = "\
SELECT json_agg(json_build_array(r.person, CASE WHEN o.person IS NULL THEN 0 ELSE 1 END, \
(SELECT max(a.at) FROM audit a WHERE a.action = 'forget' AND a.person = r.person), \
(SELECT s.at FROM right_said s WHERE s.person = r.person))) \
FROM unnest($1::bigint[]) AS r (person) LEFT JOIN opt_out o ON o.person = r.person";
const STOPS: &str = "SELECT json_agg(json_build_array(scope, key, stopped_at, by, until, orders)) FROM control";
const PAUSES: &str = "SELECT json_agg(json_build_array(bot, chat, until)) FROM send_pause WHERE bot = ANY($1)";

/// The counters that this process knows to have rows: windows stay for ever, budgets until their period is long over.
#[derive(Default)]
pub(super) struct Counted {
    windows: HashSet<WindowKey>,
    allowances: HashSet<AllowanceKey>,
}

/// The number of known counters above which all are forgotten together, since periods of budgets end.
const COUNTED_MAX: usize = 100_000;

impl Counted {
    /// Notes that the counters of a committed batch have rows.
    pub(super) fn note(&mut self, needs: &Needs) {
        if self.windows.len() + self.allowances.len() > COUNTED_MAX {
            *self = Self::default();
        }
        self.windows.extend(&needs.windows);
        self.allowances.extend(&needs.allowances);
    }
}

/// Returns whether a batch changes owners.
pub(super) fn hands_over(batch: &[Operation]) -> bool {
    batch.iter().any(|operation| matches!(operation, Operation::HandOver(_)))
}

/// Locks the leases that `needs` names and loads the rest, in the open transaction.
pub(super) async fn load(
    session: &mut Session<'_>,
    needs: &Needs,
    exclusive: bool,
    counted: &Counted,
) -> Result<Loaded, Fault> {
    let mut loaded = Loaded::default();
    let chats = lock(session, needs, exclusive, &mut loaded).await?;
    make_counted(session, needs, counted).await?;
    let windows: Vec<WindowKey> = needs.windows.iter().copied().collect();
    let allowances: Vec<AllowanceKey> = needs.allowances.iter().copied().collect();
    let (text, assembly) = assemble(needs, &windows, &allowances);
    let row = session.fetch_one("load", assembly.statement(text)?).await?;
    let mut columns = Columns::of(&row);
    let texts = Texts {
        windows: json_of(&mut columns)?,
        allowances: json_of(&mut columns)?,
        turns: json_of(&mut columns)?,
        outbox: json_of(&mut columns)?,
        sources: json_of(&mut columns)?,
        inbox: json_of(&mut columns)?,
        entries: json_of(&mut columns)?,
        stops: json_of(&mut columns)?,
        pauses: json_of(&mut columns)?,
        people: json_of(&mut columns)?,
    };
    read(&texts, &mut loaded, needs, &windows, &allowances)?;
    loaded.dead_updates.extend(column::<InboxId>(json_of(&mut columns)?)?);
    for (chat, last_number, last_decision) in column::<(ChatId, Number, DecisionNumber)>(json_of(&mut columns)?)? {
        if let Some((_, epoch)) = chats.iter().find(|(leased, _)| *leased == chat) {
            loaded.chats.insert(chat, ChatHead { epoch: *epoch, last_number, last_decision });
        }
    }
    Ok(loaded)
}

async fn lock(
    session: &mut Session<'_>,
    needs: &Needs,
    exclusive: bool,
    loaded: &mut Loaded,
) -> Result<Vec<(ChatId, Epoch)>, Fault> {
    let mut chats = Vec::new();
    if needs.bots.is_empty() && needs.chats.is_empty() {
        return Ok(chats);
    }
    let text = format!("{LOCK}{}", if exclusive { EXCLUSIVE } else { SHARED });
    let statement = sqlx::query(AssertSqlSafe(text))
        .bind(needs.bots.iter().map(|bot| bot.0).collect::<Vec<i64>>())
        .bind(needs.chats.iter().map(|chat| chat.0).collect::<Vec<i64>>());
    for row in session.fetch_all("lock", statement).await? {
        let (kind, key, epoch): (i64, i64, Epoch) = crate::store::rows::part::read(&row)?;
        if kind == 0 {
            loaded.bots.insert(BotId(key), epoch);
        } else {
            chats.push((ChatId(key), epoch));
        }
    }
    Ok(chats)
}

async fn make_counted(session: &mut Session<'_>, needs: &Needs, counted: &Counted) -> Result<(), Fault> {
    let windows: Vec<String> =
        needs.windows.iter().filter(|key| !counted.windows.contains(key)).map(|key| key.name()).collect();
    if !windows.is_empty() {
        session.change("make_windows", sqlx::query(MAKE_WINDOWS).bind(windows)).await?;
    }
    let allowances: Vec<AllowanceKey> =
        needs.allowances.iter().filter(|key| !counted.allowances.contains(key)).copied().collect();
    if !allowances.is_empty() {
        let mut assembly = Assembly::default();
        allowance_columns(&mut assembly, &allowances);
        let text = assembly.part(MAKE_ALLOWANCES);
        session.change("make_allowances", assembly.statement(text)?).await?;
    }
    Ok(())
}

/// Adds the columns of the keys of budget periods.
pub(super) fn allowance_columns(assembly: &mut Assembly, keys: &[AllowanceKey]) {
    assembly
        .value(keys.iter().map(|key| allowance_key(key).0).collect::<Vec<&str>>())
        .value(keys.iter().map(|key| allowance_key(key).1).collect::<Vec<i64>>())
        .value(keys.iter().map(|key| allowance_key(key).2).collect::<Vec<&str>>())
        .value(keys.iter().map(|key| allowance_key(key).3).collect::<Vec<&str>>())
        .value(keys.iter().map(|key| allowance_key(key).4.as_millis()).collect::<Vec<i64>>());
}

/// Builds the loading statement: its columns stand in the order in which their rows are locked.
pub(super) fn assemble(needs: &Needs, windows: &[WindowKey], allowances: &[AllowanceKey]) -> (String, Assembly) {
    let mut assembly = Assembly::default();
    let mut columns: Vec<String> = Vec::with_capacity(12);
    let mut column = |assembly: &mut Assembly, wanted: bool, text: &str| {
        columns.push(if wanted {
            format!("coalesce(({})::text, '[]')", assembly.part(text))
        } else {
            "'[]'".to_owned()
        });
    };
    let some_windows = !windows.is_empty();
    if some_windows {
        assembly.value(windows.iter().map(|key| key.name()).collect::<Vec<String>>());
    }
    column(&mut assembly, some_windows, WINDOWS);
    if !allowances.is_empty() {
        allowance_columns(&mut assembly, allowances);
    }
    column(&mut assembly, !allowances.is_empty(), ALLOWANCES);
    if !needs.turns.is_empty() {
        assembly.value(needs.turns.iter().map(|turn| turn.0).collect::<Vec<i64>>());
    }
    column(&mut assembly, !needs.turns.is_empty(), TURNS);
    if !needs.outbox.is_empty() {
        assembly.value(needs.outbox.iter().map(|outbox| outbox.0).collect::<Vec<i64>>());
    }
    column(&mut assembly, !needs.outbox.is_empty(), OUTBOX);
    if !needs.sources.is_empty() {
        let keys: Vec<_> = needs.sources.iter().map(|(bot, source)| source_key(*bot, *source)).collect();
        assembly
            .value(keys.iter().map(|(bot, ..)| bot.0).collect::<Vec<i64>>())
            .value(keys.iter().map(|(_, source, _)| *source).collect::<Vec<&str>>())
            .value(keys.iter().map(|(.., id)| *id).collect::<Vec<i64>>());
    }
    column(&mut assembly, !needs.sources.is_empty(), SOURCES);
    if !needs.inbox.is_empty() {
        assembly.value(needs.inbox.iter().map(|inbox| inbox.0).collect::<Vec<i64>>());
    }
    column(&mut assembly, !needs.inbox.is_empty(), INBOX);
    if !needs.entries.is_empty() {
        assembly
            .value(needs.entries.iter().map(|entry| entry.telegram_chat.0).collect::<Vec<i64>>())
            .value(needs.entries.iter().map(|entry| entry.message_id.0).collect::<Vec<i64>>())
            .value(needs.entries.iter().map(|entry| entry.kind.as_str()).collect::<Vec<&str>>())
            .value(needs.entries.iter().map(|entry| entry.revision).collect::<Vec<i64>>());
    }
    column(&mut assembly, !needs.entries.is_empty(), ENTRIES);
    let rules = needs.stops || some_windows;
    column(&mut assembly, rules, STOPS);
    let pauses = rules && !needs.bots.is_empty();
    if pauses {
        assembly.value(needs.bots.iter().map(|bot| bot.0).collect::<Vec<i64>>());
    }
    column(&mut assembly, pauses, PAUSES);
    if !needs.people.is_empty() {
        assembly.value(needs.people.iter().map(|person| person.0).collect::<Vec<i64>>());
    }
    column(&mut assembly, !needs.people.is_empty(), PEOPLE);
    if !needs.dead_updates.is_empty() {
        assembly.value(needs.dead_updates.iter().map(|inbox| inbox.0).collect::<Vec<i64>>());
    }
    column(&mut assembly, !needs.dead_updates.is_empty(), DEAD_UPDATES);
    if !needs.chats.is_empty() {
        assembly.value(needs.chats.iter().map(|chat| chat.0).collect::<Vec<i64>>());
    }
    column(&mut assembly, !needs.chats.is_empty(), HEADS);
    (format!("SELECT {}", columns.join(", ")), assembly)
}
