//! Features of the current message, the same for all its candidates. Layer `behaviour`; pure.

use super::features::{minutes, small};
use super::lexicon::traits;
use super::names::Speakers;
use super::pair::Pair;
use super::room::Room;

/// Features of the current message.
#[derive(Default)]
pub(super) struct Now {
    pub(super) named: u8,
    pub(super) addresses: u8,
    pub(super) length: u8,
    pub(super) traits: u32,
    /// Messages back to the current speaker's latest one, and minutes; 0 when there is none.
    pub(super) my_last: u8,
    pub(super) my_last_minutes: u8,
    pub(super) my_said: u8,
    /// Partner of the current speaker: 0 for none, 1 when the partner spoke last to the speaker, 2 the reverse.
    pub(super) my_partner: u8,
    /// Messages back to the latest one meant for the current speaker.
    pub(super) asked_last: u8,
    /// Minutes that the last twenty messages took, and the number of their speakers.
    pub(super) pace: u8,
    pub(super) speakers: u8,
    pub(super) best_rarity: u8,
    pub(super) my_last_asks: u8,
    pub(super) my_last_open: u8,
    /// Messages meant for the current speaker since the speaker's latest one.
    pub(super) pending: u8,
    pub(super) previous_is_mine: u8,
    pub(super) previous_minutes: u8,
    /// Messages back to the guessed answer.
    pub(super) guess: u8,
    pub(super) best_author_rarest: u8,
    /// Messages out of sixteen that address somebody, plus one: the current speaker's, anybody's.
    pub(super) my_naming: u8,
    pub(super) naming: u8,
}

/// Computes the features from the current message and the window as a whole.
pub(super) fn now(room: &Room<'_>, pairs: &[Pair]) -> Now {
    let now = room.now;
    let size = room.earlier.len();
    let mine = (0..size).rev().find(|at| usize::from(room.authors[*at]) == room.me);
    let asked = (0..size).rev().find(|at| room.meant_for[*at] >> room.me & 1 == 1);
    let back = |at: Option<usize>| at.map_or(0, |at| small(size - at));
    let me = &room.speakers[room.me];
    let recent = size.saturating_sub(20);
    let speakers = room.authors[recent..].iter().fold(0, |set: Speakers, author| set | 1 << author);
    let surest = room.speakers.iter().map(|speaker| speaker.named).max().unwrap_or(0);
    Now {
        named: surest,
        addresses: if room.now_named.addressed != 0 {
            room.now_named.addressed.count_ones() as u8 + 2
        } else if now.has(traits::HEADED) {
            2
        } else {
            u8::from(room.now_named.all != 0)
        },
        length: now.length,
        traits: now.traits,
        my_last: back(mine),
        my_last_minutes: mine.map_or(0, |at| 1 + minutes(now.minute - room.earlier[at].1.minute)),
        my_said: me.said,
        my_partner: me.partner.map_or(0, |_| 2 - u8::from(me.is_asked)),
        asked_last: back(asked),
        pace: room.earlier.get(recent).map_or(0, |(_, first)| 1 + minutes(now.minute - first.minute)),
        speakers: speakers.count_ones() as u8,
        best_rarity: pairs.iter().map(|pair| pair.rarest).max().unwrap_or(0),
        my_last_asks: mine.map_or(0, |at| 1 + u8::from(room.earlier[at].1.has(traits::ASKS))),
        my_last_open: mine.map_or(0, |at| 1 + u8::from(room.earlier[at].1.has(traits::OPEN_END))),
        pending: (mine.map_or(0, |at| at + 1)..size).filter(|at| room.meant_for[*at] >> room.me & 1 == 1).count() as u8,
        previous_is_mine: u8::from(mine.is_some_and(|at| at + 1 == size)),
        previous_minutes: room.earlier.last().map_or(0, |(_, last)| 1 + minutes(now.minute - last.minute)),
        guess: back(room.guess),
        my_naming: naming(room, |author| author == room.me),
        naming: naming(room, |_| true),
        best_author_rarest: pairs.iter().filter(|pair| !pair.is_mine).map(|pair| pair.author_rarest).max().unwrap_or(0),
    }
}

/// Returns how many of sixteen messages of these authors address somebody, plus one; 0 when they said nothing.
fn naming(room: &Room<'_>, whose: impl Fn(usize) -> bool) -> u8 {
    let theirs = room.named.iter().zip(&room.authors).filter(|(_, author)| whose(usize::from(**author)));
    let (all, addressing) =
        theirs.fold((0, 0), |(all, addressing), (named, _)| (all + 1, addressing + usize::from(named.addressed != 0)));
    (addressing * 16).checked_div(all).map_or(0, |share| 1 + small(share))
}
