//! Lists every statement as it is sent, for the tests that prove that each one uses an index. Layer: adapter.

use super::settings::Backend;
use super::sql::text::Sql;
use super::sql::values::Database;
use super::{commit, postgres, sql, sqlite};

/// Returns each statement that a database runs, and each part of the group commit's, with its name. A statement with an
/// unknown mark is the error that names the mark.
pub fn sent_to(backend: Backend) -> Vec<(&'static str, String)> {
    use postgres::{cluster, commit as writer, engine, load, tenure};
    let (database, own) = match backend {
        Backend::Sqlite => (Database::Sqlite, vec![sqlite::engine::ALL, sqlite::tenure::ALL]),
        Backend::Postgres => (Database::Postgres, vec![engine::ALL, cluster::ALL, writer::ALL, tenure::ALL, load::ALL]),
    };
    let own = own.into_iter().chain([commit::load::ALL, commit::write::ALL]).flatten().copied();
    let sent = |sql: &'static Sql| {
        let text = sql.text(database).map_or_else(|error| error.to_string(), |text| text.to_string());
        (sql.name, text)
    };
    sql::all().into_iter().chain(own).map(sent).collect()
}

/// Returns the names of the statements that look for a person's words or remove them.
pub fn of_removals() -> Vec<&'static str> {
    sql::people::ALL.iter().map(|sql| sql.name).collect()
}
