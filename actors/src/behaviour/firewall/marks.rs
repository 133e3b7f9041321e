//! Takes off marks of chat formats, and the reasoning between them. Layer `behaviour`; pure.
//!
//! Marks are recognised by their family, since each new model brings names of its own:
//!
//! | family | examples |
//! |---|---|
//! | reasoning | `<think>`, `<seed:think>`, `<longcat_think>`, `[THINK]`, `◁think▷`, `<\|START_THINKING\|>`, `<\|inner_prefix\|>` |
//! | channels | `<\|channel\|>analysis<\|message\|>...`, `<\|channel>thought...<channel\|>`, and `analysis...assistantfinal...` |
//! | the answer | `<answer>`, `<\|START_RESPONSE\|>`, `[BEGIN FINAL RESPONSE]` |
//! | tools | `<tool_call>`, `[TOOL_CALLS]`, `<\|python_tag\|>`, `<function=...>` |
//! | turns and sentences | any `<\|...\|>` and `<｜...｜>`, `<start_of_turn>`, `[INST]`, `<s>`, `<eos>` |
//!
//! Finished reasoning in front is taken off, with or without its opening mark, and so are marks around the answer and
//! marks of turns at both ends. A mark that is left is in the middle: then the answer is kept back. Nothing is ever
//! taken out of the middle.
//!
//! # Source
//! The parsers of vLLM (`vllm/reasoning`) and llama.cpp (`common/chat`), read in November 2026.

use super::{Breach, BreachKind};

/// Longest mark, in bytes.
const MARK_BYTES_MAX: usize = 64;

/// Words that make a mark one of reasoning.
const REASONING: [&str; 11] = [
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reason",
    "reasoning",
    "reflection",
    "scratchpad",
    "cot",
    "analysis",
    "inner",
];

/// Words that make a mark one of the answer.
const ANSWER: [&str; 4] = ["answer", "response", "solution", "final"];

/// Words that make a mark one of tools.
const TOOLS: [&str; 6] = ["tool", "tools", "function", "functions", "python", "invoke"];

/// Names of marks of turns and sentences that have no bars.
const BARE: [&str; 12] =
    ["s", "bos", "eos", "pad", "unk", "sep", "cls", "start_of_turn", "end_of_turn", "start_of_image", "sys", "eot"];

/// Names of marks of turns in square brackets.
const BRACKETED: [&str; 7] =
    ["INST", "SYSTEM_PROMPT", "AVAILABLE_TOOLS", "TOOL_RESULTS", "MODEL_SETTINGS", "SYS", "EOT"];

/// Roles of the bot behind the mark of a turn.
const ROLES: [&str; 4] = ["assistant", "model", "bot", "gpt"];

/// Roles of others behind the mark of a turn.
const OTHERS: [&str; 4] = ["user", "system", "tool", "developer"];

/// Openings of reasoning without marks, and the words before the answer behind it.
const WORDED: [(&str, &str); 4] = [
    ("here is my thought process:", "my response:"),
    ("here's my thought process:", "my response:"),
    ("here are my reasoning steps:", "[begin final response]"),
    ("analysis", "assistantfinal"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Reasoning,
    Channel,
    Answer,
    Tool,
    Turn,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    from: usize,
    to: usize,
    family: Family,
    closes: bool,
}

/// Returns the answer in a model's text, without reasoning in front and marks around it.
///
/// # Errors
/// Reasoning that does not end, or a mark in the middle.
pub(super) fn answer(text: &str) -> Result<&str, Breach> {
    let text = without_worded(text.trim())?;
    let mut marks = marks(text);
    if marks.is_empty() {
        return Ok(text);
    }
    let (mut from, mut to) = (0, text.len());
    if let Some(final_from) = final_channel(text, &marks) {
        from = final_from;
        marks.retain(|mark| mark.from >= from);
    } else if let Some(mark) = marks.iter().find(|mark| mark.family == Family::Channel && mark.says(text, "channel")) {
        return Err(breach(BreachKind::LeakedReasoning, &text[mark.from..mark.to]));
    }
    // Passes everything in front that is a mark or finished reasoning.
    while let Some(mark) = marks.first().copied() {
        let blank = text[from..mark.from].trim().is_empty();
        let passed = match (mark.family, mark.closes) {
            (Family::Reasoning, false) if blank => end_of_reasoning(&marks).ok_or_else(|| leak(text, mark))?,
            // The opening mark was in the prompt.
            (Family::Reasoning, true) => 1,
            (Family::Answer, false) if blank || mark.is_loud(text) => 1,
            (Family::Turn | Family::Channel, _) if blank => 1,
            _ => break,
        };
        let last = marks[passed - 1];
        from = last.to;
        if last.family == Family::Turn {
            from += role(&text[from..]).ok_or_else(|| leak(text, last))?;
        }
        marks.drain(..passed);
    }
    while let Some(mark) = marks.last().copied() {
        let ends =
            matches!(mark.family, Family::Turn | Family::Channel) || mark.family == Family::Answer && mark.closes;
        if !ends || !text[mark.to..to].trim().is_empty() {
            break;
        }
        to = mark.from;
        marks.pop();
    }
    match marks.first() {
        None => Ok(text.get(from..to).unwrap_or_default().trim()),
        Some(mark) => Err(leak(text, *mark)),
    }
}

fn breach(kind: BreachKind, detail: &str) -> Breach {
    Breach { kind, detail: detail.to_owned() }
}

fn leak(text: &str, mark: Mark) -> Breach {
    let kind = match mark.family {
        Family::Reasoning => BreachKind::LeakedReasoning,
        Family::Tool => BreachKind::ToolJson,
        Family::Channel | Family::Answer | Family::Turn => BreachKind::FormatMark,
    };
    breach(kind, &text[mark.from..mark.to])
}

impl Mark {
    /// Returns whether the mark has this name.
    fn says(self, text: &str, name: &str) -> bool {
        text[self.from..self.to].trim_matches(|c: char| !c.is_alphanumeric()) == name
    }

    /// Returns whether no person writes such a mark, so that everything before it is the model's own.
    fn is_loud(self, text: &str) -> bool {
        let mark = &text[self.from..self.to];
        mark.starts_with("<|") || mark.starts_with('[')
    }
}

/// Returns the number of marks that belong to the reasoning that the first of them opens.
fn end_of_reasoning(marks: &[Mark]) -> Option<usize> {
    let mut open = 0_usize;
    for (at, mark) in marks.iter().enumerate().filter(|(_, mark)| mark.family == Family::Reasoning) {
        open = if mark.closes { open.saturating_sub(1) } else { open + 1 };
        if open == 0 {
            return Some(at + 1);
        }
    }
    // Only the innermost opening was closed.
    let last = marks.iter().rposition(|mark| mark.family == Family::Reasoning && mark.closes)?;
    Some(last + 1)
}

/// Returns the place where the text of the last channel called `final` begins.
fn final_channel(text: &str, marks: &[Mark]) -> Option<usize> {
    let at = marks.iter().rposition(|mark| mark.family == Family::Channel && mark.says(text, "message"))?;
    let before = at.checked_sub(1).map_or(0, |before| marks[before].to);
    text[before..marks[at].from].trim_start().starts_with("final").then_some(marks[at].to)
}

/// Returns the length of the role behind a turn's mark, up to the line's end or next mark; `None` for another's turn.
fn role(text: &str) -> Option<usize> {
    let end = text.find(['\n', '<']).unwrap_or(0);
    match text[..end].trim() {
        role if ROLES.contains(&role) => Some(end),
        role if OTHERS.contains(&role) => None,
        _ => Some(0),
    }
}

/// Returns the text without reasoning in front that is recognised by its words.
fn without_worded(text: &str) -> Result<&str, Breach> {
    if let Some(rest) = text.strip_prefix("assistantfinal") {
        return Ok(rest.trim_start());
    }
    for (opening, end) in WORDED {
        let Some(start) = text.get(..opening.len()).filter(|start| start.eq_ignore_ascii_case(opening)) else {
            continue;
        };
        // Lower case in ASCII keeps the positions of bytes.
        if let Some(at) = text.to_ascii_lowercase().rfind(end) {
            return Ok(text[at + end.len()..].trim_start());
        }
        // "analysis" is a word like others, unless the next one is glued to it.
        let glued = text[opening.len()..].starts_with(char::is_uppercase);
        if start.ends_with(':') || start == "analysis" && glued {
            return Err(breach(BreachKind::LeakedReasoning, opening));
        }
    }
    Ok(text)
}

fn marks(text: &str) -> Vec<Mark> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(from) = text[at..].find(['<', '[', '◁']).map(|next| next + at) {
        let Some(mark) = mark_at(text, from) else {
            at = from + text[from..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        at = mark.to;
        found.push(mark);
    }
    found
}

fn mark_at(text: &str, from: usize) -> Option<Mark> {
    let rest = &text[from..];
    let (open, close) = match rest.chars().next()? {
        '<' => ('<', '>'),
        '[' => ('[', ']'),
        _ => ('◁', '▷'),
    };
    let end = rest.char_indices().take_while(|(at, _)| *at < MARK_BYTES_MAX).find(|(_, c)| *c == close)?.0;
    // `<<SYS>>` is one mark.
    let inner = rest[open.len_utf8()..end].trim_start_matches(open);
    let doubled = rest[end + close.len_utf8()..].starts_with(close) && rest[open.len_utf8()..].starts_with(open);
    let to = from + end + close.len_utf8() * (1 + usize::from(doubled));
    let (family, closes) = family(open, inner)?;
    Some(Mark { from, to, family, closes })
}

/// Returns the family of a mark, by the name between its brackets, and whether the mark closes.
fn family(open: char, inner: &str) -> Option<(Family, bool)> {
    let bar = |c: char| c == '|' || c == '｜';
    let (opens_barred, ends_barred) = (inner.starts_with(bar), inner.ends_with(bar));
    let name = inner.trim_matches(|c| bar(c) || c == '/');
    let slashed = inner.trim_start_matches(bar).starts_with('/');
    if open == '<' && name.starts_with("function=") {
        return Some((Family::Tool, false));
    }
    let is_name = |c: char| c.is_alphanumeric() || "_-.:/▁".contains(c) || c == ' ' && open == '[';
    if !name.starts_with(char::is_alphabetic) || !name.chars().all(is_name) {
        return None;
    }
    let barred = opens_barred || ends_barred;
    // In square brackets people write what they like; marks there are in capitals.
    if open == '[' && name.chars().any(char::is_lowercase) && !name.starts_with("unused") {
        return None;
    }
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    let has = |family: &[&str]| words.iter().any(|word| family.contains(word));
    let closes = slashed || words[0] == "end" || words.last().is_some_and(|word| matches!(*word, "end" | "suffix"));
    if barred && matches!(lower.as_str(), "channel" | "message" | "start" | "return" | "constrain" | "call") {
        // One bar: the mark opens or closes a channel of thought.
        return Some(match (opens_barred, ends_barred, lower.as_str()) {
            (true, false, "channel") => (Family::Reasoning, false),
            (false, true, "channel") => (Family::Reasoning, true),
            _ => (Family::Channel, false),
        });
    }
    if has(&TOOLS) && (barred || words.len() > 1 && !name.contains(' ')) {
        return Some((Family::Tool, closes));
    }
    let framed = has(&["begin", "start", "end"]);
    let thinks = match open {
        '[' => framed && has(&REASONING) || matches!(lower.as_str(), "think" | "thinking"),
        _ => has(&REASONING) && !matches!(lower.as_str(), "inner" | "reason"),
    };
    if thinks {
        return Some((Family::Reasoning, closes));
    }
    if has(&ANSWER) && (open != '[' || framed) {
        return Some((Family::Answer, closes));
    }
    let numbered = |stem: &str| lower.strip_prefix(stem).is_some_and(|rest| rest.parse::<u32>().is_ok());
    let is_turn = if open == '[' {
        BRACKETED.contains(&name) || numbered("unused")
    } else {
        let bare = BARE.contains(&lower.as_str()) && name != "S";
        bare || barred && name.chars().count() > 1 || numbered("unused") || numbered("extra_id_")
    };
    is_turn.then_some((Family::Turn, closes))
}
