//! Claims about the small talk: it takes up what was said, and varies.

#![allow(clippy::unwrap_used)]
use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::super::kind::kind_of;
use super::super::words::Language;
use super::*;

const TURKISH: &str = "Sen neşeli bir fırıncısın.\nAdın Deniz (@deniz_bot).\nNasıl yazarsın: Düzgün cümleler.\nSevdiğin \
                       konular: çay, kedi.\nKurallar: Türkçe yaz.";
const ENGLISH: &str = "You are a baker.\nYour name is Grace (@grace_bot).\nHow you write: Proper sentences.\nYou like to \
                       talk about: tea, cats.\nRules: write in English.";

fn prompt(system: &str, user: &[&str]) -> Prompt {
    let mut messages = vec![json!({"role": "system", "content": system})];
    messages.extend(user.iter().map(|text| json!({"role": "user", "content": text})));
    Prompt::read(&serde_json::from_value::<Vec<_>>(json!(messages)).unwrap())
}

/// Answers one message forty times, each time anew.
fn answers(system: &str, text: &str) -> Vec<String> {
    let asked = prompt(system, &[&format!("Tom: {text}")]);
    (0..40).map(|seed| SmallTalk::new(seed).reply(&asked)).collect()
}

fn share_with(answers: &[String], words: &[&str]) -> usize {
    answers.iter().filter(|text| words.iter().any(|word| fold(text).contains(&fold(word)))).count()
}

/// Messages that people write, of all kinds.
const ENGLISH_SAID: [&str; 24] = [
    "tea or coffee?",
    "the referee ruined the match last night",
    "what book are you reading these days?",
    "hello everyone",
    "it has been raining here since morning",
    "why is everybody so tired?",
    "thanks a lot",
    "my cat wants breakfast at five every day",
    "where should one start with Rust?",
    "train or plane?",
    "how are you?",
    "four meetings today and no work done",
    "how long do you brew your tea?",
    "haha good one",
    "I disagree",
    "can you suggest a film for tonight?",
    "I baked bread and the kitchen is full of flour",
    "really?",
    "how do you get to work?",
    "the concert last night was wonderful",
    "does anyone here have a cat?",
    "I want to cross the country by train",
    "what should I cook tonight?",
    "would you live in a big city?",
];
const TURKISH_SAID: [&str; 24] = [
    "çay mı kahve mi?",
    "dünkü maçta hakem oyunu mahvetti",
    "bu ara hangi kitabı okuyorsunuz?",
    "selam millet",
    "burada yağmur bir türlü dinmedi",
    "neden herkes bu kadar yorgun?",
    "çok sağ ol",
    "bizim tekir sabah beşte mama istiyor",
    "Rust öğrenmek için nereden başlamalı?",
    "trenle mi gidilir, uçakla mı?",
    "nasılsın?",
    "bugün dört toplantıya girdim, iş yapamadım",
    "çayı kaç dakika demliyorsunuz?",
    "güldürdün beni 😂",
    "ben pek öyle düşünmüyorum",
    "akşama güzel bir film önerir misiniz?",
    "mantı açtım, mutfak un içinde kaldı",
    "gerçekten mi?",
    "işe neyle gidiyorsunuz?",
    "dün akşamki konser harikaydı",
    "kedisi olan var mı?",
    "trenle Kars'a gitmeyi kafaya koydum",
    "akşama ne pişirsem?",
    "İstanbul'da yaşanır mı artık?",
];

/// Lets one bot answer a row of messages.
fn talk(turkish: bool, count: usize) -> Vec<String> {
    let (system, said) = if turkish { (TURKISH, &TURKISH_SAID) } else { (ENGLISH, &ENGLISH_SAID) };
    let mut rng = fastrand::Rng::with_seed(5);
    let mut talk = SmallTalk::new(11);
    let names = ["Ayşe", "Mert", "Tom", "Lucy"];
    let mut line = || format!("{}: {}", names[rng.usize(..4)], said[rng.usize(..said.len())]);
    (0..count)
        .map(|_| {
            let said: Vec<String> = (0..3).map(|_| line()).collect();
            talk.reply(&prompt(system, &said.iter().map(String::as_str).collect::<Vec<_>>()))
        })
        .collect()
}

#[test]
fn an_answer_takes_up_what_was_said() {
    let english: [(&str, &[&str]); 16] = [
        ("Tea or coffee, and why?", &["tea", "coffee"]),
        ("Pears or plums?", &["pears", "plums"]),
        ("how long do you brew your tea?", &["minute", "spoon"]),
        ("my cat wants breakfast at five every day", &["four", "five", "bowl", "cats", "midnight"]),
        ("does anyone here have a cat?", &["one", "two", "none"]),
        ("four meetings today and no work done", &["four", "meeting", "another one", "mornings"]),
        ("can you suggest a film for tonight?", &["film", "paddington", "third man", "minutes"]),
        ("the metro broke down again", &["tram", "appointment", "barriers", "metro"]),
        ("I want to cross the country by train", &["train", "guard", "window", "bunk"]),
        ("I am going to Lisbon in May", &["lisbon"]),
        ("where should one start with Rust?", &["tool", "rustlings", "errors", "language", "code"]),
        ("are you a bot?", &["bot", "software"]),
        (
            "what do you think of the new tram line?",
            &["tram", "good", "like", "noise", "half", "year", "cup", "reputation", "better", "city"],
        ),
        ("why is it always raining on Saturdays?", &["washing", "sea"]),
        ("who wins the league this year?", &["whoever", "autumn", "champions", "quiet number"]),
        ("hello everyone", &["hello", "hey", "hi", "morning", "good", "evening", "there", "hullo"]),
    ];
    let turkish: [(&str, &[&str]); 16] = [
        ("Çay mı kahve mi?", &["çay", "kahve"]),
        ("Armut mu erik mi?", &["armut", "erik"]),
        ("çayı kaç dakika demliyorsunuz?", &["dakika", "yaprağa"]),
        ("bizim tekir sabah beşte mama istiyor", &["dört", "beş", "mama", "erteleme"]),
        ("kedisi olan var mı?", &["bir tane", "iki", "benim yok"]),
        ("bugün dört toplantıya girdim, iş yapamadım", &["dört", "toplantı", "takvim"]),
        ("akşama güzel bir film önerir misiniz?", &["hababam", "soygun", "dakika", "selvi"]),
        ("metro yine arıza yapmış", &["tramvay", "randevu", "turnike", "metro"]),
        ("trenle Kars'a gitmeyi kafaya koydum", &["kars", "tren", "termos", "yürü", "bilet"]),
        ("yarın İzmir'e gidiyorum", &["izmir"]),
        ("Rust öğrenmek için nereden başlamalı?", &["araç", "rustlings", "hatayı", "rust"]),
        ("sen bot musun?", &["bot"]),
        (
            "yeni tramvay hattı için ne düşünüyorsun?",
            &["fikir", "beklediğimden", "belli", "gürültü", "yarısı", "sene", "benlik", "adı"],
        ),
        ("neden hep cumartesi yağmur yağıyor?", &["çamaşır", "deniz"]),
        ("sizce bu sezon kim şampiyon olur?", &["şampiyon", "takım", "kafam", "numara"]),
        ("selam millet", &["selam", "merhaba", "hoş", "ooo", "hayırlı"]),
    ];
    for (system, cases) in [(ENGLISH, english), (TURKISH, turkish)] {
        for (text, words) in cases {
            let answers = answers(system, text);
            let fitting = share_with(&answers, words);
            assert!(fitting >= 32, "{fitting} of 40 take up {text:?}: {answers:#?}");
        }
    }
}

#[test]
fn a_bot_prefers_the_same_alternative_each_time_and_keeps_to_its_position() {
    let first_words = |system: &str, text| -> HashSet<String> {
        answers(system, text)
            .iter()
            .filter_map(|answer| words(&fold(answer)).first().map(|w| (*w).to_owned()))
            .collect()
    };
    assert!(share_with(&answers(ENGLISH, "Pears or plums?"), &["pears"]) != 0);
    let holds = format!("{ENGLISH}\n\nOn tea you hold firmly: Coffee is better than tea. Do not contradict it.");
    let words = first_words(&holds, "tea or coffee?");
    assert!(!words.contains("tea") && words.contains("coffee"), "{words:?}");
    let holds = format!("{TURKISH}\n\nçay konusunda kesin görüşün: Çay kahveden iyidir. Bununla çelişme.");
    let words = first_words(&holds, "kahve mi çay mı?");
    assert!(!words.contains("kahve") && words.contains("çay"), "{words:?}");
}

#[test]
fn a_view_against_its_position_is_answered_from_its_own_side() {
    let holds = format!("{ENGLISH}\n\nOn tea you hold firmly: Tea is better than coffee. Do not contradict it.");
    let against = answers(&holds, "coffee is the best drink there is");
    assert!(
        share_with(&against, &["tea", "mug", "pot", "brewed", "camomile", "rooibos", "mint"]) >= 32,
        "{against:#?}"
    );
    let holds = format!("{TURKISH}\n\nçay konusunda kesin görüşün: Çay kahveden iyidir. Bununla çelişme.");
    let against = answers(&holds, "bence en iyi içecek kahve");
    assert!(
        share_with(&against, &["çay", "ince belli", "demli", "bardağın", "Rize", "şekeri", "kaynamış"]) >= 32,
        "{against:#?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    assert_eq!(talk(true, 40), talk(true, 40));
    assert_eq!(answers(ENGLISH, "tea or coffee?"), answers(ENGLISH, "tea or coffee?"));
}

#[test]
fn two_hundred_answers_of_a_bot_vary() {
    for turkish in [true, false] {
        let texts = talk(turkish, 200);
        let mut openings: HashMap<String, u32> = HashMap::new();
        let mut whole: HashMap<&str, u32> = HashMap::new();
        for text in &texts {
            *openings.entry(opening(text)).or_default() += 1;
            *whole.entry(text).or_default() += 1;
        }
        let (opening, most) = openings.iter().max_by_key(|(_, times)| **times).unwrap();
        assert!(*most <= 16, "{opening:?} opens {most} of 200");
        assert!(whole.len() >= 160, "{} texts", whole.len());
        let asking = texts.iter().filter(|text| text.contains('?')).count();
        assert!((4..=40).contains(&asking), "{asking} of 200 ask");
        let lengths: Vec<usize> = texts.iter().map(|text| text.split_whitespace().count()).collect();
        assert!(lengths.iter().any(|words| *words <= 3) && lengths.iter().any(|words| *words >= 14), "{lengths:?}");
    }
}

#[test]
fn no_answer_begins_with_a_name_or_shows_a_slot() {
    for turkish in [true, false] {
        for text in talk(turkish, 300) {
            assert!(!["Ayşe", "Mert", "Tom", "Lucy"].iter().any(|name| text.starts_with(name)), "{text}");
            assert!(!text.is_empty() && !text.contains(['{', '}', '[', ']', '|', '*', '\n', '@']), "{text}");
            assert!(!text.contains("Deniz,") && !text.contains("Grace"), "talks to itself: {text}");
            assert!(!text.contains("  ") && !text.contains(" .") && !text.contains(",,"), "{text}");
        }
    }
}

#[test]
fn a_bot_that_is_asked_to_speak_keeps_to_the_subject() {
    for (system, text, words) in [
        (ENGLISH, "(The chat has gone quiet. Say something about this, in your own way: rain)", ["rain", "weather"]),
        (TURKISH, "(Sohbet sessizleşti. Kendi tarzınla şundan söz aç: vapur)", ["vapur", "deniz"]),
    ] {
        let asked = prompt(system, &[text]);
        let texts: Vec<String> = (0..40).map(|seed| SmallTalk::new(seed).reply(&asked)).collect();
        assert!(share_with(&texts, &words) >= 12, "{texts:#?}");
        assert!(texts.iter().collect::<HashSet<_>>().len() > 8);
    }
}

#[test]
fn every_line_can_stand_in_an_answer() {
    for (language, said) in [(Language::English, ENGLISH_SAID), (Language::Turkish, TURKISH_SAID)] {
        let book = Book::of(language);
        let lines =
            book.topics.iter().chain([&book.any]).flat_map(|topic| &topic.groups).flat_map(|group| &group.lines);
        for line in lines {
            assert!(line.ends_with(['.', '!', '?', ',', ':']), "{line:?} has no end");
            assert_eq!(line.matches('[').count(), line.matches(']').count(), "{line}");
        }
        assert!(said.iter().map(|text| kind_of(text, language)).collect::<HashSet<Kind>>().len() >= 10);
    }
}

#[test]
fn a_persona_that_may_send_several_messages_writes_some_answers_on_several_lines() {
    let several = format!("{ENGLISH} You may send up to 3 short messages in a row: write each on a line of its own.");
    let lines = |system: &str| {
        let said = ENGLISH_SAID.iter().flat_map(|text| answers(system, text)).collect::<Vec<_>>();
        (said.iter().filter(|text| text.contains('\n')).count(), said.iter().map(|text| text.lines().count()).max())
    };
    assert_eq!(lines(ENGLISH), (0, Some(1)));
    let (some, most) = lines(&several);
    assert!(some > 40 && most <= Some(3), "{some} {most:?}");
}
