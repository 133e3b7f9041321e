//! Output firewall: decides whether a model's answer may reach a chat. Layer `behaviour`; pure. Keeps I13, I15.
//!
//! The tables of `marks` and `plain`, and `names`, list everything that the firewall takes off an answer: finished
//! reasoning in front, marks of the chat format around the answer, white space and quotation marks around it, the bot's
//! own name in front, lines in which the model goes on as somebody else, and marks of Markdown and HTML. Nothing is
//! taken out of the middle but such marks.
//!
//! An answer that the firewall keeps back is the turn's failure: another try, the next model. Only an answer that tells
//! of a broken server counts against its model (`BreachKind::is_servers`).

mod marks;
mod names;
mod plain;

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

pub use self::names::Speaker;
use self::names::{is_list, own_lines, speaks_as_other, without_addressee};
pub use self::plain::Span;
use super::identity;
use super::identity::claim::Claim;
use super::prompt::without_quotation;
use crate::domain::names::names;
use crate::domain::text::{fold, shows};
use crate::ports::llm::{CompletionRequest, PromptMessage, Role};

/// Longest answer, in characters: three full messages of Telegram.
const CHARS_MAX: usize = 12_000;

/// Length of a run of the system prompt, in characters, that is an echo of it; a run of three quarters may be one.
const ECHO_CHARS: usize = 60;

/// Length of a run of the request to open a topic, in characters, that is an echo of it.
const OPENER_CHARS: usize = 24;

/// Fewest characters of a message whose repetition is parroting; "hello" may be answered by "hello".
const PARROT_CHARS: usize = 12;

/// Openings of reasoning that was meant to stay inside, folded.
const REASONING: [&str; 7] =
    ["thought:", "thoughts:", "thinking:", "reasoning:", "chain of thought:", "düşünce:", "akil yürütme:"];

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
const TOOL_MARKS: [&str; 2] = ["<function=", "\"tool_calls\""];

/// Fewest words of a text that can run in circles: a refrain does not.
const LOOP_WORDS_MIN: usize = 20;

/// Fault of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreachKind {
    /// The answer shows nothing.
    Empty,
    /// The answer holds nothing but a name, quotation marks or marks.
    NothingLeft,
    /// The answer is the model's reasoning.
    LeakedReasoning,
    /// The answer is a tool call as JSON.
    ToolJson,
    /// The answer is an error text.
    ErrorText,
    /// The answer repeats its instructions or the message before it, or speaks in another's voice.
    PromptEcho,
    /// The answer holds a mark of the chat format: the template is broken.
    FormatMark,
    /// The answer is far too long.
    TooLong,
    /// The answer is word for word a recent text of the bot.
    Repeat,
    /// The answer repeats the same words over and over: small models run in circles.
    Loop,
}

names! { BreachKind {
    Empty = "empty", NothingLeft = "nothing_left", LeakedReasoning = "leaked_reasoning", ToolJson = "tool_json",
    ErrorText = "error_text", PromptEcho = "prompt_echo", FormatMark = "format_mark", TooLong = "too_long",
    Repeat = "repeat", Loop = "loop",
} }

impl BreachKind {
    /// Returns whether the fault tells of a broken server, so that it may count against the model. The words of an
    /// answer never do: people can bring a model to say anything (I15).
    pub fn is_servers(self) -> bool {
        match self {
            Self::Empty | Self::FormatMark => true,
            Self::NothingLeft
            | Self::LeakedReasoning
            | Self::ToolJson
            | Self::ErrorText
            | Self::PromptEcho
            | Self::TooLong
            | Self::Repeat
            | Self::Loop => false,
        }
    }
}

/// An answer that may reach a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clean {
    /// Text, of which something is visible.
    pub text: String,
    /// Claim of the text about the bot, which a guard judges.
    pub claim: Option<Claim>,
    /// Parts of the text that were marked as bold, italic and the like.
    pub marks: Vec<Span>,
}

/// Reason why an answer may not reach a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The fault.
    pub kind: BreachKind,
    /// A detail, without the text itself.
    pub detail: String,
}

/// Inspects `text`, an answer to `request` of the bot that `speaker` names.
///
/// # Errors
/// The breach, when the answer may not reach a chat.
pub fn inspect(
    text: &str,
    request: &CompletionRequest,
    own_recent: &[&str],
    speaker: Speaker<'_>,
) -> Result<Clean, Breach> {
    let breach = |kind, detail: &str| Err(Breach { kind, detail: detail.to_owned() });
    if !shows(text) {
        return breach(BreachKind::Empty, "no text");
    }
    let answer = marks::answer(text).map_err(|breach| provoked(breach, request))?;
    let own = own_part(answer, request, speaker);
    if own.chars().count() > CHARS_MAX {
        return breach(BreachKind::TooLong, "longer than three messages");
    }
    if looks_like_tool_call(own) {
        return breach(BreachKind::ToolJson, "a call as JSON");
    }
    let (plain, spans) = plain::plain(own);
    let text = match &plain {
        Cow::Borrowed(text) => text,
        Cow::Owned(plain) => own_part(plain.trim(), request, speaker),
    };
    if !shows(text) {
        return breach(BreachKind::NothingLeft, "a name or marks alone");
    }
    let folded = fold(text);
    if let Some(opening) = REASONING.iter().find(|opening| folded.starts_with(**opening)) {
        return breach(BreachKind::LeakedReasoning, opening);
    }
    let uncoded = folded.trim_start_matches(|c: char| c.is_ascii_digit() || " :-".contains(c));
    if let Some(opening) = ERRORS.iter().find(|opening| uncoded.starts_with(**opening)) {
        return breach(BreachKind::ErrorText, opening);
    }
    if echoes_system(text, request) {
        return breach(BreachKind::PromptEcho, "a run of the instructions");
    }
    // "Tom: true!" may address the one who is answered; anybody else's name in front is another's voice.
    if speaks_as_other(text, request) && !is_list(text) {
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
    let claim = identity::claim(&folded, request.messages.last().map(|last| last.content.as_str()));
    let marks = within(spans, &plain, text);
    Ok(Clean { text: text.to_owned(), claim, marks })
}

/// Returns the spans of `whole` that lie in `part`, which is a part of it, by the bytes of `part`.
fn within(spans: Vec<Span>, whole: &str, part: &str) -> Vec<Span> {
    let from = part.as_ptr() as usize - whole.as_ptr() as usize;
    let moved = spans.into_iter().filter_map(|(bytes, kind)| {
        let bytes = bytes.start.saturating_sub(from)..bytes.end.checked_sub(from)?.min(part.len());
        (!bytes.is_empty()).then_some((bytes, kind))
    });
    moved.collect()
}

/// Makes an echo of a mark that somebody in the conversation wrote: no template is broken.
fn provoked(breach: Breach, request: &CompletionRequest) -> Breach {
    let wrote = |message: &PromptMessage| message.role == Role::User && message.content.contains(&breach.detail);
    let kind = match breach.kind {
        BreachKind::FormatMark if request.messages.iter().any(wrote) => BreachKind::PromptEcho,
        kind => kind,
    };
    Breach { kind, ..breach }
}

/// Returns whether most runs of three words of a folded text occurred in it before.
fn runs_in_circles(folded: &str) -> bool {
    let words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let distinct: HashSet<&[&str]> = words.windows(3).collect();
    words.len() >= LOOP_WORDS_MIN && distinct.len() * 2 < words.len() - 2
}

/// Returns whether two folded texts differ in white space alone.
fn is_same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// Returns the bot's own words: without its name in front and quotation marks around, up to where the model goes on as
/// another speaker of the prompt, or begins anew as itself.
fn own_part<'a>(text: &'a str, request: &CompletionRequest, speaker: Speaker<'_>) -> &'a str {
    let text = unquoted(text);
    if is_list(text) {
        return text;
    }
    let text = without_addressee(speaker.without_label(text, request), request);
    let text = unquoted(without_quotation(text));
    unquoted(own_lines(text, speaker, request)).trim()
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

/// Returns whether the text is a JSON object or a list of them, begins like a cut call, or holds a call's mark.
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

/// Returns whether a long run of the system prompt is in the text.
fn echoes_system(text: &str, request: &CompletionRequest) -> bool {
    let Some(system) = request.messages.first().filter(|message| message.role == Role::System) else {
        return false;
    };
    // The bot may well say the notes for one message, such as its stances, which are a message of their own.
    let standing = &system.content;
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

/// Returns whether the text repeats the message that it answers, or holds a run of the request to open a topic.
fn echoes_last(text: &str, folded: &str, request: &CompletionRequest) -> bool {
    let Some(last) = request.messages.last().filter(|message| message.role == Role::User) else {
        return false;
    };
    if let Some(opener) = last.content.strip_prefix('(') {
        // The topic at the end of the request may well be named.
        let (opener, told) = opener.split_once(": ").unwrap_or((opener, ""));
        let told = told.trim_end_matches(')');
        if told.chars().count() >= PARROT_CHARS && is_same(&fold(told), folded) {
            return true;
        }
        let starts: Vec<usize> = opener.char_indices().map(|(at, _)| at).chain([opener.len()]).collect();
        return starts.windows(OPENER_CHARS + 1).any(|run| text.contains(&opener[run[0]..run[OPENER_CHARS]]));
    }
    let said = without_quotation(last.content.split_once(": ").map_or(last.content.as_str(), |(_, said)| said));
    said.chars().count() >= PARROT_CHARS && is_same(&fold(said), folded)
}

#[cfg(test)]
mod tests;
