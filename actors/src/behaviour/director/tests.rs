//! Claims about the director.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::address::{Address, addressed, is_question};
use super::direct;
use crate::behaviour::scene::{CastMember, Occasion, Scene};
use crate::domain::ids::{BotId, ChatId, InboxId, MessageId, Number, TelegramChatId, TelegramUserId};
use crate::domain::incoming::{Author, AuthorKind};
use crate::domain::roster::{
    BotProfile, BotSpec, ChatPolicy, ChatProfile, ChatSpec, Generation, Language, ModelRef, Pacing, Persona, Physics,
};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

fn bot(id: i64, name: &str) -> CastMember {
    let persona = Persona {
        name: name.to_lowercase(),
        language: Language::Tr,
        voice: String::new(),
        style: None,
        interests: vec!["çay".to_owned()],
        examples: Vec::new(),
        talkativeness: 0.6,
        nicknames: vec![format!("{name} abi")],
    };
    let generation = Generation {
        models: vec![ModelRef { provider: "p".to_owned(), model: "m".to_owned() }],
        temperature: 0.7,
        max_tokens: 100,
        context_tokens: 2000,
        context_messages: 10,
    };
    let spec = BotSpec {
        name: name.to_owned(),
        telegram_id: TelegramUserId(7000 + id),
        credential: "env:X".to_owned(),
        persona,
        generation,
        hourly_cap: None,
    };
    let profile = BotProfile { id: BotId(id), spec, persona_revision: 1, token_generation: 1, next_offset: None };
    CastMember { profile: Arc::new(profile), username: Some(format!("{}_bot", name.to_lowercase())) }
}

fn chat(policy: ChatPolicy, cast: &[CastMember]) -> ChatProfile {
    ChatProfile {
        id: ChatId(1),
        spec: ChatSpec {
            name: "oda".to_owned(),
            telegram_id: TelegramChatId(-1001),
            bots: Vec::new(),
            policy,
            language: Language::Tr,
            time_zone: "UTC".to_owned(),
            retention_days: 30,
            topics: Vec::new(),
            physics: Physics {
                chain_depth_max: Some(6),
                pair_per_ten_minutes: None,
                chat_per_minute: None,
                fleet_per_minute: None,
            },
            pacing: Pacing {
                enabled: false,
                chars_per_second: 10.0,
                typing_max: Duration::from_secs(5),
                stale_after: Duration::from_secs(60),
                quiet_tick: None,
            },
        },
        members: cast.iter().map(|member| member.profile.id).collect(),
    }
}

fn says(number: i64, author: Option<&CastMember>, text: &str, depth: u32) -> TranscriptEntry {
    let person = Author { id: TelegramUserId(1), name: "Ayşe".to_owned(), username: None, kind: AuthorKind::Person };
    let bot_author = |member: &CastMember| Author {
        id: member.profile.spec.telegram_id,
        name: member.profile.spec.name.clone(),
        username: None,
        kind: AuthorKind::Bot,
    };
    TranscriptEntry {
        chat: ChatId(1),
        number: Number(number),
        kind: EntryKind::Message,
        revision: 0,
        telegram_chat: TelegramChatId(-1001),
        message_id: MessageId(number),
        thread: None,
        reply_to: None,
        author: author.map_or(person, bot_author),
        fleet_bot: author.map(|member| member.profile.id),
        text: Some(text.to_owned()),
        entities: Vec::new(),
        media: None,
        date: Timestamp::from_secs(number),
        inbox: InboxId(number),
        chain_depth: depth,
        root: Number(number),
    }
}

struct Room {
    cast: Vec<CastMember>,
    chat: ChatProfile,
    window: VecDeque<Arc<TranscriptEntry>>,
}

impl Room {
    fn new(policy: ChatPolicy) -> Self {
        let cast: Vec<CastMember> =
            ["Deniz", "Işıl", "Kerem", "Nora"].iter().zip(1..).map(|(name, id)| bot(id, name)).collect();
        let chat = chat(policy, &cast);
        Self { cast, chat, window: VecDeque::new() }
    }

    fn scene(&self) -> Scene<'_> {
        Scene { chat: &self.chat, cast: &self.cast, window: &self.window, now: Timestamp::from_secs(1000) }
    }

    fn named(&self, text: &str) -> Vec<&str> {
        let entry = says(1, None, text, 0);
        addressed(&self.scene(), &entry)
            .into_iter()
            .map(|(member, _)| member.profile.spec.name.as_str())
            .map(|name| {
                self.cast
                    .iter()
                    .find(|member| member.profile.spec.name == name)
                    .map_or("", |member| member.profile.spec.name.as_str())
            })
            .collect()
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
    room.window.push_back(Arc::new(says(1, Some(&room.cast[2]), "merhaba", 1)));
    let mut entry = says(2, None, "bence de", 0);
    entry.reply_to = Some(MessageId(1));
    let named = addressed(&room.scene(), &entry);
    assert_eq!(
        named.iter().map(|(member, how)| (member.profile.id, *how)).collect::<Vec<_>>(),
        [(BotId(3), Address::Reply)]
    );
}

#[test]
fn every_answers_once_for_each_bot_that_heard_a_person() {
    let room = Room::new(ChatPolicy::Every);
    let entry = says(1, None, "selam #m1", 0);
    let first = direct(&room.scene(), Occasion::Entry { entry: &entry, heard_by: Some(BotId(2)) }, 1).unwrap();
    let copy = direct(&room.scene(), Occasion::Copy { entry: &entry, heard_by: BotId(3) }, 2).unwrap();
    assert_eq!((first.speakers.len(), first.speakers[0].bot), (1, BotId(2)));
    assert_eq!((copy.speakers.len(), copy.speakers[0].bot), (1, BotId(3)));
    let own = says(2, Some(&room.cast[0]), "selam", 1);
    assert!(direct(&room.scene(), Occasion::Entry { entry: &own, heard_by: None }, 3).is_none());
}

#[test]
fn edits_and_copies_ask_for_no_decision_under_natural() {
    let room = Room::new(ChatPolicy::Natural);
    let mut entry = says(1, None, "selam", 0);
    assert!(direct(&room.scene(), Occasion::Copy { entry: &entry, heard_by: BotId(1) }, 1).is_none());
    entry.kind = EntryKind::Edit;
    assert!(direct(&room.scene(), Occasion::Entry { entry: &entry, heard_by: Some(BotId(1)) }, 1).is_none());
}

#[test]
fn a_chain_at_its_depth_is_met_with_silence() {
    let room = Room::new(ChatPolicy::Natural);
    let entry = says(9, Some(&room.cast[0]), "Kerem ne dersin?", 6);
    let direction = direct(&room.scene(), Occasion::Entry { entry: &entry, heard_by: None }, 1).unwrap();
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
fn a_room_answers_people_lets_everyone_speak_and_falls_silent() {
    let mut room = Room::new(ChatPolicy::Natural);
    let (mut number, mut people, mut answered, mut asked, mut asked_answered) = (0, 0, 0, 0, 0);
    let mut spoke: BTreeMap<BotId, u32> = BTreeMap::new();
    for minute in 0..180 {
        let text = if minute % 3 == 0 { "Deniz, çay demledin mi?" } else { "bugün hava güzel" };
        number += 1;
        let mut queue = VecDeque::from([says(number, None, text, 0)]);
        people += 1;
        let mut messages = 0;
        while let Some(entry) = queue.pop_front() {
            let entry = Arc::new(entry);
            room.window.push_back(Arc::clone(&entry));
            let direction =
                direct(&room.scene(), Occasion::Entry { entry: &entry, heard_by: Some(BotId(1)) }, number as u64)
                    .unwrap();
            if entry.chain_depth == 0 {
                answered += usize::from(!direction.speakers.is_empty());
                asked += usize::from(minute % 3 == 0);
                asked_answered +=
                    usize::from(minute % 3 == 0 && direction.speakers.iter().any(|speaker| speaker.bot == BotId(1)));
            }
            for speaker in direction.speakers {
                assert_ne!(Some(speaker.bot), entry.fleet_bot, "a bot answers itself");
                *spoke.entry(speaker.bot).or_default() += 1;
                number += 1;
                messages += 1;
                let member = room.cast.iter().find(|member| member.profile.id == speaker.bot).unwrap();
                let mut said = says(number, Some(member), "bence de öyle", direction.chain_depth);
                said.reply_to = Some(entry.message_id);
                queue.push_back(said);
            }
        }
        assert!(messages < 40, "a chain did not end");
    }
    assert!(answered * 10 >= people * 6, "{answered} of {people} answered");
    assert!(asked_answered * 100 >= asked * 90, "{asked_answered} of {asked} addressed");
    assert_eq!(spoke.len(), 4, "{spoke:?}");
}

proptest! {
    #[test]
    fn the_same_seed_decides_the_same(seed: u64, text in "[a-zçğış ?]{1,60}") {
        let room = Room::new(ChatPolicy::Natural);
        let entry = says(1, None, &text, 0);
        let occasion = || Occasion::Entry { entry: &entry, heard_by: Some(BotId(1)) };
        prop_assert_eq!(direct(&room.scene(), occasion(), seed), direct(&room.scene(), occasion(), seed));
    }

    #[test]
    fn names_with_any_listed_suffix_are_heard(case in 0usize..6, suffix in prop::sample::select(vec!["", "'e", "'in", "’den", "e", "den", "in", "le"])) {
        let room = Room::new(ChatPolicy::Natural);
        let name = ["deniz", "Deniz", "DENİZ", "DENIZ", "DeNiZ", "deniz"][case];
        let text = format!("bence {name}{suffix} sormalı");
        prop_assert_eq!(room.named(&text), vec!["Deniz"]);
    }
}
