//! Lists every statement on a table of the data's way, for the test that proves that each uses an index. Layer:
//! adapter.

use super::{cluster, load, write};
use crate::store::sql;
use crate::store::sql::values::Database;

/// The tables that grow with every message.
const LARGE: [&str; 5] = ["inbox", "transcript", "turn", "outbox", "decision"];

/// Returns each statement with its name, as it is sent.
pub fn on_the_datas_way() -> Vec<(&'static str, String)> {
    let own = [super::engine::ALL, cluster::ALL, super::commit::ALL, super::tenure::ALL, write::ALL];
    let shared = sql::all().into_iter().chain(own.into_iter().flatten().copied());
    let texts = shared.filter_map(|sql| Some((sql.name, sql.text(Database::Postgres).ok()?.to_string())));
    let parts = [
        ("load turns", load::TURNS),
        ("load outbox", load::OUTBOX),
        ("load sources", load::SOURCES),
        ("load inbox", load::INBOX),
        ("load dead updates", load::DEAD_UPDATES),
        ("load entries", load::ENTRIES),
        ("write inbox", write::INBOX),
        ("write handled", write::HANDLED),
        ("write turns", write::TURNS),
        ("write outbox", write::OUTBOX),
    ];
    let parts = parts.into_iter().map(|(name, text)| (name, text.to_owned()));
    let large = |text: &str| text.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|word| LARGE.contains(&word));
    texts.chain(parts).filter(|(_, text)| large(text)).collect()
}

/// Returns the planner settings of every connection.
pub fn planning() -> [(&'static str, &'static str); 4] {
    super::open::PLANNING
}
