//! Notes: entries of a transcript, each with values that the engine computes from it. Layer `behaviour`; pure.
//!
//! Each value is computed when it is first asked for, and once: a chat whose policy needs none pays nothing.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::links::utterance::Utterance;
use super::novelty::sketch::Sketch;
use crate::domain::incoming::{Entity, Quoted};
use crate::domain::text::fold;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// An entry and the values computed from it.
#[derive(Debug)]
pub struct Note {
    /// The entry.
    pub entry: Arc<TranscriptEntry>,
    /// Excerpt of the message that this one replies to, where the transcript does not hold that message. Kept in memory
    /// alone: these are another author's words, and no row but the update's holds them.
    quoted: Option<Box<Quoted>>,
    folded: OnceLock<String>,
    utterance: OnceLock<Box<Utterance>>,
    sketch: OnceLock<Box<Sketch>>,
}

impl Note {
    /// Creates the note of an entry.
    pub fn new(entry: Arc<TranscriptEntry>) -> Self {
        Self::quoting(entry, None)
    }

    /// Creates the note of an entry with an excerpt of the message that it replies to.
    pub fn quoting(entry: Arc<TranscriptEntry>, quoted: Option<Quoted>) -> Self {
        let quoted = quoted.map(Box::new);
        Self { entry, quoted, folded: OnceLock::new(), utterance: OnceLock::new(), sketch: OnceLock::new() }
    }

    /// Returns the excerpt of the message that this one replies to.
    pub fn quoted(&self) -> Option<&Quoted> {
        self.quoted.as_deref()
    }

    /// Returns the text, folded; empty when there is none.
    pub fn folded(&self) -> &str {
        self.folded.get_or_init(|| fold(self.entry.text.as_deref().unwrap_or_default()))
    }

    /// Returns the text, folded, without the parts marked as code: names there call nobody.
    pub fn calling(&self) -> Cow<'_, str> {
        let code: Vec<&Entity> = self.entry.entities.iter().filter(|entity| entity.is_code()).collect();
        let Some(text) = self.entry.text.as_deref().filter(|_| !code.is_empty()) else {
            return Cow::Borrowed(self.folded());
        };
        let mut units = 0;
        let outside = |c: char| {
            let at = units;
            units += c.len_utf16();
            let inside = code.iter().any(|mark| (mark.offset..mark.offset.saturating_add(mark.length)).contains(&at));
            if inside { ' ' } else { c }
        };
        Cow::Owned(fold(&text.chars().map(outside).collect::<String>()))
    }

    /// Returns the features of the message that the link resolver needs.
    pub fn utterance(&self) -> &Utterance {
        let read = || {
            let entry = &*self.entry;
            let (author, text) = (&entry.author, entry.text.as_deref().unwrap_or_default());
            let system = entry.kind != EntryKind::Message || entry.is_notice();
            let read = Utterance::new(&author.name, author.username.as_deref(), text, entry.date, system);
            Box::new(read.spoken_by(&author.id.to_string()))
        };
        self.utterance.get_or_init(read)
    }

    /// Returns the sketch of the text.
    pub fn sketch(&self) -> &Sketch {
        self.sketch.get_or_init(|| Box::new(Sketch::of_folded(self.folded())))
    }
}

impl Deref for Note {
    type Target = TranscriptEntry;

    fn deref(&self) -> &TranscriptEntry {
        &self.entry
    }
}
