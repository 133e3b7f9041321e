//! Guesses the threads of a window, from names and order alone. Layer `behaviour`; pure.
//!
//! The trees look at one message and do not resolve earlier ones again. This guess, made in one pass, tells the trees
//! which messages belong together.

use super::lexicon::traits;
use super::names::{SPEAKERS_MAX, Speakers, each};
use super::utterance::Utterance;

/// Messages and minutes beyond which a message without a name is not thought to go on.
const BACK_MAX: usize = 20;
const MINUTES_MAX: i64 = 6;

/// The guess, message by message.
pub(super) struct Threads {
    /// The message that each message is thought to answer.
    pub(super) parents: Vec<Option<usize>>,
    /// First message of each message's thread.
    pub(super) roots: Vec<usize>,
    /// Speakers in the thread that begins at each message.
    pub(super) members: Vec<Speakers>,
    /// Latest message by each speaker, and latest one meant for it.
    last_by: [Option<usize>; SPEAKERS_MAX],
    last_to: [Option<usize>; SPEAKERS_MAX],
}

impl Threads {
    pub(super) fn new(size: usize) -> Self {
        Self {
            parents: Vec::with_capacity(size),
            roots: Vec::with_capacity(size),
            members: Vec::with_capacity(size),
            last_by: [None; SPEAKERS_MAX],
            last_to: [None; SPEAKERS_MAX],
        }
    }

    /// Adds the next message.
    pub(super) fn add(&mut self, earlier: &[(usize, &Utterance)], author: usize, aimed: Speakers) {
        let at = self.parents.len();
        let parent = self.guess(earlier, at, earlier[at].1, author, aimed);
        let root = parent.map_or(at, |parent| self.roots[parent]);
        self.parents.push(parent);
        self.roots.push(root);
        self.members.push(0);
        self.members[root] |= 1 << author;
        self.last_by[author] = Some(at);
        each(aimed, |who| self.last_to[who] = Some(at));
    }

    /// Guesses the message that `message`, number `at`, answers.
    pub(super) fn guess(
        &self,
        earlier: &[(usize, &Utterance)],
        at: usize,
        message: &Utterance,
        author: usize,
        aimed: Speakers,
    ) -> Option<usize> {
        let mut addressee = None;
        each(aimed, |who| addressee = addressee.max(self.last_by[who]));
        if addressee.is_some() {
            return addressee;
        }
        let fresh = |other: &usize| at - other <= BACK_MAX && message.minute - earlier[*other].1.minute <= MINUTES_MAX;
        let mine = self.last_by[author].filter(fresh);
        let asked = self.last_to[author].filter(fresh);
        match (asked, mine) {
            (Some(asked), mine) if Some(asked) > mine => Some(asked),
            (_, Some(mine)) => Some(mine),
            _ if message.has(traits::ASKS | traits::GREETS | traits::ROOM) => None,
            _ => at.checked_sub(1).filter(fresh).filter(|before| earlier[*before].1.has(traits::ASKS)),
        }
    }
}
