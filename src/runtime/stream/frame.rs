//! A frame: one event of the stream, rendered once for all who read it. Layer `runtime`.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use botfleet_actors::domain::ids::{ChatId, DecisionNumber, Number, TelegramUserId};
use botfleet_actors::domain::time::Timestamp;
use bytes::Bytes;
use serde::Serialize;

/// The part of the fleet that a frame tells of: who does not reach that part does not get the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An entry of a chat.
    Entry(ChatId, Number),
    /// A decision of a chat.
    Decision(ChatId, DecisionNumber),
    /// State of a chat.
    ChatState(ChatId),
    /// A block of the audit.
    Audit(i64),
    /// The fleet as a whole.
    Fleet,
    /// The stream itself.
    Stream,
}

/// The words that a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Words of a person.
    Of(TelegramUserId, Timestamp),
    /// Words that may answer or quote somebody, of that time.
    About(Timestamp),
}

/// A frame as it is sent: `event: NAME`, `data: JSON` and an empty line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    bytes: Bytes,
    data_at: usize,
}

impl Rendered {
    /// Renders data; `None` when it is no JSON.
    fn of(name: &str, data: &impl Serialize) -> Option<Self> {
        // The name may come from another version; a line break in it would end the field.
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let mut bytes = format!("event: {name}\ndata: ").into_bytes();
        let data_at = bytes.len();
        // JSON has no line breaks outside of its strings, and none unescaped within.
        serde_json::to_writer(&mut bytes, data).ok()?;
        bytes.extend_from_slice(b"\n\n");
        Some(Self { bytes: bytes.into(), data_at })
    }

    /// Returns the frame as server-sent events have it. All readers share the bytes.
    pub fn event(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Returns the data alone.
    pub fn data(&self) -> &str {
        let end = self.bytes.len().saturating_sub(2);
        self.bytes.get(self.data_at..end).and_then(|data| std::str::from_utf8(data).ok()).unwrap_or("null")
    }
}

/// A frame.
#[derive(Debug)]
pub struct Frame {
    /// Name of the event.
    pub name: Cow<'static, str>,
    /// The part of the fleet that the frame tells of.
    pub source: Source,
    bare: Rendered,
    full: Option<(Rendered, Words)>,
    /// Set once the words must not be told any more, also to readers who hold the frame already.
    withheld: AtomicBool,
}

impl Frame {
    /// Renders a frame without words; `None` when the data is no JSON.
    pub fn plain(name: impl Into<Cow<'static, str>>, source: Source, data: &impl Serialize) -> Option<Self> {
        let name = name.into();
        let bare = Rendered::of(&name, data)?;
        Some(Self { name, source, bare, full: None, withheld: AtomicBool::new(false) })
    }

    /// Adds the frame with its words, for whoever may read them.
    #[must_use]
    pub fn with(self, words: Words, data: &impl Serialize) -> Self {
        let full = Rendered::of(&self.name, data).map(|rendered| (rendered, words));
        Self { full, ..self }
    }

    /// Returns the words of the frame that may still be told.
    pub fn words(&self) -> Option<Words> {
        self.full.as_ref().filter(|_| !self.withheld.load(Ordering::Acquire)).map(|(_, words)| *words)
    }

    /// Keeps the words back from now on.
    pub fn withhold(&self) {
        self.withheld.store(true, Ordering::Release);
    }

    /// Returns the frame for a reader, with words if the reader may read them and they may be told.
    pub fn shown(&self, words: bool) -> &Rendered {
        match &self.full {
            Some((full, _)) if words && !self.withheld.load(Ordering::Acquire) => full,
            _ => &self.bare,
        }
    }

    /// Returns the bytes that the frame takes.
    pub fn size(&self) -> usize {
        self.bare.bytes.len() + self.full.as_ref().map_or(0, |(full, _)| full.bytes.len())
    }
}

/// A frame on its way to one reader.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The frame.
    pub frame: std::sync::Arc<Frame>,
    /// The reader may read words.
    pub words: bool,
    /// The reader's cursor with this frame; absent for what has no place in it.
    pub id: Option<String>,
}

impl Sent {
    /// Returns the frame as this reader may see it, at this moment.
    pub fn shown(&self) -> &Rendered {
        self.frame.shown(self.words)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn words_go_to_those_who_may_read_them_until_they_are_withheld() {
        let said = Words::Of(TelegramUserId(7), Timestamp::from_millis(1));
        let frame = Frame::plain("entry", Source::Fleet, &json!({ "number": 1 })).unwrap();
        let frame = frame.with(said, &json!({ "number": 1, "text": "a\nb" }));
        assert_eq!(frame.shown(false).event(), "event: entry\ndata: {\"number\":1}\n\n");
        assert_eq!(frame.shown(true).data(), r#"{"number":1,"text":"a\nb"}"#);
        assert_eq!(frame.words(), Some(said));
        frame.withhold();
        assert_eq!(frame.shown(true).data(), r#"{"number":1}"#);
        assert_eq!(frame.words(), None);
    }

    #[test]
    fn a_name_of_another_version_ends_no_line() {
        let frame = Frame::plain("a\nid: 1", Source::Fleet, &json!(1)).unwrap();
        assert_eq!(frame.shown(true).event(), "event: aid: 1\ndata: 1\n\n");
    }
}
