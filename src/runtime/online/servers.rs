//! Asks database and Redis, as a start would find them; writes nothing. Part of `online`.

#![allow(clippy::doc_markdown, reason = "PostgreSQL is a name, not an item")]

use std::time::Duration;

use secrecy::SecretString;

use super::Finding;
use crate::bus::inquiry::answers;
use crate::config::connections::Connections;
use crate::config::settings::Config;
use crate::store::postgres::migrations::{Schema, Standing};
use crate::store::postgres::open::Address;
use crate::store::sqlite::SqliteArchive;
use crate::store::sqlite::open::OpenError;

/// Most time for a server to answer.
const WITHIN: Duration = Duration::from_secs(10);

/// Asks both servers.
pub(super) async fn look(config: &Config, connections: &Connections) -> Vec<Finding> {
    let mut findings = vec![match &connections.postgres {
        Some(url) => postgres(url, connections.postgres_password.as_ref()).await,
        None => sqlite(config).await,
    }];
    if let Some(url) = &connections.redis {
        findings.push(redis(url).await);
    }
    findings
}

async fn sqlite(config: &Config) -> Finding {
    let path = &config.store.path;
    let name = path.display().to_string();
    if !path.exists() {
        return Finding::sound("database", name, "is not there yet, the first start makes it");
    }
    match SqliteArchive::open(path).await {
        Ok(_) => Finding::sound("database", name, "is there, its schema is this version's"),
        Err(OpenError::OlderSchema { found, known, .. }) => Finding::sound(
            "database",
            name,
            format!("has schema {found}; the next start copies it and brings it to {known}"),
        ),
        Err(error) => Finding::fault("database", name, error.to_string(), "see what the message asks for"),
    }
}

async fn postgres(url: &SecretString, password: Option<&SecretString>) -> Finding {
    let address = match Address::new(url, password) {
        Ok(address) => address,
        Err(error) => return Finding::fault("database", "PostgreSQL", error.to_string(), "correct store.url"),
    };
    let place = address.place().to_owned();
    let asked = tokio::time::timeout(WITHIN, async {
        let mut schema = Schema::connect(&address).await?;
        let standing = Standing::of(&schema.steps().await?);
        let guarded = if standing.pending.is_empty() { Some(schema.audit_is_guarded().await?) } else { None };
        anyhow::Ok((standing, guarded))
    });
    match asked.await {
        Err(_) => {
            let what = format!("does not answer within {} s", WITHIN.as_secs());
            Finding::fault("database", place, what, "check host, port and firewall of store.url")
        }
        Ok(Err(error)) => {
            Finding::fault("database", place, format!("{error:#}"), "check store.url, the role and its rights")
        }
        Ok(Ok((standing, guarded))) => match (standing.newer_contract, standing.pending.len()) {
            (Some(found), _) => Finding::fault(
                "database",
                place,
                format!("schema {found:04} is of a newer botfleet"),
                "run that version",
            ),
            (None, 0) if guarded == Some(false) => Finding::warning(
                "database",
                place,
                "answers, its schema is this version's; its role owns the audit and can delete from it",
                "migrate as the owner, run as another role, and give that its rights by botfleet migrate grant ROLE",
            ),
            (None, 0) => Finding::sound("database", place, "answers, its schema is this version's"),
            (None, pending) => Finding::fault(
                "database",
                place,
                format!("{pending} migrations are pending"),
                "run botfleet migrate up",
            ),
        },
    }
}

async fn redis(url: &SecretString) -> Finding {
    match answers(url).await {
        Ok(()) => Finding::sound("redis", "Redis", "answers"),
        Err(why) => {
            let remedy = "check redis.url; without Redis the fleet works, and answers wait for half a second more";
            Finding::fault("redis", "Redis", why, remedy)
        }
    }
}
