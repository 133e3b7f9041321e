//! The deadline of store calls in handlers. Layer `actors`.

use std::future::Future;
use std::time::Duration;

use crate::ports::store::StoreError;

/// Deadline of a store call in a handler.
const STORE_DEADLINE: Duration = Duration::from_secs(10);

/// Awaits a store call under the handler's deadline.
pub(in crate::actors) async fn in_time<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable(format!("no answer within {} s", STORE_DEADLINE.as_secs()));
    tokio::time::timeout(STORE_DEADLINE, call).await.map_err(late)?
}
