//! Features of each candidate. Layer `behaviour`; pure.

use super::features::{WINDOW, minutes, small};
use super::names::{SPEAKERS_MAX, Speakers, each};
use super::room::Room;

/// Features of one candidate.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools)] // each is a number of the row, 0 or 1
pub(super) struct Pair {
    /// Messages back, 1 for the latest; 0 for "opens a thread".
    pub(super) back: u8,
    pub(super) minutes: u8,
    pub(super) is_mine: bool,
    /// Place of the current speaker's name in the candidate, and of the candidate's author's in the current message.
    pub(super) names_me: u8,
    pub(super) is_named: u8,
    /// Aim of the candidate: 0 nobody, 1 somebody else, 2 the current speaker as partner, 3 the same by name.
    pub(super) aims: u8,
    pub(super) names_others: bool,
    /// Both messages are meant for some of the same people.
    pub(super) same_aim: bool,
    /// Number of later messages of the author, and of the current speaker.
    pub(super) author_later: u8,
    pub(super) mine_later: u8,
    /// Number of later messages meant for the author, by anybody and by the current speaker.
    pub(super) answers_later: u8,
    pub(super) my_answers_later: u8,
    /// Number of later messages meant for the current speaker, and of speakers of later messages.
    pub(super) to_me_later: u8,
    pub(super) speakers_later: u8,
    /// Run of one author's messages around the candidate: how many follow it, and whether one is before it.
    pub(super) run_on: u8,
    pub(super) run_before: u8,
    pub(super) gap_before: u8,
    pub(super) author_said: u8,
    pub(super) author_partner: u8,
    pub(super) is_partner: bool,
    pub(super) from_me: u8,
    pub(super) to_me: u8,
    pub(super) words: u8,
    pub(super) rarest: u8,
    pub(super) rarity: u8,
    pub(super) author_rarest: u8,
    pub(super) with_mine: u8,
    pub(super) length: u8,
    pub(super) traits: u32,
    /// Guessed threads: whether the candidate is the guess, its answers, messages and speakers of its thread.
    pub(super) is_guess: bool,
    pub(super) children: u8,
    pub(super) thread_later: u8,
    pub(super) thread_before: u8,
    pub(super) is_my_thread: u8,
    pub(super) has_aim: bool,
    pub(super) thread_rarest: u8,
    pub(super) order_since_mine: u8,
    pub(super) likeness: u8,
    /// Message that the candidate is thought to answer: 0 none, 1 another's, 2 the current speaker's, 3 their latest.
    pub(super) parent: u8,
    pub(super) thread_members: u8,
}

/// Counts on the way back through the window.
struct Later {
    said: [u8; SPEAKERS_MAX],
    /// Messages meant for each speaker.
    answers: [u8; SPEAKERS_MAX],
    mine: u8,
    to_me: u8,
    mine_to: [u8; SPEAKERS_MAX],
    speakers: Speakers,
    rarest: [u8; SPEAKERS_MAX],
    /// Guessed answers to each message, and later messages of each thread.
    children: Vec<u8>,
    of_thread: Vec<u8>,
    size_of_thread: Vec<u8>,
    rarest_of_thread: Vec<u8>,
    since_mine: [u8; SPEAKERS_MAX],
}

/// Computes the features of the candidates, the latest first.
pub(super) fn pairs(room: &Room<'_>) -> Vec<Pair> {
    let size = room.earlier.len();
    let mut later = Later {
        said: [0; SPEAKERS_MAX],
        answers: [0; SPEAKERS_MAX],
        mine: 0,
        to_me: 0,
        mine_to: [0; SPEAKERS_MAX],
        speakers: 0,
        rarest: author_rarest(room),
        children: vec![0; size],
        of_thread: vec![0; size],
        size_of_thread: vec![0; size],
        rarest_of_thread: vec![0; size],
        since_mine: [0; SPEAKERS_MAX],
    };
    let mine = (0..size).rev().find(|at| usize::from(room.authors[*at]) == room.me);
    for at in 0..size {
        let first = room.threads.roots[at];
        later.size_of_thread[first] = later.size_of_thread[first].saturating_add(1);
        later.rarest_of_thread[first] = later.rarest_of_thread[first].max(rarest(room, at));
        if mine.is_some_and(|mine| at > mine) {
            later.since_mine[usize::from(room.authors[at])] += 1;
        }
    }
    let mut pairs: Vec<Pair> = Vec::with_capacity(WINDOW);
    for at in (size.saturating_sub(WINDOW)..size).rev() {
        let run_on = match pairs.last() {
            Some(next) if room.authors[at] == room.authors[at + 1] => next.run_on.saturating_add(1),
            _ => 0,
        };
        let pair = pair(room, &later, at, run_on, mine);
        later.pass(room, at);
        pairs.push(pair);
    }
    pairs
}

fn pair(room: &Room<'_>, later: &Later, at: usize, run_on: u8, mine: Option<usize>) -> Pair {
    let my_words = mine.map_or(&[][..], |at| &room.earlier[at].1.words);
    let first = room.threads.roots[at];
    let now = room.now;
    let other = room.earlier[at].1;
    let author = usize::from(room.authors[at]);
    let speaker = &room.speakers[author];
    let me = &room.speakers[room.me];
    let mask = room.common[at];
    let rare = |place: usize| if mask >> place & 1 == 1 { room.rarity[place] } else { 0 };
    let rarities = (0..room.rarity.len()).map(rare);
    let aimed = room.meant_for[at];
    let my_aim = room.now_named.aim();
    let before = at.checked_sub(1);
    Pair {
        back: small(room.earlier.len() - at),
        minutes: 1 + minutes(now.minute - other.minute),
        is_mine: author == room.me,
        names_me: room.names_me[at],
        is_named: speaker.named,
        aims: if aimed == 0 {
            0
        } else if aimed >> room.me & 1 == 1 {
            if room.named[at].all == 0 { 2 } else { 3 }
        } else {
            1
        },
        names_others: room.named[at].all & !(1 << room.me) != 0,
        same_aim: my_aim & aimed != 0,
        author_later: later.said[author],
        mine_later: later.mine,
        answers_later: later.answers[author],
        my_answers_later: later.mine_to[author],
        to_me_later: later.to_me,
        speakers_later: later.speakers.count_ones() as u8,
        run_on,
        run_before: before.map_or(0, |before| u8::from(room.authors[before] == room.authors[at])),
        gap_before: before.map_or(0, |before| 1 + minutes(other.minute - room.earlier[before].1.minute)),
        author_said: speaker.said,
        author_partner: match speaker.partner {
            None => 0,
            Some(partner) if usize::from(partner) == room.me => 2 + u8::from(speaker.is_asked),
            Some(_) => 1,
        },
        is_partner: me.partner == Some(author as u8),
        from_me: speaker.from_me,
        to_me: speaker.to_me,
        words: mask.count_ones() as u8,
        rarest: rarities.clone().max().unwrap_or(0),
        rarity: (rarities.map(u32::from).sum::<u32>() / 4).min(63) as u8,
        author_rarest: later.rarest[author],
        with_mine: shared(my_words, &other.words),
        length: 1 + other.length,
        traits: other.traits,
        is_guess: room.guess == Some(at),
        children: later.children[at],
        thread_later: later.of_thread[first],
        thread_before: later.size_of_thread[first] - later.of_thread[first],
        is_my_thread: u8::from(room.threads.members[first] >> room.me & 1 == 1)
            + u8::from(mine.is_some_and(|mine| room.threads.roots[mine] == first)),
        has_aim: room.threads.members[first] & my_aim != 0,
        thread_rarest: later.rarest_of_thread[first],
        order_since_mine: if mine.is_some_and(|mine| at > mine) {
            later.since_mine[author] - later.said[author]
        } else {
            0
        },
        parent: room.threads.parents[at].map_or(0, |parent| {
            let is_mine = usize::from(room.authors[parent]) == room.me;
            1 + u8::from(is_mine) + u8::from(is_mine && mine == Some(parent))
        }),
        thread_members: room.threads.members[first].count_ones() as u8,
        likeness: likeness(mask.count_ones(), now.words.len().max(other.words.len())),
    }
}

/// Returns the words in common as a share of the longer message's, in eighths, plus one; 0 without any.
fn likeness(common: u32, all: usize) -> u8 {
    if common == 0 { 0 } else { 1 + (common as usize * 8 / all.max(1)) as u8 }
}

/// Returns the rarity of the rarest word that a message has in common with the current one.
fn rarest(room: &Room<'_>, at: usize) -> u8 {
    let mut rarest = 0;
    let mut mask = room.common[at];
    while mask != 0 {
        rarest = rarest.max(room.rarity[mask.trailing_zeros() as usize]);
        mask &= mask - 1;
    }
    rarest
}

impl Later {
    fn pass(&mut self, room: &Room<'_>, at: usize) {
        let author = usize::from(room.authors[at]);
        let aimed = room.meant_for[at];
        let is_mine = author == room.me;
        self.said[author] = self.said[author].saturating_add(1);
        self.speakers |= 1 << author;
        self.of_thread[room.threads.roots[at]] += 1;
        if let Some(parent) = room.threads.parents[at] {
            self.children[parent] = self.children[parent].saturating_add(1);
        }
        self.mine += u8::from(is_mine);
        self.to_me += (aimed >> room.me & 1) as u8;
        each(aimed, |who| {
            self.answers[who] = self.answers[who].saturating_add(1);
            self.mine_to[who] = self.mine_to[who].saturating_add(u8::from(is_mine));
        });
    }
}

/// Returns the rarity of the rarest word in common with the current message for each author, over all its messages.
fn author_rarest(room: &Room<'_>) -> [u8; SPEAKERS_MAX] {
    let mut rarest = [0; SPEAKERS_MAX];
    for (mask, author) in room.common.iter().zip(&room.authors) {
        for (place, rarity) in room.rarity.iter().enumerate() {
            if mask >> place & 1 == 1 {
                let known = &mut rarest[usize::from(*author)];
                *known = (*known).max(*rarity);
            }
        }
    }
    rarest
}

/// Returns how many of the sorted `words` are among the sorted `others`.
fn shared(words: &[u32], others: &[u32]) -> u8 {
    let (mut at, mut count) = (0, 0);
    for word in words {
        while at < others.len() && others[at] < *word {
            at += 1;
        }
        count += u8::from(others.get(at) == Some(word));
    }
    count
}
