//! Reads JSON of which some parts cannot be read. Layer `adapters`. Keeps I7.
//!
//! A field that cannot be read counts as absent, alone: its neighbours, also within the same object or list, are read.
//! Half of a surrogate pair in a text is one unreadable character. Sound JSON pays nothing for this: a reader comes
//! here only after reading failed.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Depth of objects and lists that are mended: the deepest field that is read is one of a message's entity's user.
const MENDED_DEPTH: u32 = 8;

/// Depth of objects and lists that are kept as values.
const VALUE_DEPTH: u32 = 64;

/// Returns as much of `raw` as `reads` can read; `None` when nothing of it can be read.
pub(super) fn mended(raw: &str, reads: &dyn Fn(&str) -> bool) -> Option<String> {
    let raw = with_whole_characters(raw);
    if reads(&raw) { Some(raw.into_owned()) } else { mend(&raw, reads, MENDED_DEPTH) }
}

fn mend(raw: &str, reads: &dyn Fn(&str) -> bool, depth: u32) -> Option<String> {
    let deeper = depth.checked_sub(1)?;
    let kept = |part: &RawValue, whole: &dyn Fn(&str) -> String| {
        let fits = |part: &str| reads(&whole(part));
        if fits(part.get()) { Some(part.get().to_owned()) } else { mend(part.get(), &fits, deeper) }
    };
    let mended = if let Ok(Fields(fields)) = serde_json::from_str(raw) {
        let mut names = HashSet::new();
        let fields = fields.into_iter().filter(|(name, _)| names.insert(name.clone())).filter_map(|(name, part)| {
            let name = serde_json::to_string(&name).ok()?;
            let part = kept(part, &|part| format!("{{{name}:{part}}}"))?;
            Some(format!("{name}:{part}"))
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    } else {
        let parts: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
        let parts = parts.into_iter().filter_map(|part| kept(part, &|part| format!("[{part}]")));
        format!("[{}]", parts.collect::<Vec<_>>().join(","))
    };
    reads(&mended).then_some(mended)
}

/// Reads `raw` as an object, without the parts that cannot be read; `None` when it is no object.
pub(super) fn object(raw: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(raw) {
        Ok(object) => Some(object),
        Err(_) => match value(raw)? {
            Value::Object(object) => Some(object),
            _ => None,
        },
    }
}

/// Reads `raw` as a value, without the parts that cannot be read.
pub(super) fn value(raw: &str) -> Option<Value> {
    value_within(&with_whole_characters(raw), VALUE_DEPTH)
}

fn value_within(raw: &str, depth: u32) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(raw) {
        return Some(value);
    }
    let deeper = depth.checked_sub(1)?;
    if let Ok(Fields(fields)) = serde_json::from_str(raw) {
        let read = |(name, part): (String, &RawValue)| Some((name, value_within(part.get(), deeper)?));
        return Some(Value::Object(fields.into_iter().filter_map(read).collect()));
    }
    let parts: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
    Some(Value::Array(parts.into_iter().filter_map(|part| value_within(part.get(), deeper)).collect()))
}

/// Replaces each half of a surrogate pair that stands alone in a JSON string by the replacement character.
pub(super) fn with_whole_characters(raw: &str) -> Cow<'_, str> {
    let mut mended: Option<String> = None;
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = raw[at..].find('\\') {
        let start = at + found;
        let (length, whole) = match (unit(raw, start), unit(raw, start + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, true),
            (Some(0xd800..=0xdfff), _) => (6, false),
            (Some(_), _) => (6, true),
            (None, _) => (1 + raw[start + 1..].chars().next().map_or(0, char::len_utf8), true),
        };
        if !whole {
            let mended = mended.get_or_insert_with(|| String::with_capacity(raw.len()));
            mended.push_str(&raw[copied..start]);
            mended.push_str("\\ufffd");
            copied = start + length;
        }
        at = start + length;
    }
    match mended {
        Some(mended) => Cow::Owned(mended + &raw[copied..]),
        None => Cow::Borrowed(raw),
    }
}

/// Returns the UTF-16 unit whose escape begins at `at`.
fn unit(raw: &str, at: usize) -> Option<u16> {
    let digits = raw.get(at..at + 6)?.strip_prefix("\\u")?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

/// The fields of an object in their order, unread.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Thing {
        name: Option<String>,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, Deserialize)]
    struct Part {
        size: Option<u8>,
        name: Option<String>,
    }

    fn thing(raw: &str) -> Option<Thing> {
        let mended = mended(raw, &|json| serde_json::from_str::<Thing>(json).is_ok())?;
        serde_json::from_str(&mended).ok()
    }

    #[test]
    fn what_cannot_be_read_is_dropped_alone() {
        let odd = r#"{"name":"a","parts":[{"size":-1,"name":"x"},7,{"size":2,"name":null}],"name":"b","more":1e999}"#;
        let thing = thing(odd).unwrap();
        assert_eq!(thing.name.as_deref(), Some("a"), "the first of two fields of one name");
        let sizes: Vec<_> = thing.parts.iter().map(|part| (part.size, part.name.as_deref())).collect();
        assert_eq!(sizes, [(None, Some("x")), (Some(2), None)]);
    }

    #[test]
    fn half_a_character_costs_that_character() {
        let thing = thing(r#"{"name":"a\ud83db\\ud83d\udc00\ud83d\ude00"}"#).unwrap();
        assert_eq!(thing.name.unwrap(), "a\u{fffd}b\\ud83d\u{fffd}😀");
        assert_eq!(
            object(r#"{"a":"\udc00","b":1e999,"c":[1e999,2]}"#).unwrap(),
            *json!({"a": "\u{fffd}", "c": [2]}).as_object().unwrap()
        );
    }

    #[test]
    fn depth_costs_nothing_but_the_field() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(thing(&format!(r#"{{"name":"a","parts":{deep}}}"#)).unwrap().name.as_deref(), Some("a"));
        assert!(object(&format!(r#"{{"a":1,"b":{deep}}}"#)).unwrap().contains_key("a"));
        assert!(thing("[1]").is_none() || thing("[1]").unwrap().name.is_none());
        assert!(object("[]").is_none() && object("{").is_none());
    }
}
