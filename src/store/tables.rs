//! Lists the tables of the store, once: whether each grows, when its rows go, and what `/forgetme` does with them. Layer:
//! adapter.
//!
//! The columns of statements (`columns T` in a mark), the sizes and the bounds of `botfleet eval age` come from this list.
//! Tests compare the list with a migrated schema of each database. Parts of rows have their columns in [`PARTS`].

use botfleet_actors::domain::allowance::AllowanceKey;
use botfleet_actors::domain::commit::rows::{StopChange, TurnHead};
use botfleet_actors::domain::control::StopScope;
use botfleet_actors::domain::decision::Decision;
use botfleet_actors::domain::inbox::InboxRow;
use botfleet_actors::domain::operator_order::OperatorOrder;
use botfleet_actors::domain::operators::{Operator, OperatorKey, OperatorSession};
use botfleet_actors::domain::outbox::{OutboxMessage, SendProgress};
use botfleet_actors::domain::pause::Pause;
use botfleet_actors::domain::retraction::Retraction;
use botfleet_actors::domain::secret::{SecretKey, SecretNode, StoredSecret};
use botfleet_actors::domain::takeover::Takeover;
use botfleet_actors::domain::transcript::{EntryKey, TranscriptEntry};
use botfleet_actors::domain::turn::{Turn, TurnProgress};

use super::rows::part::Put;
use super::settings::Backend;
use super::sql::values::Column;

/// A table, with the rules for its rows.
pub struct Table {
    /// The name of the table.
    pub name: &'static str,
    /// The number of rows that the table comes to have.
    pub rows: Rows,
    /// The one database that has the table, where it is one.
    only: &'static [Backend],
    /// The columns, where a domain type says them.
    columns: &'static [Columns],
    /// The statement by which old rows go.
    pub goes: Rule,
    /// The statement by which `/forgetme` removes what a person said.
    pub forgotten: Rule,
}

/// The number of rows that a table comes to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// New rows come as long as the fleet works, so old ones must go.
    Growing,
    /// As many rows as the fleet has bots, chats, nodes and people.
    Bounded,
}

/// The statement that does something with the rows of a table, or the reason why nothing does.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// The name of the statement.
    By(&'static str),
    /// The reason.
    Never(&'static str),
}

type Columns = fn(&'static str, &mut Vec<Column>);

/// Declares the list. A line is a table, its rows as a domain type where there is one, and the rules.
macro_rules! tables {
    ($(
        $name:ident $(($row:ty))? $(only $only:ident)?: $rows:ident, goes($goes:ident $gone:literal), forgotten($is:ident $how:literal);
    )+) => {
        /// All tables of the store.
        pub static TABLES: &[Table] = &[$(Table {
            name: stringify!($name),
            rows: Rows::$rows,
            only: &[$(Backend::$only)?],
            columns: &[$(<$row>::columns)?],
            goes: Rule::$goes($gone),
            forgotten: Rule::$is($how),
        }),+];

        /// Measures every table that the database has, and the whole database under an empty name.
        pub(super) const SIZES: &str = concat!(
            $(size!($($only)? $name),)+
            "SELECT '', 0, `page_count * page_size FROM pragma_page_count, pragma_page_size|\
pg_database_size(current_database())`"
        );
    };
}

macro_rules! size {
    ($name:ident) => {
        concat!(
            "SELECT '",
            stringify!($name),
            "', (SELECT count(*) FROM ",
            stringify!($name),
            "), \
`(SELECT coalesce(sum(s.pgsize), 0) FROM sqlite_schema m JOIN dbstat s ON s.name = m.name \
AND s.aggregate = TRUE WHERE m.tbl_name = '",
            stringify!($name),
            "')|pg_total_relation_size('",
            stringify!($name),
            "')` \
UNION ALL "
        )
    };
    (Postgres $name:ident) => {
        concat!(
            "`|SELECT '",
            stringify!($name),
            "', (SELECT count(*) FROM ",
            stringify!($name),
            "), \
pg_total_relation_size('",
            stringify!($name),
            "') UNION ALL `"
        )
    };
}

tables! {
    inbox (InboxRow): Growing, goes(By "drop_updates"), forgotten(By "forget_updates");
    transcript (TranscriptEntry): Growing, goes(By "drop_entries"), forgotten(By "forget_entries");
    decision (Decision): Growing, goes(By "drop_decisions"), forgotten(By "forget_decisions");
    turn (Turn): Growing, goes(By "drop_turns"), forgotten(By "empty_acts");
    outbox (OutboxMessage): Growing, goes(By "drop_messages"), forgotten(By "empty_outbox");
    allowance: Growing, goes(By "drop_allowances"), forgotten(Never "names no person");
    commit_mark only Postgres: Bounded, goes(Never "one row a process; tidying deletes those of a week ago"),
        forgotten(Never "names no person");
    operator_order (OperatorOrder): Growing, goes(By "drop_orders"), forgotten(Never "an operator's own words, gone with the end of the order");
    takeover (Takeover): Bounded, goes(By "drop_takeovers"), forgotten(Never "names operators and bots alone");
    retraction (Retraction): Growing, goes(By "drop_retractions"), forgotten(Never "holds ids of the fleet's own messages");
    audit: Bounded, goes(By "drop_audit"), forgotten(Never "proves for a year what the person ordered");
    audit_entry: Growing, goes(By "drop_audit_entries"), forgotten(By "forget_audit");
    audit_block: Growing, goes(By "drop_audit_blocks"), forgotten(Never "holds hashes alone");
    audit_checkpoint: Bounded, goes(Never "one row"), forgotten(Never "holds hashes alone");
    erasure: Bounded, goes(Never "words that arrive late must be known as forgotten"),
        forgotten(Never "is the request itself");
    opt_out: Bounded, goes(Never "holds until the person opts in"), forgotten(Never "is the person's own order");
    right_said: Bounded, goes(Never "one row a person, who may order again"),
        forgotten(Never "orders the person's own orders");
    send_window: Bounded, goes(Never "one row a key, overwritten"), forgotten(Never "names no person");
    send_pause (Pause): Bounded, goes(Never "one row a place; a new tenure deletes those that are over"),
        forgotten(Never "names no person");
    control ((StopScope, StopChange)): Bounded, goes(Never "one row a place, until the stop is lifted"),
        forgotten(Never "tells who stopped the fleet, not what the person said");
    chat_head: Bounded, goes(Never "one row a chat"), forgotten(Never "holds numbers and times alone");
    chat_absence: Bounded, goes(Never "one row a bot and chat at most"), forgotten(Never "names bots alone");
    chat: Bounded, goes(Never "a chat that left the manifest may come back"), forgotten(Never "is the manifest's");
    chat_alias: Bounded, goes(Never "old messages are known by old ids of their chat"), forgotten(Never "names chats alone");
    chat_member: Bounded, goes(Never "changes with the manifest"), forgotten(Never "names bots alone");
    bot: Bounded, goes(Never "a bot that left the manifest may come back"), forgotten(Never "is the manifest's");
    bot_cursor: Bounded, goes(Never "one row a bot"), forgotten(Never "names bots alone");
    bot_delivery: Bounded, goes(Never "one row a bot"), forgotten(Never "names bots alone");
    persona: Bounded, goes(Never "one row a persona"), forgotten(Never "is the manifest's");
    persona_revision: Bounded, goes(Never "explains old decisions"), forgotten(Never "is the manifest's");
    operator (Operator): Bounded, goes(Never "an account stays until an admin removes it"),
        forgotten(Never "an operator's own account");
    operator_recovery: Bounded, goes(Never "ten rows an account, each used once"), forgotten(Never "hashes of codes");
    operator_session (OperatorSession): Bounded, goes(By "drop_sessions"), forgotten(Never "an operator's own session");
    operator_key (OperatorKey): Bounded, goes(By "drop_keys"), forgotten(Never "an operator's own key");
    secret (StoredSecret): Bounded, goes(Never "one row a bot or provider at most"), forgotten(Never "secrets of the fleet's own");
    secret_key (SecretKey): Bounded, goes(Never "one row a key, of which there are few"), forgotten(Never "names no person");
    secret_node (SecretNode): Bounded, goes(Never "one row a name of a node"), forgotten(Never "names no person");
    idempotency: Growing, goes(By "drop_requests"), forgotten(Never "answers to operators, gone after a day");
    first_admin: Bounded, goes(Never "one row, until there is an admin"), forgotten(Never "the hash of a link");
    resource: Bounded, goes(Never "one row a thing of the configuration"), forgotten(Never "is the manifest's or an operator's");
    config_step: Bounded, goes(By "drop_steps"), forgotten(Never "is the manifest's or an operator's");
    lease: Bounded, goes(Never "one row a bot or chat"), forgotten(Never "names no person");
    node: Bounded, goes(Never "one row a name; on PostgreSQL a node that joins deletes dead ones"),
        forgotten(Never "names no person");
    setting: Bounded, goes(Never "a fixed number of keys"), forgotten(Never "names no person");
}

/// Parts of rows whose columns statements name.
const PARTS: &[(&str, Columns)] = &[
    ("key", EntryKey::columns),
    ("turn_progress", TurnProgress::columns),
    ("turn_head", TurnHead::columns),
    ("send_progress", SendProgress::columns),
    ("period", AllowanceKey::columns),
];

/// Returns the names of the tables that a database has.
pub fn names_on(backend: Backend) -> impl Iterator<Item = &'static str> {
    let on_it = move |table: &&Table| table.only.is_empty() || table.only.contains(&backend);
    TABLES.iter().filter(on_it).map(|table| table.name)
}

/// Returns the columns of a table, or of a part of a row; `None` for an unknown name.
pub(super) fn columns_of(name: &str) -> Option<Vec<Column>> {
    let table = TABLES.iter().find(|table| table.name == name).and_then(|table| table.columns.first().copied());
    let part = || PARTS.iter().find(|(part, _)| *part == name).map(|(_, columns)| *columns);
    let append = table.or_else(part)?;
    let mut columns = Vec::new();
    append("", &mut columns);
    Some(columns)
}
