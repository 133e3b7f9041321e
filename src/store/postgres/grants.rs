//! Grants the role that runs the fleet what it needs, and no more of the audit than that. Layer: adapter. Keeps I12.
//!
//! The role reads and inserts entries and blocks. It may note in an entry where the entry is sealed, and empty an entry of
//! whoever is forgotten. The row policies of the audit's migration let it delete what is nearly a year old alone. The
//! tables' owner is not bound by any of this, so the owner migrates and another role runs.

use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use super::migrations::{MigrationError, Schema};
use crate::store::settings::Backend;
use crate::store::tables::names_on;

/// Tables of the audit, with the rights on each.
const AUDIT: [(&str, &str); 3] = [
    ("audit_entry", "SELECT, INSERT, DELETE, UPDATE (waits_since, block, place, principal, act, object, salt, body)"),
    ("audit_block", "SELECT, INSERT, DELETE"),
    ("audit_checkpoint", "SELECT, UPDATE"),
];

/// True when the role that asks is neither the owner of the audit nor anybody who can act as the owner.
const GUARDED: &str = "\
SELECT NOT bool_or(pg_has_role(current_user, relowner, 'MEMBER')) FROM pg_class \
WHERE oid IN ('audit_entry'::regclass, 'audit_block'::regclass, 'audit_checkpoint'::regclass)";

/// A name that is no name of a role, as far as botfleet takes one.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The name has other characters than a name needs.
    #[error("{0:?} is no name of a role: write letters, digits and underscores, at most 63")]
    Name(String),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Schema {
    /// Grants an existing role what a node needs to run; what it had on the audit's tables before is taken away.
    ///
    /// # Errors
    /// When there is no such role, or the caller does not own the tables.
    pub async fn grant(&mut self, role: &str) -> Result<(), GrantError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if role.is_empty() || role.len() > 63 || !role.chars().all(fits) {
            return Err(GrantError::Name(role.to_owned()));
        }
        let mut transaction = self.connection.begin().await?;
        for statement in statements(role) {
            transaction.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Returns whether the role that asks can change what is in the audit: false when it owns the tables.
    ///
    /// # Errors
    /// When the database does not answer, or has no audit.
    pub async fn audit_is_guarded(&mut self) -> Result<bool, MigrationError> {
        Ok(self.connection.fetch_one(GUARDED).await?.try_get(0)?)
    }
}

fn statements(role: &str) -> Vec<String> {
    let plain = names_on(Backend::Postgres).filter(|name| AUDIT.iter().all(|(of_audit, _)| of_audit != name));
    let plain = plain.collect::<Vec<_>>().join(", ");
    let audit = AUDIT.map(|(table, _)| table).join(", ");
    let mut statements = vec![
        format!("GRANT USAGE ON SCHEMA public TO \"{role}\""),
        format!("GRANT SELECT ON schema_migration TO \"{role}\""),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {plain} TO \"{role}\""),
        format!("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO \"{role}\""),
        format!("REVOKE ALL ON {audit} FROM \"{role}\""),
    ];
    statements.extend(AUDIT.iter().map(|(table, rights)| format!("GRANT {rights} ON {table} TO \"{role}\"")));
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_granted_once() {
        let statements = statements("runner").join("; ");
        let words: Vec<&str> = statements.split(|c: char| c != '_' && !c.is_alphanumeric()).collect();
        for table in names_on(Backend::Postgres) {
            let times = words.iter().filter(|word| **word == table).count();
            let of_audit = AUDIT.iter().any(|(name, _)| *name == table);
            assert_eq!(times, if of_audit { 2 } else { 1 }, "{table}");
        }
    }
}
