//! Stores take-overs, and the deletion of what bots said. Layer: adapter. Keeps I3, I4.

use std::collections::BTreeMap;
use std::time::Duration;

use botfleet_actors::domain::commit::rows::{NewRetractions, TakeoverChange};
use botfleet_actors::domain::ids::{BotId, ChatId, IdSource, MessageId, Number, OutboxId, TelegramChatId};
use botfleet_actors::domain::retraction::{Retraction, RetractionEnding, Said, Saying};
use botfleet_actors::domain::takeover::{Interventions, Takeover};
use botfleet_actors::domain::time::Timestamp;

use super::text::statements;
use super::values::{Rows, values};
use crate::store::engine::{Reads, Run};
use crate::store::fault::Fault;

/// The longest time between the making of a message and Telegram's date of it, either way.
const APART: Duration = Duration::from_hours(24);

statements! {
    TAKEOVERS "takeovers" = "SELECT `columns takeover` FROM takeover";
    DELETED "deleted_lately" = "SELECT telegram_chat, message_id FROM retraction WHERE created_at >= $1";
    /// Stores take-overs that begin; each takes the place of an earlier one.
    BEGUN "begin_takeovers" = "\
INSERT INTO takeover (`columns takeover`) SELECT `columns takeover` FROM `rows 1 ..takeover` WHERE true \
ON CONFLICT (chat, bot) DO UPDATE SET holder = excluded.holder, began_at = excluded.began_at, until = excluded.until, \
idle_ms = excluded.idle_ms";
    PROLONGED "prolong_takeovers" = "\
UPDATE takeover SET until = `max|greatest`(takeover.until, r.until) FROM `rows 1 chat, bot, holder text, until` \
WHERE takeover.chat = r.chat AND takeover.bot = r.bot AND takeover.holder = r.holder";
    ENDED "end_takeovers" = "\
DELETE FROM takeover WHERE (chat, bot, holder) IN (SELECT chat, bot, holder FROM `rows 1 chat, bot, holder text`)";
    SENDING "sending" = "\
SELECT `columns outbox` FROM outbox WHERE `open messages` state = 'sending' AND bot = $1 ORDER BY turn, part";
    /// Selects what bots sent into a chat, by the index of sent messages.
    SAID_SINCE "said_since" = "\
SELECT o.id, o.bot, o.telegram_chat, o.message_id, t.number, o.created_at FROM outbox o \
LEFT JOIN transcript t ON t.telegram_chat = o.telegram_chat AND t.message_id = o.message_id AND t.kind = 'message' \
AND t.revision = 0 WHERE o.state = 'sent' AND o.bot `among 1` AND o.chat = $2 AND o.id >= $3 AND o.created_at >= $4 \
AND o.chain_depth > 0 AND NOT EXISTS (SELECT 1 FROM retraction d WHERE d.telegram_chat = o.telegram_chat \
AND d.message_id = o.message_id) ORDER BY o.id LIMIT $5";
    ENTRY "said_entry" = "\
SELECT fleet_bot, telegram_chat, message_id, date FROM transcript WHERE chat = $1 AND number = $2 AND kind = 'message' \
AND fleet_bot `among 3` AND deleted_at IS NULL";
    OUTBOX_OF "outbox_of_entry" = "\
SELECT id FROM outbox WHERE state = 'sent' AND bot = $1 AND id >= $2 AND id < $3 AND telegram_chat = $4 AND message_id = $5";
    RETRACTED "new_retractions" = "\
INSERT INTO retraction (`columns retraction`) SELECT telegram_chat, message_id, CAST($2 AS bigint), bot, 'waiting', 0, \
CAST($3 AS bigint), CAST($4 AS text), CAST($3 AS bigint), CAST(NULL AS bigint), CAST(NULL AS text) \
FROM `rows 1 telegram_chat, message_id, bot` WHERE true ON CONFLICT (telegram_chat, message_id) DO NOTHING";
    DELETE_ENTRIES "delete_entries" = "\
UPDATE transcript SET text = NULL, entities = '[]', media = NULL, deleted_at = $2 WHERE kind IN ('message', 'edit') \
AND (telegram_chat, message_id) IN (SELECT telegram_chat, message_id FROM `rows 1 telegram_chat, message_id`)";
    TURNS_OF "turns_of_messages" = "SELECT turn FROM outbox WHERE id `among 1` ORDER BY turn";
    DUE "retractions_due" = "\
SELECT `columns retraction` FROM retraction WHERE state = 'waiting' AND bot = $1 AND due_at <= $2 \
ORDER BY due_at, telegram_chat, message_id LIMIT $3";
    OF_CHAT "retractions" = "\
SELECT `columns retraction` FROM retraction WHERE chat = $1 ORDER BY created_at DESC, telegram_chat DESC, message_id DESC LIMIT $2";
    SETTLED "settle_retractions" = "\
UPDATE retraction SET state = r.state, tries = retraction.tries + 1, due_at = coalesce(r.due_at, retraction.due_at), error = r.error, \
ended_at = CASE WHEN r.state = 'waiting' THEN NULL ELSE `CAST(unixepoch('subsec') * 1000 AS INTEGER)|\
(extract(epoch FROM clock_timestamp()) * 1000)::bigint` END \
FROM `rows 1 telegram_chat, message_id, state text, due_at, error text` WHERE retraction.state = 'waiting' \
AND retraction.telegram_chat = r.telegram_chat AND retraction.message_id = r.message_id";
}

type Spoken = (OutboxId, BotId, TelegramChatId, MessageId, Option<Number>, Timestamp);

pub(crate) async fn interventions(db: &impl Reads, since: Timestamp) -> Result<Interventions, Fault> {
    let takeovers: Vec<Takeover> = db.all(&TAKEOVERS, values![]).await?;
    let deleted: Vec<(TelegramChatId, MessageId)> = db.all(&DELETED, values![since]).await?;
    Ok(Interventions { takeovers: takeovers.into_iter().collect(), deleted: deleted.into_iter().collect() })
}

pub(crate) async fn said(
    db: &impl Reads,
    chat: ChatId,
    bots: &[BotId],
    saying: Saying,
    limit: usize,
) -> Result<Vec<Said>, Fault> {
    let ids = || bots.iter().map(|bot| bot.0).collect::<Vec<i64>>();
    match saying {
        Saying::Since(bot, since) => {
            let bots = bot.map_or_else(ids, |bot| ids().into_iter().filter(|id| *id == bot.0).collect());
            let first = IdSource::first_at(since - APART);
            let found: Vec<Spoken> = db.all(&SAID_SINCE, values![bots, chat, first, since, limit]).await?;
            let said = |(outbox, bot, telegram_chat, message_id, number, at)| Said {
                outbox: Some(outbox),
                bot,
                telegram_chat,
                message_id,
                number,
                at,
            };
            Ok(found.into_iter().map(said).collect())
        }
        Saying::Entry(number) => {
            let found: Vec<(BotId, TelegramChatId, MessageId, Timestamp)> =
                db.all(&ENTRY, values![chat, number, ids()]).await?;
            let Some((bot, telegram_chat, message_id, at)) = found.into_iter().next() else {
                return Ok(Vec::new());
            };
            let (first, last) = (IdSource::first_at(at - APART), IdSource::first_at(at + APART));
            let outbox = db.all(&OUTBOX_OF, values![bot, first, last, telegram_chat, message_id]).await?.pop();
            Ok(vec![Said { outbox, bot, telegram_chat, message_id, number: Some(number), at }])
        }
    }
}

/// Writes take-overs, within the transaction of their orders.
pub(super) async fn write_takeovers<R: Run>(
    run: &mut R,
    takeovers: &BTreeMap<(ChatId, BotId), TakeoverChange>,
) -> Result<(), Fault> {
    if takeovers.is_empty() {
        return Ok(());
    }
    let begun = takeovers.values().filter_map(|change| match change {
        TakeoverChange::Begun(takeover) => Some(takeover.clone()),
        _ => None,
    });
    let prolonged = takeovers.iter().filter_map(|((chat, bot), change)| match change {
        TakeoverChange::Prolonged { holder, until } => Some((*chat, *bot, holder.as_str(), *until)),
        _ => None,
    });
    let ended = takeovers.iter().filter_map(|((chat, bot), change)| match change {
        TakeoverChange::Ended { holder } => Some((*chat, *bot, holder.as_str())),
        _ => None,
    });
    let (begun, prolonged) = (Rows::of(R::DATABASE, begun), Rows::of(R::DATABASE, prolonged));
    for (statement, rows) in [(&ENDED, Rows::of(R::DATABASE, ended)), (&BEGUN, begun), (&PROLONGED, prolonged)] {
        if !rows.is_empty() {
            run.execute(statement, values![rows]).await?;
        }
    }
    Ok(())
}

/// Stores the messages that an order deletes, and empties their entries. Returns the turns and the messages of the outbox that
/// hold the words as well.
pub(super) async fn write_retractions<R: Run>(
    run: &mut R,
    NewRetractions { chat, principal, at, said }: &NewRetractions,
) -> Result<(Vec<i64>, Vec<i64>), Fault> {
    let keys = said.iter().map(|one| (one.telegram_chat, one.message_id));
    let rows = said.iter().map(|one| (one.telegram_chat, one.message_id, one.bot));
    let rows = Rows::of(R::DATABASE, rows);
    if rows.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    run.execute(&RETRACTED, values![rows, *chat, *at, principal.as_str()]).await?;
    run.execute(&DELETE_ENTRIES, values![Rows::of(R::DATABASE, keys), *at]).await?;
    let outbox: Vec<i64> = said.iter().filter_map(|one| one.outbox).map(|outbox| outbox.0).collect();
    Ok((run.fetch(&TURNS_OF, values![outbox.clone()]).await?, outbox))
}

/// Stores Telegram's answers about messages that are to be deleted.
pub(super) async fn write_retracted<R: Run>(
    run: &mut R,
    answers: &[(TelegramChatId, MessageId, RetractionEnding)],
) -> Result<(), Fault> {
    let rows = answers.iter().map(|(telegram_chat, message_id, ending)| {
        let (state, due_at, error) = match ending {
            RetractionEnding::Deleted => ("deleted", None, None),
            RetractionEnding::Refused(why) => ("refused", None, Some(why.as_str())),
            RetractionEnding::Again(at, why) => ("waiting", Some(*at), Some(why.as_str())),
        };
        (*telegram_chat, *message_id, state, due_at, error)
    });
    let rows = Rows::of(R::DATABASE, rows);
    if !rows.is_empty() {
        run.execute(&SETTLED, values![rows]).await?;
    }
    Ok(())
}

pub(crate) async fn retractions(db: &impl Reads, chat: ChatId, limit: usize) -> Result<Vec<Retraction>, Fault> {
    db.all(&OF_CHAT, values![chat, limit]).await
}

pub(crate) async fn retractions_due(
    db: &impl Reads,
    bot: BotId,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Retraction>, Fault> {
    db.all(&DUE, values![bot, now, limit]).await
}
