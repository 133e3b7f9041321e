//! Stores orders of people: delivery modes, dead letters that are tried again, rights. Layer: adapter. Keeps I1.
//!
//! Orders are rare and therefore have statements of their own, so that the group commit keeps its few texts.

use std::collections::BTreeMap;

use botfleet_actors::domain::commit::rows::Orders;
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::roster::DeliveryChoice;

use super::text::statements;
use super::values::{Rows, values};
use super::{audit, operator_orders, people, speaking};
use crate::store::engine::Run;
use crate::store::fault::Fault;

statements! {
    DELIVERIES "deliveries" = "\
INSERT INTO bot_delivery (bot, mode, webhook_url) \
SELECT bot, mode, webhook_url FROM `rows 1 bot, mode text, webhook_url text` WHERE true \
ON CONFLICT (bot) DO UPDATE SET mode = excluded.mode, webhook_url = excluded.webhook_url";
    /// Deletes the offset with the old delivery mode: the first poll after webhooks sends none (I1).
    OFFSETS "forget_offsets" = "DELETE FROM bot_cursor WHERE bot `among 1`";
    TURNS "renew_turns" = "\
UPDATE turn SET due_at = r.due_at, expires_at = r.expires_at FROM `rows 1 id, due_at, expires_at` WHERE turn.id = r.id";
    OUTBOX "renew_messages" = "\
UPDATE outbox SET expires_at = r.expires_at FROM `rows 1 id, expires_at` WHERE outbox.id = r.id";
    UNHANDLED "renew_updates" = "\
UPDATE inbox SET outcome = NULL, reason = NULL, number = NULL, decision = NULL WHERE id `among 1`";
    SAID "rights_said" = "\
INSERT INTO right_said (person, at) SELECT person, at FROM `rows 1 person, at` WHERE true \
ON CONFLICT (person) DO UPDATE SET at = `max|greatest`(right_said.at, excluded.at)";
    SHORTER "shorten_pauses" = "\
UPDATE send_pause SET until = `min|least`(send_pause.until, r.until) FROM `rows 1 bot, until` WHERE send_pause.bot = r.bot";
}

/// Writes the orders of people. Runs before all other writes of its batch.
pub(crate) async fn write<R: Run>(run: &mut R, orders: &Orders) -> Result<(), Fault> {
    #[rustfmt::skip]
    let Orders {
        deliveries, turns, outbox, inbox, pauses, rights, said, audit: entries, operator, takeovers, retractions, retracted,
    } = orders;
    operator_orders::write(run, operator).await?;
    speaking::write_takeovers(run, takeovers).await?;
    for order in retractions {
        let (turns, messages) = speaking::write_retractions(run, order).await?;
        people::empty_sent(run, turns, messages).await?;
    }
    speaking::write_retracted(run, retracted).await?;
    write_deliveries(run, deliveries).await?;
    let turns = Rows::of(R::DATABASE, turns.iter().map(|(turn, (due, expires))| (*turn, *due, *expires)));
    let outbox = Rows::of(R::DATABASE, outbox.iter().map(|(outbox, expires)| (*outbox, *expires)));
    let words = Rows::of(R::DATABASE, said.iter().map(|(person, at)| (*person, *at)));
    let pauses = Rows::of(R::DATABASE, pauses.iter().map(|(bot, until)| (*bot, *until)));
    for (statement, rows) in [(&TURNS, turns), (&OUTBOX, outbox), (&SAID, words), (&SHORTER, pauses)] {
        if !rows.is_empty() {
            run.execute(statement, values![rows]).await?;
        }
    }
    if !inbox.is_empty() {
        run.execute(&UNHANDLED, values![inbox.iter().map(|inbox| inbox.0).collect::<Vec<i64>>()]).await?;
    }
    for right in rights {
        let newest = said.get(&right.person).copied().unwrap_or(right.at);
        people::write(run, right, newest).await?;
    }
    for entry in entries {
        audit::write(run, entry).await?;
    }
    Ok(())
}

/// Stores delivery modes and deletes the offsets of those bots.
pub(crate) async fn write_deliveries<R: Run>(
    run: &mut R,
    deliveries: &BTreeMap<BotId, DeliveryChoice>,
) -> Result<(), Fault> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let rows = deliveries.iter().map(|(bot, choice)| (*bot, choice.mode, choice.webhook_url.as_deref()));
    run.execute(&DELIVERIES, values![Rows::of(R::DATABASE, rows)]).await?;
    run.execute(&OFFSETS, values![deliveries.keys().map(|bot| bot.0).collect::<Vec<i64>>()]).await?;
    Ok(())
}
