//! Reads the text of a message, in whatever shape it comes. Layer `adapters`; pure. Keeps I13.
//!
//! Text is kept as the bytes of its code units until the answer is whole: a server that streams tokens may write the
//! halves of a surrogate pair into two chunks.
//!
//! # Source
//! simonsapin.github.io/wtf-8 for halves of a pair; the `serde_json` documentation, `deserialize_bytes`.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// Kinds of parts that belong to the answer.
const TEXT: [&str; 2] = ["text", "output_text"];

/// Kinds of parts that do not belong to the answer: reasoning, and references without a text of their own.
const BESIDE: [&str; 6] =
    ["thinking", "redacted_thinking", "reasoning", "reasoning_text", "reasoning_content", "reference"];

/// A content that cannot be read, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) &'static str);

/// Text as WTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Units(pub(super) Vec<u8>);

/// A content that was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// The text.
    pub(super) text: Units,
    /// Set when a part of the content is a refusal.
    pub(super) refuses: bool,
}

/// A part of a content.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type")]
    kind: Option<Value>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

/// A text within an object.
#[derive(Deserialize)]
struct Valued<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
}

impl Units {
    /// Returns the text, or `None` when half of a pair stands alone.
    pub(super) fn into_text(self) -> Option<String> {
        match String::from_utf8(self.0) {
            Ok(text) => Some(text),
            Err(error) => String::from_utf8(joined(error.as_bytes())).ok(),
        }
    }

    fn read(raw: &RawValue) -> Result<Self, Unreadable> {
        if raw.get().starts_with('"') {
            return serde_json::from_str(raw.get()).map_err(|_| Unreadable("text is broken"));
        }
        let valued: Valued<'_> = serde_json::from_str(raw.get()).map_err(|_| Unreadable("text is no string"))?;
        if !valued.value.get().starts_with('"') {
            return Err(Unreadable("text is no string"));
        }
        Self::read(valued.value)
    }
}

/// Joins halves of a pair that follow one another into a character.
fn joined(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        if let [0xed, high @ 0xa0..=0xaf, high_low, 0xed, low @ 0xb0..=0xbf, low_low, ..] = *rest {
            let high = (u32::from(high & 0x0f) << 6) | u32::from(high_low & 0x3f);
            let low = (u32::from(low & 0x0f) << 6) | u32::from(low_low & 0x3f);
            if let Some(c) = char::from_u32(0x1_0000 + (high << 10) + low) {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[6..];
                continue;
            }
        }
        out.push(first);
        rest = &rest[1..];
    }
    out
}

impl Content {
    /// Reads a string, a part, or a list of them.
    ///
    /// # Errors
    /// `Unreadable` for any other shape, and for a part of an unknown kind, which may hold words of the answer.
    pub(super) fn read(raw: &RawValue) -> Result<Self, Unreadable> {
        let mut content = Self::default();
        if raw.get().starts_with('[') {
            let parts: Vec<&RawValue> =
                serde_json::from_str(raw.get()).map_err(|_| Unreadable("content is a broken list"))?;
            for part in parts {
                content.add(part)?;
            }
        } else {
            content.add(raw)?;
        }
        Ok(content)
    }

    fn add(&mut self, raw: &RawValue) -> Result<(), Unreadable> {
        if raw.get().starts_with('"') {
            self.text.0.extend(Units::read(raw)?.0);
            return Ok(());
        }
        if !raw.get().starts_with('{') {
            return Err(Unreadable("content is no text"));
        }
        let part: Part<'_> =
            serde_json::from_str(raw.get()).map_err(|_| Unreadable("a part of the content is broken"))?;
        let kind = match &part.kind {
            None => TEXT[0],
            Some(Value::String(kind)) => kind.as_str(),
            Some(_) => return Err(Unreadable("a part of the content has no kind")),
        };
        if kind == "refusal" {
            self.refuses = true;
        } else if TEXT.contains(&kind) {
            match part.text {
                Some(text) => self.text.0.extend(Units::read(text)?.0),
                None if part.kind.is_some() => {}
                None => return Err(Unreadable("a part of the content has no text")),
            }
        } else if !BESIDE.contains(&kind) {
            return Err(Unreadable("a part of the content is of an unknown kind"));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Units;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Units, E> {
                Ok(Units(bytes.to_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Content, Unreadable> {
        let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
        Content::read(&raw)
    }

    fn text(of: &str) -> Option<String> {
        read(of).unwrap().text.into_text()
    }

    #[test]
    fn text_is_read_in_every_shape_that_says_where_it_is() {
        let shapes = [
            r#""Selam \ud83d\ude00""#,
            r#"["Selam ","😀"]"#,
            r#"{"type":"text","text":"Selam 😀"}"#,
            r#"[{"text":"Selam "},{"type":"output_text","text":{"value":"😀"}},{"type":"text","text":null}]"#,
            r#"[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Selam 😀"}]"#,
        ];
        for shape in shapes {
            assert_eq!(text(shape).as_deref(), Some("Selam 😀"), "{shape}");
        }
        for odd in ["1", "true", r#"{"type":"image_url"}"#, r#"[{"type":"new","text":"x"}]"#, r"[{}]", "[[\"x\"]]"] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn halves_of_a_pair_meet_and_a_lone_one_is_no_text() {
        let mut units = read(r#""a\ud83d""#).unwrap().text;
        assert_eq!(units.clone().into_text(), None);
        units.0.extend(read(r#""\ude00b""#).unwrap().text.0);
        assert_eq!(units.into_text().as_deref(), Some("a😀b"));
    }
}
