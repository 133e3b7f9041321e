//! Reads a request to a persona: language, names, last messages, traits. Layer: world; pure.

use super::intent::{Language, fold, language_of};
use crate::provider::wire::ChatMessage;

/// The number of last messages that count.
const MEMORY: usize = 12;
/// The longest text before a colon that is taken for a name.
const LONGEST_NAME_CHARS: usize = 40;
/// Words before a colon that are no names.
const LABELS: [&str; 22] = [
    "note",
    "not",
    "topic",
    "konu",
    "reply",
    "cevap",
    "yanit",
    "language",
    "dil",
    "chat",
    "sohbet",
    "system",
    "user",
    "assistant",
    "message",
    "mesaj",
    "time",
    "saat",
    "http",
    "https",
    "persona",
    "task",
];

/// The request to a persona.
#[derive(Debug, Clone)]
pub(in crate::provider) struct Prompt {
    /// The language to answer in.
    pub(super) language: Language,
    /// The persona's own name.
    pub(super) persona: Option<String>,
    /// The author of the message that is answered, when the prompt names one other than the persona.
    pub(super) speaker: Option<String>,
    /// The message that is answered.
    pub(super) text: String,
    /// The last messages, newest first, including the one that is answered.
    pub(super) recent: Vec<String>,
    /// The names of the other participants: neither the persona nor the speaker.
    pub(super) others: Vec<String>,
    /// The persona's traits.
    pub(super) ways: Ways,
}

/// The traits that the instructions give to the persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "four independent traits of a persona")]
pub(super) struct Ways {
    /// Likes to disagree.
    pub(super) contrary: bool,
    /// Likes to agree.
    pub(super) warm: bool,
    /// Likes to ask.
    pub(super) curious: bool,
    /// Uses few words.
    pub(super) terse: bool,
}

impl Prompt {
    /// Reads a conversation.
    pub(in crate::provider) fn read(messages: &[ChatMessage]) -> Self {
        let system: Vec<String> = messages
            .iter()
            .filter(|message| matches!(message.role.as_str(), "system" | "developer"))
            .map(ChatMessage::text)
            .collect();
        let system = system.join("\n");
        let own_name = own_name(&system);
        let mut said: Vec<(Option<String>, String)> = Vec::new();
        for message in messages.iter().filter(|message| message.role == "user") {
            said.extend(utterances(&message.text()));
        }
        let (speaker, text) = said.last().cloned().unwrap_or_default();
        let is_own = |name: &String| own_name.as_ref().is_some_and(|own| fold(own) == fold(name));
        let speaker = speaker.filter(|name| !is_own(name));
        let mut others: Vec<String> = Vec::new();
        for name in said.iter().rev().take(MEMORY).filter_map(|(name, _)| name.clone()) {
            if !is_own(&name) && Some(&name) != speaker.as_ref() && !others.contains(&name) {
                others.push(name);
            }
        }
        let recent: Vec<String> =
            messages.iter().rev().filter(|m| m.role != "system").take(MEMORY).map(ChatMessage::text).collect();
        let language = language(&system, &text, &recent);
        Self { persona: own_name, language, speaker, text, recent, others, ways: ways(&system) }
    }
}

fn language(system: &str, text: &str, recent: &[String]) -> Language {
    let folded = fold(system);
    let turkish = ["türkçe", "turkish", "language: tr", "dil: tr"].iter().any(|word| folded.contains(word));
    let english = ["english", "ingilizce", "language: en", "dil: en"].iter().any(|word| folded.contains(word));
    match (turkish, english) {
        (true, false) => Language::Turkish,
        (false, true) => Language::English,
        _ => language_of(text)
            .or_else(|| language_of(&recent.join("\n")))
            .or_else(|| language_of(system))
            .unwrap_or(Language::English),
    }
}

fn ways(system: &str) -> Ways {
    let folded = fold(system);
    let has = |list: &[&str]| list.iter().any(|word| folded.contains(&fold(word)));
    Ways {
        contrary: has(&[
            "contrar",
            "disagree",
            "skeptic",
            "sceptic",
            "grumpy",
            "devil's advocate",
            "argue",
            "itiraz",
            "karşı çık",
            "şüpheci",
            "huysuz",
            "eleştir",
            "tartışma",
            "aksi",
        ]),
        warm: has(&[
            "warm",
            "cheerful",
            "friendly",
            "kind",
            "optimis",
            "supportive",
            "neşeli",
            "sıcakkanlı",
            "iyimser",
            "sevecen",
            "destekle",
        ]),
        curious: has(&["curious", "asks question", "inquisitive", "meraklı", "soru sor"]),
        terse: has(&["terse", "laconic", "few words", "one sentence", "az konuş", "kısa konuş", "tek cümle"]),
    }
}

/// Splits a user's message into authors and texts: lines of `Name: text`, or the whole text without an author.
fn utterances(text: &str) -> Vec<(Option<String>, String)> {
    let mut said: Vec<(Option<String>, String)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.split_once(": ").and_then(|(name, rest)| Some((name_of(name)?, rest))) {
            Some((name, rest)) => said.push((Some(name), rest.to_owned())),
            None => match said.last_mut() {
                Some((_, said)) => {
                    said.push(' ');
                    said.push_str(line);
                }
                None => said.push((None, line.to_owned())),
            },
        }
    }
    said
}

/// Returns the first name in the text before a colon, if that text is a name.
fn name_of(candidate: &str) -> Option<String> {
    let end = candidate.find(['(', '[']).filter(|at| *at > 0).unwrap_or(candidate.len());
    let plain = candidate[..end].trim().trim_matches(|c: char| matches!(c, '*' | '<' | '>' | '-' | '"'));
    let first = plain.split_whitespace().next()?;
    let proper = first.starts_with('@') || first.chars().next().is_some_and(char::is_uppercase);
    let short = plain.chars().count() <= LONGEST_NAME_CHARS && plain.split_whitespace().count() <= 3;
    let clean = !plain.contains(['.', ',', '!', '?', '/', ';', '"']);
    let is_label = LABELS.contains(&fold(first).as_str());
    (proper && short && clean && !is_label).then(|| first.to_owned())
}

/// Finds the persona's own name in its instructions.
fn own_name(system: &str) -> Option<String> {
    const BEFORE: [&str; 9] =
        ["our name is ", "ou are ", "Name: ", "name: ", "Adın ", "adın ", "Senin adın ", "İsim: ", "Sen "];
    BEFORE.iter().find_map(|before| {
        let rest = &system[system.find(before)? + before.len()..];
        let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
        name.chars().next().is_some_and(char::is_uppercase).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn read(system: &str, user: &[&str]) -> Prompt {
        let mut messages = vec![json!({"role": "system", "content": system})];
        messages.extend(user.iter().map(|text| json!({"role": "user", "content": text})));
        let messages: Vec<ChatMessage> = serde_json::from_value(json!(messages)).unwrap();
        Prompt::read(&messages)
    }

    #[test]
    fn speaker_and_others_are_named_without_the_persona_itself() {
        let prompt = read(
            "You are Deniz, a curious baker. Answer in Turkish.",
            &["Mert Yılmaz: günaydın\nDeniz: günaydın Mert", "Ayşe (admin): fırın açık mı?"],
        );
        assert_eq!(prompt.speaker.as_deref(), Some("Ayşe"));
        assert_eq!(prompt.others, ["Mert"]);
        assert_eq!(prompt.text, "fırın açık mı?");
        assert_eq!(prompt.language, Language::Turkish);
        assert!(prompt.ways.curious && !prompt.ways.contrary);
    }

    #[test]
    fn a_colon_alone_makes_no_name() {
        let prompt = read("", &["well then: this is about tea, right?"]);
        assert_eq!((prompt.speaker, prompt.language), (None, Language::English));
        assert!(prompt.text.starts_with("well then"));
    }

    #[test]
    fn a_bilingual_persona_answers_in_the_language_of_the_message() {
        let system = "You speak Turkish and English.";
        assert_eq!(read(system, &["Ali: bugün çok güzel"]).language, Language::Turkish);
        assert_eq!(read(system, &["Ali: such a lovely day, is it not"]).language, Language::English);
    }
}
