//! Ends turns and messages that nobody took in time. Layer: adapter. Keeps I14.
//!
//! Locked rows are skipped: whoever holds them is alive, and the next call comes in a minute.

use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;

use super::error::to_port;
use super::session::Sessions;
use crate::store::person::{UNSPOKEN, UNSPOKEN_ROWS};

pub(super) const TURNS: &str = "\
UPDATE turn SET state = 'expired', error = $2 WHERE id IN (SELECT id FROM turn \
WHERE state IN ('queued', 'claimed') AND expires_at <= $1 LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)";
pub(super) const MESSAGES: &str = "\
UPDATE outbox SET state = 'cancelled', error = $2 WHERE id IN (SELECT id FROM outbox \
WHERE state IN ('queued', 'sending', 'retry_at') AND state <> 'sending' AND expires_at <= $1 \
LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)";

/// Ends turns and messages whose time was over at `before`.
pub(super) async fn expire(sessions: &Sessions, before: Timestamp) -> Result<u64, StoreError> {
    let mut ended = 0;
    for (name, text) in [("unspoken_turns", TURNS), ("unspoken_messages", MESSAGES)] {
        let mut session = sessions.transaction().await?;
        let statement = sqlx::query(text).bind(before.as_millis()).bind(UNSPOKEN).bind(UNSPOKEN_ROWS);
        ended += session.execute(name, statement).await.map_err(|error| to_port(&error))?;
        session.commit().await.map_err(|error| to_port(&error))?;
    }
    Ok(ended)
}
