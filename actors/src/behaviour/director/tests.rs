//! Claims about the director.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bursts;
mod conversation;
mod edits;
mod loops;
mod topics;
mod weighing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::address::{Address, addressed, is_question};
use super::direct;
use crate::behaviour::director::direction::Direction;
use crate::behaviour::note::Note;
use crate::behaviour::samples::{bot, chat, noted, says};
use crate::behaviour::scene::{CastMember, Occasion, Scene};
use crate::domain::decision::Standing;
use crate::domain::ids::{BotId, MessageId, Number, TelegramUserId};
use crate::domain::incoming::{Author, AuthorKind, Entity, EntityKind, Media};
use crate::domain::roster::{ChatPolicy, ChatProfile, Language};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::Act;

struct Room {
    cast: Vec<CastMember>,
    chat: ChatProfile,
    window: VecDeque<Arc<Note>>,
    standing: Standing,
}

impl Room {
    fn new(policy: ChatPolicy) -> Self {
        Self::with(policy, &["Deniz", "Işıl", "Kerem", "Nora"])
    }

    fn with(policy: ChatPolicy, names: &[&str]) -> Self {
        let cast: Vec<CastMember> = names.iter().zip(1..).map(|(name, id)| bot(id, name)).collect();
        let chat = chat(policy, &cast);
        Self { cast, chat, window: VecDeque::new(), standing: Standing::default() }
    }

    fn scene(&self) -> Scene<'_> {
        let Self { cast, chat, window, standing } = self;
        Scene { chat, cast, window, whole: window, standing, now: Timestamp::from_secs(1000) }
    }

    fn hears(&mut self, entry: TranscriptEntry) -> Arc<Note> {
        let entry = Arc::new(Note::new(Arc::new(entry)));
        self.window.push_back(Arc::clone(&entry));
        entry
    }

    fn direct(&self, entry: &TranscriptEntry, seed: u64) -> Direction {
        direct(&self.scene(), Occasion::Entry { entry: &noted(entry), heard_by: Some(BotId(1)) }, seed).unwrap()
    }

    fn named(&self, text: &str) -> Vec<String> {
        let entry = noted(&says(1, None, text, 0));
        addressed(&self.scene(), &entry).into_iter().map(|(member, _)| member.profile.spec.name.clone()).collect()
    }
}

#[test]
fn names_are_heard_with_turkish_suffixes_and_in_any_case() {
    let room = Room::new(ChatPolicy::Natural);
    for text in [
        "Deniz'e sordum",
        "Deniz’in fikri ne",
        "DENİZ neredesin",
        "denize mi soralım",
        "deniz abi gelsene",
        "@deniz_bot selam",
    ] {
        assert_eq!(room.named(text), ["Deniz"], "{text}");
    }
    assert_eq!(room.named("ışıl ve NORA'ya selam"), ["Işıl", "Nora"]);
    assert!(room.named("denizli güzel şehir, normal bir gün").is_empty());
}

#[test]
fn a_reply_addresses_the_author_of_what_it_answers() {
    let mut room = Room::new(ChatPolicy::Mention);
    room.hears(says(1, Some(&room.cast[2].clone()), "merhaba", 1));
    let mut entry = says(2, None, "bence de", 0);
    entry.reply_to = Some(MessageId(1));
    let named = addressed(&room.scene(), &noted(&entry));
    assert_eq!(
        named.iter().map(|(member, how)| (member.profile.id, *how)).collect::<Vec<_>>(),
        [(BotId(3), Address::Reply)]
    );
}

#[test]
fn a_reply_to_what_the_transcript_does_not_hold_addresses_its_bot() {
    let room = Room::new(ChatPolicy::Mention);
    let mut entry = says(2, None, "bence de", 0);
    (entry.reply_to, entry.entities) = (Some(MessageId(1)), vec![Entity::turned_to(TelegramUserId(7003))]);
    let named = addressed(&room.scene(), &noted(&entry));
    let named: Vec<_> = named.iter().map(|(member, how)| (member.profile.id, *how)).collect();
    assert_eq!(named, [(BotId(3), Address::Reply)]);
}

#[test]
fn every_answers_once_for_each_bot_that_heard_a_person() {
    let room = Room::new(ChatPolicy::Every);
    let entry = says(1, None, "selam #m1", 0);
    let first = direct(&room.scene(), Occasion::Entry { entry: &noted(&entry), heard_by: Some(BotId(2)) }, 1).unwrap();
    let copy = direct(&room.scene(), Occasion::Copy { entry: &noted(&entry), heard_by: BotId(3) }, 2).unwrap();
    assert_eq!((first.speakers.len(), first.speakers[0].bot), (1, BotId(2)));
    assert_eq!((copy.speakers.len(), copy.speakers[0].bot), (1, BotId(3)));
    let own = says(2, Some(&room.cast[0]), "selam", 1);
    assert!(direct(&room.scene(), Occasion::Entry { entry: &noted(&own), heard_by: None }, 3).is_none());
}

#[test]
fn edits_and_copies_ask_for_no_decision_under_natural() {
    let room = Room::new(ChatPolicy::Natural);
    let mut entry = says(1, None, "selam", 0);
    assert!(direct(&room.scene(), Occasion::Copy { entry: &noted(&entry), heard_by: BotId(1) }, 1).is_none());
    entry.kind = EntryKind::Edit;
    assert!(direct(&room.scene(), Occasion::Entry { entry: &noted(&entry), heard_by: Some(BotId(1)) }, 1).is_none());
}

#[test]
fn a_chain_at_its_depth_is_met_with_silence() {
    let room = Room::new(ChatPolicy::Natural);
    let entry = says(9, Some(&room.cast[0]), "Kerem ne dersin?", 6);
    let direction = direct(&room.scene(), Occasion::Entry { entry: &noted(&entry), heard_by: None }, 1).unwrap();
    assert!(direction.speakers.is_empty() && direction.reason.contains("chain"));
}

#[test]
fn questions_are_told_from_remarks_in_both_languages() {
    assert!(
        is_question("çay içer miyiz?") && is_question("Anyone up for a walk? 🙂") && is_question("bu akşam maç var mı")
    );
    assert!(!is_question("çay güzelmiş") && !is_question("I like tea."));
}

#[test]
fn a_mention_beats_a_reply_and_a_reply_beats_a_name() {
    let mut room = Room::new(ChatPolicy::Natural);
    room.hears(says(1, Some(&room.cast[2].clone()), "merhaba", 1));
    let mut entry = says(2, None, "Deniz'i boş ver @NORA_bot", 0);
    entry.reply_to = Some(MessageId(1));
    let found: Vec<_> =
        addressed(&room.scene(), &noted(&entry)).iter().map(|(member, how)| (member.profile.id.0, *how)).collect();
    assert_eq!(found, [(4, Address::Mention), (3, Address::Reply), (1, Address::Name)]);
}

#[test]
fn a_text_mention_addresses_by_id() {
    let room = Room::new(ChatPolicy::Mention);
    let mut entry = says(1, None, "hey there", 0);
    entry.entities = vec![Entity { kind: EntityKind::TextMention(TelegramUserId(7002)), offset: 0, length: 3 }];
    assert_eq!(room.direct(&entry, 1).speakers.iter().map(|speaker| speaker.bot).collect::<Vec<_>>(), [BotId(2)]);
}

#[test]
fn mention_lets_nobody_speak_who_was_only_named() {
    let room = Room::new(ChatPolicy::Mention);
    assert!(room.direct(&says(1, None, "Deniz, ne dersin?", 0), 1).speakers.is_empty());
    let by_bot = says(2, Some(&room.cast[0]), "@kerem_bot sen ne dersin?", 1);
    let direction = room.direct(&by_bot, 1);
    assert_eq!(
        (direction.speakers[0].bot, direction.speakers[0].answers_bot, direction.chain_depth),
        (BotId(3), Some(BotId(1)), 2)
    );
    assert!(direct(&room.scene(), Occasion::Tick, 1).is_none());
}

#[test]
fn a_longer_name_is_not_taken_for_the_shorter_one_within_it() {
    let room = Room::with(ChatPolicy::Natural, &["Deniz", "Deniz Can"]);
    assert_eq!(room.named("Deniz Can'a soralım"), ["Deniz Can"]);
    assert_eq!(room.named("Deniz, Can nerede?"), ["Deniz Can"]);
    assert_eq!(room.named("Denize soralım"), ["Deniz"]);
}

#[test]
fn english_rooms_know_no_bare_suffixes() {
    let mut room = Room::with(ChatPolicy::Natural, &["Kit"]);
    assert_eq!(room.named("the kite flies"), ["Kit"]);
    room.chat.spec.language = Language::En;
    let mut profile = (*room.cast[0].profile).clone();
    profile.spec.persona.language = Language::En;
    room.cast[0].profile = Arc::new(profile);
    assert!(room.named("the kite flies").is_empty());
    assert_eq!(room.named("is that Kit's idea"), ["Kit"]);
}

#[test]
fn a_crowd_that_is_called_answers_three_at_most() {
    let room = Room::new(ChatPolicy::Natural);
    let entry = says(1, None, "Deniz, Işıl, Kerem, Nora: hadi", 0);
    assert!((0..50).all(|seed| room.direct(&entry, seed).speakers.len() <= 3));
    assert!((0..50).any(|seed| room.direct(&entry, seed).speakers.len() == 3));
}

#[test]
fn a_bot_of_somebody_else_gets_an_answer_only_when_it_calls_ours() {
    let room = Room::new(ChatPolicy::Natural);
    let mut entry = says(1, None, "selam, kim var?", 1);
    entry.author.kind = AuthorKind::Bot;
    assert!((0..50).all(|seed| room.direct(&entry, seed).speakers.is_empty()));
    entry.text = Some("Kerem selam".to_owned());
    assert!((0..50).any(|seed| room.direct(&entry, seed).speakers.iter().any(|speaker| speaker.bot == BotId(3))));
}

#[test]
fn nobody_speaks_unasked_without_talkativeness_but_everybody_when_called() {
    let mut room = Room::new(ChatPolicy::Natural);
    for member in &mut room.cast {
        Arc::make_mut(&mut member.profile).spec.persona.talkativeness = 0.0;
    }
    assert!((0..50).all(|seed| room.direct(&says(1, None, "kim çay ister?", 0), seed).speakers.is_empty()));
    assert!((0..50).any(|seed| !room.direct(&says(1, None, "Deniz çay ister misin", 0), seed).speakers.is_empty()));
    let tick = direct(&room.scene(), Occasion::Tick, 1).unwrap();
    assert!(tick.speakers.is_empty() && !tick.reason.is_empty());
}

#[test]
fn interests_decide_who_takes_a_question() {
    let mut room = Room::new(ChatPolicy::Natural);
    for (member, interest) in room.cast.iter_mut().zip(["futbol", "satranç", "rust", "at"]) {
        Arc::make_mut(&mut member.profile).spec.persona.interests = vec![interest.to_owned()];
    }
    let asked = |text: &str| {
        let entry = says(1, None, text, 0);
        let mut counts = [0usize; 4];
        for seed in 0..300 {
            for speaker in room.direct(&entry, seed).speakers {
                counts[speaker.bot.0 as usize - 1] += 1;
            }
        }
        counts
    };
    let chess = asked("satrançta hangi açılışı seversiniz?");
    assert!([0, 2, 3].iter().all(|other| chess[1] > chess[*other] * 3 / 2), "{chess:?}");
    let hour = asked("saat kaç acaba?");
    assert!(hour[3] < hour.iter().sum::<usize>() / 3, "'at' was heard in 'saat': {hour:?}");
}

#[test]
fn a_person_who_goes_on_with_a_bot_is_answered_by_it() {
    let mut room = Room::new(ChatPolicy::Natural);
    let first = room.hears(says(1, None, "bugün maça gittim", 0));
    let mut answer = says(2, Some(&room.cast[1].clone()), "nasıldı?", 1);
    answer.root = first.number;
    room.hears(answer);
    let next = room.hears(says(3, None, "fena değildi", 0));
    let by_partner =
        (0..200).filter(|seed| room.direct(&next, *seed).speakers.first().is_some_and(|s| s.bot == BotId(2))).count();
    assert!(by_partner > 80, "{by_partner} of 200");
}

#[test]
fn talk_between_people_is_mostly_left_alone() {
    let mut room = Room::new(ChatPolicy::Natural);
    let mut other = says(1, None, "geldim", 0);
    other.author.id = TelegramUserId(2);
    room.hears(other);
    let mut entry = says(2, None, "hoş geldin, nasılsın?", 0);
    entry.reply_to = Some(MessageId(1));
    let spoken = (0..200).filter(|seed| !room.direct(&entry, *seed).speakers.is_empty()).count();
    assert!(spoken < 100, "{spoken} of 200");
}

#[test]
fn a_question_to_another_person_by_name_is_left_to_that_person() {
    let mut room = Room::new(ChatPolicy::Natural);
    let mut other = says(1, None, "geldim", 0);
    other.author = Author { id: TelegramUserId(2), name: "Mehmet Ak".to_owned(), ..other.author };
    room.hears(other);
    room.hears(says(2, Some(&room.cast[1].clone()), "hoş geldin", 1));
    let answered = |text: &str| {
        let entry = says(3, None, text, 0);
        (0..200).filter(|seed| !room.direct(&entry, *seed).speakers.is_empty()).count()
    };
    let everybody = answered("dişçi nasıl geçti?");
    for to_person in ["Mehmet, dişçi nasıl geçti?", "ya MEHMET, dişçi nasıl geçti?"] {
        let spoken = answered(to_person);
        assert!(spoken * 2 < everybody, "{to_person}: {spoken} against {everybody} of 200");
    }
    let about = answered("Mehmet, sen Deniz'e ne diyorsun?");
    assert!(about < 140, "who is talked about mostly keeps silent: {about} of 200");
    let bot = answered("Deniz, sen Mehmet'e ne diyorsun?");
    assert!(bot > 180, "{bot} of 200");
}

#[test]
fn a_bot_is_called_by_a_name_that_a_person_has_too() {
    let mut room = Room::new(ChatPolicy::Natural);
    let mut other = says(1, None, "geldim", 0);
    other.author = Author { id: TelegramUserId(2), name: "Deniz".to_owned(), ..other.author };
    room.hears(other);
    let entry = says(2, None, "Deniz, nasılsın?", 0);
    let spoken = (0..200).filter(|seed| !room.direct(&entry, *seed).speakers.is_empty()).count();
    assert!(spoken > 180, "{spoken} of 200");
}

#[test]
fn a_brief_question_right_below_a_persons_message_is_that_persons_to_answer() {
    let mut room = Room::new(ChatPolicy::Natural);
    let question = says(3, None, "kim?", 0);
    let answered = |room: &Room, entry: &TranscriptEntry| {
        (0..200).filter(|seed| !room.direct(entry, *seed).speakers.is_empty()).count()
    };
    let mut other = says(1, None, "bıyık bırakacakmış", 0);
    other.author.id = TelegramUserId(2);
    room.hears(other);
    let between = answered(&room, &question);
    let longer = answered(&room, &says(3, None, "bu hafta sonu ne yapıyoruz?", 0));
    assert!(between * 2 < longer, "{between} against {longer} of 200");
    room.hears(says(2, Some(&room.cast[1].clone()), "vay", 1));
    let below_a_bot = answered(&room, &question);
    assert!(between * 2 < below_a_bot, "{between} against {below_a_bot} of 200");
}

#[test]
fn a_brief_answer_of_one_person_to_another_is_mostly_left_alone() {
    let mut room = Room::new(ChatPolicy::Natural);
    let mut other = says(1, None, "sizce bıyık bırakayım mı?", 0);
    other.author.id = TelegramUserId(2);
    room.hears(other);
    let answered = |text: &str| {
        let entry = says(2, None, text, 0);
        (0..200).filter(|seed| !room.direct(&entry, *seed).speakers.is_empty()).count()
    };
    let (brief, apart) = (answered("bırakma"), answered("bugün dört toplantıya girdim, iş yapamadım"));
    assert!(brief * 2 < apart, "{brief} against {apart} of 200");
}

#[test]
fn remarks_of_people_are_mostly_answered_by_one_and_by_fewer_when_bots_talk_much() {
    let mut room = Room::new(ChatPolicy::Natural);
    let entry = says(100, None, "bugün hava güzel", 0);
    let answered = |room: &Room| (0..400).filter(|seed| !room.direct(&entry, *seed).speakers.is_empty()).count();
    let calm = answered(&room);
    assert!((200..360).contains(&calm), "{calm} of 400");
    let crowded = (0..400).filter(|seed| room.direct(&entry, *seed).speakers.len() > 1).count();
    assert!(crowded < 40, "{crowded} of 400");
    for number in 1..=12 {
        room.hears(says(number, Some(&room.cast[number as usize % 4].clone()), "bence de", 1));
    }
    let noisy = answered(&room);
    assert!(noisy + 40 < calm && noisy > 80, "{noisy}, {calm}");
}

#[test]
fn a_photo_is_answered_by_whom_it_replies_to() {
    let mut room = Room::new(ChatPolicy::Mention);
    room.hears(says(1, Some(&room.cast[0].clone()), "göster", 1));
    let mut photo = says(2, None, "", 0);
    photo.text = None;
    photo.reply_to = Some(MessageId(1));
    assert!(direct(&room.scene(), Occasion::Entry { entry: &noted(&photo), heard_by: None }, 1).is_none());
    photo.media = Some(Media { kind: "photo".to_owned(), reference: None, album: None });
    assert_eq!(room.direct(&photo, 1).speakers[0].bot, BotId(1));
}

#[test]
fn a_tick_starts_a_chain_of_depth_one_and_fades_when_nobody_takes_it_up() {
    let mut room = Room::new(ChatPolicy::Natural);
    let opened = |room: &Room| {
        (0..200).filter(|seed| direct(&room.scene(), Occasion::Tick, *seed).unwrap().speakers.len() == 1).count()
    };
    let direction = direct(&room.scene(), Occasion::Tick, 1).unwrap();
    assert_eq!((direction.chain_depth, direction.root, direction.speakers[0].target), (1, None, None));
    let at_first = opened(&room);
    for number in 1..=8 {
        room.hears(says(number, Some(&room.cast[0].clone()), "bir şey diyeyim", 1));
    }
    let after_eight = opened(&room);
    assert!(at_first == 200 && after_eight < 120 && after_eight > 20, "{at_first}, {after_eight}");
    room.chat.spec.physics.chain_depth_max = Some(0);
    assert_eq!(opened(&room), 0);
}

#[test]
fn a_quiet_room_comes_back_to_what_a_person_said_some_hours_ago() {
    let recalled = |ago_minutes: i64, who: Option<usize>, text: &str| {
        let mut room = Room::new(ChatPolicy::Natural);
        let author = who.map(|at| room.cast[at].clone());
        room.hears(says(1, author.as_ref(), text, 0));
        let scene = Scene { now: Timestamp::from_secs(1_000 + ago_minutes * 60), ..room.scene() };
        let openings = (0..200).filter_map(|seed| direct(&scene, Occasion::Tick, seed)?.speakers.pop());
        openings.filter(|speaker| matches!(speaker.act, Act::Open { recalls: Some(Number(1)), .. })).count()
    };
    let plan = "yarın trenle Kars'a gidiyorum, çok heyecanlıyım";
    let some = recalled(180, None, plan);
    assert!((50..120).contains(&some), "{some}");
    assert_eq!(recalled(30, None, plan), 0, "too young");
    assert_eq!(recalled(60 * 24, None, plan), 0, "too old");
    assert_eq!(recalled(180, Some(0), plan), 0, "a bot's");
    assert_eq!(recalled(180, None, "evet aynen"), 0, "says too little");
}

#[test]
fn pacing_delays_reading_and_its_absence_does_not() {
    let mut room = Room::new(ChatPolicy::Every);
    let entry = says(1, None, "bu akşam ne pişirsek", 0);
    assert_eq!(room.direct(&entry, 1).speakers[0].delay, Duration::ZERO);
    room.chat.spec.pacing.enabled = true;
    assert!(room.direct(&entry, 1).speakers[0].delay > Duration::from_millis(100));
    room.chat.spec.policy = ChatPolicy::Natural;
    let long = says(2, None, &"kelime ".repeat(500), 0);
    assert!(room.direct(&long, 1).speakers.iter().all(|speaker| speaker.delay <= Duration::from_secs(9)));
}

#[test]
fn a_decision_says_what_it_looked_at_and_what_each_bot_scored() {
    let room = Room::new(ChatPolicy::Natural);
    let direction = room.direct(&says(1, None, "çay güzelmiş", 0), 7);
    assert_eq!(direction.inputs["from"], "person");
    assert!(room.cast.iter().all(|member| direction.scores[&member.profile.spec.name]["wish"].is_number()));
    let named = room.direct(&says(1, None, "Kerem gelsene", 0), 7);
    assert_eq!(named.inputs["addressed"]["Kerem"], "name");
}

proptest! {
    #[test]
    fn the_same_seed_decides_the_same(seed: u64, text in "[a-zçğış ?]{1,60}") {
        let room = Room::new(ChatPolicy::Natural);
        let entry = says(1, None, &text, 0);
        let note = noted(&entry);
        let occasion = || Occasion::Entry { entry: &note, heard_by: Some(BotId(1)) };
        prop_assert_eq!(direct(&room.scene(), occasion(), seed), direct(&room.scene(), occasion(), seed));
    }

    #[test]
    fn names_with_any_listed_suffix_are_heard(case in 0usize..6, suffix in prop::sample::select(vec!["", "'e", "'in", "’den", "e", "den", "in", "le"])) {
        let room = Room::new(ChatPolicy::Natural);
        let name = ["deniz", "Deniz", "DENİZ", "DENIZ", "DeNiZ", "deniz"][case];
        let text = format!("bence {name}{suffix} sormalı");
        prop_assert_eq!(room.named(&text), vec!["Deniz"]);
    }

    #[test]
    fn nobody_ever_answers_itself(seed: u64, author in 0usize..4, depth in 1u32..6, text in "(Deniz|Işıl|Kerem|Nora|@deniz_bot|@kerem_bot|çay| |,|\\?){0,8}x") {
        for policy in [ChatPolicy::Natural, ChatPolicy::Mention, ChatPolicy::Every] {
            let room = Room::new(policy);
            let entry = says(1, Some(&room.cast[author]), &text, depth);
            if let Some(direction) = direct(&room.scene(), Occasion::Entry { entry: &noted(&entry), heard_by: None }, seed) {
                prop_assert!(direction.speakers.iter().all(|speaker| Some(speaker.bot) != entry.fleet_bot));
                prop_assert_eq!(direction.chain_depth, depth + 1);
            }
        }
    }
}
