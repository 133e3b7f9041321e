//! Checks a value against a JSON schema. A word that this file does not know fails, so that none is silently left out.

#![allow(clippy::panic)]

use serde_json::Value as Json;

/// Returns the faults, each with its place.
pub(super) fn faults(schema: &Json, value: &Json) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, value, "", &mut faults);
    faults
}

fn is_of(value: &Json, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        kind => panic!("the type {kind} is unknown"),
    }
}

fn below(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

fn check(schema: &Json, value: &Json, place: &str, faults: &mut Vec<String>) {
    let mut fault = |what: String| faults.push(if what.contains(": ") { what } else { format!("{place}: {what}") });
    let texts =
        |list: &Json| list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            // Patterns are for editors; the reader of files decides.
            "pattern" => assert!(rule.is_string()),
            "type" => {
                let kinds: Vec<String> = rule.as_str().map_or_else(|| texts(rule), |kind| vec![kind.to_owned()]);
                if !kinds.iter().any(|kind| is_of(value, kind)) {
                    fault(format!("is no {}", kinds.join(" or ")));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => fault(format!("is none of {rule}")),
            "minimum" if value.as_f64() < rule.as_f64() => fault(format!("is less than {rule}")),
            "maximum" if value.as_f64() > rule.as_f64() => fault(format!("is more than {rule}")),
            "required" => {
                for key in texts(rule).iter().filter(|key: &&String| value.get(key.as_str()).is_none()) {
                    fault(format!("{}: is missing", below(place, key)));
                }
            }
            "enum"
            | "minimum"
            | "maximum"
            | "properties"
            | "additionalProperties"
            | "items"
            | "$schema"
            | "title"
            | "description"
            | "default" => {}
            word => panic!("the word {word} is unknown"),
        }
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let place = below(place, key);
        match schema.get("properties").and_then(|properties| properties.get(key)) {
            Some(schema) => check(schema, inner, &place, faults),
            None => match schema.get("additionalProperties") {
                Some(Json::Bool(false)) | None => faults.push(format!("{place}: is unknown")),
                Some(schema) => check(schema, inner, &place, faults),
            },
        }
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], inner, &format!("{place}[{index}]"), faults);
    }
}
