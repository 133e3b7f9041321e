//! Window: the end of a transcript as a director sees it. Layer `behaviour`; pure.
//!
//! The length counts what was said: messages, and service messages and commands, which hold their places. Changes of a
//! message take no place from others: the window holds the latest of its edits and none of its reactions, so that
//! nobody pushes a conversation out by editing one message again and again. The newest entry is held whatever it is,
//! and so is the edit that it supersedes, since both are compared. With the next entry, a reaction and a superseded
//! edit leave.
//!
//! A window is a function of the entries from its first to its last one, so a decision can be made again on the same.

use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::Arc;

use super::note::Note;
use crate::domain::ids::{MessageId, Number, TelegramChatId};
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Most messages whose latest edits the window holds; beyond it the oldest of these edits leave.
const EDITS_MAX: usize = 400;

/// The end of a transcript, oldest first.
#[derive(Debug, Default)]
pub struct Window {
    notes: VecDeque<Arc<Note>>,
    said: usize,
    /// Number of notes in a forum topic.
    threaded: usize,
    /// Number of the latest edit of each message, as far as the window holds the edit.
    edits: HashMap<(TelegramChatId, MessageId), Number>,
    /// The edit that the newest entry supersedes.
    superseded: Option<Number>,
}

impl Deref for Window {
    type Target = VecDeque<Arc<Note>>;

    fn deref(&self) -> &Self::Target {
        &self.notes
    }
}

/// Returns whether an entry holds a place in a conversation.
fn is_said(entry: &TranscriptEntry) -> bool {
    matches!(entry.kind, EntryKind::Message | EntryKind::Member)
}

fn subject(entry: &TranscriptEntry) -> (TelegramChatId, MessageId) {
    (entry.telegram_chat, entry.message_id)
}

impl Window {
    /// Appends the next entry; beyond `most` of what was said, the oldest leaves.
    pub fn push(&mut self, note: Arc<Note>, most: usize) {
        if let Some(superseded) = self.superseded.take() {
            self.remove(superseded);
        }
        if self.notes.back().is_some_and(|last| last.kind == EntryKind::Reaction)
            && let Some(reaction) = self.notes.pop_back()
        {
            self.leaves(&reaction);
        }
        match note.kind {
            EntryKind::Edit => {
                self.superseded = self.edits.insert(subject(&note), note.number);
                if self.edits.len() > EDITS_MAX {
                    self.remove_oldest_edit();
                }
            }
            EntryKind::Reaction => {}
            EntryKind::Message | EntryKind::Member => self.said += 1,
        }
        self.threaded += usize::from(note.thread.is_some());
        self.notes.push_back(note);
        while self.said > most {
            self.remove_first();
        }
    }

    /// Returns the entry of that number, if the window holds it.
    pub fn entry(&self, number: Number) -> Option<&Arc<Note>> {
        self.notes.get(self.place(number)?)
    }

    fn place(&self, number: Number) -> Option<usize> {
        self.notes.binary_search_by_key(&number, |note| note.number).ok()
    }

    fn remove(&mut self, number: Number) {
        if let Some(note) = self.place(number).and_then(|place| self.notes.remove(place)) {
            self.leaves(&note);
        }
    }

    fn leaves(&mut self, note: &Note) {
        self.threaded -= usize::from(note.thread.is_some());
    }

    /// Returns whether any note is in a forum topic.
    pub fn has_topics(&self) -> bool {
        self.threaded > 0
    }

    fn remove_first(&mut self) {
        let Some(first) = self.notes.pop_front() else {
            return;
        };
        self.leaves(&first);
        if is_said(&first) {
            self.said -= 1;
        } else {
            self.forget_edit(&first);
        }
    }

    fn remove_oldest_edit(&mut self) {
        let oldest = self.notes.iter().position(|note| note.kind == EntryKind::Edit);
        if let Some(oldest) = oldest.and_then(|place| self.notes.remove(place)) {
            self.leaves(&oldest);
            self.forget_edit(&oldest);
        }
    }

    fn forget_edit(&mut self, edit: &Note) {
        if self.edits.get(&subject(edit)) == Some(&edit.number) {
            self.edits.remove(&subject(edit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ChatId;
    use crate::testkit::rows::entry;

    fn note(number: i64, kind: EntryKind, message: i64) -> Arc<Note> {
        let entry = TranscriptEntry { kind, message_id: MessageId(message), ..entry(ChatId(1), number, number) };
        Arc::new(Note::new(Arc::new(entry)))
    }

    fn numbers(window: &Window) -> Vec<i64> {
        window.iter().map(|note| note.number.0).collect()
    }

    fn of(notes: &[Arc<Note>], most: usize) -> Window {
        let mut window = Window::default();
        for note in notes {
            window.push(Arc::clone(note), most);
        }
        window
    }

    #[test]
    fn who_edits_one_message_for_ever_pushes_nothing_out() {
        let mut notes: Vec<_> = (1..=3).map(|n| note(n, EntryKind::Message, 500 + n)).collect();
        notes.extend((4..=203).map(|n| note(n, EntryKind::Edit, 502)));
        notes.push(note(204, EntryKind::Reaction, 501));
        let window = of(&notes, 3);
        assert_eq!(numbers(&window), [1, 2, 3, 203, 204]);
        assert_eq!(window.entry(Number(203)).map(|note| note.message_id), Some(MessageId(502)));
        assert!(window.entry(Number(100)).is_none());
        notes.push(note(205, EntryKind::Message, 504));
        assert_eq!(numbers(&of(&notes, 3)), [2, 3, 203, 205]);
    }

    #[test]
    fn an_edit_stands_beside_the_one_that_it_supersedes_until_something_else_happens() {
        let mut notes =
            vec![note(1, EntryKind::Message, 501), note(2, EntryKind::Edit, 501), note(3, EntryKind::Edit, 501)];
        assert_eq!(numbers(&of(&notes, 9)), [1, 2, 3]);
        notes.push(note(4, EntryKind::Message, 502));
        assert_eq!(numbers(&of(&notes, 9)), [1, 3, 4]);
    }

    #[test]
    fn edits_of_many_messages_level_off() {
        let notes: Vec<_> = (1..=2_000).map(|n| note(n, EntryKind::Edit, n)).collect();
        assert!(of(&notes, 9).len() <= EDITS_MAX + 1);
    }

    #[test]
    fn a_window_is_a_function_of_its_entries_from_the_first_to_the_last() {
        let kinds = [EntryKind::Message, EntryKind::Edit, EntryKind::Reaction, EntryKind::Edit, EntryKind::Member];
        let notes: Vec<_> = (1..=300).map(|n: i64| note(n, kinds[(n * n % 5) as usize], 500 + n % 7)).collect();
        for upto in 1..notes.len() {
            let window = of(&notes[..upto], 12);
            let first = window.front().unwrap().number.0 as usize;
            assert_eq!(numbers(&of(&notes[first - 1..upto], usize::MAX)), numbers(&window));
            assert_eq!(window.threaded, window.iter().filter(|note| note.thread.is_some()).count());
        }
    }
}
