//! The words in which examples and tables tell of a key.

use botfleet_actors::domain::keys::describe::{Described, Holds};
use botfleet_actors::domain::keys::rule::Zero;
use serde_json::Value as Json;

/// Returns a value as TOML.
pub(super) fn toml(value: &Json) -> String {
    match value {
        Json::Array(values) => format!("[{}]", values.iter().map(toml).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

/// Returns a key's built-in value as TOML; `None` when it has none that a file could write.
pub(super) fn default(key: &Described) -> Option<String> {
    match &key.holds {
        Holds::Value { default, .. } if !default.is_null() => Some(toml(default)),
        Holds::Value { .. } => (key.facts.zero == Zero::Lifts).then(|| "0".to_owned()),
        Holds::Table(inner) => {
            let values = inner.keys.iter().map(|key| Some(format!("{} = {}", key.name, default(key)?)));
            Some(format!("{{ {} }}", values.collect::<Option<Vec<_>>>()?.join(", ")))
        }
        Holds::List(_) | Holds::Named(_) => None,
    }
}

/// Returns the names among which a value is chosen.
pub(super) fn choices(schema: &Json) -> Vec<&str> {
    let names = schema.get("enum").or_else(|| schema.get("items").and_then(|items| items.get("enum")));
    names.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
}

/// Returns the bounds of a key, as people say them.
pub(super) fn bounds(key: &Described) -> Option<String> {
    let Holds::Value { schema, range, .. } = &key.holds else { return None };
    // A duration.
    let zero = if schema["type"] == "string" { "0s" } else { "0" };
    let range = range.as_ref().map(|(least, most)| {
        let (least, most) = (least.trim_end_matches(".0"), most.trim_end_matches(".0"));
        if most == u32::MAX.to_string() { format!("from {least}") } else { format!("{least} to {most}") }
    });
    match (range, key.facts.zero) {
        (Some(range), Zero::Lifts) => Some(format!("{range}, or {zero} for no limit")),
        (None, Zero::Lifts) => Some(format!("{zero} is no limit")),
        (None, Zero::Refused) => Some(format!("more than {zero}")),
        (range, _) => range,
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// Returns a key's meaning, choices and bounds, and the meaning of its absence; keys within it have lines of their own.
pub(super) fn about(key: &Described) -> String {
    let mut about = vec![key.doc.clone()];
    if let Holds::Value { schema, .. } = &key.holds {
        let choices = choices(schema);
        if !choices.iter().all(|choice| key.doc.contains(choice)) {
            let word = if schema.get("items").is_some() { "Any of" } else { "One of" };
            about.push(format!("{word} {}.", choices.join(", ")));
        }
    }
    about.extend(bounds(key).map(|bounds| sentence(&bounds)));
    about.extend(key.facts.unset.filter(|unset| *unset != "none").map(|unset| format!("Without it: {unset}.")));
    let (Holds::Table(inner) | Holds::List(inner) | Holds::Named(inner)) = &key.holds else { return about.join(" ") };
    let inner = inner.keys.iter().map(|key| format!("\n{}: {}", key.name, self::about(key)));
    about.join(" ") + &inner.collect::<Vec<_>>().concat()
}

/// Returns a text in lines that begin with `# `.
pub(super) fn comment(text: &str) -> Vec<String> {
    text.lines().flat_map(paragraph).collect()
}

fn paragraph(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 118 {
            lines.push(std::mem::replace(&mut line, "#".to_owned()));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
    lines
}
