//! The places that an operator may name for a secret, and the addresses that nobody vouches for. Layer `runtime`. Keeps I12.
//!
//! What a manifest says is the word of whoever owns the machine. What comes by the API is not: a reference there must not lead
//! to every variable and file of the process, nor a provider's address into a private network.

use std::path::{Component, Path, PathBuf};

use botfleet_actors::domain::configuration::{ADDRESS, Keys, Resource, ResourceChange, ResourceKind};
use serde_json::Value;

use super::change::ChangeError;
use crate::config::manifest::declared::is_secret;
use crate::config::secrets::SecretSettings;
use crate::llm::address::BaseUrl;
use crate::outbound::guard::Guard;

/// The folder, beside the manifest, whose files may be named on the machine itself.
const FOLDER: &str = "secrets";

/// The places that operators may name.
#[derive(Clone, Debug, Default)]
pub(in crate::runtime) struct Places {
    /// The settings, which say so for everybody.
    pub(in crate::runtime) settings: SecretSettings,
    /// The folder at which relative paths start.
    pub(in crate::runtime) folder: PathBuf,
}

impl Places {
    /// Tells whether a reference may be named, by who asks on the machine itself or by others.
    fn confine(&self, reference: &str, own_word: bool) -> Result<(), String> {
        let beside = own_word && is_beside_manifest(reference) && !self.settings.seals(reference, &self.folder);
        if beside { Ok(()) } else { self.settings.confine(reference, &self.folder) }
    }
}

/// The keys that say where a provider's keys are sent.
const DESTINATION: [&str; 2] = ["kind", ADDRESS];

/// The keys that hold references to a provider's keys.
const PROVIDER_KEYS: [&str; 2] = ["api_key", "keys"];

/// Checks the references among keys that came by the API.
///
/// # Errors
/// `BadReference` for another place.
pub(super) fn check(kind: ResourceKind, keys: &Keys, places: &Places, own_word: bool) -> Result<(), ChangeError> {
    for (path, value) in keys.iter().filter(|(path, _)| is_secret(kind, path)) {
        let all = match value {
            Value::Array(values) => values.iter().collect(),
            value => vec![value],
        };
        for value in all.into_iter().filter(|value| !value.is_null()) {
            let confined = match value.as_str() {
                Some(reference) => places.confine(reference, own_word),
                None => Err("a reference is a text".to_owned()),
            };
            confined.map_err(|why| ChangeError::BadReference { key: path.clone(), why })?;
        }
    }
    Ok(())
}

/// Checks that a provider which goes to another address gets its keys anew.
///
/// # Errors
/// `KeysNeeded`.
pub(super) fn check_destination(kind: ResourceKind, now: &Keys, changed: &Keys) -> Result<(), ChangeError> {
    let moves = DESTINATION.iter().any(|key| changed.get(*key).is_some_and(|to| now.get(*key) != Some(to)));
    let has_keys = PROVIDER_KEYS.iter().any(|key| now.contains_key(*key));
    let given = PROVIDER_KEYS.iter().any(|key| changed.contains_key(*key));
    if kind == ResourceKind::Provider && moves && has_keys && !given { Err(ChangeError::KeysNeeded) } else { Ok(()) }
}

/// Checks a change of a manifest that came through a port: the references that are new, and providers that go to a new
/// address. A bot's token that the configuration in force names already may stay.
///
/// # Errors
/// `BadReference`, `KeysNeeded`.
pub(super) fn check_change(
    change: &ResourceChange,
    places: &Places,
    is_in_force: impl Fn(&Resource) -> bool,
) -> Result<(), ChangeError> {
    let Some(after) = &change.after else { return Ok(()) };
    if change.id.kind == ResourceKind::Bot && is_in_force(after) {
        return Ok(());
    }
    let before = change.before.as_ref().map(Resource::in_force).unwrap_or_default();
    let mut new = after.in_force();
    new.retain(|key, value| before.get(key) != Some(value));
    check(change.id.kind, &new, places, false)?;
    check_destination(change.id.kind, &before, &new)
}

/// Notes whose word the addresses of a manifest's providers are.
pub(super) fn note_addresses(changes: &mut [ResourceChange], own_word: bool) {
    for change in changes.iter_mut().filter(|change| change.id.kind == ResourceKind::Provider) {
        let Some(thing) = &mut change.after else { continue };
        if own_word {
            let said = thing.keys.get(ADDRESS).cloned();
            thing.vouch_for(said.as_ref());
        }
        thing.forget_addresses();
    }
}

/// Has the guard judge the new addresses of providers that nobody vouches for.
///
/// # Errors
/// `BadAddress`.
pub(super) async fn judge_addresses(changes: &[ResourceChange], guard: &Guard) -> Result<(), ChangeError> {
    for change in changes.iter().filter(|change| change.id.kind == ResourceKind::Provider) {
        let address = |thing: &Option<Resource>| thing.as_ref().and_then(Resource::guarded_address);
        let (before, after) = (address(&change.before), address(&change.after));
        let Some(new) = after.filter(|after| before.as_ref() != Some(after)) else { continue };
        // One that is none was told among the faults.
        let Ok(base) = BaseUrl::read(&new) else { continue };
        guard.check(&base.url).await.map_err(|why| ChangeError::BadAddress(why.to_string()))?;
    }
    Ok(())
}

/// Returns whether a reference leads to a file of the folder beside the manifest.
fn is_beside_manifest(reference: &str) -> bool {
    let Some(("file", path)) = reference.split_once(':') else { return false };
    let mut parts = Path::new(path).components();
    let in_folder = parts.next().is_some_and(|first| first == Component::Normal(FOLDER.as_ref()));
    let mut names = parts.peekable();
    in_folder && names.peek().is_some() && names.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use botfleet_actors::domain::configuration::ResourceId;
    use serde_json::json;

    use super::*;
    use crate::outbound::guard::Rules;

    fn places() -> Places {
        let keys = Some(vec!["file:secrets/seal".to_owned()]);
        let settings = SecretSettings { keys, folder: Some("/run/bots".into()), ..SecretSettings::default() };
        Places { settings, folder: PathBuf::new() }
    }

    #[test]
    fn i12_an_operator_names_secrets_of_one_folder_and_one_prefix_only() {
        let places = places();
        for sound in ["env:BOTFLEET_SECRET_ADA", "file:/run/bots/ada"] {
            assert!(places.confine(sound, false).is_ok(), "{sound}");
        }
        for beside in ["file:secrets/ada", "file:secrets/a/b"] {
            let found = [places.confine(beside, true).is_ok(), places.confine(beside, false).is_ok()];
            assert_eq!(found, [true, false], "on the machine itself alone: {beside}");
        }
        let wrong = [
            "env:PATH",
            "env:BOTFLEET__STORE__URL",
            "file:fleet.toml",
            "file:/etc/passwd",
            "file:secrets",
            "file:secrets/../fleet.toml",
            "file:secrets/",
            "file:secrets/seal",
            "file:/run/bots/../shadow",
            "secrets/ada",
            "12:AAA",
            "vault:a",
            "vault:kv/bots/ada#token",
            "",
        ];
        for wrong in wrong {
            assert!(places.confine(wrong, true).is_err() && places.confine(wrong, false).is_err(), "{wrong}");
        }
        let keys = |value| Keys::from([("keys".to_owned(), value)]);
        let check = |value| check(ResourceKind::Provider, &keys(value), &places, true);
        let bad = check(json!(["file:secrets/a", "env:HOME"]));
        assert!(matches!(bad, Err(ChangeError::BadReference { key, .. }) if key == "keys"));
        assert_eq!((check(json!(["file:secrets/a"])), check(json!(null))), (Ok(()), Ok(())));
    }

    #[test]
    fn i12_a_manifest_through_a_port_names_no_other_places_and_vouches_for_no_address() {
        let thing = |keys: Value| Resource { keys: serde_json::from_value(keys).unwrap(), ..Resource::default() };
        let change = |kind, name: &str, keys: Value| ResourceChange {
            id: ResourceId::new(kind, name),
            before: None,
            after: Some(thing(keys)),
        };
        let (places, bot) = (places(), change(ResourceKind::Bot, "Ada", json!({ "token": "file:secrets/ada" })));
        assert!(matches!(check_change(&bot, &places, |_| false), Err(ChangeError::BadReference { .. })));
        assert_eq!(check_change(&bot, &places, |_| true), Ok(()), "one that is in force may stay");
        let keys = json!({ "kind": "compatible", "base_url": "http://127.0.0.1:1/v1" });
        let guarded = |own_word| {
            let mut changes = [change(ResourceKind::Provider, "p", keys.clone())];
            note_addresses(&mut changes, own_word);
            changes[0].after.as_ref().unwrap().guarded_address()
        };
        assert_eq!((guarded(true), guarded(false)), (None, Some("http://127.0.0.1:1/v1".to_owned())));
    }

    #[tokio::test]
    async fn i12_an_address_that_nobody_vouches_for_is_judged_when_it_is_new() {
        let keys = Keys::from([(ADDRESS.to_owned(), json!("http://10.0.0.1/v1"))]);
        let thing = Resource { keys, ..Resource::default() };
        let id = ResourceId::new(ResourceKind::Provider, "p");
        let mut change = ResourceChange { id, before: None, after: Some(thing.clone()) };
        let guard = Guard::new(Rules::default());
        let judged = judge_addresses(&[change.clone()], &guard).await;
        assert!(matches!(judged, Err(ChangeError::BadAddress(_))), "{judged:?}");
        change.before = Some(thing);
        assert_eq!(judge_addresses(&[change.clone()], &guard).await, Ok(()));
        change.before = None;
        note_addresses(std::slice::from_mut(&mut change), true);
        assert_eq!(judge_addresses(&[change], &guard).await, Ok(()));
    }

    #[test]
    fn another_address_wants_the_keys_anew() {
        let key = |name: &str, value: &str| (name.to_owned(), json!(value));
        let now = Keys::from([key("base_url", "https://a.example/v1"), key("api_key", "env:A")]);
        let check = |changed: Keys| check_destination(ResourceKind::Provider, &now, &changed);
        let there = key("base_url", "https://b.example/v1");
        assert_eq!(check(Keys::from([there.clone()])), Err(ChangeError::KeysNeeded));
        assert_eq!(check(Keys::from([there, key("api_key", "file:secrets/b")])), Ok(()));
        assert_eq!(check(Keys::from([key("base_url", "https://a.example/v1")])), Ok(()));
    }
}
