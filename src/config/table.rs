//! Reads typed values out of TOML tables and goes on after a fault. Part of `config`.
//!
//! serde stops at the first fault. Here the faulty part is noted and taken out, and the rest is read again, so that one
//! run shows all faults.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::fault::Fault;

/// Most faults of one value; a value with more is broken as a whole.
const FAULTS_MAX: usize = 100;

/// Parses a file's text. The message of a syntax fault leaves out the faulty line, which may hold a secret.
pub(super) fn parse(text: &str, source: &str) -> Result<Table, Fault> {
    text.parse::<Table>().map_err(|error| {
        let place = error.span().map(|span| line_and_column(text, span.start)).unwrap_or_default();
        Fault::new(source, place, error.message().replace('\n', ", "), "")
    })
}

/// Reads and parses a file.
pub(super) fn read_file(path: &Path) -> Result<Table, Fault> {
    let source = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| {
        Fault::new(&source, "", format!("cannot be read: {error}"), "check the path and who may read it")
    })?;
    parse(text_of(&bytes, &source)?, &source)
}

/// Returns the text of a file: UTF-8, with or without the byte order mark that editors write.
fn text_of<'a>(bytes: &'a [u8], source: &str) -> Result<&'a str, Fault> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Fault::new(source, "encoding", "is UTF-16 text", "save the file as UTF-8 in your editor"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        let what = format!("is no UTF-8 text (line {line})");
        Fault::new(source, "encoding", what, "save the file as UTF-8 in your editor")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads the value of a key. Every fault is noted under `source` with `prefix` before its key, and what is faulty is
/// taken out; a `secret` value stands in no fault (I12).
///
/// Returns `None` when the rest cannot be read either, or after `FAULTS_MAX` faults.
pub(super) fn read<T: DeserializeOwned>(
    mut value: Value,
    source: &str,
    prefix: &str,
    secret: bool,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    for _ in 0..FAULTS_MAX {
        let error = match serde_path_to_error::deserialize(value.clone()) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let keys: Vec<&str> = error
            .path()
            .iter()
            .map_while(|segment| if let Segment::Map { key } = segment { Some(key.as_str()) } else { None })
            .collect();
        let path = error.path().to_string();
        let key = if path == "." { prefix.to_owned() } else { join(prefix, &path) };
        let (what, remedy) = explain(error.inner().message(), secret);
        faults.push(Fault::new(source, key, what, remedy));
        if !take_out(&mut value, &keys) {
            return None;
        }
    }
    None
}

/// Joins two parts of a key.
pub(super) fn join(prefix: &str, key: &str) -> String {
    match (prefix, key) {
        ("", key) => key.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, index) if index.starts_with('[') => format!("{prefix}{index}"),
        (prefix, key) => format!("{prefix}.{key}"),
    }
}

/// Puts serde's message into words for people, and adds a remedy.
fn explain(message: &str, secret: bool) -> (String, String) {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let known = rest.split_once("expected ").map_or("", |(_, known)| known);
        let known = known.trim_start_matches("one of ").replace('`', "");
        let remedy = if known.is_empty() || known.starts_with("there are no") {
            "remove it".to_owned()
        } else {
            format!("known keys: {known}")
        };
        return ("unknown key".to_owned(), remedy);
    }
    if secret {
        return ("is no reference".to_owned(), "write \"env:NAME\" or \"file:PATH\"".to_owned());
    }
    if let Some((what, remedy)) = message.split_once(": write ") {
        return (what.to_owned(), format!("write {remedy}"));
    }
    let what = message
        .replace("a nonzero u32", "a whole number from 1")
        .replace("a nonzero usize", "a whole number from 1")
        .replace("u32", "a whole number from 0")
        .replace("usize", "a whole number from 0")
        .replace("f64", "a number");
    let remedy = if message.contains("duration") || message.contains("time unit") || message.contains("number expected")
    {
        "write it as \"500ms\", \"30s\" or \"5m\""
    } else {
        ""
    };
    (what, remedy.to_owned())
}

fn take_out(value: &mut Value, keys: &[&str]) -> bool {
    let (Some(table), [key, rest @ ..]) = (value.as_table_mut(), keys) else { return false };
    let taken = !rest.is_empty() && table.get_mut(*key).is_some_and(|inner| take_out(inner, rest));
    taken || table.remove(*key).is_some()
}

fn line_and_column(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    format!("line {line}, column {column}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::num::NonZeroU32;
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Section {
        #[serde(with = "humantime_serde")]
        wait: Duration,
        count: NonZeroU32,
        token: String,
        inner: Inner,
    }

    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        words: Vec<String>,
    }

    impl Default for Section {
        fn default() -> Self {
            Self { wait: Duration::from_secs(1), count: NonZeroU32::MIN, token: String::new(), inner: Inner::default() }
        }
    }

    fn faults_of(text: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let section =
            read::<Section>(Value::Table(parse(text, "f").unwrap()), "f", "bots[2]", false, &mut faults).unwrap();
        assert!(section.inner.words.is_empty());
        faults.sort();
        faults
    }

    #[test]
    fn a_file_in_another_encoding_is_named_and_a_mark_of_byte_order_is_no_fault() {
        assert_eq!(text_of("\u{feff}a = 1".as_bytes(), "f").unwrap(), "a = 1");
        let utf16: Vec<u8> = "\u{feff}a = 1".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let fault = text_of(&utf16, "f").unwrap_err();
        assert!(fault.what.contains("UTF-16") && fault.remedy.contains("UTF-8"), "{fault}");
        let latin = text_of(b"a = 1\nb = \"caf\xe9\"", "f").unwrap_err();
        assert!(latin.what.contains("line 2"), "{latin}");
    }

    #[test]
    fn all_faults_of_a_table_are_found() {
        let faults = faults_of("wait = \"long\"\ncount = 0\nfoo = 1\n[inner]\nbar = 2\nwords = [\"a\", 5]");
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(
            keys,
            ["bots[2].count", "bots[2].foo", "bots[2].inner.bar", "bots[2].inner.words[1]", "bots[2].wait"]
        );
        assert!(faults[1].remedy.contains("wait, count, token, inner"), "{}", faults[1]);
        assert!(faults[0].what.contains("a whole number from 1"), "{}", faults[0]);
        assert!(faults[4].remedy.contains("30s"), "{}", faults[4]);
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_not_repeated() {
        let mut faults = Vec::new();
        assert_eq!(read::<String>(Value::Integer(1_234_567_890), "f", "token", true, &mut faults), None);
        assert!(!faults[0].to_string().contains("1234567890"), "{}", faults[0]);
    }

    #[test]
    fn a_syntax_fault_names_its_line_but_does_not_show_it() {
        let fault = parse("a = 1\ntoken = \"12345:secret", "f").unwrap_err();
        assert!(fault.key.starts_with("line 2"), "{fault}");
        assert!(!fault.to_string().contains("secret"), "{fault}");
    }
}
