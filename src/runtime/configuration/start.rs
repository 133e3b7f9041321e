//! The configuration with which a process begins. Layer `runtime`. Keeps I10.
//!
//! A start never stops over drift: what is stored counts, and one line says so. A single process lays a manifest that it did not
//! know over what is stored, as `botfleet apply` does. Among other nodes only the first start of all does: nodes start with
//! manifests of different ages.

use std::collections::BTreeMap;
use std::path::Path;

use botfleet_actors::domain::configuration::{
    Configuration, Configured, Keys, NewConfiguration, ResourceId, ResourceKind,
};
use botfleet_actors::domain::roster::Roster;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::{Store, StoreError};
use serde_json::Value;

use super::commit::Stored;
use super::merge::{after, merge};
use super::reference;
use super::view::difference_of;
use crate::config::manifest::LoadedManifest;
use crate::config::manifest::declared::{self, fingerprint};
use crate::config::manifest::entry::ProviderEntry;
use crate::runtime::vault::SecretSources;

/// The author of changes at a start.
const BY: &str = "start";

/// Returns the bots and chats in force, after the manifest was laid over what is stored where that is due.
///
/// # Errors
/// When the store does not answer, or the manifest contradicts the bots and chats that are stored.
pub(in crate::runtime) async fn begin(
    store: &dyn Store,
    stored: &Stored,
    manifest: &LoadedManifest,
    alone: bool,
    now: Timestamp,
) -> Result<Roster, StoreError> {
    if manifest.source.is_empty() {
        return store.roster().await;
    }
    let fingerprint = fingerprint(&manifest.declared);
    loop {
        let (configuration, roster) = (stored.store.configuration().await?, store.roster().await?);
        let is_new = configuration.resources.is_empty() && roster.bots.is_empty() && roster.chats.is_empty();
        if configuration.manifest.as_ref() == Some(&fingerprint) {
            return Ok(roster);
        }
        // A database of an earlier version has bots and chats without their origin.
        let is_known = configuration.resources.is_empty() && same_roster(&roster, manifest);
        if !alone && !is_new && !is_known {
            tracing::warn!(
                "the manifest differs from the configuration in force, which counts; botfleet apply changes it"
            );
            return Ok(roster);
        }
        let drift = |why: &dyn std::fmt::Display| {
            tracing::warn!(%why, "the manifest was not applied, the stored configuration counts; botfleet apply tells more");
        };
        let mut changes = match merge(&configuration, &manifest.declared, &manifest.source, (BY, now)) {
            Ok(changes) => changes,
            Err(clashes) => {
                let why: Vec<String> = clashes.iter().map(ToString::to_string).collect();
                drift(&why.join("; "));
                return Ok(roster);
            }
        };
        reference::note_addresses(&mut changes, true);
        // What the manifest alone says was checked when it was read, with its secrets.
        let of_manifest = after(&configuration, &changes).resources.len() == manifest.declared.len();
        let (plan, personas) = if of_manifest && configuration.resources.values().all(is_plain) {
            (manifest.plan.clone(), manifest.personas.clone())
        } else {
            match stored.check(&configuration, &mut changes) {
                Ok(checked) => (checked.manifest.plan, checked.manifest.personas),
                Err(faults) => {
                    drift(&faults.to_string().replace('\n', "; "));
                    return Ok(roster);
                }
            }
        };
        let difference = difference_of(&changes);
        let (on, by, manifest) = (configuration.number, BY.to_owned(), Some(fingerprint.clone()));
        let new = NewConfiguration { on, changes, manifest, plan, personas, by };
        match stored.store.configure(&new, now, None).await? {
            Configured::InForce(roster, number) => {
                if !is_new && !difference.is_empty() {
                    tracing::info!(config.seq = number, difference, "the manifest is another one, and in force");
                }
                return Ok(roster);
            }
            // Another node was first; what it stored counts.
            Configured::Moved(_) => {}
        }
    }
}

/// Returns whether a thing is as its manifest says.
fn is_plain(thing: &botfleet_actors::domain::configuration::Resource) -> bool {
    thing.overrides.is_empty() && !thing.disabled
}

/// Returns whether the bots and chats in force are those of the manifest.
fn same_roster(roster: &Roster, manifest: &LoadedManifest) -> bool {
    let bots: BTreeMap<_, _> = roster.bots.values().map(|bot| (&bot.spec.name, &bot.spec)).collect();
    let chats: BTreeMap<_, _> = roster.chats.values().map(|chat| (&chat.spec.name, &chat.spec)).collect();
    bots == manifest.plan.bots.iter().map(|bot| (&bot.name, bot)).collect()
        && chats == manifest.plan.chats.iter().map(|chat| (&chat.name, chat)).collect()
}

/// Puts the providers and budgets in force in the place of the manifest's. A provider that the manifest describes as the
/// fleet does keeps the keys that were read with the manifest.
pub(in crate::runtime) fn put_in_force(
    configuration: &Configuration,
    manifest: &mut LoadedManifest,
    folder: &Path,
    sources: &SecretSources,
) {
    if configuration.resources.is_empty() {
        return;
    }
    let read = match declared::read(configuration, folder, sources) {
        Ok(read) => read.manifest,
        Err(faults) => {
            tracing::error!(%faults, "the stored configuration has faults; providers and budgets are the manifest's");
            return;
        }
    };
    let said = keys_of(manifest.declared.iter().map(|declared| (&declared.id, declared.keys.clone())));
    let in_force = keys_of(configuration.resources.iter().map(|(id, thing)| (id, thing.in_force())));
    let mut own: BTreeMap<String, ProviderEntry> =
        std::mem::take(&mut manifest.providers).into_iter().map(|entry| (entry.name.clone(), entry)).collect();
    manifest.providers = read
        .providers
        .into_iter()
        .map(|entry| match own.remove(&entry.name) {
            Some(known) if said.get(&entry.name) == in_force.get(&entry.name) => known,
            _ => entry,
        })
        .collect();
    manifest.budgets = read.budgets;
}

/// Returns the keys of providers by name.
pub(super) fn keys_of<'a>(things: impl Iterator<Item = (&'a ResourceId, Keys)>) -> BTreeMap<String, Keys> {
    let providers = things.filter(|(id, _)| id.kind == ResourceKind::Provider);
    let mut keys: BTreeMap<String, Keys> = providers.map(|(id, keys)| (id.name.clone(), keys)).collect();
    for keys in keys.values_mut() {
        keys.retain(|_, value| *value != Value::Null);
    }
    keys
}
