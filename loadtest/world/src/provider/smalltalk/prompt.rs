//! Reads a request to a persona: language, names, last messages, persona. Layer: world; pure.

use super::words::{Language, fold, language_of};
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
    /// The persona that answers.
    pub(super) persona: Persona,
    /// The message that is answered, without the quotation in front of it.
    pub(super) text: String,
    /// The words that the message replies to, when it quotes them.
    pub(super) quoted: Option<String>,
    /// The subject that the persona is asked to bring up, when nobody is answered; empty for one of its own.
    pub(super) opens: Option<String>,
    /// The author of what the persona is asked to come back to.
    pub(super) recalls: Option<String>,
    /// The last messages, newest first, including the one that is answered.
    pub(super) recent: Vec<String>,
    /// The names of the other participants: neither the persona nor the author of the message.
    pub(super) others: Vec<String>,
    /// The names of all who are known, which are no words of a subject.
    pub(super) names: Vec<String>,
}

/// The persona, as far as the instructions tell of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Persona {
    pub(super) name: Option<String>,
    /// The words about who the persona is and how it writes, as they stand there.
    pub(super) manner: String,
    pub(super) interests: Vec<String>,
    pub(super) examples: Vec<String>,
    pub(super) stances: Vec<Stance>,
    /// The most messages that an answer may become.
    pub(super) messages: usize,
}

/// A position that the persona holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stance {
    pub(super) topic: String,
    pub(super) position: String,
    pub(super) reasons: Vec<String>,
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
        let persona = Persona::read(&system);
        let mut said: Vec<(Option<String>, String)> = Vec::new();
        for message in messages.iter().filter(|message| message.role == "user") {
            said.extend(utterances(&message.text()));
        }
        let (speaker, last) = said.last().cloned().unwrap_or_default();
        let is_own = |name: &String| persona.name.as_ref().is_some_and(|own| fold(own) == fold(name));
        let mut others: Vec<String> = Vec::new();
        for name in said.iter().rev().take(MEMORY).filter_map(|(name, _)| name.clone()) {
            if !is_own(&name) && Some(&name) != speaker.as_ref() && !others.contains(&name) {
                others.push(name);
            }
        }
        let recent: Vec<String> =
            messages.iter().rev().filter(|m| m.role != "system").take(MEMORY).map(ChatMessage::text).collect();
        let (quoted, text) = unquoted(&last);
        let opens = opening(&last);
        let recalls = opens.as_ref().and_then(|_| recalled(&last));
        let bots = after(&system, &["Other bots here:", "Buradaki öteki botlar:"]).unwrap_or_default();
        let bots = bots.split(',').map(|name| name.trim().trim_end_matches('.').to_owned());
        let names = bots.chain(persona.name.clone()).chain(others.iter().cloned()).filter(|name| !name.is_empty());
        let names = names.collect();
        let language = language(&system, opens.as_deref().unwrap_or(text), &recent);
        Self { language, text: text.to_owned(), quoted, opens, recalls, recent, others, names, persona }
    }
}

impl Persona {
    fn read(system: &str) -> Self {
        let style = after(system, &["How you write:", "Nasıl yazarsın:"]);
        let named = ["Your name is ", "Adın "].iter().filter_map(|lead| system.find(lead)).min();
        // Without a name line, the instructions are the persona's description alone.
        let voice = named.map_or(system, |at| &system[..at]);
        let interests = after(system, &["You like to talk about:", "Sevdiğin konular:"]).unwrap_or_default();
        let list = |text: &str, by: char| -> Vec<String> {
            let items = text.split(by).map(|item| item.trim().trim_end_matches('.').to_owned());
            items.filter(|item| !item.is_empty()).collect()
        };
        Self {
            name: own_name(system),
            manner: format!("{voice}\n{}", style.unwrap_or_default()),
            interests: list(interests, ','),
            examples: examples(system),
            stances: system.lines().filter_map(Stance::read).collect(),
            messages: ["You may send up to ", "Peş peşe en çok "]
                .iter()
                .find_map(|lead| system.split_once(lead)?.1.split(' ').next()?.parse().ok())
                .unwrap_or(1),
        }
    }
}

impl Stance {
    /// Reads a line "On TOPIC you hold firmly: POSITION. Because: REASON; REASON.".
    fn read(line: &str) -> Option<Self> {
        let (head, rest) = line.split_once(": ")?;
        let topic = match head.trim_start_matches(['-', ' ']).strip_prefix("On ") {
            Some(topic) => topic.split_once(" you hold")?.0,
            None => head.split_once(" konusunda").filter(|(_, rest)| rest.ends_with("görüşün"))?.0,
        };
        let ends = ["Do not ", "Bununla "].iter().filter_map(|lead| rest.find(lead)).min().unwrap_or(rest.len());
        let because = ["Because: ", "Çünkü: "].iter().find_map(|lead| Some((rest[..ends].find(lead)?, lead.len())));
        let position = &rest[..because.map_or(ends, |(at, _)| at)];
        let reasons = because.map_or("", |(at, lead)| &rest[at + lead..ends]);
        let reasons = reasons.split(';').map(|reason| reason.trim().trim_end_matches('.').to_owned());
        Some(Self {
            topic: topic.trim_start_matches(['-', ' ']).to_owned(),
            position: position.trim().to_owned(),
            reasons: reasons.filter(|reason| !reason.is_empty()).collect(),
        })
    }
}

/// Returns the rest of the line that begins with one of the leads.
fn after<'a>(system: &'a str, leads: &[&str]) -> Option<&'a str> {
    system.lines().find_map(|line| leads.iter().find_map(|lead| line.trim_start().strip_prefix(lead))).map(str::trim)
}

fn examples(system: &str) -> Vec<String> {
    let is_lead = |line: &&str| ["Lines you might write:", "Yazabileceğin türden cümleler:"].contains(&line.trim());
    let lines = system.lines().skip_while(|line| !is_lead(line)).skip(1);
    lines.map_while(|line| line.trim_start().strip_prefix("- ")).map(str::to_owned).collect()
}

/// Returns the language to answer in: that of the message, where the instructions say so, or that of the instructions.
fn language(system: &str, text: &str, recent: &[String]) -> Language {
    let folded = fold(system);
    let follows = ["language of the", "language you are", "konuşmanin dil", "mesajin dil"];
    let told = |words: &[&str]| words.iter().any(|word| folded.contains(word));
    let by_message = || language_of(text);
    let turkish = told(&["türkçe", "turkish", "language: tr", "dil: tr"]);
    let english = told(&["english", "ingilizce", "language: en", "dil: en"]);
    let by_system = match (turkish, english) {
        (true, false) => Some(Language::Turkish),
        (false, true) => Some(Language::English),
        _ => None,
    };
    let first = if told(&follows) { by_message().or(by_system) } else { by_system.or_else(by_message) };
    first.or_else(|| language_of(&recent.join("\n"))).or_else(|| language_of(system)).unwrap_or(Language::English)
}

/// Takes the quotation off a message: `[replying to Ada: "words"] text`.
fn unquoted(line: &str) -> (Option<String>, &str) {
    let Some(inner) = line.strip_prefix('[') else {
        return (None, line);
    };
    let Some(end) = inner.find("\"]").map(|at| at + 1).or_else(|| inner.find(']')) else {
        return (None, line);
    };
    let quoted = inner[..end].split_once('"').map(|(_, words)| words.trim_end_matches('"').to_owned());
    (quoted, inner[end + 1..].trim_start())
}

/// Returns the subject that a request in brackets asks to bring up.
fn opening(line: &str) -> Option<String> {
    let request = line.strip_prefix('(')?.strip_suffix(')')?;
    let is_request = ["quiet", "sessiz", "something", "konu"].iter().any(|word| request.contains(word));
    is_request.then(|| request.split_once(": ").map_or(String::new(), |(_, topic)| topic.to_owned()))
}

/// Returns the name of the person to whose words a request comes back.
fn recalled(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("to what ").or_else(|| line.split_once("dön. "))?;
    let (name, _) = rest.split_once(" said some").or_else(|| rest.split_once(" şunu yazmıştı"))?;
    Some(name.to_owned())
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
    let clean = !plain.contains(['.', ',', '!', '?', '/', ';', '"', '(']);
    let is_label = LABELS.contains(&fold(first).as_str());
    (proper && short && clean && !is_label).then(|| first.to_owned())
}

/// Finds the persona's own name in its instructions.
fn own_name(system: &str) -> Option<String> {
    const BEFORE: [&str; 9] =
        ["our name is ", "Adın ", "adın ", "ou are ", "Name: ", "name: ", "Senin adın ", "İsim: ", "Sen "];
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
    fn others_are_named_without_the_persona_itself_and_the_speaker() {
        let prompt = read(
            "You are Deniz, a curious baker. Answer in Turkish.",
            &["Mert Yılmaz: günaydın\nDeniz: günaydın Mert", "Ayşe (admin): fırın açık mı?"],
        );
        assert_eq!(prompt.others, ["Mert"]);
        assert_eq!(prompt.text, "fırın açık mı?");
        assert_eq!(prompt.language, Language::Turkish);
        assert_eq!(prompt.persona.name.as_deref(), Some("Deniz"));
    }

    #[test]
    fn a_colon_alone_makes_no_name() {
        let prompt = read("", &["well then: this is about tea, right?"]);
        assert!(prompt.text.starts_with("well then") && prompt.language == Language::English);
    }

    #[test]
    fn a_persona_answers_in_the_language_of_the_message_when_it_is_told_so() {
        for system in ["You speak Turkish and English.", "Write in the language of the conversation (English)."] {
            assert_eq!(read(system, &["Ali: bugün çok güzel"]).language, Language::Turkish);
            assert_eq!(read(system, &["Ali: such a lovely day, is it not"]).language, Language::English);
        }
        assert_eq!(read("Answer in English.", &["Ali: bugün çok güzel"]).language, Language::English);
    }

    #[test]
    fn the_persona_is_read_from_its_lead_words() {
        let prompt = read(
            "A cook of the old school.\nYour name is Oliver (@oliver_bot).\nHow you write: Warm, rambling.\nYou like to \
             talk about: tea, sea.\nLines you might write:\n- Aye.\n- Fair winds.\nRules: short.\n\nOn tea you hold \
             firmly: Tea is better than coffee. Because: it is kind; it lasts. Do not contradict it.",
            &["Tom: [replying to Ada: \"coffee wakes me\"] why?"],
        );
        let persona = &prompt.persona;
        assert_eq!((persona.name.as_deref(), persona.interests.join("/")), (Some("Oliver"), "tea/sea".to_owned()));
        assert_eq!(persona.examples, ["Aye.", "Fair winds."]);
        assert!(persona.manner.contains("rambling") && !persona.manner.contains("Rules"));
        assert_eq!((prompt.text.as_str(), prompt.quoted.as_deref()), ("why?", Some("coffee wakes me")));
        let stance = Stance {
            topic: "tea".to_owned(),
            position: "Tea is better than coffee.".to_owned(),
            reasons: vec!["it is kind".to_owned(), "it lasts".to_owned()],
        };
        assert_eq!(persona.stances, [stance]);
        let turkish = "- çay konusunda kesin görüşün: Çay kahveden iyidir. Bununla çelişme.";
        let stances = read(turkish, &["Ali: çay?"]).persona.stances;
        assert_eq!((stances[0].topic.as_str(), stances[0].position.as_str()), ("çay", "Çay kahveden iyidir."));
    }

    #[test]
    fn a_request_to_bring_something_up_names_its_subject() {
        let told = read("", &["(The chat has gone quiet. Say something about this, in your own way: rain)"]);
        assert_eq!(told.opens.as_deref(), Some("rain"));
        let free = read("", &["(Sohbet sessizleşti. Seni ilgilendiren bir konu aç.)"]);
        assert_eq!(free.opens.as_deref(), Some(""));
        assert_eq!(free.recalls, None);
        for (asked, name) in [
            (
                "(The chat has gone quiet. Come back, in your own way, to what Tom said some hours ago: rain: again)",
                "Tom",
            ),
            (
                "(Sohbet sessizleşti. Kendi tarzınla, birkaç saat önce yazılana dön. Işıl şunu yazmıştı: rain: again)",
                "Işıl",
            ),
        ] {
            let told = read("", &[asked]);
            assert_eq!((told.opens.as_deref(), told.recalls.as_deref()), (Some("rain: again"), Some(name)));
        }
    }
}
