//! The tenure of a process that is alone, and the leases that a process owns. Layer: adapter. Keeps I4, I6, I8.

use botfleet_actors::domain::ids::{BotId, Epoch};
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::Tenure;

use super::session::Session;
use crate::store::engine::Run;
use crate::store::fault::Fault;
use crate::store::sql::tenure::{Whose, end_sends, give_turns_back};
use crate::store::sql::text::statements;
use crate::store::sql::values::values;

statements! {
    OTHERS_DEAD "tenure" = "UPDATE node SET state = 'dead' WHERE state <> 'dead'";
    ALL_LEASES "tenure" = "SELECT kind, key, epoch FROM lease ORDER BY kind, key FOR NO KEY UPDATE";
    MAKE_LEASES "tenure" = "\
INSERT INTO lease (kind, key, epoch) SELECT k.kind, k.id, 0 \
FROM (SELECT 'bot' AS kind, id FROM bot UNION ALL SELECT 'chat', id FROM chat) k ORDER BY k.kind, k.id \
ON CONFLICT (kind, key) DO NOTHING";
    TAKE_ALL "tenure" = "UPDATE lease SET owner = $1, desired = NULL, ready = false, epoch = $2";
    PAUSES_OVER "tenure" = "DELETE FROM send_pause WHERE until <= $1";
    /// Locks a bot's lease if this incarnation still owns it; whoever would take the lease waits.
    IS_MINE "is_mine" = "SELECT key FROM lease WHERE kind = 'bot' AND key = $1 AND owner = $2 FOR SHARE";
}

/// Begins a tenure of everything. All other incarnations are dead already; their transactions are waited for.
pub(super) async fn begin(session: &mut Session<'_>, me: Incarnation, now: Timestamp) -> Result<Tenure, Fault> {
    session.execute(&MAKE_LEASES, values![]).await?;
    let leases: Vec<(String, i64, i64)> = session.fetch(&ALL_LEASES, values![]).await?;
    let epoch = Epoch(leases.iter().map(|(.., epoch)| *epoch).max().unwrap_or(0) + 1);
    let bots: Vec<i64> = leases.into_iter().filter(|(kind, ..)| kind == "bot").map(|(_, key, _)| key).collect();
    session.execute(&TAKE_ALL, values![me.0, epoch.0]).await?;
    session.execute(&PAUSES_OVER, values![now]).await?;
    let (turns_requeued, turns_dead) = give_turns_back(session, bots.clone()).await?;
    let (sends_again, sends_unknown) = end_sends(session, bots, Some(me.0), Whose::Everybodys).await?;
    Ok(Tenure { epoch, turns_requeued, turns_dead, sends_again, sends_unknown })
}

/// Declares all nodes dead.
pub(super) async fn bury_all(session: &mut Session<'_>) -> Result<(), Fault> {
    session.execute(&OTHERS_DEAD, values![]).await.map(drop)
}

/// Returns whether this incarnation owns the bot's lease; if so, the lease stays locked until the transaction ends.
pub(super) async fn is_mine(session: &mut Session<'_>, bot: BotId, me: Option<i64>) -> Result<bool, Fault> {
    Ok(!session.fetch::<i64>(&IS_MINE, values![bot, me]).await?.is_empty())
}
