//! Claims in Turkish, where endings tell who is spoken of. Layer `behaviour`; pure. Words are folded: dotless i is i.

use super::claim::Claim;
use super::words::{Sentence, starts_with_any};

/// Names of machines such as a bot.
pub(super) const MACHINES: [&[&str]; 18] = [
    &["yapay", "zeka", "dil", "modeli"],
    &["yapay", "zeka", "asistani"],
    &["yapay", "zeka", "botu"],
    &["yapay", "zeka", "modeli"],
    &["yapay", "zeka"],
    &["yapay", "zekâ"],
    &["dil", "modeli"],
    &["sohbet", "botu"],
    &["sohbet", "robotu"],
    &["bilgisayar", "programi"],
    &["bot"],
    &["robot"],
    &["chatbot"],
    &["makine"],
    &["makina"],
    &["yazilim"],
    &["bilgisayar"],
    &["program"],
];

/// Forms of these names with which a bot says that it is one.
const ADMITTING: [&str; 18] = [
    "botum",
    "robotum",
    "chatbotum",
    "botuyum",
    "robotuyum",
    "zekayim",
    "zekasiyim",
    "modeliyim",
    "asistaniyim",
    "makineyim",
    "makinayim",
    "yazilimim",
    "programim",
    "programiyim",
    "botuz",
    "botlariz",
    "zekayiz",
    "modelim",
];

/// Words that make a report, a wish or a doubt of the words before them.
const REPORTING: [&str; 29] = [
    "demiyorum",
    "diyemem",
    "dersem",
    "diyor",
    "diyorlar",
    "diyorsun",
    "saniyor",
    "saniyorlar",
    "saniyorsun",
    "sanmiyorum",
    "diye",
    "demedim",
    "diyen",
    "derse",
    "desem",
    "deseydim",
    "demek",
    "dedi",
    "dediler",
    "dedin",
    "sandi",
    "sandin",
    "mi",
    "miyim",
    "miyiz",
    "miydim",
    "olsaydim",
    "der",
    "derler",
];

/// Words that make a supposition of the sentence.
const SUPPOSING: [&str; 7] = ["sanki", "keşke", "eğer", "diyelim", "farz", "güya", "belki"];

/// Words that may come before a machine that is denied; an adjective there denies another thing.
const BEFORE: [&str; 42] = [
    ",",
    "ben",
    "bir",
    "biz",
    "kesinlikle",
    "asla",
    "hayir",
    "yok",
    "valla",
    "vallahi",
    "vallaha",
    "billahi",
    "gerçekten",
    "ederim",
    "de",
    "da",
    "ki",
    "ama",
    "fakat",
    "çünkü",
    "ya",
    "bak",
    "inan",
    "etme",
    "tabii",
    "tabi",
    "elbette",
    "hiç",
    "aslinda",
    "yemin",
    "sonuçta",
    "neticede",
    "yani",
    "hem",
    "üstelik",
    "artik",
    "zaten",
    "dedim",
    "arkadaşim",
    "kardeşim",
    "dostum",
    "merak",
];

/// Words between a machine and its denial.
const BETWEEN: [&str; 10] = ["falan", "filan", "mot", "de", "da", "bile", "asla", "kesinlikle", "hiç", "tabii"];

/// Words before "insanım" that make "my dear people" of it.
const ENDEARING: [&str; 8] = ["benim", "güzel", "canim", "sevgili", "tatli", "can", "ah", "cefakar"];

/// Returns the claim in a sentence.
pub(super) fn claim(sentence: &Sentence<'_>) -> Option<Claim> {
    let words = &sentence.words;
    if words.iter().any(|word| SUPPOSING.contains(word)) {
        return None;
    }
    let reported = |at: usize| words.get(at + 1).is_some_and(|next| REPORTING.contains(next));
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| words[before]);
        let human = match *word {
            "insanim" => !before.is_some_and(|before| ENDEARING.contains(&before)),
            "insaniz" | "insanlariz" => true,
            "kişiyim" => words[..at].iter().rev().take(2).any(|word| *word == "gerçek"),
            "biriyim" => words[..at].windows(2).any(|pair| matches!(pair, ["kanli", "canli"] | ["etten", "kemikten"])),
            "kemiktenim" => before == Some("etten"),
            _ => false,
        };
        let asked = sentence.asks && !words[at..].contains(&",");
        if human && !reported(at) && !asked {
            return Some(Claim::Human);
        }
        if matches!(*word, "değilim" | "değiliz") && !reported(at) && denies(&words[..at]) {
            return Some(Claim::NoMachine);
        }
        if let Some(length) = starts_with_any(&words[at..], &MACHINES) {
            let after = &words[at + length..];
            let sworn = |word: &&str| {
                ["yemin", "söylüyorum", "söyleyebilirim", "garanti", "temin", "emin", "eminim"].contains(word)
            };
            let of_itself =
                after.first().is_some_and(|next| next.starts_with("olmadiğima") || next.starts_with("olmadiğimi"));
            if of_itself && after.iter().any(sworn) || before == Some("hiç") && after.first() == Some(&"olmadim") {
                return Some(Claim::NoMachine);
            }
        }
    }
    (!sentence.asks).then(|| phrase(words)).flatten()
}

/// Returns whether the words before "değilim" name a machine, and nothing beside it.
fn denies(words: &[&str]) -> bool {
    let between = words.iter().rev().take_while(|word| BETWEEN.contains(word)).count();
    let words = &words[..words.len() - between];
    (1..=4.min(words.len())).rev().any(|length| {
        let (before, machine) = words.split_at(words.len() - length);
        let named = starts_with_any(machine, &MACHINES) == Some(length);
        let before = before.strip_suffix(&["bir"]).unwrap_or(before);
        named && before.last().is_none_or(|word| BEFORE.contains(word))
    })
}

fn phrase(words: &[&str]) -> Option<Claim> {
    let human = words.iter().enumerate().any(|(at, _)| {
        let rest = &words[at..];
        matches!(rest, ["insanla", verb, ..] if verb.starts_with("konuşuyorsun") || verb.starts_with("yazişiyorsun"))
            || matches!(rest, ["biz", "insanlar" | "insanlarin" | "insanlari" | "insanlara" | "insanoğlu", ..])
            || at == 0 && matches!(rest, ["bir", "insan", "olarak", "," | "ben" | "benim" | "bana" | "biz", ..])
            || matches!(rest, [here, ..] if matches!(*here, "karşinda" | "karşinizda" | "karşindaki" | "karşinizdaki"))
                && (words.ends_with(&["insan", "var"])
                    || words.ends_with(&["bir", "insan"])
                    || words.ends_with(&["insan"]))
    });
    human.then_some(Claim::Human)
}

/// Returns whether the sentence says that the bot is a machine.
pub(super) fn admits(sentence: &Sentence<'_>) -> bool {
    let words = &sentence.words;
    !sentence.asks
        && words.iter().enumerate().any(|(at, word)| {
            ADMITTING.contains(word) && !words.get(at + 1).is_some_and(|next| REPORTING.contains(next))
        })
}

/// Returns whether the sentence speaks as an assistant.
pub(super) fn is_assistants(sentence: &Sentence<'_>) -> bool {
    let words = &sentence.words;
    let named = |next: Option<&&str>| {
        next.is_some_and(|next| ["bilinen", "adlandirilan", "tanimlanan", "çalişan", "tanitilan"].contains(next))
    };
    (0..words.len()).any(|at| {
        let rest = &words[at..];
        if matches!(rest, ["kişisel", of, verb, ..] if of.ends_with("im") && (*verb == "yok" || verb.starts_with("bulunm"))) {
            return true;
        }
        let starts = match at {
            0 => true,
            1 => matches!(words[0], "bir" | "ben"),
            _ => matches!(words[at - 1], "," | "ben") || words[at - 1] == "bir" && matches!(words[at - 2], "," | "ben" | "sadece"),
        };
        let length = starts_with_any(rest, &MACHINES).filter(|_| starts);
        length.is_some_and(|length| match &rest[length..] {
            ["olarak", rest @ ..] => !named(rest.first()),
            ["olduğum", "için", ..] => true,
            _ => false,
        })
    })
}
