//! Reads and changes the configuration as a manifest and operators say it, and keeps its last changes. Layer: adapter. Keeps I8,
//! I10.

use std::collections::BTreeMap;

use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::configuration::{
    ConfigStep, Configuration, Configured, NewConfiguration, PersonaRevision, Resource, ResourceChange, ResourceId,
    ResourceKind, STEPS_KEPT,
};
use botfleet_actors::domain::roster::Persona;
use botfleet_actors::domain::time::Timestamp;

use super::text::statements;
use super::values::{Rows, json, values};
use super::{audit, roster};
use crate::store::engine::{Engine, Reads, Run, Work};
use crate::store::fault::Fault;
use crate::store::rows::part::{Of, unreadable};

statements! {
    RESOURCES "resources" = "SELECT kind, name, body FROM resource";
    NUMBER "config_number" = "SELECT coalesce(max(number), 0) FROM config_step";
    MANIFEST "applied_manifest" = "SELECT value FROM setting WHERE key = 'manifest'";
    IN_FORCE "config_in_force" = "SELECT coalesce((SELECT config_seq FROM setting WHERE key = 'roster'), 0)";
    APPLIED "manifest_applied" = "\
INSERT INTO setting (key, value, config_seq) VALUES ('manifest', $1, 0) \
ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    REMOVE_RESOURCES "remove_resources" = "\
DELETE FROM resource WHERE (kind, name) IN (SELECT kind, name FROM `rows 1 kind text, name text`)";
    PUT_RESOURCES "put_resources" = "\
INSERT INTO resource (kind, name, version, body) \
SELECT kind, name, $2, body FROM `rows 1 kind text, name text, body json` WHERE true \
ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version, body = excluded.body";
    PUT_STEP "put_step" = "INSERT INTO config_step (number, at, who, changes) VALUES ($1, $2, $3, $4)";
    DROP_STEPS "drop_steps" = "\
DELETE FROM config_step WHERE number <= coalesce((SELECT number FROM config_step \
ORDER BY number DESC LIMIT 1 OFFSET $1), -1)";
    STEPS "config_steps" = "\
SELECT number, at, who, changes FROM config_step WHERE number < $1 ORDER BY number DESC LIMIT $2";
    REVISIONS "persona_revisions" = "\
SELECT revision, created_at, body FROM persona_revision WHERE persona = $1 ORDER BY revision DESC LIMIT $2";
}

/// Returns the configuration.
pub(crate) async fn configuration(db: &impl Reads) -> Result<Configuration, Fault> {
    let mut look = db.look().await?;
    let read = read(&mut look).await?;
    look.commit().await?;
    Ok(read)
}

async fn read(look: &mut impl Run) -> Result<Configuration, Fault> {
    let rows: Vec<(String, String, String)> = look.fetch(&RESOURCES, values![]).await?;
    let mut resources = BTreeMap::new();
    for (kind, name, body) in rows {
        let kind = ResourceKind::parse(&kind).ok_or_else(|| unreadable("kind of a resource", kind))?;
        let resource: Resource = serde_json::from_str(&body).map_err(|error| unreadable("resource", error))?;
        resources.insert(ResourceId { kind, name }, resource);
    }
    let number = look.fetch(&NUMBER, values![]).await?.pop().unwrap_or(0);
    let manifest = look.fetch(&MANIFEST, values![]).await?.pop();
    Ok(Configuration { number, resources, manifest })
}

/// Makes a change.
pub(crate) async fn configure<E: Engine>(
    db: &E,
    new: &NewConfiguration,
    now: Timestamp,
    entry: Option<&AuditEntry>,
) -> Result<Configured, Fault> {
    let mut task = db.begin().await?;
    roster::lock(&mut task).await?;
    let number: i64 = task.fetch(&NUMBER, values![]).await?.pop().unwrap_or(0);
    if number != new.on {
        task.give_up().await;
        return Ok(Configured::Moved(number));
    }
    let stepped = !new.changes.is_empty();
    let put = roster::put(db, &mut task, &new.plan, &new.personas, now, stepped).await;
    let (roster, stepped) = match put {
        Ok(done) => done,
        Err(fault) => {
            task.give_up().await;
            return Err(fault);
        }
    };
    let number = if stepped { step(&mut task, new, now).await? } else { number };
    if let Some(manifest) = &new.manifest {
        task.execute(&APPLIED, values![manifest.as_str()]).await?;
    }
    if let Some(entry) = entry {
        audit::write(&mut task, entry).await?;
    }
    task.commit().await?;
    Ok(Configured::InForce(roster, number))
}

/// Stores the things that changed, and the step under the number of the configuration.
async fn step<R: Run>(task: &mut R, new: &NewConfiguration, now: Timestamp) -> Result<i64, Fault> {
    let number: i64 = task.fetch(&IN_FORCE, values![]).await?.pop().unwrap_or(0);
    let numbered = |change: &ResourceChange| {
        let after = change.after.clone().map(|after| Resource { version: number, ..after });
        ResourceChange { after, ..change.clone() }
    };
    let changes: Vec<ResourceChange> = new.changes.iter().map(numbered).collect();
    let gone = changes.iter().filter(|change| change.after.is_none());
    let gone = gone.map(|change| (change.id.kind.as_str(), change.id.name.as_str()));
    task.execute(&REMOVE_RESOURCES, values![Rows::of(R::DATABASE, gone)]).await?;
    let put = changes.iter().filter_map(|change| Some((&change.id, change.after.as_ref()?)));
    let put = put.map(|(id, after)| (id.kind.as_str(), id.name.as_str(), Of(after)));
    task.execute(&PUT_RESOURCES, values![Rows::of(R::DATABASE, put), number]).await?;
    task.execute(&PUT_STEP, values![number, now, new.by.as_str(), json(&changes)]).await?;
    task.execute(&DROP_STEPS, values![STEPS_KEPT]).await?;
    Ok(number)
}

/// Returns the last changes.
pub(crate) async fn config_steps(db: &impl Reads, before: Option<i64>, limit: usize) -> Result<Vec<ConfigStep>, Fault> {
    let rows: Vec<(i64, Timestamp, String, String)> =
        db.all(&STEPS, values![before.unwrap_or(i64::MAX), limit]).await?;
    let step = |(number, at, by, changes): (i64, Timestamp, String, String)| {
        let changes =
            serde_json::from_str(&changes).map_err(|error| unreadable("change of the configuration", error))?;
        Ok(ConfigStep { number, at, by, changes })
    };
    rows.into_iter().map(step).collect()
}

/// Returns the revisions of a persona.
pub(crate) async fn persona_revisions(
    db: &impl Reads,
    name: &str,
    limit: usize,
) -> Result<Vec<PersonaRevision>, Fault> {
    let rows: Vec<(i64, Timestamp, Persona)> = db.all(&REVISIONS, values![name, limit]).await?;
    let revision = |(revision, at, persona)| PersonaRevision { revision, at, persona };
    Ok(rows.into_iter().map(revision).collect())
}
