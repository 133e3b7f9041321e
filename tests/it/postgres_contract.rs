//! Runs the contract of the store on `PostgreSQL` (I1-I4, I6, I8, I11).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use async_trait::async_trait;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::contract::Home;
use tokio::sync::OnceCell;

use super::postgres::{database, store};

/// Gives each claim a database of its own.
#[derive(Default)]
struct PgHome(OnceCell<String>);

#[async_trait]
impl Home for PgHome {
    async fn open(&self) -> Arc<dyn Store> {
        let database = self.0.get_or_init(database).await;
        Arc::new(store(database).await)
    }
}

botfleet_actors::store_contract!(PgHome::default());
