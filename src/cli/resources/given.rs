//! Keys on the command line, and what is shown. Layer `cli`. Keeps I12.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use anyhow::{Context, bail};
use botfleet_actors::domain::configuration::ResourceOrigin;
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::api::Api;
use crate::cli::output::tell;
use crate::runtime::configuration::view::ResourceView;

/// The address of the fleet, and the form of the answer.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Address of the fleet.
    #[command(flatten)]
    pub api: Api,
    /// Writes one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Keys with their values.
#[derive(Clone, Debug, Default, Args)]
pub struct Given {
    /// A key of the manifest with its value, as in --set temperature=0.5; a key of a table is a path, as in
    /// pacing.burst=2s. A value that is JSON is taken as JSON, another one as a text. May be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A key to be left out, which then has its built-in value. May be given several times.
    #[arg(long = "unset", value_name = "KEY")]
    pub unset: Vec<String>,
}

impl Given {
    /// Returns the keys as an object, those to be left out as null.
    ///
    /// # Errors
    /// When a key has no value, or stands in what is no table.
    pub fn keys(&self) -> anyhow::Result<Map<String, Value>> {
        let mut keys = Map::new();
        for given in &self.set {
            let Some((key, value)) = given.split_once('=') else { bail!("--set {given:?}: write KEY=VALUE") };
            put(&mut keys, key, serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)))?;
        }
        for key in &self.unset {
            put(&mut keys, key, Value::Null)?;
        }
        Ok(keys)
    }
}

fn put(keys: &mut Map<String, Value>, path: &str, value: Value) -> anyhow::Result<()> {
    match path.split_once('.') {
        None => drop(keys.insert(path.to_owned(), value)),
        Some((table, rest)) => match keys.entry(table).or_insert_with(|| Value::Object(Map::new())) {
            Value::Object(inner) => put(inner, rest, value)?,
            _ => bail!("{path:?} stands in what is no table"),
        },
    }
    Ok(())
}

/// Writes a text to stdout, or the value as one line of JSON; warnings to stderr.
///
/// # Errors
/// When stdout cannot be written.
pub(in crate::cli) fn shown(json: bool, value: &impl Serialize, text: &str) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string(value)? } else { text.trim_end().to_owned() };
    writeln!(stdout().lock(), "{text}").context("stdout cannot be written")
}

/// Writes a thing, with what was warned of.
///
/// # Errors
/// When stdout cannot be written.
pub(in crate::cli) fn shown_thing(json: bool, thing: &ResourceView) -> anyhow::Result<()> {
    for warning in &thing.warnings {
        tell(&format!("warning: {warning}\n"));
    }
    shown(json, thing, &described(thing))
}

/// Describes a thing, a line for each key.
fn described(thing: &ResourceView) -> String {
    let of = match (thing.origin, &thing.manifest) {
        (ResourceOrigin::Manifest, Some(manifest)) => format!("of {manifest}"),
        (ResourceOrigin::Manifest, None) => "of a manifest".to_owned(),
        (ResourceOrigin::Api, _) => "made by the API".to_owned(),
    };
    let off = if thing.enabled { "" } else { ", switched off" };
    let mut text = format!("{}: {of}{off}; version {}, by {}\n", thing.name, thing.version, thing.changed_by);
    lines(&mut text, "", &thing.keys);
    for change in &thing.overrides {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {} is changed by {}; the manifest says {}", change.field, change.by, change.manifest);
    }
    text
}

fn lines(text: &mut String, prefix: &str, keys: &Map<String, Value>) {
    for (key, value) in keys {
        match value {
            Value::Object(inner) if !inner.is_empty() => lines(text, &format!("{prefix}{key}."), inner),
            Value::Null => {}
            value => {
                let _ = writeln!(text, "  {prefix}{key} = {value}");
            }
        }
    }
}

/// Makes a table of things: name, origin, version, and what else is to be known.
pub(in crate::cli) fn table(things: &[ResourceView]) -> String {
    let width = things.iter().map(|thing| thing.name.chars().count()).max().unwrap_or(0).max(4);
    let mut text = format!("{:width$}  {:8}  {:>7}  state\n", "name", "origin", "version");
    for thing in things {
        let fields: Vec<&str> = thing.overrides.iter().map(|change| change.field.as_str()).collect();
        let mut state = if thing.enabled { "on".to_owned() } else { "off".to_owned() };
        if !fields.is_empty() {
            let _ = write!(state, ", changed: {}", fields.join(", "));
        }
        let _ = writeln!(text, "{:width$}  {:8}  {:>7}  {state}", thing.name, thing.origin.as_str(), thing.version);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_a_command_line_are_json_or_texts_and_paths_are_tables() {
        let given = |set: &[&str], unset: &[&str]| Given {
            set: set.iter().map(|&key| key.to_owned()).collect(),
            unset: unset.iter().map(|&key| key.to_owned()).collect(),
        };
        let keys = given(&["temperature=0.5", "pacing.burst=2s", "bots=[\"Ada\"]", "voice=a=b"], &["pacing.enabled"]);
        let expected = json!({
            "temperature": 0.5, "pacing": { "burst": "2s", "enabled": null }, "bots": ["Ada"], "voice": "a=b",
        });
        assert_eq!(Value::Object(keys.keys().unwrap()), expected);
        assert!(given(&["voice"], &[]).keys().is_err());
        assert!(given(&["a=1", "a.b=2"], &[]).keys().is_err());
    }
}
