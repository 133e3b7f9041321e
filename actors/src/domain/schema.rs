//! Checks whether a JSON value fits a JSON schema, for the keywords of structured answers. Layer `domain`; pure.
//!
//! Known: type, enum, const, properties, required, additionalProperties, items, minItems, maxItems, minLength,
//! maxLength, minimum, maximum, anyOf. Annotations such as descriptions are ignored. Any other keyword is an error, so
//! that no value counts as checked against a keyword that was not.
//!
//! # Source
//! JSON Schema, draft 2020-12, "Validation".

use serde_json::Value;

/// Keywords that do not restrict the value.
const SILENT: [&str; 8] = ["title", "description", "$schema", "$id", "default", "examples", "$comment", "strict"];

/// Checks `value` against `schema`.
///
/// # Errors
/// The place where `value` does not fit and the reason, or the keyword of the schema that is not known.
pub fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    check(schema, value, "answer")
}

fn check(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let keywords = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Object(keywords) => keywords,
        _ => return Err(format!("{at}: nothing fits here")),
    };
    for (keyword, wanted) in keywords {
        keyword_fits(keyword, wanted, value, at)?;
    }
    if let Value::Object(fields) = value {
        let known = keywords.get("properties").and_then(Value::as_object);
        let others = keywords.get("additionalProperties").unwrap_or(&Value::Bool(true));
        for (name, field) in fields {
            let place = format!("{at}.{name}");
            match known.and_then(|known| known.get(name)) {
                Some(schema) => check(schema, field, &place)?,
                None => check(others, field, &place)?,
            }
        }
    }
    Ok(())
}

fn keyword_fits(keyword: &str, wanted: &Value, value: &Value, at: &str) -> Result<(), String> {
    let sound = match keyword {
        "type" => has_type(wanted, value),
        "enum" => wanted.as_array().is_some_and(|allowed| allowed.contains(value)),
        "const" => wanted == value,
        "anyOf" => wanted.as_array().is_some_and(|any| any.iter().any(|schema| check(schema, value, at).is_ok())),
        "required" => {
            let names = wanted.as_array().into_iter().flatten().filter_map(Value::as_str);
            let missing = names.filter(|name| value.is_object() && value.get(name).is_none()).collect::<Vec<_>>();
            return if missing.is_empty() { Ok(()) } else { Err(format!("{at}: {} is missing", missing.join(", "))) };
        }
        "items" => {
            let mut items = value.as_array().into_iter().flatten().enumerate();
            return items.try_for_each(|(index, item)| check(wanted, item, &format!("{at}[{index}]")));
        }
        "minItems" => count(value.as_array().map(Vec::len), wanted, |count, limit| count >= limit),
        "maxItems" => count(value.as_array().map(Vec::len), wanted, |count, limit| count <= limit),
        "minLength" => count(value.as_str().map(|text| text.chars().count()), wanted, |count, limit| count >= limit),
        "maxLength" => count(value.as_str().map(|text| text.chars().count()), wanted, |count, limit| count <= limit),
        "minimum" => value.as_f64().zip(wanted.as_f64()).is_none_or(|(value, limit)| value >= limit),
        "maximum" => value.as_f64().zip(wanted.as_f64()).is_none_or(|(value, limit)| value <= limit),
        "properties" | "additionalProperties" => true,
        silent if SILENT.contains(&silent) => true,
        unknown => return Err(format!("{at}: the keyword {unknown} is not known")),
    };
    if sound { Ok(()) } else { Err(format!("{at}: does not fit {keyword} {wanted}")) }
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    };
    match wanted {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => false,
    }
}

/// Compares a count with its limit; a value without such a count (`None`) fits.
fn count(found: Option<usize>, wanted: &Value, fits: impl Fn(u64, u64) -> bool) -> bool {
    found.zip(wanted.as_u64()).is_none_or(|(found, limit)| fits(found as u64, limit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict() -> Value {
        json!({
            "type": "object",
            "description": "what a message is",
            "properties": {
                "kind": { "enum": ["question", "greeting"] },
                "score": { "type": "number", "minimum": 0, "maximum": 1 },
                "to": { "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 2 },
                "note": { "anyOf": [{ "type": "null" }, { "type": "string" }] },
            },
            "required": ["kind", "score"],
            "additionalProperties": false,
        })
    }

    #[test]
    fn what_fits_fits() {
        for value in [
            json!({"kind": "question", "score": 0.5}),
            json!({"kind": "greeting", "score": 1, "to": ["a"], "note": null}),
        ] {
            assert_eq!(fits(&verdict(), &value), Ok(()), "{value}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let table = [
            (json!([]), "answer: does not fit type \"object\""),
            (json!({"kind": "question"}), "answer: score is missing"),
            (json!({"kind": "rant", "score": 0}), "answer.kind: does not fit enum"),
            (json!({"kind": "question", "score": 2}), "answer.score: does not fit maximum 1"),
            (json!({"kind": "question", "score": "1"}), "answer.score: does not fit type \"number\""),
            (json!({"kind": "question", "score": 0, "to": ["a", ""]}), "answer.to[1]: does not fit minLength 1"),
            (json!({"kind": "question", "score": 0, "to": ["a", "b", "c"]}), "answer.to: does not fit maxItems 2"),
            (json!({"kind": "question", "score": 0, "note": 5}), "answer.note: does not fit anyOf"),
            (json!({"kind": "question", "score": 0, "more": 5}), "answer.more: nothing fits here"),
        ];
        for (value, why) in table {
            let told = fits(&verdict(), &value).unwrap_err();
            assert!(told.starts_with(why), "{value}: {told}");
        }
        assert!(fits(&json!({"$ref": "#/x"}), &json!(1)).unwrap_err().contains("$ref is not known"));
    }
}
