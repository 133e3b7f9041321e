//! Shares one `PostgreSQL` server among the tests of the store: one for the binary, one database for each test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicU32, Ordering};

use botfleet::store::postgres::PgStore;
use botfleet::store::postgres::migrations::Schema;
use botfleet::store::postgres::open::Address;
use botfleet::store::settings::StoreSettings;
use botfleet_loadtest::servers::postgres::Postgres;
use secrecy::SecretString;
use tokio::sync::OnceCell;

const TEMPLATE: &str = "template_botfleet";

/// Returns the shared server, with a template of a database that is up to date.
pub(super) async fn server() -> &'static Postgres {
    static READY: OnceCell<()> = OnceCell::const_new();
    let server = Postgres::shared().await.expect("PostgreSQL starts");
    READY
        .get_or_init(|| async {
            let url = server.create_database(TEMPLATE).await.expect("the template is made");
            let mut schema = Schema::connect(&address(&url)).await.expect("the template answers");
            schema.up("test", false).await.expect("the migrations apply");
        })
        .await;
    server
}

/// Makes an address without a password.
pub(super) fn address(url: &str) -> Address {
    Address::new(&SecretString::from(url.to_owned()), None).expect("an address")
}

/// Returns a name that no other database of the server has.
pub(super) fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes a new database that is up to date, and returns its name.
pub(super) async fn database() -> String {
    let server = server().await;
    let name = fresh_name();
    let make = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy");
    server.query("postgres", &make).await.expect("the database is made");
    name
}

/// Opens the store on a database of the shared server.
pub(super) async fn store(database: &str) -> PgStore {
    let url = server().await.url(database);
    PgStore::open(&StoreSettings::default(), &address(&url)).await.expect("the store opens")
}
