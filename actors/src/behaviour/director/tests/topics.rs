//! Claims about forum topics: each is a conversation of its own.

use super::*;
use crate::behaviour::physics::limits::{Limit, reached};
use crate::domain::ids::{Number, ThreadId};
use crate::domain::turn::Act;

/// A room that talks in two topics.
fn forum() -> Room {
    let mut room = Room::new(ChatPolicy::Natural);
    room.standing.topics = true;
    room
}

fn in_topic(thread: i64, mut entry: TranscriptEntry) -> TranscriptEntry {
    entry.thread = Some(ThreadId(thread));
    entry
}

fn inputs(room: &mut Room, entry: TranscriptEntry) -> serde_json::Value {
    room.standing.thread = entry.thread;
    let entry = room.hears(entry);
    room.direct(&entry, 1).inputs
}

#[test]
fn energy_and_limits_of_one_topic_are_not_those_of_another() {
    let mut room = forum();
    room.chat.spec.physics.unheard_max = Some(5);
    let bot = room.cast[0].clone();
    for number in 1..=5 {
        room.hears(in_topic(7, says(number, Some(&bot), &format!("söz {number}"), 1)));
    }
    let tired = inputs(&mut room, in_topic(7, says(6, None, "bugün çok yoruldum", 0)))["energy"].as_f64().unwrap();
    let rested = inputs(&mut room, in_topic(8, says(7, None, "bugün çok yoruldum", 0)))["energy"].as_f64().unwrap();
    assert!(tired < rested, "{tired} {rested}");
    room.window.retain(|note| note.fleet_bot.is_some());
    let gate = |room: &mut Room, thread| {
        let by_bot = in_topic(thread, says(9, Some(&bot), "bir söz daha", 1));
        let gate = inputs(room, by_bot)["gate"].clone();
        room.window.pop_back();
        gate
    };
    assert_eq!(gate(&mut room, 7), "unheard");
    assert!(gate(&mut room, 8).is_null());
}

#[test]
fn what_is_limited_in_the_chat_counts_all_topics() {
    let mut room = forum();
    room.chat.spec.physics.chat_per_minute = Some(3);
    let bot = room.cast[0].clone();
    for number in 1..=3 {
        let mut said = in_topic(number, says(number, Some(&bot), "söz", 1));
        said.date = Timestamp::from_secs(990);
        room.hears(said);
    }
    room.standing.thread = Some(ThreadId(1));
    let window: VecDeque<_> = room.window.iter().filter(|note| note.thread == Some(ThreadId(1))).cloned().collect();
    let scene = Scene { window: &window, ..room.scene() };
    assert_eq!(reached(&scene, None), Some(Limit::ChatRate(3)));
    assert_eq!(super::super::lately::by_bot(&scene)[&BotId(1)].in_hour, 3, "its hourly cap");
}

#[test]
fn a_topic_goes_on_with_its_own_bot_whatever_was_said_elsewhere() {
    let mut room = forum();
    room.hears(in_topic(7, says(1, None, "Kerem çay var mı", 0)));
    let mut answer = in_topic(7, says(2, Some(&room.cast[2].clone()), "var", 1));
    answer.root = Number(1);
    room.hears(answer);
    room.hears(in_topic(8, says(3, Some(&room.cast[0].clone()), "başka bir konu", 1)));
    let entry = room.hears(in_topic(7, says(4, None, "güzel olmuş", 0)));
    let answering = |seed| room.direct(&entry, seed).speakers.first().map(|speaker| speaker.bot);
    let kerem = (0..100).filter(|seed| answering(*seed) == Some(BotId(3))).count();
    let deniz = (0..100).filter(|seed| answering(*seed) == Some(BotId(1))).count();
    assert!(kerem > 60 && deniz < 10, "{kerem} {deniz}");
}

#[test]
fn a_quiet_chat_wakes_where_it_was_last_alive() {
    let mut room = forum();
    room.standing.thread = Some(ThreadId(7));
    let opened = (0..50).find_map(|seed| direct(&room.scene(), Occasion::Tick, seed).unwrap().speakers.pop()).unwrap();
    assert!(matches!(opened.act, Act::Open { thread: Some(ThreadId(7)), .. }), "{opened:?}");
}
