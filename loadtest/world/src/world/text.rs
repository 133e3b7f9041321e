//! Treats texts as Telegram does: UTF-16 lengths, trimming, entities.
//!
//! Layer: world; pure. Invariants: offsets and lengths are UTF-16 units, and a text's entities are sorted by offset.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::ApiError;

/// The longest text of a message, in UTF-16 units after parsing (Bot API, sendMessage).
pub const MAX_TEXT: usize = 4096;
/// The longest caption, in UTF-16 units after parsing (Bot API, sendPhoto).
pub const MAX_CAPTION: usize = 1024;

/// The kinds of entity that a bot may send (Bot API, `MessageEntity`).
const KINDS: &[&str] = &[
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "expandable_blockquote",
    "code",
    "pre",
    "text_link",
    "text_mention",
    "custom_emoji",
];

/// One entity of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// The entity's kind, such as `mention`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where the entity begins, in UTF-16 units.
    pub offset: usize,
    /// How long the entity is, in UTF-16 units.
    pub length: usize,
    /// The other fields of the entity (url, user, language).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Returns the number of a text's UTF-16 units.
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Returns the part of a text that an entity covers.
pub(crate) fn covered<'t>(text: &'t str, entity: &Entity) -> &'t str {
    let begin = byte_at(text, entity.offset);
    let end = byte_at(text, entity.offset + entity.length);
    text.get(begin..end).unwrap_or_default()
}

fn byte_at(text: &str, units: usize) -> usize {
    let mut seen = 0;
    for (at, letter) in text.char_indices() {
        if seen >= units {
            return at;
        }
        seen += letter.len_utf16();
    }
    text.len()
}

/// A text with its entities, as a message holds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Formatted {
    pub(crate) text: String,
    pub(crate) entities: Vec<Entity>,
}

/// Prepares a text: checks the entities that came with it, trims it, and finds mentions, commands, hashtags and links.
/// `too_long` is the description of the refusal of a text of more than `max` units.
pub(crate) fn format(raw: &str, entities: Option<&Value>, max: usize, too_long: &str) -> Result<Formatted, ApiError> {
    let mut given = match entities {
        Some(entities) => parse_entities(entities, raw)?,
        None => Vec::new(),
    };
    let text = raw.trim();
    let cut = utf16_len(&raw[..raw.len() - raw.trim_start().len()]);
    let length = utf16_len(text);
    if length > max {
        return Err(ApiError::bad(too_long));
    }
    for entity in &mut given {
        let end = (entity.offset + entity.length).saturating_sub(cut).min(length);
        entity.offset = entity.offset.saturating_sub(cut);
        entity.length = end.saturating_sub(entity.offset);
    }
    given.retain(|entity| entity.length > 0);
    for found in detect(text) {
        let overlaps =
            |other: &Entity| found.offset < other.offset + other.length && other.offset < found.offset + found.length;
        if !given.iter().any(overlaps) {
            given.push(found);
        }
    }
    given.sort_by_key(|entity| (entity.offset, std::cmp::Reverse(entity.length)));
    Ok(Formatted { text: text.to_owned(), entities: given })
}

fn parse_entities(raw: &Value, text: &str) -> Result<Vec<Entity>, ApiError> {
    let Value::Array(items) = raw else {
        return Err(ApiError::bad("can't parse entities JSON object"));
    };
    let boundaries = boundaries(text);
    let end_of_text = boundaries.len() - 1;
    let is_boundary = |at: usize| boundaries.get(at).copied().unwrap_or_default();
    let mut entities = Vec::with_capacity(items.len());
    for item in items {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or_default();
        if !KINDS.contains(&kind) {
            return Err(ApiError::bad("can't parse MessageEntity: unsupported type specified"));
        }
        let number = |name: &str| item.get(name).and_then(Value::as_i64);
        let (Some(offset), Some(length)) = (number("offset"), number("length")) else {
            return Err(ApiError::bad(
                "can't parse MessageEntity: Field \"offset\" or \"length\" must be of type Number",
            ));
        };
        if !(0..=1_000_000).contains(&offset) {
            return Err(ApiError::bad(format!("receive an entity with incorrect offset {offset}")));
        }
        if !(0..=1_000_000).contains(&length) {
            return Err(ApiError::bad(format!("receive an entity with incorrect length {length}")));
        }
        let (offset, length) = (offset as usize, length as usize);
        let end = offset + length;
        if end > end_of_text {
            return Err(ApiError::bad(format!(
                "entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {end}"
            )));
        }
        if !is_boundary(offset) {
            return Err(ApiError::bad(format!(
                "entity begins in a middle of a UTF-16 symbol at UTF-16 offset {offset}"
            )));
        }
        if !is_boundary(end) {
            return Err(ApiError::bad(format!(
                "entity beginning at UTF-16 offset {offset} ends in a middle of a UTF-16 symbol at UTF-16 offset {end}"
            )));
        }
        if let Ok(entity) = serde_json::from_value::<Entity>(item.clone()) {
            entities.push(entity);
        }
    }
    Ok(entities)
}

/// Returns for each UTF-16 offset of a text, its end included, whether a character begins there.
fn boundaries(text: &str) -> Vec<bool> {
    let mut marks = Vec::with_capacity(text.len() + 1);
    for letter in text.chars() {
        marks.push(true);
        if letter.len_utf16() == 2 {
            marks.push(false);
        }
    }
    marks.push(true);
    marks
}

/// Finds mentions, bot commands, hashtags and links, as Telegram does in every text.
pub fn detect(text: &str) -> Vec<Entity> {
    let mut found = Vec::new();
    let mut units = 0;
    let mut before = None;
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        let hit = if before.is_some_and(is_word) { None } else { entity_at(&text[at..], letter, before) };
        if let Some((kind, bytes)) = hit {
            let part = &text[at..at + bytes];
            found.push(Entity { kind: kind.to_owned(), offset: units, length: utf16_len(part), rest: Map::new() });
            units += utf16_len(part);
            before = part.chars().next_back();
            at += bytes;
        } else {
            units += letter.len_utf16();
            before = Some(letter);
            at += letter.len_utf8();
        }
    }
    found
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn ascii_word(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
}

fn entity_at(rest: &str, first: char, before: Option<char>) -> Option<(&'static str, usize)> {
    match first {
        '@' => {
            let name = ascii_word(&rest[1..]);
            (4..=32).contains(&name).then_some(("mention", 1 + name))
        }
        '/' if before != Some('/') => command_at(rest),
        '#' => {
            let tag: usize = rest[1..].chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
            let has_letter = rest[1..=tag].chars().any(|c| !c.is_ascii_digit());
            (tag > 0 && has_letter).then_some(("hashtag", 1 + tag))
        }
        'h' | 'H' => {
            let scheme = ["https://", "http://"]
                .into_iter()
                .find(|scheme| rest.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)))?;
            let link = rest.split(char::is_whitespace).next().unwrap_or_default();
            let link = link.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '"', '\'', '…']);
            (link.len() > scheme.len()).then_some(("url", link.len()))
        }
        _ => None,
    }
}

fn command_at(rest: &str) -> Option<(&'static str, usize)> {
    let name = ascii_word(&rest[1..]);
    if !(1..=64).contains(&name) {
        return None;
    }
    let mut end = 1 + name;
    if rest[end..].starts_with('@') {
        let bot = ascii_word(&rest[end + 1..]);
        if bot >= 3 {
            end += 1 + bot;
        }
    }
    let next = rest[end..].chars().next();
    (!next.is_some_and(|c| c == '/' || is_word(c))).then_some(("bot_command", end))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn kinds(text: &str) -> Vec<(String, String)> {
        detect(text).iter().map(|e| (e.kind.clone(), covered(text, e).to_owned())).collect()
    }

    #[test]
    fn mentions_commands_and_links_are_found_with_utf16_offsets() {
        let text = "😀 /stop@deniz_bot @ayse_bot, bak: https://a.org/x. a/b #m12";
        let found = kinds(text);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            found,
            vec![
                pair("bot_command", "/stop@deniz_bot"),
                pair("mention", "@ayse_bot"),
                pair("url", "https://a.org/x"),
                pair("hashtag", "#m12"),
            ]
        );
        assert_eq!(detect(text)[0].offset, 3);
    }

    #[test]
    fn an_address_of_mail_is_no_mention() {
        assert!(kinds("me@example.org and path/to").is_empty());
    }

    #[test]
    fn an_entity_that_cuts_a_surrogate_pair_is_refused() {
        let entities = json!([{"type": "bold", "offset": 1, "length": 1}]);
        let refused = format("😀a", Some(&entities), MAX_TEXT, "message is too long").unwrap_err();
        assert!(refused.description.contains("middle of a UTF-16 symbol"));
        let entities = json!([{"type": "bold", "offset": 0, "length": 4}]);
        let refused = format("😀a", Some(&entities), MAX_TEXT, "message is too long").unwrap_err();
        assert!(refused.description.contains("after the end of the text"));
    }

    #[test]
    fn the_limit_counts_utf16_units_after_trimming() {
        let fits = format!("  {} ", "😀".repeat(2048));
        assert!(format(&fits, None, MAX_TEXT, "message is too long").is_ok());
        let over = "😀".repeat(2048) + "a";
        let refused = format(&over, None, MAX_TEXT, "message is too long").unwrap_err();
        assert_eq!(refused.description, "Bad Request: message is too long");
    }
}
