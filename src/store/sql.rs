//! Implements the ports `Store`, `Archive` and `AuditLog` once for both databases: the statements, one text for both, and the calls that
//! run them. Layer: adapter.
//!
//! | file | holds |
//! |---|---|
//! | `text`, `values` | statements with marks that each database fills in; their values |
//! | `reads`, `outcomes`, `archive` | everything that only reads |
//! | `roster`, `tenure` | bots, chats and personas; work that goes back to the queue |
//! | `orders`, `people` | orders of people: delivery modes, dead letters tried again; rights: opting out, being forgotten |
//! | `configuration` | the configuration as a manifest and operators say it, and its last changes |
//! | `operators` | accounts of those who operate the fleet, their sessions and keys |
//! | `secrets` | sealed secrets, and the keys that seal them |
//! | `requests` | requests that carry an idempotency key, and their answers |
//! | `audit`, `sealing`, `verifying` | entries of the audit; the blocks that seal them; the check of their chain |
//! | `operator_orders` | orders of operators to the owner of a bot or chat |
//! | `speaking` | bots that operators have taken over, and messages that operators have deleted |
//! | `expiry`, `growth` | removal of old texts, and of old rows; the end of turns and messages that nobody took in time |

pub(super) mod archive;
pub(super) mod audit;
pub(super) mod configuration;
pub(super) mod expiry;
pub(super) mod growth;
pub(super) mod operator_orders;
pub(super) mod operators;
pub(super) mod orders;
pub(super) mod outcomes;
pub(super) mod people;
pub(super) mod reads;
pub(super) mod requests;
pub(super) mod roster;
pub(super) mod sealing;
pub(super) mod secrets;
pub(super) mod speaking;
pub(super) mod tenure;
pub(super) mod text;
pub(super) mod values;
pub(super) mod verifying;

use std::sync::Arc;

use async_trait::async_trait;
use botfleet_actors::ports::archive::archive_methods;
use botfleet_actors::ports::audit::audit_methods;
use botfleet_actors::ports::configurations::configurations_methods;
use botfleet_actors::ports::operators::operators_methods;
use botfleet_actors::ports::requests::requests_methods;
use botfleet_actors::ports::secrets::secrets_methods;
use botfleet_actors::ports::store::store_methods;

use self::text::Sql;
use self::values::values;
use super::engine::{Engine, Reads};

/// Stores all state of a fleet in the database of an engine.
pub struct SqlStore<E> {
    pub(super) engine: E,
}

/// Implements a port whose methods a `LIST!` hands over. Each line here is a method and what it is: a call, or all rows of
/// a statement, or the one row that a statement finds. A method without a line is the call of its name in the module
/// after `by`. A call may be dropped at any time: its transaction is then stored as a whole, or not at all.
macro_rules! port {
    ($dollar:tt $list:ident $port:ident for $engine:ident by $module:ident: $($method:ident = $what:ident $name:path;)*) => {
        macro_rules! $port {
            $(($method $dollar($dollar value:expr),*) => { port!(@$what $name, $dollar($dollar value),*) };)*
            ($dollar method:ident $dollar($dollar value:expr),*) => {
                port!(@call $module::$dollar method, $dollar($dollar value),*)
            };
        }

        $list! { port @all_of $port for $engine: }
    };
    (@all_of $port:ident for $engine:ident: $($method:ident($($value:ident: $type:ty),*) -> $result:ty;)+) => {
        #[async_trait]
        impl<E: $engine> $port for SqlStore<E> {
            $(
                async fn $method(&self, $($value: $type),*) -> Result<$result, StoreError> {
                    let _timed = self.engine.timed(stringify!($method));
                    $port!($method &self.engine $(, $value)*)
                }
            )+
        }
    };
    (@call $call:path, $engine:expr $(, $value:expr)*) => {
        $call($engine $(, $value)*).await.map_err(StoreError::from)
    };
    (@all $sql:path, $engine:expr $(, $value:expr)*) => {
        Ok($engine.all(&$sql, values![$($value),*]).await?)
    };
    (@one $sql:path, $engine:expr $(, $value:expr)*) => {
        Ok($engine.all(&$sql, values![$($value),*]).await?.pop())
    };
}

port! { $ store_methods Store for Engine by reads:
    commit = call Engine::commit;
    apply_roster = call roster::apply;
    roster = call Engine::roster;
    set_usernames = call roster::set_usernames;
    begin_tenure = call Engine::begin_tenure;
    reclaim = call tenure::reclaim;
    next_offset = one reads::OFFSET;
    queued_turns = all reads::QUEUED_TURNS;
    waiting_messages = all reads::WAITING_MESSAGES;
    allowances = all reads::ALLOWANCES;
    rights = call people::rights;
    person = call people::person;
    forget = call people::forget;
    outcomes = call outcomes::page;
    prune = call growth::prune;
    expire = call expiry::expire;
    expire_unspoken = call expiry::expire_unspoken;
    check = call Engine::check;
    pauses = all reads::PAUSES;
    unknown_messages = all reads::UNKNOWN_MESSAGES;
    delivery = one reads::DELIVERY;
    close = call Engine::close;
    give_order = call operator_orders::give_order;
    next_order = call operator_orders::next_order;
    operator_order = call operator_orders::operator_order;
    operator_orders = call operator_orders::operator_orders;
    message = one reads::MESSAGE;
    interventions = call speaking::interventions;
    sending = all speaking::SENDING;
    said = call speaking::said;
    retractions_due = call speaking::retractions_due;
    retractions = call speaking::retractions;
}

port! { $ archive_methods Archive for Reads by archive:
    entries = all archive::ENTRIES;
}

port! { $ operators_methods Operators for Engine by operators:
    operators = all operators::ALL_OPERATORS;
    operator_named = one operators::NAMED;
    sessions = all operators::SESSIONS;
    keys = all operators::KEYS;
}

port! { $ requests_methods Requests for Engine by requests:
}

port! { $ secrets_methods Secrets for Engine by secrets:
    secrets_after = all secrets::AFTER;
    secret_keys = all secrets::KEYS;
    secret_nodes = all secrets::NODES;
}

port! { $ configurations_methods Configurations for Engine by configuration:
}

port! { $ audit_methods AuditLog for Engine by audit:
    seal = call sealing::seal;
    audit_head = call sealing::audit_head;
    fold_audit = call sealing::fold_audit;
    verify_audit = call verifying::verify_audit;
}

/// Returns all statements that both databases run.
pub(super) fn all() -> Vec<&'static Sql> {
    let texts = [archive::ALL, configuration::ALL, outcomes::ALL, reads::ALL, roster::ALL, tenure::ALL];
    let rights = [
        expiry::ALL,
        growth::ALL,
        operator_orders::ALL,
        operators::ALL,
        orders::ALL,
        people::ALL,
        requests::ALL,
        speaking::ALL,
    ];
    let sealed = [secrets::ALL];
    let audit = [audit::ALL, sealing::ALL, verifying::ALL];
    texts.into_iter().chain(rights).chain(audit).chain(sealed).flatten().copied().collect()
}
