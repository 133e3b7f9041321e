//! Ends turns and messages that nobody took in time. Layer: adapter. Keeps I14.
//!
//! The conditions repeat the text of the partial indexes, which hold open rows only.

use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;
use tokio::sync::Mutex;

use super::writer::Writer;
use crate::store::person::{UNSPOKEN, UNSPOKEN_ROWS};

const TURNS: &str = "\
UPDATE turn SET state = 'expired', error = $2 WHERE id IN (SELECT id FROM turn \
WHERE state IN ('queued', 'claimed', 'dead') AND state IN ('queued', 'claimed') AND expires_at <= $1 LIMIT $3)";
const MESSAGES: &str = "\
UPDATE outbox SET state = 'cancelled', error = $2 WHERE id IN (SELECT id FROM outbox \
WHERE state IN ('queued', 'sending', 'retry_at', 'unknown') AND state IN ('queued', 'retry_at') AND expires_at <= $1 \
LIMIT $3)";

/// Ends turns and messages whose time was over at `before`.
pub(super) async fn expire(writer: &Mutex<Writer>, before: Timestamp) -> Result<u64, StoreError> {
    let mut ended = 0;
    for text in [TURNS, MESSAGES] {
        let mut writer = writer.lock().await;
        let statement = sqlx::query(text).bind(before.as_millis()).bind(UNSPOKEN).bind(UNSPOKEN_ROWS);
        match statement.execute(writer.begin().await?).await {
            Ok(done) => ended += done.rows_affected(),
            Err(error) => return Err(writer.fail(&error)),
        }
        writer.commit().await?;
    }
    Ok(ended)
}
