//! Opens the database: its address, the limits of its connections, and the check of its schema. Layer: adapter. Keeps
//! I12.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::migrations::{MigrationError, Standing};

/// The longest time that a statement waits for a lock.
const LOCK_WITHIN: Duration = Duration::from_secs(3);
/// The time after which the server ends a transaction whose process is silent: its locks are free well before a new
/// owner needs them.
const SILENT_TRANSACTION: Duration = Duration::from_secs(2);

/// Plans by index and nested loops only: plans are made once, when tables may still be empty, and must be right at a
/// million rows.
pub const PLANNING: [(&str, &str); 4] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// The reasons why the store could not be opened. No variant shows the address: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is not one of a PostgreSQL database.
    #[error("store.url is no address of a PostgreSQL database; write postgres://user@host:port/database")]
    Address,
    /// The server cannot be reached, or refuses the connection.
    #[error("{place}: {cause}; check that PostgreSQL runs there, and user, password and database of store.url")]
    Unreachable {
        /// Host, port and database.
        place: String,
        /// The error.
        cause: String,
    },
    /// The schema is older than this version.
    #[error("{place}: the schema lacks {} of its migrations ({}); run botfleet migrate up", missing.len(), list(missing))]
    Behind {
        /// Host, port and database.
        place: String,
        /// The migrations that are missing.
        missing: Vec<i64>,
    },
    /// A newer version changed the schema in a way that this version cannot work with.
    #[error(
        "{place}: schema {found} is of a newer botfleet, this one knows up to {known}; run the newer one, or take the schema back with its botfleet migrate down --to {known}"
    )]
    Newer {
        /// Host, port and database.
        place: String,
        /// The newest applied contraction, which this version does not know.
        found: i64,
        /// The newest migration that this version knows.
        known: i64,
    },
    /// The schema could not be determined.
    #[error("{place}: {cause}")]
    Schema {
        /// Host, port and database.
        place: String,
        /// The error.
        cause: MigrationError,
    },
}

fn list(versions: &[i64]) -> String {
    versions.iter().map(|version| format!("{version:04}")).collect::<Vec<_>>().join(", ")
}

/// The address of a database, with user and password.
#[derive(Clone)]
pub struct Address {
    options: PgConnectOptions,
    place: String,
}

impl Address {
    /// Parses an address; a separate `password` replaces the one in the address.
    ///
    /// # Errors
    /// `Address` when `url` is not an address of a PostgreSQL database.
    pub fn new(url: &SecretString, password: Option<&SecretString>) -> Result<Self, OpenError> {
        let url = url.expose_secret().trim();
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(OpenError::Address);
        }
        let mut options = PgConnectOptions::from_str(url).map_err(|_| OpenError::Address)?.disable_statement_logging();
        if let Some(password) = password {
            options = options.password(password.expose_secret().trim());
        }
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let place = format!("database {database} at {}:{}", options.get_host(), options.get_port());
        Ok(Self { options, place })
    }

    /// Returns host, port and database, without user and password.
    pub fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn plain(&self) -> PgConnectOptions {
        self.options.clone().application_name("botfleet migrate")
    }

    /// Returns the options of a connection, with the time limits that every statement has.
    pub(super) fn bounded(&self, session: &str, statement: Duration) -> PgConnectOptions {
        let millis = |duration: Duration| duration.as_millis().to_string();
        let options = self.options.clone().application_name(session).statement_cache_capacity(256);
        options
            .options([
                ("statement_timeout", millis(statement)),
                ("lock_timeout", millis(LOCK_WITHIN.min(statement))),
                ("idle_in_transaction_session_timeout", millis(SILENT_TRANSACTION)),
                ("tcp_keepalives_idle", "3".to_owned()),
                ("tcp_keepalives_interval", "1".to_owned()),
                ("tcp_keepalives_count", "3".to_owned()),
                ("tcp_user_timeout", "6000".to_owned()),
                ("jit", "off".to_owned()),
                ("timezone", "UTC".to_owned()),
                ("default_transaction_isolation", "read committed".to_owned()),
            ])
            .options(PLANNING)
    }

    /// Checks that a process of this version may work with the schema.
    pub(super) fn judge(&self, standing: &Standing) -> Result<(), OpenError> {
        if !standing.needed.is_empty() {
            return Err(OpenError::Behind { place: self.place.clone(), missing: standing.needed.clone() });
        }
        if let Some(found) = standing.newer_contract {
            return Err(OpenError::Newer { place: self.place.clone(), found, known: standing.known });
        }
        Ok(())
    }
}
