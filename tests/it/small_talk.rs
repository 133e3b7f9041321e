//! Tests that the simulated model's personas can be told apart by their writing, as `botfleet style` measures it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use botfleet_actors::behaviour::style::Style;
use botfleet_world::provider::smalltalk::Talker;

/// Distance below which people mix two personas up.
const ALIKE: f64 = 0.15;

/// Messages of people, in both languages.
const ENGLISH: [&str; 12] = [
    "tea or coffee?",
    "the referee ruined the match last night",
    "what book are you reading these days?",
    "it has been raining here since morning",
    "my cat wants breakfast at five every day",
    "where should one start with Rust?",
    "four meetings today and no work done",
    "can you suggest a film for tonight?",
    "I baked bread and the kitchen is full of flour",
    "how do you get to work?",
    "the concert last night was wonderful",
    "I want to cross the country by train",
];
const TURKISH: [&str; 12] = [
    "çay mı kahve mi?",
    "dünkü maçta hakem oyunu mahvetti",
    "bu ara hangi kitabı okuyorsunuz?",
    "burada yağmur bir türlü dinmedi",
    "bizim tekir sabah beşte mama istiyor",
    "Rust öğrenmek için nereden başlamalı?",
    "bugün dört toplantıya girdim, iş yapamadım",
    "akşama güzel bir film önerir misiniz?",
    "mantı açtım, mutfak un içinde kaldı",
    "işe neyle gidiyorsunuz?",
    "dün akşamki konser harikaydı",
    "trenle Kars'a gitmeyi kafaya koydum",
];

/// Eight more personas, so that twenty are told apart: language, name, style.
const OTHERS: [(&str, &str, &str); 8] = [
    ("en", "Ada", "Warm, proper sentences, always an emoji 🌸."),
    ("en", "Finn", "Terse, lower case, no full stop, always 🐟."),
    ("en", "Iris", "Long sentences joined by dashes, exclamation marks."),
    ("en", "Otto", "Grumpy, lower case, semicolons, long, no emoji."),
    ("tr", "Selin", "Candan, uzun, küçük harfle, her cümleye 💜 koyar, noktasız."),
    ("tr", "Tarık", "Huysuz, düzgün cümle, tek satır, ünlemle bitirir, emojisiz."),
    ("tr", "Umay", "Küçük harfle uzun uzun, virgülle bağlar, noktasız."),
    ("tr", "Yaman", "Argo, büyük harfle başlar, uzun, üç noktayla biter, 😎 koyar."),
];

/// A persona's system prompt, by its lead words.
fn prompt(language: &str, name: &str, voice: &str, style: &str, interests: &str, examples: &[String]) -> String {
    let (called, writes, likes, shows, tongue) = if language == "tr" {
        ("Adın", "Nasıl yazarsın:", "Sevdiğin konular:", "Yazabileceğin türden cümleler:", "Türkçe")
    } else {
        ("Your name is", "How you write:", "You like to talk about:", "Lines you might write:", "English")
    };
    let mut text = format!("{voice}\n{called} {name}.\n{writes} {style}\n{likes} {interests}.\n{shows}\n");
    for example in examples {
        let _ = writeln!(text, "- {example}");
    }
    let _ = write!(text, "Language: {tongue}");
    text
}

/// The system prompts of the demo's personas, and of eight more, by name.
fn personas(with_others: bool) -> BTreeMap<String, (bool, String)> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml")).unwrap();
    let manifest: toml::Value = toml::from_str(&text).unwrap();
    let list = |value: &toml::Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let mut all: BTreeMap<String, (bool, String)> = manifest["personas"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(name, of)| {
            let word = |key: &str| of[key].as_str().unwrap_or_default().to_owned();
            let (language, interests) = (word("language"), list(&of["interests"]).join(", "));
            let mut letters = name.chars();
            let proper: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
            let prompt = prompt(&language, &proper, &word("voice"), &word("style"), &interests, &list(&of["examples"]));
            (name.clone(), (language == "tr", prompt))
        })
        .collect();
    for (language, name, style) in OTHERS.iter().filter(|_| with_others) {
        let interests = if *language == "tr" { "kitap, müzik" } else { "books, music" };
        all.insert((*name).to_owned(), (*language == "tr", prompt(language, name, "", style, interests, &[])));
    }
    all
}

/// Lets a persona answer `count` messages.
fn texts(talker: &mut Talker, turkish: bool, system: &str, count: usize, salt: usize) -> Vec<String> {
    let said = if turkish { &TURKISH } else { &ENGLISH };
    (0..count)
        .map(|at| {
            let line = format!("Tom: {}", said[(at * 5 + salt) % said.len()]);
            talker.reply([("system", system), ("user", &line)])
        })
        .collect()
}

#[test]
fn no_two_personas_of_the_demo_sound_alike() {
    let mut talker = Talker::new(7);
    let styles: Vec<(String, Style)> = personas(false)
        .into_iter()
        .map(|(name, (turkish, system))| {
            let style = Style::of(&texts(&mut talker, turkish, &system, 40, 0)).unwrap();
            (name, style)
        })
        .collect();
    let mut alike: Vec<String> = Vec::new();
    for (at, (name, style)) in styles.iter().enumerate() {
        for (other, other_style) in &styles[at + 1..] {
            let distance = style.distance(other_style);
            if distance < ALIKE {
                alike.push(format!("{name} and {other}: {distance:.3}"));
            }
        }
    }
    assert!(alike.is_empty(), "{alike:?}");
}

#[test]
fn a_bot_is_named_by_twenty_of_its_texts() {
    let all = personas(true);
    assert_eq!(all.len(), 20);
    let mut talker = Talker::new(3);
    let known: Vec<(&String, Style)> = all
        .iter()
        .map(|(name, (turkish, system))| (name, Style::of(&texts(&mut talker, *turkish, system, 60, 0)).unwrap()))
        .collect();
    let (mut named, mut tried, mut wrong) = (0, 0, Vec::new());
    for (name, (turkish, system)) in &all {
        for salt in [1, 4, 7] {
            let style = Style::of(&texts(&mut talker, *turkish, system, 20, salt)).unwrap();
            let (nearest, _) = known
                .iter()
                .min_by(|(_, one), (_, other)| style.distance(one).total_cmp(&style.distance(other)))
                .unwrap();
            tried += 1;
            if *nearest == name {
                named += 1;
            } else {
                wrong.push(format!("{name} for {nearest}"));
            }
        }
    }
    assert!(named * 10 >= tried * 9, "{named} of {tried}: {wrong:?}");
}
