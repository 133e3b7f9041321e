//! Claims about a director's weighing besides calls: hours, caps, stops, energy, relationships, links, reactions.

use super::*;
use crate::behaviour::director::energy::energy;
use crate::domain::curve::Curve;
use crate::domain::decision::OpenTurn;
use crate::domain::hours::Hours;
use crate::domain::ids::Number;
use crate::domain::stance::{Relationship, Stance};
use crate::domain::turn::Act;

/// 1970-01-01 00:16:40 UTC: sixteen minutes past midnight, which is when every room of these tests is looked at.
const MINUTE: u16 = 16;

fn persona(room: &mut Room, bot: usize, change: impl FnOnce(&mut crate::domain::roster::Persona)) {
    change(&mut Arc::make_mut(&mut room.cast[bot].profile).spec.persona);
}

/// How often each bot speaks on a text of a person, of 400 times.
fn counts(room: &Room, entry: &TranscriptEntry) -> Vec<usize> {
    let mut counts = vec![0; room.cast.len()];
    for seed in 0..400 {
        for speaker in room.direct(entry, seed).speakers {
            counts[speaker.bot.0 as usize - 1] += 1;
        }
    }
    counts
}

#[test]
fn energy_falls_with_the_fleets_messages_and_rises_with_people() {
    let mut room = Room::new(ChatPolicy::Natural);
    assert!((energy(&room.scene()) - 1.0).abs() < f64::EPSILON);
    for number in 1..=12 {
        room.hears(says(number, Some(&room.cast[number as usize % 4].clone()), "bence de", 1));
    }
    let tired = energy(&room.scene());
    assert!(tired < 0.3, "{tired}");
    room.hears(says(13, None, "herkese selam", 0));
    let woken = energy(&room.scene());
    assert!(woken > 0.7, "{woken}");
}

#[test]
fn a_tired_room_lets_bots_talk_among_themselves_less() {
    let mut room = Room::new(ChatPolicy::Natural);
    let entry = says(100, Some(&room.cast[0].clone()), "Kerem ne dersin?", 1);
    let rested = counts(&room, &entry)[2];
    for number in 1..=12 {
        room.hears(says(number, Some(&room.cast[number as usize % 4].clone()), "bence de", 1));
    }
    let tired = counts(&room, &entry)[2];
    assert!(rested > 300 && tired < rested / 3, "{rested} {tired}");
}

#[test]
fn in_quiet_hours_and_under_a_stop_nobody_speaks_not_even_who_is_called() {
    for policy in [ChatPolicy::Natural, ChatPolicy::Mention] {
        let mut room = Room::new(policy);
        room.chat.spec.quiet_hours = Hours::new(0, 60);
        let called = says(1, None, "@deniz_bot neredesin?", 0);
        let silent = room.direct(&called, 1);
        assert!(silent.speakers.is_empty() && silent.reason.contains("quiet hours"), "{}", silent.reason);
        room.chat.spec.time_zone = "Europe/Istanbul".to_owned();
        assert_eq!(room.direct(&called, 1).speakers.len(), 1, "it is past two there");
        room.standing.stopped = true;
        let silent = room.direct(&called, 1);
        assert!(silent.speakers.is_empty() && silent.reason.contains("stop"), "{}", silent.reason);
    }
}

#[test]
fn a_chat_talks_as_its_hours_say() {
    let said = |curve: Option<&str>| {
        let mut room = Room::new(ChatPolicy::Natural);
        for bot in 0..4 {
            persona(&mut room, bot, |persona| persona.talkativeness = 0.2);
        }
        room.chat.spec.talkative_hours = curve.map(|curve| Curve::try_from(curve.to_owned()).unwrap());
        counts(&room, &says(1, None, "bugün pazara gittim", 0)).iter().sum::<usize>()
    };
    let (plain, lively, dull) = (said(None), said(Some("00:00 2")), said(Some("00:00 0.2")));
    assert!(lively > plain * 5 / 4 && dull * 2 < plain, "{lively} {plain} {dull}");
    assert_eq!(said(Some("00:00 0")), 0);
}

#[test]
fn who_sleeps_does_not_speak_unasked_but_answers_a_person_who_calls() {
    let mut room = Room::new(ChatPolicy::Natural);
    for bot in 0..4 {
        persona(&mut room, bot, |persona| persona.active_hours = Hours::new(8 * 60, 22 * 60));
    }
    assert!(!Hours::new(8 * 60, 22 * 60).unwrap().contains(MINUTE));
    let unasked = says(1, None, "kimse var mı?", 0);
    assert_eq!(counts(&room, &unasked), [0; 4]);
    assert_eq!(room.direct(&unasked, 1).scores["Nora"]["filtered"], "asleep");
    assert!(counts(&room, &says(1, None, "Nora, kimse var mı?", 0))[3] > 370);
    let by_bot = says(1, Some(&room.cast[0].clone()), "Nora, kimse var mı?", 1);
    assert_eq!(counts(&room, &by_bot), [0; 4]);
}

#[test]
fn a_bot_that_reached_its_cap_is_filtered_even_when_called() {
    let mut room = Room::new(ChatPolicy::Natural);
    Arc::make_mut(&mut room.cast[0].profile).spec.hourly_cap = Some(2);
    for number in 1..=2 {
        room.hears(says(number, Some(&room.cast[0].clone()), "geldim", 1));
    }
    let direction = room.direct(&says(3, None, "@deniz_bot neredesin?", 0), 1);
    assert!(direction.speakers.is_empty());
    assert_eq!(direction.scores["Deniz"]["filtered"], "cap");
}

#[test]
fn who_spoke_a_moment_ago_cools_down_but_answers_when_called() {
    let mut room = Room::new(ChatPolicy::Natural);
    let mut own = says(1, Some(&room.cast[0].clone()), "geldim", 2);
    own.date = Timestamp::from_secs(995);
    room.hears(own);
    let unasked = says(2, None, "bugün hava güzel", 0);
    assert_eq!(counts(&room, &unasked)[0], 0);
    assert_eq!(room.direct(&unasked, 1).scores["Deniz"]["filtered"], "cool_down");
    assert!(counts(&room, &says(2, None, "Deniz bugün hava güzel", 0))[0] > 370);
}

#[test]
fn while_somebody_is_about_to_speak_only_people_who_call_are_answered() {
    let mut room = Room::new(ChatPolicy::Natural);
    let until = Timestamp::from_secs(2000);
    room.standing.open = vec![OpenTurn { bot: BotId(4), turn: None, target: Some(Number(1)), thread: None, until }];
    let by_bot = says(2, Some(&room.cast[0].clone()), "Kerem ne dersin?", 1);
    assert_eq!(counts(&room, &by_bot), [0; 4]);
    assert_eq!(counts(&room, &says(2, None, "bugün hava güzel", 0)), [0; 4]);
    assert!(direct(&room.scene(), Occasion::Tick, 1).unwrap().speakers.is_empty());
    assert!(counts(&room, &says(2, None, "Kerem ne dersin?", 0))[2] > 370);
}

#[test]
fn relationships_and_stances_move_who_speaks_up() {
    let mut room = Room::new(ChatPolicy::Natural);
    let mut entry = says(1, None, "kahve çaydan daha iyi değil mi", 0);
    entry.author.username = Some("Ayse".to_owned());
    let before = counts(&room, &entry);
    let spec = &mut Arc::make_mut(&mut room.cast[1].profile).spec;
    spec.relationships = vec![Relationship::with("@ayse", 1.0)];
    let spec = &mut Arc::make_mut(&mut room.cast[2].profile).spec;
    spec.persona.stances = vec![Stance {
        topic: "çay".to_owned(),
        position: "Çay üstündür.".to_owned(),
        confidence: 1.0,
        denials: vec!["daha iyi".to_owned()],
        cool_down: Duration::ZERO,
        ..Stance::default()
    }];
    let after = counts(&room, &entry);
    assert!(after[1] > before[1] + 20 && after[2] > before[2] + 20, "{before:?} {after:?}");
    let scores = room.direct(&entry, 1).scores;
    assert_eq!(
        (&scores["Işıl"]["factors"]["close"], &scores["Kerem"]["factors"]["disagrees"]),
        (&1.6.into(), &2.0.into())
    );
}

#[test]
fn weights_come_from_the_strategy() {
    let mut room = Room::new(ChatPolicy::Natural);
    room.chat.spec.strategy.question = 0.0;
    room.chat.spec.strategy.named_by_person = 0.0;
    assert_eq!(counts(&room, &says(1, None, "kimse var mı?", 0)), [0; 4]);
    assert_eq!(counts(&room, &says(1, None, "Deniz çay ister misin", 0)), [0; 4]);
}

#[test]
fn a_message_that_nobody_answers_gets_an_emoji_by_the_strategys_chance() {
    let mut room = Room::new(ChatPolicy::Natural);
    room.chat.spec.strategy.remark = 0.0;
    room.chat.spec.strategy.reaction = 0.5;
    let entry = says(1, None, "bugün hava güzel", 0);
    assert_eq!(counts(&room, &entry), [0; 4], "nobody has an emoji");
    persona(&mut room, 3, |persona| persona.reactions = vec!["👍".to_owned(), "🔥".to_owned()]);
    let reacted = counts(&room, &entry);
    assert!((150..250).contains(&reacted[3]) && reacted[..3] == [0; 3], "{reacted:?}");
    let direction = (0..50).map(|seed| room.direct(&entry, seed)).find(|direction| !direction.speakers.is_empty());
    let speaker = direction.unwrap().speakers.remove(0);
    assert!(matches!(speaker.act, Act::React { .. }) && speaker.target == Some(Number(1)));
    let by_bot = says(1, Some(&room.cast[0].clone()), "bugün hava güzel", 1);
    assert_eq!(counts(&room, &by_bot), [0; 4], "bots do not react to bots");
}

#[test]
fn a_record_of_twenty_bots_stays_small_and_holds_no_text() {
    let names: Vec<String> = (0..20).map(|number| format!("Konuşkan{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut room = Room::with(ChatPolicy::Natural, &names);
    for number in 1..=60 {
        room.hears(says(number, Some(&room.cast[number as usize % 20].clone()), "çay bence de güzel", 1));
    }
    let direction = room.direct(&says(61, None, "gizli bir söz: çay?", 0), 3);
    let record = format!("{}{}", direction.inputs, direction.scores);
    assert!(record.len() < 2048, "{} bytes: {record}", record.len());
    assert!(!record.contains("gizli") && !record.contains("Ayşe"), "{record}");
}

#[test]
fn a_decision_does_not_depend_on_where_a_long_window_begins() {
    let mut room = Room::new(ChatPolicy::Natural);
    for number in 1..=190 {
        let author = (number % 3 > 0).then(|| room.cast[number as usize % 4].clone());
        room.hears(says(number, author.as_ref(), "çay bence de güzel, sence?", 1));
    }
    let entry = says(191, None, "bence de öyle", 0);
    let whole: Vec<_> = (0..20).map(|seed| room.direct(&entry, seed)).collect();
    room.window.drain(..40);
    assert!(whole.into_iter().zip(0..20).all(|(direction, seed)| direction == room.direct(&entry, seed)));
}
