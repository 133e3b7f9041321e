//! A route's address for given names and filters. Layer `api`.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::route::Route;

/// A name that no path can hold: it is empty, or clients resolve it as a step within the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be asked for by this name; give its id, where there is one")]
pub struct UnfitName(String);

/// Returns path and query. Filters that are absent or false stay out.
///
/// # Errors
/// A name that is empty, `.` or `..`.
pub fn address<R: Route>(path: &R::Path, query: &R::Query) -> Result<String, UnfitName> {
    let names = fields(path);
    let mut address = String::new();
    for (at, part) in R::PATH.split('/').enumerate() {
        if at > 0 {
            address.push('/');
        }
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => {
                let value = text(names.get(name).unwrap_or(&Value::Null));
                if matches!(value.as_str(), "" | "." | "..") {
                    return Err(UnfitName(value));
                }
                address.push_str(&encoded(&value));
            }
            None => address.push_str(part),
        }
    }
    let mut sign = '?';
    for (name, value) in fields(query) {
        if !matches!(value, Value::Null | Value::Bool(false)) {
            // Writing to a String cannot fail.
            let _ = write!(address, "{sign}{}={}", encoded(&name), encoded(&text(&value)));
            sign = '&';
        }
    }
    Ok(address)
}

fn fields(of: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(of) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Encodes a segment of a path, or a part of a query.
///
/// # Source
/// RFC 3986, 2.1 and 2.3.
fn encoded(segment: &str) -> String {
    let mut path = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::chats::{ChatCalled, DecisionFilter, Decisions};
    use super::*;

    #[test]
    fn a_name_of_any_letters_is_one_segment() {
        assert_eq!(encoded("çay/ev 1"), "%C3%A7ay%2Fev%201");
        assert_eq!(encoded("-1001"), "-1001");
    }

    #[test]
    fn only_filters_that_are_given_stand_in_an_address() {
        let chat = ChatCalled { chat: "çay".to_owned() };
        let filter = DecisionFilter { message: Some(4711), turns: true, ..DecisionFilter::default() };
        let about = address::<Decisions>(&chat, &filter);
        assert_eq!(about.as_deref(), Ok("/api/v1/chats/%C3%A7ay/decisions?message=4711&turns=true"));
        let plain = address::<Decisions>(&chat, &DecisionFilter::default());
        assert_eq!(plain.as_deref(), Ok("/api/v1/chats/%C3%A7ay/decisions"));
        for unfit in ["", ".", ".."] {
            let chat = ChatCalled { chat: unfit.to_owned() };
            assert!(address::<Decisions>(&chat, &DecisionFilter::default()).is_err(), "{unfit:?}");
        }
    }
}
