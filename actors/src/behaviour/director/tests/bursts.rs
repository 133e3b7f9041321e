//! Claims about lines that are one thing said.

use super::*;
use crate::behaviour::director::direction::TO_PERSON;
use crate::domain::decision::OpenTurn;
use crate::domain::ids::{Number, TurnId};

fn lively() -> Room {
    let mut room = Room::new(ChatPolicy::Natural);
    room.chat.spec.pacing.enabled = true;
    room
}

/// Hears a person's line at that second, and asks the director.
fn line(room: &mut Room, number: i64, second: i64, text: &str, seed: u64) -> Direction {
    let mut entry = says(number, None, text, 0);
    entry.date = Timestamp::from_secs(second);
    let heard = room.hears(entry);
    room.direct(&heard, seed)
}

fn waits(room: &mut Room, direction: &Direction) {
    let until = Timestamp::from_secs(2_000);
    room.standing.open.extend(direction.speakers.iter().map(|speaker| OpenTurn {
        bot: speaker.bot,
        turn: Some(TurnId(1)),
        target: speaker.target,
        thread: None,
        until,
    }));
}

#[test]
fn a_call_in_the_first_line_is_answered_at_the_last() {
    for seed in 0..50 {
        let mut room = lively();
        let first = line(&mut room, 1, 990, "Nora", seed);
        if first.speakers.is_empty() {
            continue;
        }
        waits(&mut room, &first);
        let second = line(&mut room, 2, 991, "dün akşam neredeydin?", seed + 100);
        assert_eq!(second.goes_on_from, [Number(1)]);
        for speaker in &second.speakers {
            assert_eq!((speaker.bot, speaker.target), (BotId(4), Some(Number(2))), "{}", second.reason);
        }
    }
}

#[test]
fn who_was_to_answer_answers_the_last_line_though_nobody_is_called() {
    let mut room = lively();
    let first = (0..200).map(|seed| room.direct(&says(1, None, "çay mı kahve mi?", 0), seed));
    let first = first.into_iter().find(|direction| direction.speakers.len() == 1).unwrap();
    let speaker = first.speakers[0].bot;
    let mut asked = says(1, None, "çay mı kahve mi?", 0);
    asked.date = Timestamp::from_secs(990);
    room.hears(asked);
    waits(&mut room, &first);
    for seed in 0..50 {
        let mut room = Room { window: room.window.clone(), standing: room.standing.clone(), ..lively() };
        let second = line(&mut room, 2, 991, "bence çay", seed);
        let bots: Vec<BotId> = second.speakers.iter().map(|speaker| speaker.bot).collect();
        assert_eq!((bots, second.speakers[0].priority), (vec![speaker], TO_PERSON));
    }
}

#[test]
fn a_person_who_is_answered_may_go_on_for_the_quiet_time() {
    let mut room = lively();
    let called = line(&mut room, 1, 990, "Deniz?", 3);
    assert!(called.speakers.iter().all(|speaker| speaker.delay >= room.chat.spec.pacing.burst));
}

#[test]
fn later_lines_and_other_people_are_things_of_their_own() {
    let from = |second: i64, author: i64, edit: fn(&mut Room)| {
        let mut room = lively();
        edit(&mut room);
        line(&mut room, 1, 990, "Nora?", 1);
        let mut entry = says(2, None, "bu arada hava güzel", 0);
        (entry.date, entry.author.id) = (Timestamp::from_secs(second), TelegramUserId(author));
        let heard = room.hears(entry);
        room.direct(&heard, 1).goes_on_from
    };
    let as_is = |_: &mut Room| {};
    assert_eq!(from(992, 1, as_is), [Number(1)]);
    assert!(from(994, 1, as_is).is_empty(), "four seconds are no moment");
    assert!(from(991, 2, as_is).is_empty(), "somebody else");
    assert!(from(991, 1, |room| room.chat.spec.pacing.burst = Duration::ZERO).is_empty());
    assert!(from(991, 1, |room| room.chat.spec.pacing.enabled = false).is_empty());
}

#[test]
fn a_burst_ends_after_five_seconds() {
    let mut room = lively();
    let mut lines = Vec::new();
    for (number, second) in (1..).zip(980..988) {
        lines = line(&mut room, number, second, "ve sonra", 1).goes_on_from;
    }
    assert_eq!(lines.len(), 5);
}
