//! Collects the words of a rich message. Layer `adapters`.
//!
//! Blocks and styles have more than fifty kinds, and new ones come with each version of the Bot API. So words are
//! looked for under the few names of fields that hold them in every kind; fields with other names are left out.
//!
//! # Source
//! Bot API 10.3: `RichMessage`, `RichBlock`, `RichText` (a text, a list of these, or an object with one in `text`).

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::incoming::{Entity, EntityKind};
use botfleet_actors::domain::text::utf16_units;
use serde_json::Value;

/// Fields that hold words, directly or deeper, in the order in which they are read.
const WORDS: [&str; 10] =
    ["summary", "text", "expression", "alternative_text", "blocks", "items", "cells", "caption", "credit", "title"];

/// Fields whose values stand in a line of their own.
const LINES: [&str; 4] = ["blocks", "items", "cells", "caption"];

/// Kind of a block that holds the thinking of a model, not its words.
const THINKING: &str = "thinking";

/// Depth of objects and lists that are read.
const DEPTH: u32 = 32;

/// Returns the text of these blocks, and the entities in it that the fleet reads.
pub(super) fn words(blocks: &Value) -> (String, Vec<Entity>) {
    let mut words = Words::default();
    words.read(blocks, true, DEPTH);
    let length = words.text.trim_end().len();
    words.text.truncate(length);
    (words.text, words.entities)
}

#[derive(Default)]
struct Words {
    text: String,
    entities: Vec<Entity>,
}

impl Words {
    fn read(&mut self, value: &Value, lines: bool, depth: u32) {
        let Some(deeper) = depth.checked_sub(1) else { return };
        match value {
            Value::String(text) => self.text.push_str(text),
            Value::Array(parts) => {
                for part in parts {
                    self.read(part, lines, deeper);
                    if lines {
                        self.end_line();
                    }
                }
            }
            Value::Object(fields) => {
                let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
                if kind == THINKING {
                    return;
                }
                let start = utf16_units(&self.text);
                for name in WORDS {
                    if let Some(part) = fields.get(name) {
                        if matches!(name, "caption" | "credit") {
                            self.end_line();
                        }
                        self.read(part, LINES.contains(&name), deeper);
                        if name == "summary" {
                            self.end_line();
                        }
                    }
                }
                let user = || fields.get("user")?.get("id")?.as_i64().map(TelegramUserId);
                let kind = match kind {
                    "mention" => EntityKind::Mention,
                    "bot_command" => EntityKind::BotCommand,
                    "text_mention" => match user() {
                        Some(user) => EntityKind::TextMention(user),
                        None => return,
                    },
                    "code" | "pre" | "preformatted" => EntityKind::Other("pre".to_owned()),
                    _ => return,
                };
                self.entities.push(Entity { kind, offset: start, length: utf16_units(&self.text) - start });
            }
            _ => {}
        }
    }

    fn end_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_found_in_blocks_of_every_kind_and_thoughts_are_none() {
        let (text, entities) = words(&json!([
            {"type": "heading", "size": 1, "text": "Fish"},
            {"type": "thinking", "text": "what do they want"},
            {"type": "paragraph", "text": ["Ask ", {"type": "bold", "text": {"type": "mention", "text": "@ada_bot"}}, " or ",
                {"type": "text_mention", "text": "Işıl", "user": {"id": 7}}, "."]},
            {"type": "list", "items": [{"label": "1.", "blocks": [{"type": "paragraph", "text": "perch"}]},
                {"label": "2.", "blocks": [{"type": "paragraph", "text": "pike"}]}]},
            {"type": "table", "cells": [[{"text": "a"}, {"text": "b"}]]},
            {"type": "photo", "photo": [{"file_id": "x"}], "caption": {"text": "the lake", "credit": "Ayşe"}},
            {"type": "from_the_future", "blocks": [{"type": "pre", "text": "@deniz_bot"}]},
        ]));
        assert_eq!(text, "Fish\nAsk @ada_bot or Işıl.\nperch\npike\na\nb\nthe lake\nAyşe\n@deniz_bot");
        let kinds: Vec<_> = entities.iter().map(|entity| (&entity.kind, entity.offset, entity.length)).collect();
        assert_eq!(kinds[0], (&EntityKind::Mention, 9, 8));
        assert_eq!(kinds[1], (&EntityKind::TextMention(TelegramUserId(7)), 21, 4));
        assert_eq!(kinds[2].0, &EntityKind::Other("pre".to_owned()));
    }
}
