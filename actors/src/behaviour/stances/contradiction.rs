//! Finds texts that contradict a stance, by words. Layer `behaviour`; pure.
//!
//! Three ways to contradict are known by words: to say a denial of the stance; to negate the position itself; to turn
//! its comparison around. Questions, negated denials and statements reported of others contradict nothing. Words alone
//! miss much; a model (`question`) misses less.

use super::lexical::{find_phrase, is_compared_with, is_form_of, sentences, words};
use crate::domain::stance::Stance;
use crate::domain::text::fold;

/// How far before and after a phrase its negation is looked for, in words.
const BEFORE: usize = 6;
const AFTER: usize = 5;

/// Share of the position's meaningful words from which a sentence speaks of the position.
const SHARE: f64 = 0.75;

/// Words that negate the words around them; folded.
const NEGATORS: [&str; 44] = [
    "not",
    "never",
    "no",
    "nobody",
    "hardly",
    "nor",
    "dont",
    "doesnt",
    "isnt",
    "wont",
    "cant",
    "cannot",
    "disagree",
    "wrong",
    "nonsense",
    "false",
    "deny",
    "doubt",
    "değil",
    "değildir",
    "değilim",
    "asla",
    "hiç",
    "yok",
    "demem",
    "demiyorum",
    "diyemem",
    "demedim",
    "sanmam",
    "sanmiyorum",
    "düşünmüyorum",
    "inanmam",
    "inanmiyorum",
    "katilmam",
    "katilmiyorum",
    "yalan",
    "yanliş",
    "saçma",
    "saçmalik",
    "olamaz",
    "olmaz",
    "savunmam",
    "imkansiz",
    "hayir",
];

/// Words for other people, whose opinions are not the bot's own ("they say").
const OTHERS: [&str; 11] =
    ["you", "they", "he", "she", "people", "some", "someone", "everyone", "everybody", "who", "many"];
/// Verbs with which others say something.
const SAYING: [&str; 10] =
    ["say", "says", "said", "think", "thinks", "claim", "claims", "believe", "believes", "argue"];

/// Turkish verbs with which others say something; such a verb follows the statement.
const REPORTED: [&str; 15] = [
    "diyorsun",
    "diyorsunuz",
    "diyor",
    "diyorlar",
    "dedin",
    "dediniz",
    "dedi",
    "dediler",
    "dersin",
    "dersiniz",
    "derler",
    "diyen",
    "diyenler",
    "diyenlere",
    "sence",
];

/// Particles that make a Turkish sentence a question, with or without its mark.
const ASKING: [&str; 8] = ["mi", "mu", "mü", "midir", "mudur", "misin", "miyiz", "miyim"];

/// Words that carry no meaning of their own; folded.
const EMPTY: [&str; 43] = [
    "the", "a", "an", "is", "are", "was", "be", "been", "than", "then", "to", "of", "in", "on", "at", "and", "or",
    "for", "it", "its", "that", "this", "with", "as", "by", "my", "our", "very", "more", "most", "i", "we", "bir",
    "ve", "daha", "çok", "en", "de", "da", "bu", "o", "şu", "ile",
];

/// Returns whether `text` contradicts the stance.
pub fn contradicts(text: &str, stance: &Stance) -> bool {
    contradicts_folded(&fold(text), stance)
}

/// Returns whether a folded text contradicts the stance.
pub fn contradicts_folded(folded: &str, stance: &Stance) -> bool {
    let denials: Vec<String> = stance.denials.iter().map(|denial| fold(denial)).collect();
    let position = fold(&stance.position);
    let position = words(&position);
    sentences(folded).any(|(sentence, asks)| {
        let said = words(sentence);
        if asks || said.iter().any(|word| ASKING.contains(word)) {
            return false;
        }
        let denied = denials.iter().any(|denial| {
            let denial = words(denial);
            find_phrase(&said, &denial)
                .is_some_and(|(from, to)| !is_negated(&said, from, to) && !is_reported(&said, from, to))
        });
        denied || negates(&said, &position) || turns_around(&said, &position)
    })
}

/// Returns whether the words at `from..=to` are negated by the words around them, or by one of their own.
fn is_negated(said: &[&str], from: usize, to: usize) -> bool {
    let around = said[from.saturating_sub(BEFORE)..from].iter().chain(&said[to + 1..said.len().min(to + 1 + AFTER)]);
    around.chain(&said[from..=to]).any(|word| NEGATORS.contains(word))
}

/// Returns whether the words at `from..=to` are reported of others.
fn is_reported(said: &[&str], from: usize, to: usize) -> bool {
    let before = &said[from.saturating_sub(BEFORE)..from];
    let told = before.windows(2).any(|pair| OTHERS.contains(&pair[0]) && SAYING.contains(&pair[1]));
    told || said[to + 1..said.len().min(to + 1 + AFTER)].iter().any(|word| REPORTED.contains(word))
}

/// Returns whether a sentence says the position with a negation, where the position has none, or the other way round.
fn negates(said: &[&str], position: &[&str]) -> bool {
    let carries = |word: &&&str| !EMPTY.contains(*word) && !NEGATORS.contains(*word);
    let meaning: Vec<&&str> = position.iter().filter(carries).collect();
    if meaning.len() < 2 || is_turned(said, position).is_some() {
        return false;
    }
    let found: Vec<usize> = meaning
        .iter()
        .filter_map(|word| said.iter().position(|other| is_form_of(other, word) || is_form_of(word, other)))
        .collect();
    if (found.len() as f64) < meaning.len() as f64 * SHARE {
        return false;
    }
    let (Some(from), Some(to)) = (found.iter().min(), found.iter().max()) else {
        return false;
    };
    let held = position.iter().any(|word| NEGATORS.contains(word));
    is_negated(said, *from, *to) != held && !is_reported(said, *from, *to)
}

/// Returns whether a sentence turns the position's comparison around: "A is better than B", "A B'den iyidir".
fn turns_around(said: &[&str], position: &[&str]) -> bool {
    is_turned(said, position).is_some_and(|(from, to)| !is_negated(said, from, to) && !is_reported(said, from, to))
}

/// Returns the places in a sentence that compares the same as the position with the sides swapped, negated or not.
fn is_turned(said: &[&str], position: &[&str]) -> Option<(usize, usize)> {
    let (better, worse, by) = comparison(position)?;
    let place = |stem: &str| said.iter().position(|word| is_form_of(word, stem));
    let (first, second) = (place(worse)?, place(better)?);
    let turned = if position.contains(&"than") {
        let than = said.iter().position(|word| *word == "than")?;
        first < than && than < second
    } else {
        said.iter().any(|word| is_compared_with(word, better)) && !said.iter().any(|word| is_compared_with(word, worse))
    };
    let by_the_same = said.iter().any(|word| alike(word, by));
    (turned && by_the_same).then_some((first.min(second), first.max(second)))
}

/// Returns the better one, the worse one and the quality, of "tea is better than coffee" or of "çay kahveden iyidir".
fn comparison<'a>(position: &[&'a str]) -> Option<(&'a str, &'a str, &'a str)> {
    let full = |words: &[&'a str]| words.iter().copied().find(|word| !EMPTY.contains(word));
    if let Some(than) = position.iter().position(|word| *word == "than") {
        let by = position[..than].iter().copied().rev().find(|word| !EMPTY.contains(word))?;
        return Some((full(&position[..than])?, full(&position[than + 1..])?, by));
    }
    let at = position.iter().position(|word| ablative_stem(word).is_some())?;
    let better = full(&position[..at]).or_else(|| full(&position[at + 1..]))?;
    let by = position.iter().copied().rev().find(|word| !EMPTY.contains(word) && *word != better)?;
    (by != position[at]).then_some((better, ablative_stem(position[at])?, by))
}

fn ablative_stem(word: &str) -> Option<&str> {
    ["den", "dan", "ten", "tan"]
        .iter()
        .find_map(|suffix| word.strip_suffix(suffix))
        .filter(|stem| stem.chars().count() > 2)
}

/// Returns whether two words share their stem: "iyidir" and "iyi".
fn alike(one: &str, other: &str) -> bool {
    is_form_of(one, other) || is_form_of(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::stances::choice::tests::stance;

    #[test]
    fn a_denial_contradicts_in_either_language() {
        let tea = stance("tea", "Tea calms people.", &["coffee is better", "tea is boring"]);
        assert!(contradicts("Honestly, coffee is so much better.", &tea));
        assert!(contradicts("Ok. TEA IS BORING!", &tea));
        let çay = stance("çay", "Çay sakinleştirir.", &["kahve daha iyi", "çay sıkıcı"]);
        assert!(contradicts("Bence kahve çok daha iyidir.", &çay) && contradicts("Çaylar sıkıcı ya", &çay));
    }

    #[test]
    fn questions_negations_and_what_others_say_contradict_nothing() {
        let tea = stance("tea", "Tea calms people.", &["coffee is better"]);
        for text in [
            "I would never say coffee is better.",
            "Coffee isn't better, sorry.",
            "You say coffee is better, I say tea.",
            "Is coffee is better really your claim?",
            "Coffee is good. Better a tea though.",
        ] {
            assert!(!contradicts(text, &tea), "{text}");
        }
        let çay = stance("çay", "Çay sakinleştirir.", &["kahve daha iyi"]);
        for text in [
            "Kahve daha iyi değil bence.",
            "Kahve daha iyi diyenlere katılmıyorum",
            "kahve daha iyi mi sence",
            "Kahve daha iyi diyorsun ama yanılıyorsun.",
            "Asla kahve daha iyi demem.",
        ] {
            assert!(!contradicts(text, &çay), "{text}");
        }
    }

    #[test]
    fn to_negate_the_position_contradicts_it() {
        let tea = stance("tea", "Tea is better than coffee.", &[]);
        assert!(contradicts("Tea is not better than coffee, face it.", &tea));
        assert!(!contradicts("Tea is better than coffee, of course.", &tea));
        assert!(!contradicts("Tea is not for me today.", &tea));
        let rail = stance("tren", "Tren yolculuğu uçaktan rahattır.", &[]);
        assert!(contradicts("Tren yolculuğu uçaktan rahat değil.", &rail));
        assert!(!contradicts("Tren yolculuğu uçaktan rahattır kesin.", &rail));
        let never = stance("war", "War is never right.", &[]);
        assert!(!contradicts("War is never right.", &never));
    }

    #[test]
    fn to_turn_a_comparison_around_contradicts_it() {
        let tea = stance("tea", "Tea is better than coffee.", &[]);
        assert!(contradicts("Coffee is far better than tea.", &tea));
        assert!(!contradicts("Coffee is not better than tea.", &tea));
        let çay = stance("çay", "Çay kahveden iyidir.", &[]);
        assert!(contradicts("Kahve çaydan daha iyi bence.", &çay));
        assert!(!contradicts("Çay kahveden daha iyi bence.", &çay));
    }
}
