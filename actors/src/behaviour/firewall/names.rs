//! Names in front of lines: the bot's own is taken off, and that of the one who is answered; another's is a voice to keep
//! back, or part of a list of members. Layer `behaviour`; pure.
//!
//! Models imitate the lines of their prompt: `ada: `, `[Ada]: `, `Ada: Ada: `, `[12:34] Ada: `, `@ada_bot: `,
//! `Ada (to Tom): `, `**Ada:** `, `<Ada> `.

use crate::domain::text::fold;
use crate::ports::llm::{CompletionRequest, PromptMessage, Role};

/// Longest label in front of a line, in bytes.
const LABEL_BYTES_MAX: usize = 120;

/// Most labels in front of a text that are taken for the bot's own.
const LABELS_MAX: usize = 4;

/// Longest entry of a list of members, in characters and words.
const ITEM_CHARS_MAX: usize = 48;
const ITEM_WORDS_MAX: usize = 7;

/// Words of people who speak to somebody, which no list of who brings what holds; folded.
const SAID: [&str; 38] = [
    "i",
    "i'm",
    "im",
    "me",
    "my",
    "you",
    "your",
    "we",
    "us",
    "our",
    "hey",
    "hi",
    "hello",
    "yes",
    "yeah",
    "no",
    "nope",
    "ok",
    "okay",
    "lol",
    "haha",
    "thanks",
    "ben",
    "sen",
    "biz",
    "siz",
    "bana",
    "sana",
    "bence",
    "selam",
    "merhaba",
    "evet",
    "hayir",
    "tamam",
    "aynen",
    "olur",
    "teşekkürler",
    "sağol",
];

/// The bot that speaks, by its names.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// Name in the manifest.
    pub name: &'a str,
    /// Username, once known.
    pub username: Option<&'a str>,
}

/// A line with a name and a colon in front.
struct Labelled<'a> {
    who: &'a str,
    says: &'a str,
}

impl Speaker<'_> {
    /// Returns the text behind every label that names the speaker.
    pub(super) fn without_label<'t>(&self, text: &'t str, request: &CompletionRequest) -> &'t str {
        let mut text = self.without_handle(text);
        for _ in 0..LABELS_MAX {
            match labelled(text).filter(|label| self.is(label.who, request)) {
                Some(label) => text = label.says,
                None => break,
            }
        }
        text
    }

    /// Returns the text behind the speaker's own handle and a comma, as of `@ada_bot, tea please`: it calls nobody else.
    fn without_handle<'t>(&self, text: &'t str) -> &'t str {
        let handle = text.strip_prefix('@').and_then(|rest| rest.split_once(','));
        let own = handle.filter(|(handle, _)| self.username.is_some_and(|username| fold(username) == fold(handle)));
        own.map_or(text, |(_, says)| says.trim_start())
    }

    /// Returns whether the text begins with a label that names the speaker.
    fn labels(&self, text: &str, request: &CompletionRequest) -> bool {
        labelled(text).is_some_and(|label| self.is(label.who, request))
    }

    fn is(&self, who: &str, request: &CompletionRequest) -> bool {
        let (who, name) = (fold(who), fold(self.name));
        if who.is_empty() {
            return false;
        }
        // The first part of a name is the speaker's as well, unless somebody in the conversation is called so.
        let first = name.split(' ').next().filter(|first| first.chars().count() > 2 && first.len() < name.len());
        who == name
            || self.username.is_some_and(|username| fold(username) == who)
            || first == Some(who.as_str()) && !is_speaker(request, |speaker| fold(speaker) == who)
    }
}

/// Returns the text up to where the model goes on as another speaker of the prompt, or begins anew as itself.
pub(super) fn own_lines<'t>(text: &'t str, speaker: Speaker<'_>, request: &CompletionRequest) -> &'t str {
    if is_list(text) {
        return text;
    }
    let mut from = 0;
    while let Some(at) = text[from..].find('\n').map(|at| at + from) {
        let line = text[at..].trim_start();
        if speaker.labels(line, request) || speaks_as_other(line, request) {
            return text[..at].trim();
        }
        from = at + 1;
    }
    text
}

/// Returns whether the line begins with the name of a speaker of the prompt and a colon.
pub(super) fn speaks_as_other(line: &str, request: &CompletionRequest) -> bool {
    let Some(label) = labelled(line) else {
        return false;
    };
    is_speaker(request, |speaker| speaker == label.who)
}

/// Returns the text behind the name of the one who is answered: the link or the place tells it already.
pub(super) fn without_addressee<'t>(text: &'t str, request: &CompletionRequest) -> &'t str {
    let last = request.messages.last().and_then(|last| last.content.split_once(": ")).map(|(name, _)| name);
    labelled(text).filter(|label| Some(label.who) == last && !label.says.is_empty()).map_or(text, |label| label.says)
}

/// Returns whether the text is a list of members, one a line, with what each has, does or is, and no talk.
pub(super) fn is_list(text: &str) -> bool {
    if !text.contains('\n') || !text.contains(':') {
        return false;
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let labels: Vec<Option<Labelled<'_>>> = lines.iter().map(|line| labelled(line)).collect();
    let Some(first) = labels.iter().position(|label| label.as_ref().is_some_and(|label| !label.says.is_empty())) else {
        return false;
    };
    let introduced = first == 0 || lines[first - 1].ends_with(':');
    let run: Vec<&Labelled<'_>> = labels[first..].iter().map_while(Option::as_ref).collect();
    let mut names: Vec<String> = run.iter().map(|label| fold(label.who)).collect();
    names.sort_unstable();
    names.dedup();
    let after = labels[first + run.len()..].iter().any(Option::is_some);
    introduced && !after && run.len() > 1 && names.len() == run.len() && run.iter().all(|label| is_item(label.says))
}

/// Returns whether `says` may be the entry of a list: a few words that nobody says to anybody.
fn is_item(says: &str) -> bool {
    let folded = fold(says);
    let words: Vec<&str> = folded.split_whitespace().map(|word| word.trim_matches([',', ';', '.', '!', '?'])).collect();
    let small = says.chars().count() <= ITEM_CHARS_MAX && (1..=ITEM_WORDS_MAX).contains(&words.len());
    let capital = says.starts_with(char::is_uppercase) && words.len() > 1;
    small && !capital && !says.ends_with(['.', '!', '?', '…']) && !words.iter().any(|word| SAID.contains(word))
}

fn is_speaker(request: &CompletionRequest, is: impl Fn(&str) -> bool) -> bool {
    let speaker = |message: &PromptMessage| message.content.split_once(": ").is_some_and(|(name, _)| is(name));
    request.messages.iter().any(|message| message.role == Role::User && speaker(message))
}

/// Returns the label in front of a line, perhaps in brackets or bold, with a time before or a remark behind the name.
fn labelled(text: &str) -> Option<Labelled<'_>> {
    let wraps = |c: char| matches!(c, '*' | '_' | '`' | '[' | ']' | '<' | '>');
    let line = text.split('\n').next().unwrap_or_default();
    let unstamped = without_time(line);
    if let Some((who, says)) = unstamped.strip_prefix('<').and_then(|rest| rest.split_once("> ")) {
        let says = &text[line.len() - says.len()..];
        return is_short(who).then_some(Labelled { who, says });
    }
    let colon = unstamped.find(':').filter(|colon| *colon <= LABEL_BYTES_MAX)?;
    let from = line.len() - unstamped.len();
    let after = &text[from + colon + 1..];
    let says = after.trim_start_matches(['*', '_', '`']).trim_start();
    let mut who = unstamped[..colon].trim_matches(|c: char| wraps(c) || c.is_whitespace());
    if let Some((before, remark)) = who.rsplit_once(" (") {
        who = if remark.ends_with(')') { before } else { who };
    }
    if let Some((before, _)) = who.split_once(" -> ").or_else(|| who.split_once(" → ")) {
        who = before;
    }
    let who = who.trim_matches(|c: char| wraps(c) || c.is_whitespace()).trim_start_matches('@');
    is_short(who).then_some(Labelled { who, says })
}

fn is_short(who: &str) -> bool {
    !who.is_empty() && who.chars().count() <= 64
}

/// Returns the line without a time of day in front of it, bracketed or not.
fn without_time(line: &str) -> &str {
    let line = line.trim_start();
    let inner = line.strip_prefix(['[', '(']).unwrap_or(line);
    let stamp = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | '-' | '/' | ',' | ' ' | 'T' | 'Z');
    let end = inner.find(|c| !stamp(c)).unwrap_or(inner.len());
    let is_time = inner[..end].contains(':') && inner.starts_with(|c: char| c.is_ascii_digit());
    if !is_time {
        return line;
    }
    inner[end..].trim_start_matches([']', ')']).trim_start()
}
