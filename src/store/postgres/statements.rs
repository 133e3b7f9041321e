//! Lists every statement on a table of the data's way, for the test that proves that each uses an index. Layer:
//! adapter.

use super::{cluster, commit, engine, load, tenure};
use crate::store::commit as batch;
use crate::store::sql;
use crate::store::sql::text::Sql;
use crate::store::sql::values::Database;

/// The tables that grow with every message.
const LARGE: [&str; 5] = ["inbox", "transcript", "turn", "outbox", "decision"];

/// Returns all statements that this database runs, and the parts of the group commit's.
fn all() -> Vec<&'static Sql> {
    let own = [engine::ALL, cluster::ALL, commit::ALL, tenure::ALL, load::ALL, batch::load::ALL, batch::write::ALL];
    sql::all().into_iter().chain(own.into_iter().flatten().copied()).collect()
}

/// Returns each statement with its name, as it is sent.
pub fn on_the_datas_way() -> Vec<(&'static str, String)> {
    let large = |text: &str| text.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|word| LARGE.contains(&word));
    let texts = all().into_iter().filter_map(|sql| Some((sql.name, sql.text(Database::Postgres).ok()?.to_string())));
    texts.filter(|(_, text)| large(text)).collect()
}

/// Returns the planner settings of every connection.
pub fn planning() -> [(&'static str, &'static str); 4] {
    super::open::PLANNING
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Database, all};

    #[test]
    fn every_mark_of_every_statement_is_known() {
        for statement in all() {
            let text = statement.text(Database::Postgres).unwrap();
            assert!(!text.contains('`'), "{}: {text}", statement.name);
        }
    }
}
