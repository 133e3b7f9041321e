//! The row of numbers for a pair of messages, or for "opens a thread". Layer `behaviour`; pure.
//!
//! Each number is below 64 and has one meaning in every chat: a distance in messages or minutes, a count, a place, a
//! yes or no. Times count in whole minutes, as IRC logs have no finer ones.

use super::lexicon::traits;
use super::names::Speakers;
use super::room::Room;
use super::utterance::Utterance;

/// Candidates that are looked at: the latest messages that people or bots said.
pub const WINDOW: usize = 50;

/// Values of a number: 0 to this, exclusive.
pub const BINS: usize = 64;

/// What a candidate is worth: its numbers, in the order of `NAMES`.
pub type Row = [u8; COUNT];

/// The rows of one message: the first is "opens a thread", the others are candidates, latest first.
#[derive(Debug, Default)]
pub struct Rows {
    /// Which earlier message each row after the first stands for.
    pub candidates: Vec<usize>,
    /// The numbers.
    pub rows: Vec<Row>,
}

/// What is known of one candidate.
#[derive(Clone, Copy, Default)]
struct Pair {
    /// Messages back, 1 for the latest; 0 for "opens a thread".
    back: u8,
    minutes: u8,
    is_mine: bool,
    is_system_next: bool,
    /// Place of the current speaker's name in it, and of its author's in the current message.
    names_me: u8,
    is_named: u8,
    /// Whether it is meant for the current speaker, somebody else, nobody.
    aims: u8,
    names_others: bool,
    /// Whether both are meant for the same people.
    same_aim: bool,
    /// How many of its author's messages are later, and of the current speaker's.
    author_later: u8,
    mine_later: u8,
    /// How many later ones are meant for its author, by anybody and by the current speaker.
    answers_later: u8,
    my_answers_later: u8,
    /// How many later ones are meant for the current speaker, and those of its author among them.
    to_me_later: u8,
    speakers_later: u8,
    /// The run of messages of one author: whether it goes on after it, and before it.
    run_on: u8,
    run_before: u8,
    gap_before: u8,
    author_said: u8,
    author_partner: u8,
    is_partner: bool,
    from_me: u8,
    to_me: u8,
    words: u8,
    rarest: u8,
    rarity: u8,
    author_rarest: u8,
    with_mine: u8,
    length: u8,
    traits: u32,
}

macro_rules! numbers {
    ($($name:ident = $value:expr;)*) => {
        /// Names of the numbers, in their order.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
        /// How many numbers a row has.
        pub const COUNT: usize = NAMES.len();

        fn row(p: &Pair, s: &Scene) -> Row {
            [$({ let value: fn(&Pair, &Scene) -> u8 = $value; value(p, s).min(BINS as u8 - 1) }),*]
        }
    };
}

numbers! {
    back = |p, _| p.back;
    minutes = |p, _| p.minutes;
    is_mine = |p, _| u8::from(p.is_mine);
    is_named = |p, _| p.is_named;
    names_me = |p, _| p.names_me;
    aims = |p, _| p.aims;
    names_others = |p, _| u8::from(p.names_others);
    same_aim = |p, _| u8::from(p.same_aim);
    author_later = |p, _| p.author_later;
    mine_later = |p, _| p.mine_later;
    answers_later = |p, _| p.answers_later;
    my_answers_later = |p, _| p.my_answers_later;
    to_me_later = |p, _| p.to_me_later;
    speakers_later = |p, _| p.speakers_later;
    run_on = |p, _| p.run_on;
    run_before = |p, _| p.run_before;
    gap_before = |p, _| p.gap_before;
    author_said = |p, _| p.author_said;
    author_partner = |p, _| p.author_partner;
    is_partner = |p, _| u8::from(p.is_partner);
    from_me = |p, _| p.from_me;
    to_me = |p, _| p.to_me;
    words = |p, _| p.words;
    rarest = |p, _| p.rarest;
    rarity = |p, _| p.rarity;
    author_rarest = |p, _| p.author_rarest;
    with_mine = |p, _| p.with_mine;
    length = |p, _| p.length;
    asks = |p, _| bit(p.traits, traits::ASKS) + bit(p.traits, traits::QUESTION_MARK);
    greets = |p, _| bit(p.traits, traits::GREETS) + 2 * bit(p.traits, traits::THANKS);
    agrees = |p, _| bit(p.traits, traits::AGREES);
    command = |p, _| bit(p.traits, traits::COMMAND);
    url = |p, _| bit(p.traits, traits::URL) + 2 * bit(p.traits, traits::TECHNICAL);
    open_end = |p, _| bit(p.traits, traits::OPEN_END) + 2 * bit(p.traits, traits::CONTINUES);
    persons = |p, _| bit(p.traits, traits::YOU) + 2 * bit(p.traits, traits::ME);
    to_room = |p, _| bit(p.traits, traits::ROOM) + 2 * bit(p.traits, traits::HEADED);
    now_named = |_, s| s.named;
    now_addresses = |_, s| s.addresses;
    now_length = |_, s| s.length;
    now_asks = |_, s| bit(s.traits, traits::ASKS) + bit(s.traits, traits::QUESTION_MARK);
    now_greets = |_, s| bit(s.traits, traits::GREETS);
    now_thanks = |_, s| bit(s.traits, traits::THANKS);
    now_agrees = |_, s| bit(s.traits, traits::AGREES);
    now_command = |_, s| bit(s.traits, traits::COMMAND);
    now_url = |_, s| bit(s.traits, traits::URL);
    now_technical = |_, s| bit(s.traits, traits::TECHNICAL);
    now_action = |_, s| bit(s.traits, traits::ACTION);
    now_open_end = |_, s| bit(s.traits, traits::OPEN_END);
    now_continues = |_, s| bit(s.traits, traits::CONTINUES);
    now_you = |_, s| bit(s.traits, traits::YOU);
    now_me = |_, s| bit(s.traits, traits::ME);
    now_it = |_, s| bit(s.traits, traits::IT);
    now_to_room = |_, s| bit(s.traits, traits::ROOM);
    now_laughs = |_, s| bit(s.traits, traits::LAUGHS);
    my_last = |_, s| s.my_last;
    my_last_minutes = |_, s| s.my_last_minutes;
    my_said = |_, s| s.my_said;
    my_partner = |_, s| s.my_partner;
    asked_last = |_, s| s.asked_last;
    pace = |_, s| s.pace;
    speakers = |_, s| s.speakers;
    best_rarity = |_, s| s.best_rarity;
    my_last_asks = |_, s| s.my_last_asks;
    my_last_open = |_, s| s.my_last_open;
}

/// What is the same for all candidates of a message.
#[derive(Default)]
struct Scene {
    named: u8,
    addresses: u8,
    length: u8,
    traits: u32,
    /// Messages back to the current speaker's latest one, and minutes; 0 when it has none.
    my_last: u8,
    my_last_minutes: u8,
    my_said: u8,
    /// 0 none, 1 asked by the partner, 2 having spoken to it.
    my_partner: u8,
    /// Messages back to the latest one meant for the current speaker.
    asked_last: u8,
    /// Minutes that the last twenty messages took, and their speakers.
    pace: u8,
    speakers: u8,
    best_rarity: u8,
    my_last_asks: u8,
    my_last_open: u8,
}

/// Makes the rows of `now` over what came before it.
pub fn rows(earlier: &[&Utterance], now: &Utterance) -> Rows {
    let room = Room::new(earlier, now);
    let pairs = pairs(&room);
    let scene = scene(&room, &pairs);
    let mut made = Rows { candidates: Vec::with_capacity(pairs.len()), rows: Vec::with_capacity(pairs.len() + 1) };
    made.rows.push(row(&Pair::default(), &scene));
    for (back, pair) in pairs.iter().enumerate() {
        made.candidates.push(room.earlier[room.earlier.len() - 1 - back].0);
        made.rows.push(row(pair, &scene));
    }
    made
}

fn scene(room: &Room<'_>, pairs: &[Pair]) -> Scene {
    let now = room.now;
    let size = room.earlier.len();
    let mine = (0..size).rev().find(|at| usize::from(room.authors[*at]) == room.me);
    let asked = (0..size).rev().find(|at| room.meant_for[*at] >> room.me & 1 == 1);
    let back = |at: Option<usize>| at.map_or(0, |at| small(size - at));
    let me = &room.speakers[room.me];
    let recent = size.saturating_sub(20);
    let speakers = room.authors[recent..].iter().fold(0, |set: Speakers, author| set | 1 << author);
    let surest = room.speakers.iter().map(|speaker| speaker.named).max().unwrap_or(0);
    Scene {
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
    }
}

/// What is counted on the way back through the window.
struct Later {
    said: [u8; 128],
    /// Messages meant for each speaker.
    answers: [u8; 128],
    mine: u8,
    to_me: u8,
    mine_to: [u8; 128],
    speakers: Speakers,
    rarest: [u8; 128],
}

fn pairs(room: &Room<'_>) -> Vec<Pair> {
    let size = room.earlier.len();
    let mut later = Later {
        said: [0; 128],
        answers: [0; 128],
        mine: 0,
        to_me: 0,
        mine_to: [0; 128],
        speakers: 0,
        rarest: author_rarest(room),
    };
    let mine = (0..size).rev().find(|at| usize::from(room.authors[*at]) == room.me);
    let my_words = mine.map_or(&[][..], |at| &room.earlier[at].1.words);
    let mut pairs: Vec<Pair> = Vec::with_capacity(WINDOW);
    for at in (size.saturating_sub(WINDOW)..size).rev() {
        let run_on = match pairs.last() {
            Some(next) if room.authors[at] == room.authors[at + 1] => next.run_on.saturating_add(1),
            _ => 0,
        };
        let pair = pair(room, &later, at, run_on, my_words);
        later.pass(room, at);
        pairs.push(pair);
    }
    pairs
}

fn pair(room: &Room<'_>, later: &Later, at: usize, run_on: u8, my_words: &[u32]) -> Pair {
    let now = room.now;
    let other = room.earlier[at].1;
    let author = usize::from(room.authors[at]);
    let speaker = &room.speakers[author];
    let me = &room.speakers[room.me];
    let mask = room.common[at];
    let rare = |place: usize| if mask >> place & 1 == 1 { room.rarity[place] } else { 0 };
    let rarities = (0..room.rarity.len()).map(rare);
    let aimed = room.meant_for[at];
    let my_aim = if room.now_named.addressed == 0 { room.now_named.all } else { room.now_named.addressed };
    let before = at.checked_sub(1);
    Pair {
        back: small(room.earlier.len() - at),
        minutes: 1 + minutes(now.minute - other.minute),
        is_mine: author == room.me,
        is_system_next: false,
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
    }
}

impl Later {
    fn pass(&mut self, room: &Room<'_>, at: usize) {
        let author = usize::from(room.authors[at]);
        let aimed = room.meant_for[at];
        let is_mine = author == room.me;
        self.said[author] = self.said[author].saturating_add(1);
        self.speakers |= 1 << author;
        self.mine += u8::from(is_mine);
        self.to_me += (aimed >> room.me & 1) as u8;
        super::names::each(aimed, |who| {
            self.answers[who] = self.answers[who].saturating_add(1);
            self.mine_to[who] = self.mine_to[who].saturating_add(u8::from(is_mine));
        });
    }
}

/// The rarest word that each author has in common with the current message, over all that it said.
fn author_rarest(room: &Room<'_>) -> [u8; 128] {
    let mut rarest = [0; 128];
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

/// How many of the sorted `words` are among the sorted `others`.
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

fn bit(of: u32, bit: u32) -> u8 {
    u8::from(of & bit != 0)
}

fn small(count: usize) -> u8 {
    count.min(63) as u8
}

/// Whole minutes, finely where they are few: 0 to 15 singly, then in steps of 5 to an hour and of 30 above.
fn minutes(gap: i64) -> u8 {
    let gap = gap.max(0);
    let step = match gap {
        0..16 => gap,
        16..60 => 13 + gap / 5,
        _ => 24 + gap / 30,
    };
    step.min(60) as u8
}
