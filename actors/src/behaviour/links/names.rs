//! Tells who is named by whom within the window. Layer `behaviour`; pure.

use std::cell::Cell;

use super::utterance::{Call, Utterance, place};

/// Most speakers told apart within one window; the rest share the last place.
pub(super) const SPEAKERS_MAX: usize = 128;

/// A set of speakers of the window.
pub(super) type Speakers = u128;

/// Size of the table: a power of two well above the number of forms.
const SLOTS: usize = 1024;

/// The speakers of a window, and the names by which they are called.
pub(super) struct Names<'a> {
    speakers: Vec<&'a Utterance>,
    /// Table with open addressing: the hash of a form, and the speakers who may be meant by it.
    slots: Vec<(u64, Speakers)>,
    forms: usize,
}

/// Speakers named by one message.
#[derive(Clone, Copy, Default)]
pub(super) struct Named {
    /// Everybody named.
    pub(super) all: Speakers,
    /// Speakers addressed: at the start, marked, with an @, or by Telegram's reply.
    pub(super) addressed: Speakers,
}

impl Named {
    /// Returns the speakers addressed, or else those named.
    pub(super) fn aim(&self) -> Speakers {
        if self.addressed == 0 { self.all } else { self.addressed }
    }
}

impl<'a> Names<'a> {
    pub(super) fn new() -> Self {
        Self { speakers: Vec::with_capacity(SPEAKERS_MAX), slots: vec![(0, 0); SLOTS], forms: 0 }
    }

    /// Returns the number of the message's speaker, who is known by all names that the speaker had within the window.
    pub(super) fn number(&mut self, of: &'a Utterance) -> usize {
        let known = self.speakers.iter().rposition(|known| known.speaker == of.speaker);
        let number = match known {
            Some(number) if self.speakers[number].name == of.name => return number,
            Some(number) => {
                self.speakers[number] = of;
                number
            }
            None if self.speakers.len() == SPEAKERS_MAX => return SPEAKERS_MAX - 1,
            None => {
                self.speakers.push(of);
                self.speakers.len() - 1
            }
        };
        for form in &of.names {
            if self.forms < SLOTS / 2 {
                let slot = self.slot(*form);
                self.forms += usize::from(self.slots[slot].1 == 0);
                self.slots[slot] = (*form, self.slots[slot].1 | 1 << number);
            }
        }
        number
    }

    /// Returns the speakers that `message` names; `strength` is called with each speaker and the place of the name.
    pub(super) fn named(&self, message: &Utterance, author: usize, mut strength: impl FnMut(usize, u8)) -> Named {
        let mut named = Named::default();
        let found = Cell::new(false);
        let mut keep = |who: Speakers, at: u8| {
            let who = who & !(1 << author);
            found.set(found.get() || who != 0);
            named.all |= who;
            if at >= place::START {
                named.addressed |= who;
            }
            each(who, |speaker| strength(speaker, at));
        };
        if let Some(answered) = message.answers
            && let Some(number) = self.speakers.iter().rposition(|known| known.speaker == answered)
        {
            keep(1 << number, place::MARKED);
        }
        let mut covered = (0, 0);
        for call in message.calls.iter().filter(|call| call.words > 1) {
            let who = self.meant(call);
            if who != 0 {
                keep(who, call.place);
                covered = (call.word, call.word + call.words);
            }
        }
        for call in message.calls.iter().filter(|call| call.words == 1) {
            if call.word < covered.0 || call.word >= covered.1 {
                keep(self.meant(call), call.place);
            }
        }
        if !found.get()
            && let Some(head) = message.head.as_deref()
        {
            let begins = |(number, known): (usize, &&Utterance)| known.name.starts_with(head).then_some(number);
            if let Some(number) = self.speakers.iter().enumerate().rev().find_map(begins) {
                keep(1 << number, place::SHORTENED);
            }
        }
        named
    }

    /// Returns the message by which a speaker is known.
    pub(super) fn speaker(&self, number: usize) -> Option<&'a Utterance> {
        self.speakers.get(number).copied()
    }

    fn meant(&self, call: &Call) -> Speakers {
        self.slots[self.slot(call.name)].1
    }

    /// Returns the slot where `form` is, or would be.
    fn slot(&self, form: u64) -> usize {
        let mut slot = (form >> 40) as usize % SLOTS;
        while self.slots[slot].1 != 0 && self.slots[slot].0 != form {
            slot = (slot + 1) % SLOTS;
        }
        slot
    }
}

/// Calls `with` for each speaker of a set.
pub(super) fn each(mut set: Speakers, mut with: impl FnMut(usize)) {
    while set != 0 {
        with(set.trailing_zeros() as usize);
        set &= set - 1;
    }
}
