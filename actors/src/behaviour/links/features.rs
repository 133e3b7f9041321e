//! Computes the row of numbers for a pair of messages, or for "opens a thread". Layer `behaviour`; pure.
//!
//! Each number is below 64 and has one meaning in every chat: a distance in messages or minutes, a count, a place, a
//! yes or no. Times count in whole minutes, as IRC logs have no finer ones.

use super::lexicon::traits;
use super::now::{Now, now as now_of};
use super::pair::{Pair, pairs};
use super::room::Room;
use super::utterance::Utterance;

/// Number of candidates: the latest messages that people or bots said.
pub const WINDOW: usize = 50;

/// Number of latest messages that tell of the speakers; only the last [`WINDOW`] of them are candidates.
pub const HISTORY: usize = 100;

/// Number of values that a number may have, from 0.
pub const BINS: usize = 64;

/// Numbers of a candidate, in the order of `NAMES`.
pub type Row = [u8; COUNT];

/// The rows of one message: the first is "opens a thread", the others are candidates, latest first.
#[derive(Debug, Default)]
pub struct Rows {
    /// Earlier message that each row after the first stands for.
    pub candidates: Vec<usize>,
    /// The numbers.
    pub rows: Vec<Row>,
}

macro_rules! numbers {
    ($($name:ident = $value:expr;)*) => {
        /// Names of the numbers, in their order.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
        /// Number of numbers in a row.
        pub const COUNT: usize = NAMES.len();

        fn row(p: &Pair, s: &Now) -> Row {
            [$({ let value: fn(&Pair, &Now) -> u8 = $value; value(p, s).min(BINS as u8 - 1) }),*]
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
    is_guess = |p, _| u8::from(p.is_guess);
    children = |p, _| p.children;
    thread_later = |p, _| p.thread_later;
    thread_before = |p, _| p.thread_before;
    is_my_thread = |p, _| p.is_my_thread;
    has_aim = |p, _| u8::from(p.has_aim);
    thread_rarest = |p, _| p.thread_rarest;
    order_since_mine = |p, _| p.order_since_mine;
    likeness = |p, _| p.likeness;
    parent = |p, _| p.parent;
    thread_members = |p, _| p.thread_members;
    my_naming = |_, s| s.my_naming;
    naming = |_, s| s.naming;
    pending = |_, s| s.pending;
    previous_is_mine = |_, s| s.previous_is_mine;
    previous_minutes = |_, s| s.previous_minutes;
    now_guess = |_, s| s.guess;
    best_author_rarest = |_, s| s.best_author_rarest;
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

/// Computes the rows of `now` over the messages before it.
pub fn rows(earlier: &[&Utterance], now: &Utterance) -> Rows {
    let room = Room::new(earlier, now);
    let pairs = pairs(&room);
    let scene = now_of(&room, &pairs);
    let mut made = Rows { candidates: Vec::with_capacity(pairs.len()), rows: Vec::with_capacity(pairs.len() + 1) };
    made.rows.push(row(&Pair::default(), &scene));
    for (back, pair) in pairs.iter().enumerate() {
        made.candidates.push(room.earlier[room.earlier.len() - 1 - back].0);
        made.rows.push(row(pair, &scene));
    }
    made
}

fn bit(of: u32, bit: u32) -> u8 {
    u8::from(of & bit != 0)
}

pub(super) fn small(count: usize) -> u8 {
    count.min(63) as u8
}

/// Counts whole minutes, finely where they are few: 0 to 15 singly, then in steps of 5 to an hour and of 30 above.
pub(super) fn minutes(gap: i64) -> u8 {
    let gap = gap.max(0);
    let step = match gap {
        0..16 => gap,
        16..60 => 13 + gap / 5,
        _ => 24 + gap / 30,
    };
    step.min(60) as u8
}
