//! Output firewall: what a model said may reach a chat, or not. Layer `behaviour`; pure.
//!
//! A breach counts as a failure of the model and falls back; nothing is mended beyond white space, surrounding
//! quotation marks, a name in front and a finished block of reasoning.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::notes::standing_part;
use crate::domain::text::{fold, shows};
use crate::ports::llm::{CompletionRequest, PromptMessage, Role};

/// Longest answer, in characters: three full messages of Telegram.
const CHARS_MAX: usize = 12_000;

/// A run of the system prompt as long as this, in characters, is an echo of it; one of three quarters may be.
const ECHO_CHARS: usize = 60;

/// A run of the request to open a topic as long as this, in characters, is an echo of it.
const OPENER_CHARS: usize = 24;

/// Whoever says again a message at least as long as this parrots; "hello" may be answered by "hello".
const PARROT_CHARS: usize = 12;

/// Tokens of chat formats, which only a broken template shows.
const FORMAT_TOKENS: [&str; 10] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "[INST]",
    "[/INST]",
    "<s>",
    "</s>",
    "<<SYS>>",
];

/// Openings of reasoning that was meant to stay inside, folded.
const REASONING: [&str; 7] =
    ["thought:", "thoughts:", "thinking:", "reasoning:", "chain of thought:", "düşünce:", "akil yürütme:"];

/// Names of the tags that models put around their reasoning.
const REASONING_TAGS: [&str; 4] = ["think", "thinking", "thought", "reasoning"];

/// Openings of error texts that servers give in place of an answer, folded; a status code may stand before them.
const ERRORS: [&str; 13] = [
    "error code",
    "error:",
    "http error",
    "internal server error",
    "<!doctype html",
    "<html",
    "bad gateway",
    "gateway timeout",
    "service unavailable",
    "too many requests",
    "rate limit",
    "upstream connect error",
    "traceback (most recent call",
];

/// Marks of a tool call in text.
const TOOL_MARKS: [&str; 5] = ["<tool_call>", "<function=", "[TOOL_CALLS]", "<|python_tag|>", "\"tool_calls\""];

/// Words from which on a text can be said to run in circles: a refrain is none.
const LOOP_WORDS_MIN: usize = 20;

/// What was wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreachKind {
    /// Nothing in it.
    Empty,
    /// The model's reasoning.
    LeakedReasoning,
    /// A tool call as JSON.
    ToolJson,
    /// An error in place of an answer.
    ErrorText,
    /// Its own instructions, or marks of the chat format.
    PromptEcho,
    /// Far too long.
    TooLong,
    /// Word for word what the bot said lately.
    Repeat,
    /// The same words over and over: small models run in circles.
    Loop,
}

impl BreachKind {
    /// The label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::LeakedReasoning => "leaked_reasoning",
            Self::ToolJson => "tool_json",
            Self::ErrorText => "error_text",
            Self::PromptEcho => "prompt_echo",
            Self::TooLong => "too_long",
            Self::Repeat => "repeat",
            Self::Loop => "loop",
        }
    }
}

/// Why an answer may not reach a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// What was wrong.
    pub kind: BreachKind,
    /// A little more, without the text itself.
    pub detail: String,
}

/// Inspects `text`, an answer to `request` of the bot called `own_name`; gives what may be sent, never empty.
///
/// # Errors
/// The breach, when the answer may not reach a chat.
pub fn inspect(text: &str, request: &CompletionRequest, own_recent: &[&str], own_name: &str) -> Result<String, Breach> {
    let breach = |kind, detail: &str| Err(Breach { kind, detail: detail.to_owned() });
    let Some(answer) = without_reasoning(text) else {
        return breach(BreachKind::LeakedReasoning, "a tag without its partner");
    };
    let text = own_part(answer.trim(), request, own_name);
    if !shows(text) {
        return breach(BreachKind::Empty, "no text");
    }
    if text.chars().count() > CHARS_MAX {
        return breach(BreachKind::TooLong, "longer than three messages");
    }
    let folded = fold(text);
    if let Some(opening) = REASONING.iter().find(|opening| folded.starts_with(**opening)) {
        return breach(BreachKind::LeakedReasoning, opening);
    }
    let uncoded = folded.trim_start_matches(|c: char| c.is_ascii_digit() || " :-".contains(c));
    if let Some(opening) = ERRORS.iter().find(|opening| uncoded.starts_with(**opening)) {
        return breach(BreachKind::ErrorText, opening);
    }
    if looks_like_tool_call(text) {
        return breach(BreachKind::ToolJson, "a call as JSON");
    }
    if let Some(token) = FORMAT_TOKENS.iter().find(|token| text.contains(**token)) {
        return breach(BreachKind::PromptEcho, token);
    }
    if echoes_system(text, request) {
        return breach(BreachKind::PromptEcho, "a run of the instructions");
    }
    // "Tom: true!" may address the one who is answered; anybody else's name in front is another's voice.
    if speaks_as_other(text, request) && !addresses_last(text, request) {
        return breach(BreachKind::PromptEcho, "speaks for another");
    }
    if echoes_last(text, &folded, request) {
        return breach(BreachKind::PromptEcho, "says again what it was told");
    }
    if runs_in_circles(&folded) {
        return breach(BreachKind::Loop, "the same words over and over");
    }
    if own_recent.iter().any(|recent| is_same(&fold(recent), &folded)) {
        return breach(BreachKind::Repeat, "said before");
    }
    Ok(text.to_owned())
}

/// Whether most runs of three words of a folded text have stood in it before.
fn runs_in_circles(folded: &str) -> bool {
    let words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let distinct: HashSet<&[&str]> = words.windows(3).collect();
    words.len() >= LOOP_WORDS_MIN && distinct.len() * 2 < words.len() - 2
}

/// Whether two folded texts differ in white space alone.
fn is_same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// The text without finished blocks of reasoning; `None` when a tag lacks its partner.
fn without_reasoning(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('<') {
        return Some(Cow::Borrowed(text));
    }
    let mut rest = text.to_owned();
    for tag in REASONING_TAGS {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        // ASCII lower case keeps the places of bytes.
        while let Some(start) = rest.to_ascii_lowercase().find(&open) {
            let length = rest[start..].to_ascii_lowercase().find(&close)?;
            rest.replace_range(start..start + length + close.len(), "");
        }
        if rest.to_ascii_lowercase().contains(&close) {
            return None;
        }
    }
    Some(Cow::Owned(rest))
}

/// What the bot itself says: without its name in front and quotation marks around, up to where the model goes on as
/// another speaker of the prompt, or begins anew as itself.
fn own_part<'a>(text: &'a str, request: &CompletionRequest, own_name: &str) -> &'a str {
    let text = unquoted(without_name(unquoted(text), own_name));
    let mut from = 0;
    while let Some(at) = text[from..].find('\n').map(|at| at + from) {
        let line = text[at..].trim_start();
        if without_name(line, own_name).len() < line.len() || speaks_as_other(line, request) {
            return unquoted(text[..at].trim());
        }
        from = at + 1;
    }
    text
}

/// Whether the line begins with the name of a speaker of the prompt and a colon.
fn speaks_as_other(line: &str, request: &CompletionRequest) -> bool {
    let Some((name, _)) = line.split_once(':').filter(|(name, _)| !name.is_empty() && !name.contains('\n')) else {
        return false;
    };
    let says = |message: &PromptMessage| message.content.strip_prefix(name).is_some_and(|rest| rest.starts_with(": "));
    request.messages.iter().any(|message| message.role == Role::User && says(message))
}

/// The text after the bot's own name and a colon, perhaps in bold.
fn without_name<'a>(text: &'a str, own_name: &str) -> &'a str {
    if own_name.is_empty() {
        return text;
    }
    let bare = text.trim_start_matches('*');
    match bare.strip_prefix(own_name).map(|rest| rest.trim_start_matches('*').trim_start()) {
        Some(rest) => rest.strip_prefix(':').map_or(text, |rest| rest.trim_start_matches('*').trim()),
        None => text,
    }
}

fn unquoted(text: &str) -> &str {
    for (open, close) in [('"', '"'), ('“', '”'), ('«', '»'), ('„', '“'), ('\'', '\'')] {
        let inner = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if let Some(inner) = inner.filter(|inner| !inner.contains([open, close])) {
            return inner.trim();
        }
    }
    text
}

/// Whether the text is a JSON object or list of objects, begins like a call that was cut, or carries a call's mark.
fn looks_like_tool_call(text: &str) -> bool {
    let fenced = text.strip_prefix("```").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
    let bare = fenced.map_or(text, |rest| rest.trim_end_matches('`')).trim();
    let is_object = |value: &Value| value.is_object();
    let parsed = bare.starts_with(['{', '[']).then(|| serde_json::from_str::<Value>(bare).ok()).flatten();
    let whole = match parsed {
        Some(Value::Array(items)) => !items.is_empty() && items.iter().all(is_object),
        Some(value) => is_object(&value),
        None => false,
    };
    let keys = ["\"name\"", "\"arguments\"", "\"parameters\"", "\"function\"", "\"tool\""];
    let cut = bare.starts_with(['{', '[']) && keys.iter().any(|key| bare.contains(key));
    whole || cut || TOOL_MARKS.iter().any(|mark| text.contains(mark))
}

/// Whether a long run of the system prompt stands in the text.
fn echoes_system(text: &str, request: &CompletionRequest) -> bool {
    let Some(system) = request.messages.first().filter(|message| message.role == Role::System) else {
        return false;
    };
    // What a bot is told for one message alone, such as what it holds, it may well say.
    let standing = standing_part(&system.content);
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let chars = starts.len() - 1;
    if chars < ECHO_CHARS {
        return false;
    }
    // Every run of the full length holds one of three quarters of it that starts at a multiple of a quarter.
    let step = ECHO_CHARS / 4;
    let part = ECHO_CHARS - step;
    (0..=chars - part).step_by(step).any(|at| standing.contains(&text[starts[at]..starts[at + part]]))
}

/// Whether the text begins with the name of the one who is answered.
fn addresses_last(text: &str, request: &CompletionRequest) -> bool {
    let speaker = |text: &str| text.split_once(':').map(|(name, _)| name.to_owned());
    request.messages.last().is_some_and(|last| speaker(&last.content) == speaker(text))
}

/// Whether the text says again what it was to answer, or holds a run of the request to open a topic.
fn echoes_last(text: &str, folded: &str, request: &CompletionRequest) -> bool {
    let Some(last) = request.messages.last().filter(|message| message.role == Role::User) else {
        return false;
    };
    if let Some(opener) = last.content.strip_prefix('(') {
        // The topic at its end may well be named.
        let opener = opener.rsplit_once(": ").map_or(opener, |(opener, _)| opener);
        let starts: Vec<usize> = opener.char_indices().map(|(at, _)| at).chain([opener.len()]).collect();
        return starts.windows(OPENER_CHARS + 1).any(|run| text.contains(&opener[run[0]..run[OPENER_CHARS]]));
    }
    let said = last.content.split_once(": ").map_or(last.content.as_str(), |(_, said)| said);
    said.chars().count() >= PARROT_CHARS && is_same(&fold(said), folded)
}

#[cfg(test)]
mod tests;
