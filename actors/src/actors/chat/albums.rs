//! Handles albums: several messages that are one to people, and are answered once. Layer `actors`.
//!
//! Telegram brings an album as one message for each picture, in one answer or in several. One of them, mostly the
//! first, bears the words, and wakes the bots. Where pictures come in an earlier answer, the first of them wakes the
//! bots, and the words do only when that left everybody silent. All of them are entries.

use std::collections::{BTreeSet, VecDeque};

use super::memory::Memory;
use crate::actors::chat::messages::{Content, Delivery};
use crate::domain::ids::{MessageId, Number, TelegramChatId};
use crate::domain::incoming::{Event, Incoming, Message};
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// The number of albums remembered whose beginning nobody answered. After a restart an album counts as answered: better
/// no answer than two.
const UNANSWERED: usize = 16;

/// Albums whose beginning nobody answered, latest last.
#[derive(Default)]
pub(super) struct Albums(VecDeque<String>);

/// Returns the albums of which these deliveries bring a message with words.
pub(super) fn captioned(deliveries: &[Delivery]) -> BTreeSet<String> {
    let album = |delivery: &Delivery| match &delivery.content {
        Content::Update(Incoming {
            event: Event::Message(Message { text: Some(_), media: Some(media), .. }), ..
        }) => media.album.clone(),
        _ => None,
    };
    deliveries.iter().filter_map(album).collect()
}

impl Memory {
    /// Returns whether a new entry may wake bots: most entries of an album may not. `captioned` holds the albums whose
    /// words are at hand.
    pub(super) fn is_woken_by(&self, entry: &TranscriptEntry, captioned: &BTreeSet<String>) -> bool {
        let Some(album) = entry.album() else {
            return true;
        };
        let mut earlier = self.of_album(entry, album).peekable();
        if earlier.peek().is_none() {
            return entry.text.is_some() || !captioned.contains(album);
        }
        entry.text.is_some()
            && earlier.all(|other| other.text.is_none())
            && self.albums.0.iter().any(|one| one == album)
    }

    /// Returns whether that entry is the first of its album with words: policy `every` answers that one.
    pub(super) fn leads_album(&self, number: Number) -> bool {
        let Some(entry) = self.entry(number) else {
            return false;
        };
        let others = |album| self.of_album(entry, album).all(|other| other.number >= number || other.text.is_none());
        entry.text.is_some() && entry.album().is_none_or(others)
    }

    /// Notes that nobody answers the album so far; changes nothing in an album whose beginning was answered.
    pub(super) fn unanswered_album(&mut self, album: &str, woken: bool) {
        let known = self.albums.0.iter().any(|one| one == album);
        let begins = woken || self.window.iter().filter(|note| note.album() == Some(album)).count() == 1;
        if begins && !known {
            self.albums.0.push_back(album.to_owned());
            if self.albums.0.len() > UNANSWERED {
                self.albums.0.pop_front();
            }
        }
    }

    /// Returns whether the window holds a message of that id.
    pub(super) fn holds(&self, telegram_chat: TelegramChatId, message: MessageId) -> bool {
        let is_it = |note: &TranscriptEntry| {
            note.kind == EntryKind::Message && note.message_id == message && note.telegram_chat == telegram_chat
        };
        self.window.iter().rev().any(|note| is_it(&note.entry))
    }

    fn of_album<'a>(
        &'a self,
        entry: &'a TranscriptEntry,
        album: &'a str,
    ) -> impl Iterator<Item = &'a TranscriptEntry> + 'a {
        let same = move |note: &&'a TranscriptEntry| {
            note.album() == Some(album)
                && note.telegram_chat == entry.telegram_chat
                && note.kind == EntryKind::Message
                && note.message_id != entry.message_id
        };
        self.window.iter().map(|note| &*note.entry).filter(same)
    }
}
