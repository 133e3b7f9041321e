//! The places that an operator may name for a secret. Layer `runtime`. Keeps I12.
//!
//! What a manifest says is the word of whoever owns the machine. What comes by the API is not: a reference there must not lead
//! to every variable and file of the process.

use std::path::{Component, Path};

use botfleet_actors::domain::configuration::{Keys, Resource, ResourceChange, ResourceKind};
use serde_json::Value;

use super::change::ChangeError;
use crate::config::manifest::declared::is_secret;

/// The beginning of variables whose names an operator may give.
const VARIABLES: &str = "BOTFLEET_SECRET_";

/// The folder, beside the manifest, whose files an operator may name.
const FOLDER: &str = "secrets";

/// The keys that say where a provider's keys are sent.
const DESTINATION: [&str; 2] = ["kind", "base_url"];

/// The keys that hold references to a provider's keys.
const PROVIDER_KEYS: [&str; 2] = ["api_key", "keys"];

/// Checks the references among keys that came by the API.
///
/// # Errors
/// `BadReference` for another place.
pub(super) fn check(kind: ResourceKind, keys: &Keys) -> Result<(), ChangeError> {
    for (path, value) in keys.iter().filter(|(path, _)| is_secret(kind, path)) {
        let all = match value {
            Value::Array(values) => values.iter().collect(),
            value => vec![value],
        };
        let sound = |value: &&Value| value.is_null() || value.as_str().is_some_and(is_confined);
        if !all.iter().all(sound) {
            return Err(ChangeError::BadReference(path.clone()));
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

/// Checks a provider of a manifest that came by the API: the references that are new, and those that go to a new address.
///
/// # Errors
/// `BadReference`, `KeysNeeded`.
pub(super) fn check_change(change: &ResourceChange) -> Result<(), ChangeError> {
    let (ResourceKind::Provider, Some(after)) = (change.id.kind, &change.after) else { return Ok(()) };
    let before = change.before.as_ref().map(Resource::in_force).unwrap_or_default();
    let mut new = after.in_force();
    new.retain(|key, value| before.get(key) != Some(value));
    check(change.id.kind, &new)?;
    check_destination(change.id.kind, &before, &new)
}

fn is_confined(reference: &str) -> bool {
    match reference.split_once(':') {
        Some(("env", name)) => name.strip_prefix(VARIABLES).is_some_and(|rest| !rest.is_empty()),
        Some(("file", path)) => {
            let mut parts = Path::new(path).components();
            let in_folder = parts.next().is_some_and(|first| first == Component::Normal(FOLDER.as_ref()));
            let mut names = parts.peekable();
            in_folder && names.peek().is_some() && names.all(|part| matches!(part, Component::Normal(_)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_operator_names_secrets_of_one_folder_and_one_prefix_only() {
        for sound in ["env:BOTFLEET_SECRET_ADA", "file:secrets/ada", "file:secrets/a/b"] {
            assert!(is_confined(sound), "{sound}");
        }
        let wrong = [
            "env:PATH",
            "env:BOTFLEET_SECRET_",
            "env:BOTFLEET__STORE__URL",
            "file:fleet.toml",
            "file:/etc/passwd",
            "file:secrets",
            "file:secrets/../fleet.toml",
            "file:secrets/",
            "secrets/ada",
            "12:AAA",
            "vault:a",
            "",
        ];
        for wrong in wrong {
            assert!(!is_confined(wrong), "{wrong}");
        }
        let keys = |value| Keys::from([("keys".to_owned(), value)]);
        let check = |value| check(ResourceKind::Provider, &keys(value));
        assert_eq!(check(json!(["file:secrets/a", "env:HOME"])), Err(ChangeError::BadReference("keys".to_owned())));
        assert_eq!((check(json!(["file:secrets/a"])), check(json!(null))), (Ok(()), Ok(())));
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
