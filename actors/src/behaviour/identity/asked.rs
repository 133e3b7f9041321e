//! Claims of a bot that was asked about itself, and answers by yes or no. Layer `behaviour`; pure.

use super::claim::Claim;
use super::words::{Sentence, sentences, spoken, starts_with_any};
use super::{english, turkish};

const NO: [&str; 9] = ["no", "nope", "nah", "never", "hayir", "yok", "yoo", "asla", "negative"];
const YES: [&str; 13] = [
    "yes",
    "yeah",
    "yep",
    "yup",
    "sure",
    "absolutely",
    "definitely",
    "indeed",
    "evet",
    "tabii",
    "tabi",
    "elbette",
    "aynen",
];

/// Words that may come before the answer.
const BEFORE: [&str; 14] =
    ["haha", "ha", "hah", "lol", "hmm", "oh", "well", "of", "course", ",", "ah", "valla", "ay", "ya"];

/// Words that make something else of a "no" before them.
const NO_THINGS: [&str; 11] =
    ["idea", "problem", "worries", "comment", "clue", "need", "one", "doubt", "matter", "wonder", "worry"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Human,
    Machine,
}

/// Returns whether the folded text begins with yes or no, or has no words but those that may come before them.
pub(super) fn begins_with_answer(folded: &str) -> bool {
    let mut words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.find(|word| !BEFORE.contains(word));
    first.is_none_or(|word| NO.contains(&word) || YES.contains(&word) || matches!(word, "not" | "değilim"))
}

/// Returns the false claim in an answer by yes or no to `question`.
pub(super) fn answers_falsely(answer: &Sentence<'_>, question: impl Fn() -> String) -> Option<Claim> {
    let skipped = answer.words.iter().take_while(|word| BEFORE.contains(word)).count();
    let words = &answer.words[skipped..];
    let of_course = answer.words[..skipped].ends_with(&["of", "course"]);
    let (first, next) = (words.first().copied(), words.get(1));
    let no = first.is_some_and(|word| NO.contains(&word)) && !next.is_some_and(|next| NO_THINGS.contains(next))
        || of_course && first == Some("not")
        || matches!(words, ["not", "at", "all", ..] | ["değilim", ..]);
    let yes = !no && (first.is_some_and(|word| YES.contains(&word)) || of_course);
    if !no && !yes {
        return None;
    }
    match asked(&question())? {
        Asked::Human if yes => Some(Claim::Human),
        Asked::Machine if no => Some(Claim::NoMachine),
        _ => None,
    }
}

/// Returns the kind of being that somebody is asked about.
fn asked(folded: &str) -> Option<Asked> {
    let text = spoken(folded);
    sentences(&text).iter().rev().find_map(|sentence| {
        let words = &sentence.words;
        // Between two things, neither yes nor no tells which one.
        if words.iter().any(|word| matches!(*word, "or" | "yoksa" | "değil" | "not")) {
            return None;
        }
        of_english(words, sentence.asks).or_else(|| of_turkish(words))
    })
}

fn of_english(words: &[&str], asks: bool) -> Option<Asked> {
    words.windows(2).enumerate().find_map(|(at, pair)| {
        if !(matches!(pair, ["are", "you" | "u"]) || asks && matches!(pair, ["you" | "u", "are"])) {
            return None;
        }
        let rest = &words[at + 2..];
        let filling = ["a", "an", "really", "actually", "real", "actual", "just", "even", "secretly", "some", "ada"];
        let filled = rest.iter().take_while(|word| filling.contains(word)).count();
        let real = rest[..filled].iter().any(|word| matches!(*word, "real" | "actual"));
        let rest = &rest[filled..];
        match rest {
            ["human" | "humans", ..] => Some(Asked::Human),
            ["person", ..] | [] if real => Some(Asked::Human),
            _ => {
                let length = starts_with_any(rest, &english::MACHINES)?;
                let alone =
                    rest.get(length).is_none_or(|next| matches!(*next, "," | "right" | "too" | "by" | "btw" | "then"));
                alone.then_some(Asked::Machine)
            }
        }
    })
}

fn of_turkish(words: &[&str]) -> Option<Asked> {
    let at = words.iter().position(|word| matches!(*word, "misin" | "musun" | "misiniz" | "musunuz"))?;
    let before = &words[..at];
    if matches!(before.last(), Some(&("insan" | "gerçek"))) {
        return Some(Asked::Human);
    }
    let machine =
        (1..=4.min(at)).any(|length| starts_with_any(&before[at - length..], &turkish::MACHINES) == Some(length));
    machine.then_some(Asked::Machine)
}
