//! Checks JSON values against the schemas of the OpenAPI document.
//!
//! # Source
//! JSON Schema 2020-12: the keywords that the document uses. Another keyword is a fault, not a pass.

use serde_json::{Map, Value};

/// Keywords that say nothing about a value here: lengths and patterns are left to schemathesis.
const SILENT: &[&str] = &["description", "format", "propertyNames", "pattern", "minLength", "maxLength", "default"];

/// Returns the faults of a value, each with its place; empty when the value is as the schema says.
pub(crate) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    Check { document, at: String::new() }.faults(schema, value)
}

struct Check<'a> {
    document: &'a Value,
    at: String,
}

impl Check<'_> {
    fn within(&self, part: &str) -> Self {
        Check { document: self.document, at: format!("{}/{part}", self.at) }
    }

    fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let Some(keywords) = schema.as_object() else {
            return if schema == &Value::Bool(false) { vec![self.fault("nothing may be here")] } else { Vec::new() };
        };
        keywords.iter().flat_map(|(keyword, says)| self.keyword(keywords, keyword, says, value)).collect()
    }

    fn keyword(&self, among: &Map<String, Value>, keyword: &str, says: &Value, value: &Value) -> Vec<String> {
        let parts = || says.as_array().into_iter().flatten().map(|part| self.faults(part, value));
        let wrong =
            |is_wrong: bool| if is_wrong { vec![self.fault(&format!("{keyword} {says}: {value}"))] } else { vec![] };
        match keyword {
            "$ref" => {
                let place = says.as_str().and_then(|text| text.strip_prefix('#')).unwrap_or("nowhere");
                let named = self.document.pointer(place);
                named.map_or_else(|| vec![self.fault(&format!("no {says}"))], |named| self.faults(named, value))
            }
            "allOf" => parts().flatten().collect(),
            "oneOf" => {
                let all: Vec<_> = parts().collect();
                let fitting = all.iter().filter(|faults| faults.is_empty()).count();
                if fitting == 1 { vec![] } else { vec![self.fault(&format!("{fitting} of oneOf fit: {all:?}"))] }
            }
            "enum" => wrong(!says.as_array().is_some_and(|values| values.contains(value))),
            "type" => {
                let named = says.as_array().cloned().unwrap_or_else(|| vec![says.clone()]);
                wrong(!named.iter().any(|kind| is_a(kind.as_str().unwrap_or_default(), value)))
            }
            "minimum" => wrong(value.as_f64().is_some_and(|number| says.as_f64().is_some_and(|least| number < least))),
            "maximum" => wrong(value.as_f64().is_some_and(|number| says.as_f64().is_some_and(|most| number > most))),
            "maxItems" => {
                wrong(value.as_array().is_some_and(|items| says.as_u64().is_some_and(|most| items.len() as u64 > most)))
            }
            "required" => {
                let Some(object) = value.as_object() else { return vec![] };
                let names = says.as_array().into_iter().flatten().filter_map(Value::as_str);
                names
                    .filter(|name| !object.contains_key(*name))
                    .map(|name| self.fault(&format!("{name} is missing")))
                    .collect()
            }
            "properties" => {
                let members = says.as_object().into_iter().flatten();
                let there = members.filter_map(|(name, schema)| Some((name, schema, value.get(name)?)));
                there.flat_map(|(name, schema, value)| self.within(name).faults(schema, value)).collect()
            }
            "additionalProperties" => {
                let known = among.get("properties").and_then(Value::as_object);
                let others = value.as_object().into_iter().flatten();
                let others = others.filter(|(name, _)| !known.is_some_and(|known| known.contains_key(*name)));
                others.flat_map(|(name, value)| self.within(name).faults(says, value)).collect()
            }
            "prefixItems" => {
                let items =
                    says.as_array().into_iter().flatten().zip(value.as_array().into_iter().flatten()).enumerate();
                items.flat_map(|(at, (schema, item))| self.within(&at.to_string()).faults(schema, item)).collect()
            }
            "items" => {
                let named = among.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
                let items = value.as_array().into_iter().flatten().enumerate().skip(named);
                items.flat_map(|(at, item)| self.within(&at.to_string()).faults(says, item)).collect()
            }
            silent if SILENT.contains(&silent) => vec![],
            other => vec![self.fault(&format!("the keyword {other} is not known here"))],
        }
    }

    fn fault(&self, what: &str) -> String {
        format!("{}: {what}", self.at)
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[test]
fn what_does_not_fit_its_schema_is_told() {
    use serde_json::json;

    let document = json!({"named": {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer", "minimum": 1, "maximum": 9},
            "kind": {"oneOf": [{"type": "null"}, {"enum": ["bot", "chat"]}]},
            "names": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 2},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": false},
        },
        "additionalProperties": false,
    }});
    let told = |value: &Value| faults(&document, &json!({"allOf": [{"$ref": "#/named"}]}), value);
    for fit in [
        json!({"id": 1}),
        json!({"id": 9, "kind": "bot", "names": ["a"], "pair": ["a", 0.5]}),
        json!({"id": 2, "kind": null, "names": null}),
    ] {
        assert_eq!(told(&fit), Vec::<String>::new(), "{fit}");
    }
    for (odd, place) in [
        (json!([]), ": type"),
        (json!({}), "id is missing"),
        (json!({"id": 0}), "/id: minimum"),
        (json!({"id": 10}), "/id: maximum"),
        (json!({"id": 1.5}), "/id: type"),
        (json!({"id": 1, "kind": "node"}), "/kind: 0 of oneOf"),
        (json!({"id": 1, "names": [7]}), "/names/0: type"),
        (json!({"id": 1, "names": ["a", "b", "c"]}), "/names: maxItems"),
        (json!({"id": 1, "pair": ["a", "b"]}), "/pair/1: type"),
        (json!({"id": 1, "pair": ["a", 1, 2]}), "/pair/2: nothing"),
        (json!({"id": 1, "colour": "red"}), "/colour: nothing"),
    ] {
        let told = told(&odd);
        assert!(told.iter().any(|fault| fault.contains(place)), "{odd}: {told:?}");
    }
    assert_eq!(faults(&document, &json!({"not": {}}), &json!(1)).len(), 1, "an unknown keyword is a fault");
    assert_eq!(faults(&document, &json!({"$ref": "#/none"}), &json!(1)).len(), 1);
}
