//! Lists every statement on a table of the data's way, for the test that proves that each uses an index. Layer:
//! adapter.

use super::tenure::Whose;
use super::{
    ABANDONED, PRUNE, archive, cluster, expiry, load, orders, outcomes, people, reads, tenure, unspoken, write,
};
use crate::store::archive::MESSAGE_NUMBER;

/// Returns each statement with its name, as it is sent.
pub fn on_the_datas_way() -> Vec<(&'static str, String)> {
    let sql = &*reads::SQL;
    let recorded = &*archive::SQL;
    let sends = |head: &str, whose: Whose| format!("{head}{}", whose.condition());
    let mut statements: Vec<(&'static str, String)> = [
        ("backlog", reads::BACKLOG),
        ("depths", reads::DEPTHS),
        ("unhandled", &*sql.unhandled),
        ("transcript", &*sql.transcript),
        ("conversation", &*sql.conversation),
        ("find_messages", &*sql.find),
        ("highest_messages", reads::HIGHEST),
        ("entry_numbers", reads::ENTRY_NUMBERS),
        ("queued_turns", &*sql.queued_turns),
        ("waiting_messages", &*sql.waiting_messages),
        ("unknown_messages", &*sql.unknown_messages),
        ("said_lately", reads::SAID_LATELY),
        ("turn", &*sql.turn),
        ("messages_of_turn", &*sql.messages_of_turn),
        ("message", &*sql.message),
        ("outcome_rows", outcomes::ROWS),
        ("outcome_turns", outcomes::TURNS),
        ("outcome_messages", outcomes::MESSAGES),
        ("dead_letters", orders::DEAD_LETTERS),
        ("readdressed", orders::READDRESSED),
        ("renew_updates", orders::UNHANDLED),
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
        ("turns_put_back", tenure::TURNS_PUT_BACK),
        ("turns_dead", tenure::TURNS_DEAD),
        ("turns_requeued", tenure::TURNS_REQUEUED),
        ("still_sending", cluster::STILL_SENDING),
        ("turns_of", &*recorded.turns_of),
        ("messages_of", &*recorded.messages_of),
        ("entries", &*recorded.entries),
        ("message_number", MESSAGE_NUMBER),
        ("prune", PRUNE),
        ("abandon_updates", ABANDONED),
        ("updates_to_expire", expiry::UPDATES_PAGE),
        ("expire_updates", expiry::EMPTY_UPDATES),
        ("entries_of_person", people::ENTRIES_OF),
        ("updates_of_person", people::UPDATES_OF),
        ("updates_to_forget", people::FIND_UPDATES),
        ("forget_updates", people::CUT_UPDATES),
        ("entries_to_forget", people::FIND_ENTRIES),
        ("turns_to_forget", people::TURNS_OF),
        ("messages_to_empty", people::MESSAGES_OF),
        ("sent_to_empty", people::SENT_OF),
        ("empty_said", people::EMPTY_SAID),
        ("forget_decisions", people::EMPTY_DECISIONS),
        ("forget_entries", people::EMPTY_ENTRIES),
        ("old_entries", expiry::OLD_ENTRIES),
        ("old_decisions", expiry::OLD_DECISIONS),
        ("expire_entries", expiry::EMPTY_ENTRIES),
        ("turns_to_expire", expiry::TURNS_OF),
        ("expire_decisions", expiry::EMPTY_DECISIONS),
        ("unspoken_turns", unspoken::TURNS),
        ("unspoken_messages", unspoken::MESSAGES),
    ]
    .into_iter()
    .map(|(name, text)| (name, text.to_owned()))
    .collect();
    statements.extend(archive::decision_statements().map(|text| ("decisions", text)));
    for whose in [Whose::Everybodys, Whose::Mine, Whose::Deads, Whose::Others] {
        statements.push(("sends_again", sends(tenure::SENDS_AGAIN, whose)));
        statements.push(("sends_unknown", sends(tenure::SENDS_UNKNOWN, whose)));
    }
    statements
}

/// Returns the planner settings of every connection.
pub fn planning() -> [(&'static str, &'static str); 4] {
    super::open::PLANNING
}
