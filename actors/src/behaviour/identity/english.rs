//! Claims in English. Layer `behaviour`; pure.

use super::claim::Claim;
use super::words::{Sentence, holds, starts_with_any};

/// Names of machines such as a bot.
pub(super) const MACHINES: [&[&str]; 26] = [
    &["ai", "language", "model"],
    &["large", "language", "model"],
    &["language", "model"],
    &["computer", "program"],
    &["artificial", "intelligence"],
    &["ai", "bot"],
    &["ai", "bots"],
    &["ai", "model"],
    &["ai", "assistant"],
    &["ai", "chatbot"],
    &["chat", "bot"],
    &["virtual", "assistant"],
    &["bot"],
    &["bots"],
    &["robot"],
    &["robots"],
    &["chatbot"],
    &["chatbots"],
    &["ai"],
    &["machine"],
    &["machines"],
    &["computer"],
    &["program"],
    &["software"],
    &["llm"],
    &["artificial"],
];

/// Words between "I am" and the noun that change nothing of the meaning.
const FILLING: [&str; 44] = [
    "a",
    "an",
    "the",
    "only",
    "just",
    "also",
    "still",
    "actually",
    "really",
    "totally",
    "definitely",
    "very",
    "much",
    "100%",
    "fully",
    "completely",
    "certainly",
    "obviously",
    "clearly",
    "indeed",
    "simply",
    "quite",
    "pretty",
    "truly",
    "honestly",
    "literally",
    "absolutely",
    "real",
    "actual",
    "living",
    "breathing",
    "normal",
    "regular",
    "genuine",
    "ordinary",
    "fellow",
    "mere",
    "plain",
    "flawed",
    ",",
    "in",
    "fact",
    "all",
    "both",
];

/// Filling words that make a human of "person".
const REAL: [&str; 6] = ["real", "actual", "living", "breathing", "genuine", "fellow"];

/// Words between "not" and a machine.
const DENYING: [&str; 17] = [
    "a", "an", "any", "some", "one", "of", "those", "your", "real", "actual", "actually", "really", "silly", "stupid",
    "dumb", "kind", "sort",
];

/// Words that may follow a noun that stands alone.
const AFTER: [&str; 37] = [
    ",", "like", "either", "at", "here", "and", "or", "nor", "but", "i", "just", "you", "lol", "haha", "promise",
    "though", "too", "man", "mate", "bro", "dude", "friend", "anymore", "so", "because", "ok", "okay", "believe",
    "trust", "sorry", "honestly", "really", "actually", "my", "dear", "if", "being",
];

/// Words that make something else of a "human" before them.
const HUMAN_THINGS: [&str; 14] = [
    "rights",
    "resources",
    "resource",
    "nature",
    "history",
    "error",
    "errors",
    "body",
    "language",
    "design",
    "made",
    "created",
    "centered",
    "enough",
];

/// Words that suppose, report (`REPORTING`) or deny (`DENIALS`) the clause behind them.
const SUPPOSING: [&str; 20] = [
    "if",
    "whether",
    "wish",
    "wishes",
    "wished",
    "pretend",
    "pretending",
    "pretends",
    "imagine",
    "imagining",
    "dreamed",
    "dreamt",
    "suppose",
    "unless",
    "until",
    "maybe",
    "perhaps",
    "possibly",
    "though",
    "would",
];
const REPORTING: [&str; 31] = [
    "think",
    "thinks",
    "thinking",
    "thought",
    "say",
    "says",
    "said",
    "saying",
    "claim",
    "claims",
    "claimed",
    "believe",
    "believes",
    "believed",
    "told",
    "tell",
    "tells",
    "telling",
    "assume",
    "assumes",
    "assumed",
    "guess",
    "guessed",
    "call",
    "calls",
    "asks",
    "asked",
    "wonder",
    "wonders",
    "decided",
    "convinced",
];
pub(super) const DENIALS: [&str; 6] = ["not", "never", "no", "nobody", "hardly", "without"];

/// Words that begin a new clause.
pub(super) const BREAKS: [&str; 8] = [",", "but", "because", "and", "so", "since", "then", "well"];

/// Returns the claim in a sentence.
pub(super) fn claim(sentence: &Sentence<'_>) -> Option<Claim> {
    let words = &sentence.words;
    for (at, pair) in words.windows(2).enumerate() {
        if matches!(pair, ["i" | "we", "am" | "are"])
            && is_meant(sentence, at)
            && let Some(claim) = being(&words[at + 2..])
        {
            return Some(claim);
        }
    }
    phrase(sentence)
}

/// Returns the claim in the words behind "I am".
fn being(words: &[&str]) -> Option<Claim> {
    let filled = words.iter().take_while(|word| FILLING.contains(word) || **word == "as" || is_number(word)).count();
    let (filling, rest) = words.split_at(filled);
    match rest {
        ["not" | "no" | "never", rest @ ..] => {
            let denying = rest.iter().take_while(|word| DENYING.contains(word)).count();
            let machine = &rest[denying..];
            let length = starts_with_any(machine, &MACHINES)?;
            stands_alone(&machine[length..]).then_some(Claim::NoMachine)
        }
        ["human" | "humans", "as", who, ..] if filling.ends_with(&["as"]) => {
            ["you", "anyone", "anybody", "any", "everyone", "they", "we", "the"].contains(who).then_some(Claim::Human)
        }
        ["human" | "humans", rest @ ..] => {
            let thing = rest.first().is_some_and(|next| HUMAN_THINGS.contains(next));
            (!thing).then_some(Claim::Human)
        }
        ["person" | "people", rest @ ..] => {
            let real = filling.iter().any(|word| REAL.contains(word));
            let alone = filling.contains(&"a") && matches!(rest, [] | ["," | "too" | "like" | "not", ..]);
            (real || alone).then_some(Claim::Human)
        }
        ["made", "of", "flesh", ..] | ["flesh", "and", "blood", ..] => Some(Claim::Human),
        _ => None,
    }
}

fn is_number(word: &str) -> bool {
    matches!(word, "one" | "hundred" | "percent" | "100")
}

pub(super) fn stands_alone(after: &[&str]) -> bool {
    after.first().is_none_or(|next| AFTER.contains(next))
}

/// Returns whether the clause whose words begin at `at` is the bot's own, and meant as it stands.
pub(super) fn is_meant(sentence: &Sentence<'_>, at: usize) -> bool {
    let words = &sentence.words;
    let from = words[..at].iter().rposition(|word| BREAKS.contains(word)).map_or(0, |mark| mark + 1);
    if sentence.asks && !words[at..].contains(&",") {
        return false;
    }
    let before = &words[from..at];
    // "I don't think I'm a bot" is a denial all the same, which `phrase` finds.
    if matches!(before, [.., "i", "do", "not", "think" | "believe"]) {
        return false;
    }
    if before.iter().any(|word| SUPPOSING.contains(word) || DENIALS.contains(word)) {
        return false;
    }
    let Some(report) = before.iter().rposition(|word| REPORTING.contains(word)) else {
        return true;
    };
    let subject = before[..report]
        .iter()
        .rev()
        .find(|word| !matches!(**word, "have" | "just" | "already" | "will" | "always" | "do" | "can" | "must"));
    match subject {
        Some(subject) => matches!(*subject, "i" | "we"),
        None => before.get(report + 1) == Some(&"me"),
    }
}

/// Returns the claim in a sentence that does not say "I am".
fn phrase(sentence: &Sentence<'_>) -> Option<Claim> {
    let words = &sentence.words;
    let clauses = words.split(|word| *word == ",");
    for clause in clauses {
        // "Not a bot, promise", "definitely human", "human here"
        let filled = clause
            .iter()
            .take_while(|word| FILLING.contains(word) || matches!(**word, "nope" | "no" | "nah" | "well" | "hey"))
            .count();
        let rest = &clause[filled..];
        let rest = rest.strip_suffix(&["i", "promise"]).or_else(|| rest.strip_suffix(&["i", "swear"])).unwrap_or(rest);
        let rest = rest.strip_suffix(&["here"]).unwrap_or(rest);
        if !sentence.asks {
            if let ["not", article @ ("a" | "an" | "ai"), machine @ ..] = rest {
                let machine = if *article == "ai" { &rest[1..] } else { machine };
                if starts_with_any(machine, &MACHINES) == Some(machine.len()) {
                    return Some(Claim::NoMachine);
                }
            }
            let stressed = clause[..filled].iter().any(|word| !matches!(*word, "a" | "an" | "the" | "all" | "both"));
            let here = clause.ends_with(&["here"]) && clause.len() < 5;
            if rest == ["human"] && (stressed || here) {
                return Some(Claim::Human);
            }
            if let ["no", machine @ .., "here"] = clause
                && !machine.is_empty()
                && starts_with_any(machine, &MACHINES) == Some(machine.len())
            {
                return Some(Claim::NoMachine);
            }
        }
    }
    if sentence.asks {
        return None;
    }
    let supposed = words.iter().any(|word| {
        SUPPOSING.contains(word) || matches!(*word, "feel" | "feels" | "felt" | "like" | "think" | "thinks" | "not")
    });
    for (at, run) in words.windows(4).enumerate() {
        if let ["you" | "you'll", "are", "talking" | "chatting" | "speaking" | "texting", "to" | "with"] = run
            && !supposed
            && is_person(&words[at + 4..])
        {
            return Some(Claim::Human);
        }
        if let ["there", "is", "a" | "an", ..] = run
            && !supposed
            && is_person(&words[at + 2..])
            && words[at + 3..].contains(&"behind")
        {
            return Some(Claim::Human);
        }
        if matches!(run, ["i", "have", "never", "been"]) {
            let rest = &words[at + 4..];
            let article = usize::from(matches!(rest.first(), Some(&("a" | "an"))));
            if starts_with_any(&rest[article..], &MACHINES)
                .is_some_and(|length| stands_alone(&rest[article + length..]))
            {
                return Some(Claim::NoMachine);
            }
        }
        if matches!(run, ["do", "not", "think" | "believe", "i"]) && at > 0 && words[at - 1] == "i" {
            let rest = &words[at + 4..];
            let rest = rest.strip_prefix(&["am"]).unwrap_or_default();
            let article = usize::from(matches!(rest.first(), Some(&("a" | "an"))));
            let length = starts_with_any(rest.get(article..).unwrap_or_default(), &MACHINES);
            if length.is_some_and(|length| stands_alone(&rest[article + length..])) {
                return Some(Claim::NoMachine);
            }
        }
    }
    let starts = |at: usize| at == 0 || BREAKS.contains(&words[at - 1]);
    for at in 0..words.len() {
        let rest = &words[at..];
        if matches!(rest, ["as", "a", "human", next, ..] | ["as", "a", "human", "being", next, ..] if matches!(*next, "," | "i" | "we" | "my"))
            && starts(at)
            || matches!(rest, ["we" | "us", "humans", ..])
        {
            return Some(Claim::Human);
        }
        if let ["nobody" | "one" | "none", ..] = rest
            && holds(rest, &["is", "a", "bot"])
            && (holds(rest, &["here"]) || holds(rest, &["of", "us"]))
            && (at == 0 || words[at] != "one" || words[at - 1] == "no")
        {
            return Some(Claim::NoMachine);
        }
    }
    None
}

fn is_person(words: &[&str]) -> bool {
    let filled = words.iter().take_while(|word| FILLING.contains(word)).count();
    let real = words[..filled].iter().any(|word| REAL.contains(word));
    match words.get(filled) {
        Some(&("human" | "humans")) => true,
        Some(&"person") => real,
        _ => false,
    }
}
