//! Writes the changes of a batch: one statement of several parts. Layer: adapter. Keeps I2, I3.
//!
//! All parts see the same snapshot, and none sees what another part writes. No row may therefore be touched by two
//! parts: a row that is new and moved on in the same batch is written once, in its final state. Rare changes that must
//! see the other parts (a chat's new address, a lease given away) have statements of their own.
//!
//! This file is longer than others: it holds each statement beside its columns, table by table.

use std::collections::BTreeMap;

use botfleet_actors::domain::commit::rows::{Changes, Loaded};
use botfleet_actors::domain::decision::{Cause, Decision};
use botfleet_actors::domain::ids::{BotId, ChatId, DecisionNumber, Epoch, InboxId, TelegramChatId, TurnId};
use botfleet_actors::domain::inbox::{Handled, InboxRow};
use botfleet_actors::domain::outbox::{OutboxMessage, SendProgress};
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::domain::turn::{Act, Turn, TurnProgress};
use serde::Serialize;

use super::assembly::{Assembly, clean};
use super::load::allowance_columns;
use super::session::Session;
use crate::store::columns::stop_row;
use crate::store::engine::{Fault, Run};
use crate::store::loaded::{array, source_key};
use crate::store::sql::text::statements;
use crate::store::sql::values::{Database, Rows, values};
use crate::store::sql::{orders, tenure};

pub(super) const INBOX: &str = "\
INSERT INTO inbox (id, chat, bot, source, source_id, payload, received_at, outcome, reason, number, decision) \
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], \
$8::text[], $9::text[], $10::bigint[], $11::bigint[]) ON CONFLICT (bot, source, source_id) DO NOTHING";
const CURSORS: &str = "\
INSERT INTO bot_cursor (bot, next_offset) SELECT * FROM unnest($1::bigint[], $2::bigint[]) \
ON CONFLICT (bot) DO UPDATE SET next_offset = excluded.next_offset";
pub(super) const HANDLED: &str = "\
UPDATE inbox SET outcome = r.outcome, reason = r.reason, number = r.number, decision = r.decision \
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) \
AS r (id, outcome, reason, number, decision) WHERE inbox.id = r.id";
const HEADS: &str = "\
UPDATE chat_head SET last_number = r.last_number, last_decision = coalesce(r.last_decision, chat_head.last_decision), \
next_tick_at = r.next_tick_at, calm_until = r.calm_until, disclosed = chat_head.disclosed OR r.disclosed \
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[]) \
AS r (chat, last_number, last_decision, next_tick_at, calm_until, disclosed) WHERE chat_head.chat = r.chat";
const ENTRIES: &str = "\
INSERT INTO transcript (chat, number, kind, revision, telegram_chat, message_id, thread, reply_to, author, fleet_bot, \
text, entities, media, date, inbox, chain_depth, root) \
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
$8::bigint[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], \
$16::bigint[], $17::bigint[])";
const DECISIONS: &str = "\
INSERT INTO decision (chat, number, cause_entry, seed, at, config_seq, policy, verdict, reason, inputs, scores, root, \
chain_depth, standing) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
$7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[])";
const NEW_TURNS: &str = "\
INSERT INTO turn (id, chat, decision, bot, ordinal, target, answers_bot, chain_depth, root, priority, due_at, \
expires_at, created_at, state, attempts, claimed_epoch, error, provider, model, prompt_tokens, completion_tokens, act) \
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], \
$15::bigint[], $16::bigint[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bigint[], \
$22::text[])";
pub(super) const TURNS: &str = "\
UPDATE turn SET state = r.state, attempts = r.attempts, claimed_epoch = r.claimed_epoch, error = r.error, \
provider = r.provider, model = r.model, prompt_tokens = r.prompt_tokens, completion_tokens = r.completion_tokens \
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], \
$9::bigint[]) \
AS r (id, state, attempts, claimed_epoch, error, provider, model, prompt_tokens, completion_tokens) \
WHERE turn.id = r.id";
const NEW_OUTBOX: &str = "\
INSERT INTO outbox (id, turn, part, parts, bot, chat, telegram_chat, thread, reply_to, text, answers_bot, chain_depth, \
root, expires_at, created_at, on_unknown, state, attempts, attempt, claimed_epoch, due_at, message_id, error, claimed_by) \
SELECT r.*, CASE WHEN r.state = 'sending' THEN $24::bigint END \
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
$8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], \
$16::text[], $17::text[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::text[]) \
AS r (id, turn, part, parts, bot, chat, telegram_chat, thread, reply_to, text, answers_bot, chain_depth, root, \
expires_at, created_at, on_unknown, state, attempts, attempt, claimed_epoch, due_at, message_id, error)";
pub(super) const OUTBOX: &str = "\
UPDATE outbox SET state = r.state, attempts = r.attempts, attempt = r.attempt, claimed_epoch = r.claimed_epoch, \
due_at = r.due_at, message_id = r.message_id, error = r.error, \
claimed_by = CASE WHEN r.state = 'sending' THEN $9::bigint ELSE outbox.claimed_by END \
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[]) \
AS r (id, state, attempts, attempt, claimed_epoch, due_at, message_id, error) WHERE outbox.id = r.id";
const WINDOWS: &str = "\
INSERT INTO send_window (key, slots) SELECT * FROM unnest($1::text[], $2::text[]) \
ON CONFLICT (key) DO UPDATE SET slots = excluded.slots";
const ALLOWANCES: &str = "\
INSERT INTO allowance (scope, key, unit, per, period_start, granted) \
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) \
ON CONFLICT (scope, key, unit, per, period_start) DO UPDATE SET granted = excluded.granted";
const STOPPED: &str = "\
INSERT INTO control (scope, key, stopped_at, by, until, orders) \
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[]) \
ON CONFLICT (scope, key) DO UPDATE SET stopped_at = excluded.stopped_at, by = excluded.by, until = excluded.until, \
orders = excluded.orders";
const STARTED: &str = "\
DELETE FROM control WHERE (scope, key) IN (SELECT * FROM unnest($1::text[], $2::bigint[]))";
const PAUSES: &str = "\
INSERT INTO send_pause (bot, chat, until) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
ON CONFLICT (bot, chat) DO UPDATE SET until = greatest(send_pause.until, excluded.until)";
const ABSENT: &str = "\
INSERT INTO chat_absence (chat, bot) SELECT * FROM unnest($1::bigint[], $2::bigint[]) ON CONFLICT (chat, bot) DO NOTHING";
const PRESENT: &str = "\
DELETE FROM chat_absence WHERE (chat, bot) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))";
const MARK: &str = "\
UPDATE commit_mark SET batch = $2, at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint WHERE writer = $1";

/// Names the process that writes and the batch that it writes, so that the process can find out later whether a batch
/// whose answer was lost is stored.
#[derive(Clone, Copy)]
pub(super) struct Hand<'a> {
    /// The writer's name among the marks.
    pub(super) writer: &'a str,
    /// The number of the batch.
    pub(super) batch: i64,
    /// The writer's incarnation, once it has joined.
    pub(super) incarnation: Option<Incarnation>,
}

/// Returns whether a batch changes nothing.
pub(super) fn is_nothing(changes: &Changes) -> bool {
    let Changes {
        inbox,
        handled,
        offsets,
        chats,
        entries,
        decisions,
        new_turns,
        turns,
        new_outbox,
        outbox,
        windows,
        pauses,
        absences,
        migrations,
        allowances,
        stops,
        hand_overs,
        orders,
    } = changes;
    let rows = inbox.len() + handled.len() + entries.len() + decisions.len() + new_turns.len() + new_outbox.len();
    let moves = offsets.len() + chats.len() + turns.len() + outbox.len() + windows.len() + allowances.len();
    let rare = pauses.len() + absences.len() + migrations.len() + stops.len() + hand_overs.len();
    rows + moves + rare == 0 && orders.is_empty()
}

/// Writes `changes`. The progress of turns and messages comes from `loaded`, where the judge has moved it on. Returns
/// whether the writer's mark was written; without the mark nothing may be committed.
pub(super) async fn write(
    session: &mut Session<'_>,
    changes: &Changes,
    loaded: &Loaded,
    hand: Hand<'_>,
) -> Result<bool, Fault> {
    if !changes.orders.is_empty() {
        orders::write(session, &changes.orders).await?;
    }
    if !changes.hand_overs.is_empty() {
        tenure::hand_over(session, &changes.hand_overs).await?;
    }
    let (text, assembly) = assemble(changes, loaded, hand);
    let marked = session.change("write", assembly.statement(text)?).await?;
    if !changes.migrations.is_empty() {
        write_migrations(session, &changes.migrations).await?;
    }
    Ok(marked == 1)
}

statements! {
    ALIASES "aliases" = "\
INSERT INTO chat_alias (telegram_chat_id, chat, since) SELECT telegram, chat, since \
FROM `rows 1 telegram, chat, since` ON CONFLICT (telegram_chat_id) DO NOTHING";
    /// Replaces the chat's own field only: within a string its quotes would be escaped.
    ADDRESSES "addresses" = "\
UPDATE chat SET telegram_id = r.telegram, \
spec = regexp_replace(chat.spec, '\"telegram_id\": ?-?[0-9]+', '\"telegram_id\":' || r.telegram) \
FROM `rows 1 telegram, chat` WHERE chat.id = r.chat \
AND EXISTS (SELECT 1 FROM chat_alias a WHERE a.telegram_chat_id = r.telegram AND a.chat = r.chat)";
    READDRESSED "readdressed" = "\
UPDATE outbox SET telegram_chat = r.telegram, reply_to = NULL FROM `rows 1 telegram, chat` \
WHERE outbox.state IN ('queued', 'retry_at') AND outbox.chat = r.chat";
}

/// Gives chats their new address. Runs after all other writes of the batch, whose new messages go there too.
async fn write_migrations(
    session: &mut Session<'_>,
    migrations: &BTreeMap<ChatId, (TelegramChatId, Timestamp)>,
) -> Result<(), Fault> {
    let since = migrations.iter().map(|(chat, (to, at))| (*to, *chat, *at));
    session.execute(&ALIASES, values![Rows::of(Database::Postgres, since)]).await?;
    for statement in [&ADDRESSES, &READDRESSED] {
        let to = migrations.iter().map(|(chat, (to, _))| (*to, *chat));
        session.execute(statement, values![Rows::of(Database::Postgres, to)]).await?;
    }
    Ok(())
}

/// The parts of a statement, and its parameters.
#[derive(Default)]
struct Parts {
    assembly: Assembly,
    texts: Vec<String>,
}

impl Parts {
    fn end(&mut self, text: &str) {
        let text = self.assembly.part(text);
        self.texts.push(format!("w{} AS ({text})", self.texts.len()));
    }
}

/// Builds the writing statement.
pub(super) fn assemble(changes: &Changes, loaded: &Loaded, hand: Hand<'_>) -> (String, Assembly) {
    let mut parts = Parts::default();
    inbox(&mut parts, changes);
    chats(&mut parts, changes);
    turns(&mut parts, changes, loaded);
    outbox(&mut parts, changes, loaded, hand.incarnation);
    counted(&mut parts, changes, loaded);
    rare(&mut parts, changes);
    let Parts { mut assembly, texts } = parts;
    assembly.value(hand.writer.to_owned()).value(hand.batch);
    let mark = assembly.part(MARK);
    let text = if texts.is_empty() { mark } else { format!("WITH {} {mark}", texts.join(", ")) };
    (text, assembly)
}

fn inbox(parts: &mut Parts, changes: &Changes) {
    let handled: BTreeMap<InboxId, &Handled> = changes.handled.iter().map(|handled| (handled.inbox, handled)).collect();
    if !changes.inbox.is_empty() {
        let rows: Vec<(&InboxRow, Option<&Handled>)> =
            changes.inbox.iter().map(|row| (row, handled.get(&row.id).copied())).collect();
        let outcome = |(row, handled): &(&InboxRow, Option<&Handled>)| {
            handled.map(|handled| handled.outcome.clone()).or_else(|| row.outcome.clone())
        };
        parts
            .assembly
            .column(&rows, |(row, _)| row.id.0)
            .column(&rows, |(row, _)| row.chat.map(|chat| chat.0))
            .column(&rows, |(row, _)| row.bot.0)
            .column(&rows, |(row, _)| source_key(row.bot, row.source).1)
            .column(&rows, |(row, _)| source_key(row.bot, row.source).2)
            .column(&rows, |(row, _)| clean(&row.payload))
            .column(&rows, |(row, _)| row.received_at.as_millis())
            .column(&rows, |row| outcome(row).map(|outcome| outcome.kind.as_str()))
            .column(&rows, |row| {
                outcome(row).and_then(|outcome| outcome.reason).map(|reason| clean(&reason).into_owned())
            })
            .column(&rows, |(_, handled)| handled.and_then(|handled| handled.number).map(|number| number.0))
            .column(&rows, |(_, handled)| handled.and_then(|handled| handled.decision).map(|decision| decision.0));
        parts.end(INBOX);
    }
    let offsets: Vec<(&BotId, &i64)> = changes.offsets.iter().collect();
    if !offsets.is_empty() {
        parts.assembly.column(&offsets, |(bot, _)| bot.0).column(&offsets, |(_, offset)| **offset);
        parts.end(CURSORS);
    }
    let new: Vec<InboxId> = changes.inbox.iter().map(|row| row.id).collect();
    let old: Vec<&Handled> = handled.into_values().filter(|handled| !new.contains(&handled.inbox)).collect();
    if !old.is_empty() {
        parts
            .assembly
            .column(&old, |handled| handled.inbox.0)
            .column(&old, |handled| handled.outcome.kind.as_str())
            .column(&old, |handled| handled.outcome.reason.as_deref().map(clean))
            .column(&old, |handled| handled.number.map(|number| number.0))
            .column(&old, |handled| handled.decision.map(|decision| decision.0));
        parts.end(HANDLED);
    }
}

fn last_decision(changes: &Changes, chat: ChatId) -> Option<DecisionNumber> {
    changes.decisions.iter().filter(|decision| decision.chat == chat).map(|decision| decision.number).max()
}

fn chats(parts: &mut Parts, changes: &Changes) {
    let heads: Vec<_> = changes.chats.iter().collect();
    if !heads.is_empty() {
        parts
            .assembly
            .column(&heads, |(chat, _)| chat.0)
            .column(&heads, |(_, change)| change.last_number.0)
            .column(&heads, |(chat, _)| last_decision(changes, **chat).map(|decision| decision.0))
            .column(&heads, |(_, change)| change.next_tick_at.map(Timestamp::as_millis))
            .column(&heads, |(_, change)| change.calm_until.map(Timestamp::as_millis))
            .column(&heads, |(_, change)| change.disclosed);
        parts.end(HEADS);
    }
    if !changes.entries.is_empty() {
        entries(parts, &changes.entries);
    }
    if !changes.decisions.is_empty() {
        decisions(parts, &changes.decisions);
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    array(value)
}

fn entries(parts: &mut Parts, rows: &[TranscriptEntry]) {
    parts
        .assembly
        .column(rows, |entry| entry.chat.0)
        .column(rows, |entry| entry.number.0)
        .column(rows, |entry| entry.kind.as_str())
        .column(rows, |entry| entry.revision)
        .column(rows, |entry| entry.telegram_chat.0)
        .column(rows, |entry| entry.message_id.0)
        .column(rows, |entry| entry.thread.map(|thread| thread.0))
        .column(rows, |entry| entry.reply_to.map(|message| message.0))
        .column(rows, |entry| json(&entry.author))
        .column(rows, |entry| entry.fleet_bot.map(|bot| bot.0))
        .column(rows, |entry| entry.text.as_deref().map(clean))
        .column(rows, |entry| json(&entry.entities))
        .column(rows, |entry| entry.media.as_ref().map(json))
        .column(rows, |entry| entry.date.as_millis())
        .column(rows, |entry| entry.inbox.0)
        .column(rows, |entry| i64::from(entry.chain_depth))
        .column(rows, |entry| entry.root.0);
    parts.end(ENTRIES);
}

fn decisions(parts: &mut Parts, rows: &[Decision]) {
    parts
        .assembly
        .column(rows, |decision| decision.chat.0)
        .column(rows, |decision| decision.number.0)
        .column(rows, |decision| match decision.cause {
            Cause::Entry(number) => Some(number.0),
            Cause::Tick => None,
        })
        .column(rows, |decision| decision.seed.cast_signed())
        .column(rows, |decision| decision.at.as_millis())
        .column(rows, |decision| decision.config_seq.0)
        .column(rows, |decision| clean(&decision.policy))
        .column(rows, |decision| decision.verdict.as_str())
        .column(rows, |decision| clean(&decision.reason))
        .column(rows, |decision| json(&decision.inputs))
        .column(rows, |decision| json(&decision.scores))
        .column(rows, |decision| decision.root.map(|root| root.0))
        .column(rows, |decision| i64::from(decision.chain_depth))
        .column(rows, |decision| json(&decision.standing));
    parts.end(DECISIONS);
}

/// Adds the columns of a turn's progress, in the order of both statements.
fn turn_progress<'q, R>(assembly: &mut Assembly, rows: &'q [R], of: impl Fn(&'q R) -> &'q TurnProgress) {
    assembly
        .column(rows, |row| of(row).state.as_str())
        .column(rows, |row| i64::from(of(row).attempts))
        .column(rows, |row| of(row).claimed_epoch.map(|Epoch(epoch)| epoch))
        .column(rows, |row| of(row).error.as_deref().map(clean))
        .column(rows, |row| of(row).usage.as_ref().map(|usage| clean(&usage.provider)))
        .column(rows, |row| of(row).usage.as_ref().map(|usage| clean(&usage.model)))
        .column(rows, |row| of(row).usage.as_ref().map(|usage| i64::from(usage.prompt_tokens)))
        .column(rows, |row| of(row).usage.as_ref().map(|usage| i64::from(usage.completion_tokens)));
}

fn turns(parts: &mut Parts, changes: &Changes, loaded: &Loaded) {
    let new: Vec<(&Turn, &TurnProgress)> = changes
        .new_turns
        .iter()
        .map(|turn| (turn, loaded.turns.get(&turn.id).map_or(&turn.progress, |head| &head.progress)))
        .collect();
    if !new.is_empty() {
        parts
            .assembly
            .column(&new, |(turn, _)| turn.id.0)
            .column(&new, |(turn, _)| turn.chat.0)
            .column(&new, |(turn, _)| turn.decision.0)
            .column(&new, |(turn, _)| turn.bot.0)
            .column(&new, |(turn, _)| i64::from(turn.ordinal))
            .column(&new, |(turn, _)| turn.target.map(|target| target.0))
            .column(&new, |(turn, _)| turn.answers_bot.map(|bot| bot.0))
            .column(&new, |(turn, _)| i64::from(turn.chain_depth))
            .column(&new, |(turn, _)| turn.root.map(|root| root.0))
            .column(&new, |(turn, _)| i64::from(turn.priority))
            .column(&new, |(turn, _)| turn.due_at.as_millis())
            .column(&new, |(turn, _)| turn.expires_at.as_millis())
            .column(&new, |(turn, _)| turn.created_at.as_millis());
        turn_progress(&mut parts.assembly, &new, |(_, progress)| progress);
        parts.assembly.column(&new, |(turn, _)| (turn.act != Act::Answer).then(|| json(&turn.act)));
        parts.end(NEW_TURNS);
    }
    let moved: Vec<(&TurnId, &TurnProgress)> =
        changes.turns.iter().filter_map(|id| Some((id, &loaded.turns.get(id)?.progress))).collect();
    if !moved.is_empty() {
        parts.assembly.column(&moved, |(id, _)| id.0);
        turn_progress(&mut parts.assembly, &moved, |(_, progress)| progress);
        parts.end(TURNS);
    }
}

/// Adds the columns of a message's progress, in the order of both statements.
fn send_progress<'q, R>(assembly: &mut Assembly, rows: &'q [R], of: impl Fn(&'q R) -> &'q SendProgress) {
    assembly
        .column(rows, |row| of(row).state.as_str())
        .column(rows, |row| i64::from(of(row).attempts))
        .column(rows, |row| of(row).attempt.map(|attempt| attempt.0))
        .column(rows, |row| of(row).claimed_epoch.map(|Epoch(epoch)| epoch))
        .column(rows, |row| of(row).due_at.as_millis())
        .column(rows, |row| of(row).message_id.map(|message| message.0))
        .column(rows, |row| of(row).error.as_deref().map(clean));
}

fn outbox(parts: &mut Parts, changes: &Changes, loaded: &Loaded, me: Option<Incarnation>) {
    let me = me.map(|Incarnation(me)| me);
    let new: Vec<(&OutboxMessage, &SendProgress)> = changes
        .new_outbox
        .iter()
        .map(|message| (message, loaded.outbox.get(&message.id).map_or(&message.progress, |head| &head.progress)))
        .collect();
    if !new.is_empty() {
        parts
            .assembly
            .column(&new, |(message, _)| message.id.0)
            .column(&new, |(message, _)| message.turn.0)
            .column(&new, |(message, _)| i64::from(message.part))
            .column(&new, |(message, _)| i64::from(message.parts))
            .column(&new, |(message, _)| message.bot.0)
            .column(&new, |(message, _)| message.chat.0)
            .column(&new, |(message, _)| message.telegram_chat.0)
            .column(&new, |(message, _)| message.thread.map(|thread| thread.0))
            .column(&new, |(message, _)| message.reply_to.map(|message| message.0))
            .column(&new, |(message, _)| clean(&message.text))
            .column(&new, |(message, _)| message.answers_bot.map(|bot| bot.0))
            .column(&new, |(message, _)| i64::from(message.chain_depth))
            .column(&new, |(message, _)| message.root.map(|root| root.0))
            .column(&new, |(message, _)| message.expires_at.as_millis())
            .column(&new, |(message, _)| message.created_at.as_millis())
            .column(&new, |(message, _)| message.on_unknown.as_str());
        send_progress(&mut parts.assembly, &new, |(_, progress)| progress);
        parts.assembly.value(me);
        parts.end(NEW_OUTBOX);
    }
    let moved: Vec<_> = changes.outbox.iter().filter_map(|id| Some((id, &loaded.outbox.get(id)?.progress))).collect();
    if !moved.is_empty() {
        parts.assembly.column(&moved, |(id, _)| id.0);
        send_progress(&mut parts.assembly, &moved, |(_, progress)| progress);
        parts.assembly.value(me);
        parts.end(OUTBOX);
    }
}

fn counted(parts: &mut Parts, changes: &Changes, loaded: &Loaded) {
    let windows: Vec<_> = changes.windows.iter().filter_map(|key| Some((key, loaded.windows.get(key)?))).collect();
    if !windows.is_empty() {
        parts.assembly.column(&windows, |(key, _)| key.name()).column(&windows, |(_, window)| json(window));
        parts.end(WINDOWS);
    }
    let keys: Vec<_> = changes.allowances.iter().copied().filter(|key| loaded.allowances.contains_key(key)).collect();
    if !keys.is_empty() {
        allowance_columns(&mut parts.assembly, &keys);
        parts.assembly.column(&keys, |key| loaded.allowances.get(key).copied().unwrap_or(0));
        parts.end(ALLOWANCES);
    }
}

fn rare(parts: &mut Parts, changes: &Changes) {
    let (stopped, started): (Vec<_>, Vec<_>) =
        changes.stops.iter().map(stop_row).partition(|(.., orders)| orders.is_some());
    if !stopped.is_empty() {
        parts
            .assembly
            .column(&stopped, |(scope, ..)| *scope)
            .column(&stopped, |(_, key, ..)| *key)
            .column(&stopped, |(_, _, at, ..)| at.as_millis())
            .column(&stopped, |(_, _, _, by, ..)| clean(by))
            .column(&stopped, |(.., until, _)| until.map(Timestamp::as_millis))
            .column(&stopped, |(.., orders)| orders.clone());
        parts.end(STOPPED);
    }
    if !started.is_empty() {
        parts.assembly.column(&started, |(scope, ..)| *scope).column(&started, |(_, key, ..)| *key);
        parts.end(STARTED);
    }
    let mut pauses: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for pause in &changes.pauses {
        let until = pauses.entry((pause.bot.0, pause.chat.map_or(0, |chat| chat.0))).or_insert(i64::MIN);
        *until = (*until).max(pause.until.as_millis());
    }
    let pauses: Vec<_> = pauses.into_iter().collect();
    if !pauses.is_empty() {
        parts
            .assembly
            .column(&pauses, |((bot, _), _)| *bot)
            .column(&pauses, |((_, chat), _)| *chat)
            .column(&pauses, |(_, until)| *until);
        parts.end(PAUSES);
    }
    let (absent, present): (Vec<_>, Vec<_>) = changes.absences.iter().partition(|(_, absent)| **absent);
    for (rows, text) in [(absent, ABSENT), (present, PRESENT)] {
        if !rows.is_empty() {
            parts.assembly.column(&rows, |((chat, _), _)| chat.0).column(&rows, |((_, bot), _)| bot.0);
            parts.end(text);
        }
    }
}
