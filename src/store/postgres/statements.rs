//! Lists every statement on a table of the data's way, for the test that proves that each uses an index. Layer:
//! adapter.

use super::{cluster, commit, engine, load, tenure};
use crate::store::commit as batch;
use crate::store::sql;
use crate::store::sql::values::Database;

/// The tables that grow with every message.
const LARGE: [&str; 5] = ["inbox", "transcript", "turn", "outbox", "decision"];

/// Returns each statement with its name, as it is sent.
pub fn on_the_datas_way() -> Vec<(&'static str, String)> {
    let own = [engine::ALL, cluster::ALL, commit::ALL, tenure::ALL, load::ALL, batch::load::ALL, batch::write::ALL];
    let shared = sql::all().into_iter().chain(own.into_iter().flatten().copied());
    let texts = shared.filter_map(|sql| Some((sql.name, sql.text(Database::Postgres).ok()?.to_string())));
    let large = |text: &str| text.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|word| LARGE.contains(&word));
    texts.filter(|(_, text)| large(text)).collect()
}

/// Returns the planner settings of every connection.
pub fn planning() -> [(&'static str, &'static str); 4] {
    super::open::PLANNING
}
