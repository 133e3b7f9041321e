//! Facts of the window before any candidate is looked at: who spoke, who was named by whom, who talks to whom, which
//! words of the current message are rare. Layer `behaviour`; pure.

use super::features::HISTORY;
use super::names::{Named, Names, SPEAKERS_MAX, Speakers, each};
use super::threads::Threads;
use super::utterance::Utterance;

/// Facts of one speaker in the window.
#[derive(Clone, Copy, Default)]
pub(super) struct Speaker {
    /// Messages within the window.
    pub(super) said: u8,
    /// Times that the current speaker addressed this one, and the reverse.
    pub(super) from_me: u8,
    pub(super) to_me: u8,
    /// The speaker whom this one addressed last, or who addressed this one last.
    pub(super) partner: Option<u8>,
    /// The partner was the one who spoke last.
    pub(super) is_asked: bool,
    /// How surely the current message names this speaker.
    pub(super) named: u8,
}

/// The window as seen from the current message.
pub(super) struct Room<'a> {
    pub(super) now: &'a Utterance,
    /// Messages that people or bots said, oldest first, with their place among the caller's.
    pub(super) earlier: Vec<(usize, &'a Utterance)>,
    /// Authors of the messages.
    pub(super) authors: Vec<u8>,
    /// Speakers whom the messages name.
    pub(super) named: Vec<Named>,
    /// How surely the messages name the current speaker.
    pub(super) names_me: Vec<u8>,
    /// Speakers for whom the messages are meant: those addressed, else those named, else the author's partner then.
    pub(super) meant_for: Vec<Speakers>,
    pub(super) speakers: Vec<Speaker>,
    /// Guessed threads, and the message that the current one is thought to answer.
    pub(super) threads: Threads,
    pub(super) guess: Option<usize>,
    /// The current speaker.
    pub(super) me: usize,
    pub(super) now_named: Named,
    /// Words of the current message that each message holds, as bits.
    pub(super) common: Vec<u64>,
    /// Rarity of each word of the current message, in eighths of a bit; 0 for names.
    pub(super) rarity: Vec<u8>,
}

impl<'a> Room<'a> {
    pub(super) fn new(earlier: &[&'a Utterance], now: &'a Utterance) -> Self {
        let mut earlier: Vec<(usize, &'a Utterance)> = earlier
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, other)| !other.system)
            .take(HISTORY)
            .map(|(at, other)| (at, *other))
            .collect();
        earlier.reverse();
        let mut names = Names::new();
        let authors: Vec<u8> = earlier.iter().map(|(_, other)| names.number(other) as u8).collect();
        let me = names.number(now);
        let mut room = Self {
            now,
            named: Vec::with_capacity(authors.len()),
            names_me: vec![0; authors.len()],
            meant_for: Vec::with_capacity(authors.len()),
            speakers: vec![Speaker::default(); SPEAKERS_MAX],
            threads: Threads::new(authors.len()),
            guess: None,
            me,
            now_named: Named::default(),
            common: Vec::new(),
            rarity: Vec::new(),
            authors,
            earlier,
        };
        room.listen(&names);
        let speakers = &mut room.speakers;
        room.now_named = names.named(now, me, |who, at| speakers[who].named = speakers[who].named.max(at));
        let aim = room.now_named.aim();
        room.guess = room.threads.guess(&room.earlier, room.earlier.len(), now, me, aim);
        room.compare(&names);
        room
    }

    /// Follows who talks to whom.
    fn listen(&mut self, names: &Names<'_>) {
        let me = self.me;
        for (at, (_, message)) in self.earlier.iter().enumerate() {
            let author = usize::from(self.authors[at]);
            let names_me = &mut self.names_me[at];
            let heard = names.named(message, author, |who, place| {
                if who == me {
                    *names_me = (*names_me).max(place);
                }
            });
            let aimed = heard.aim();
            self.threads.add(&self.earlier, author, aimed);
            let speakers = &mut self.speakers;
            speakers[author].said = speakers[author].said.saturating_add(1);
            let partner = speakers[author].partner.map_or(0, |partner| 1 << partner);
            self.meant_for.push(if aimed == 0 { partner } else { aimed });
            self.named.push(heard);
            if author == me {
                each(aimed, |who| speakers[who].from_me = speakers[who].from_me.saturating_add(1));
            } else if aimed & (1 << me) != 0 {
                speakers[author].to_me = speakers[author].to_me.saturating_add(1);
            }
            each(aimed, |who| {
                speakers[author].partner = Some(who as u8);
                speakers[author].is_asked = false;
                speakers[who].partner = Some(author as u8);
                speakers[who].is_asked = true;
            });
        }
    }

    /// Finds the words in common, and how rare they are within the window.
    fn compare(&mut self, names: &Names<'_>) {
        let words = &self.now.words;
        self.common = self.earlier.iter().map(|(_, other)| common(words, &other.words)).collect();
        let total = self.earlier.len() as f32 + 1.0;
        let rarity = |word: usize| {
            let holding = self.common.iter().filter(|mask| *mask >> word & 1 == 1).count() as f32;
            ((total / (holding + 1.0)).log2() * 8.0).min(63.0) as u8
        };
        self.rarity = (0..words.len().min(64)).map(rarity).collect();
        each(self.now_named.all, |who| {
            for word in names.speaker(who).iter().flat_map(|speaker| &speaker.name_words) {
                if let Ok(place) = words.binary_search(word)
                    && let Some(rarity) = self.rarity.get_mut(place)
                {
                    *rarity = 0;
                }
            }
        });
    }
}

/// Returns which of the sorted `words`, as bits, are among the sorted `others`.
fn common(words: &[u32], others: &[u32]) -> u64 {
    let (mut at, mut mask) = (0, 0);
    for (place, word) in words.iter().enumerate().take(64) {
        while at < others.len() && others[at] < *word {
            at += 1;
        }
        if others.get(at) == Some(word) {
            mask |= 1 << place;
        }
    }
    mask
}
