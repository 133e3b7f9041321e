//! Makes a JSON schema (draft 7) of a file's keys.

use botfleet_actors::domain::keys::describe::{Described, Description, Holds};
use serde_json::{Map, Value as Json, json};

use super::words;

/// Returns the schema as text.
pub(super) fn of(title: &str, table: &Description) -> String {
    let mut schema = object(table);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!(title);
    format!("{schema:#}\n")
}

fn object(table: &Description) -> Json {
    let properties: Map<String, Json> = table.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> =
        table.keys.iter().filter(|key| key.facts.required.is_some()).map(|key| key.name).collect();
    let mut object = json!({
        "type": "object",
        "description": table.doc,
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn property(key: &Described) -> Json {
    let mut schema = match &key.holds {
        Holds::Value { schema, default, .. } => {
            let mut schema = schema.clone();
            if !default.is_null() && key.facts.required.is_none() {
                schema["default"] = default.clone();
            }
            schema["description"] = json!(words::about(key));
            return schema;
        }
        Holds::Table(inner) => object(inner),
        Holds::List(inner) => json!({ "type": "array", "items": object(inner) }),
        Holds::Named(inner) => json!({ "type": "object", "additionalProperties": object(inner) }),
    };
    schema["description"] = json!(key.doc);
    schema
}
