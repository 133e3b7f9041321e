//! Makes plain text of a marked-up answer. Layer `behaviour`; pure.
//!
//! Telegram shows texts as they are, so Markdown and HTML would be read as stars and brackets. A mark is taken off
//! where the text without it says the same:
//!
//! | said | sent |
//! |---|---|
//! | `**x**`, `__x y__`, `***x***`, `*x*`, `_x_` | x |
//! | `` `x` ``, fenced blocks | x, unchanged |
//! | `# x` at a line's start | x |
//! | `[x](https://y)`, `<https://y>`, `![x](https://y)` | `x (https://y)`, `https://y`, `x (https://y)` |
//! | `<b>`, `<i>` and the like in pairs, `<br>`, `<p>` | the text between them, a line's end |
//! | `&amp;`, `&#39;` | &, ' |
//! | `\*`, `\_` between letters, `\n` glued to words | *, _, a line's end |
//!
//! Bold, italic and code are told beside the text, for personas that may write so.
//!
//! Everything else that looks like a mark stays: `~~x~~` and `||x||` (without them the text would say something else),
//! quotes with `>`, bullets, tables, `*sighs*` at the start of a sentence, `snake_case`, `2*3*4`, `#m12`, `¯\_(ツ)_/¯`.

mod html;

use std::borrow::Cow;
use std::ops::Range;

use self::html::tag;

/// Bytes within which the end of a mark is looked for; bounds the work on texts that open many.
const SPAN_BYTES_MAX: usize = 2_000;

/// Bytes of a word that are looked at.
const WORD_BYTES_MAX: usize = 80;

/// Depth to which marks within marks are followed.
const DEPTH_MAX: usize = 6;

/// Beginnings of addresses.
const SCHEMES: [&str; 5] = ["https://", "http://", "tg://", "mailto:", "www."];

/// A marked part of a text: its bytes, and Telegram's name of the kind.
pub type Span = (Range<usize>, &'static str);

/// A text without marks, while it is written.
#[derive(Default)]
struct Plain {
    text: String,
    spans: Vec<Span>,
}

impl Plain {
    fn push(&mut self, c: char) {
        self.text.push(c);
    }

    fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Marks everything from that byte on. Telegram allows no other mark within code, and none around it.
    fn mark(&mut self, from: usize, kind: &'static str) {
        let is_code = |kind: &str| matches!(kind, "code" | "pre");
        let end = self.text.len();
        if is_code(kind) {
            self.spans.retain(|(bytes, _)| bytes.end <= from);
        }
        let code = self.spans.iter().filter(|(bytes, kind)| is_code(kind) && bytes.start >= from);
        let code: Vec<Range<usize>> = code.map(|(bytes, _)| bytes.clone()).chain(std::iter::once(end..end)).collect();
        let mut at = from;
        for inside in code {
            if at < inside.start {
                self.spans.push((at..inside.start, kind));
            }
            at = inside.end;
        }
    }

    fn truncate(&mut self, length: usize) {
        self.text.truncate(length);
        self.spans.retain(|(bytes, _)| bytes.end <= length);
    }
}

/// Returns the text without marks of formatting (Markdown: `**`, `_`, headings, links; HTML tags), and what they marked.
pub(super) fn plain(text: &str) -> (Cow<'_, str>, Vec<Span>) {
    let marked = text.bytes().any(|byte| matches!(byte, b'*' | b'_' | b'`' | b'[' | b'<' | b'&' | b'\\'));
    if !marked && heading(text) == 0 && !text.contains("\n#") {
        return (Cow::Borrowed(text), Vec::new());
    }
    let mut out = Plain { text: String::with_capacity(text.len()), spans: Vec::new() };
    let mut rest = text;
    // Fenced blocks are code, which stays as it is.
    while let Some((before, inside, after)) = fenced(rest) {
        inline(&line_ends(before), 0, &mut out);
        let from = out.text.len();
        out.push_str(inside);
        out.mark(from, "pre");
        rest = after;
    }
    inline(&line_ends(rest), 0, &mut out);
    (Cow::Owned(out.text), out.spans)
}

/// Returns the text before the first fenced block, the block's lines, and the text behind it.
fn fenced(text: &str) -> Option<(&str, &str, &str)> {
    let mut at = 0;
    let mut open: Option<(usize, usize, &str)> = None;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let ticks = bare.len() - bare.trim_start_matches('`').len();
        let next = at + line.len();
        match open {
            None if ticks >= 3 && !bare[ticks..].contains('`') && line.ends_with('\n') => {
                open = Some((at, next, &bare[..ticks]));
            }
            Some((from, inside, fence)) if bare.starts_with(fence) && bare.trim_matches('`').is_empty() => {
                return Some((&text[..from], &text[inside..at], &text[next..]));
            }
            _ => {}
        }
        at = next;
    }
    // A block that was cut is code to the end.
    open.map(|(from, inside, _)| (&text[..from], &text[inside..], ""))
}

/// Turns `\n` in two characters into the line's end that it was meant to be, where no code or path is spoken of.
fn line_ends(text: &str) -> Cow<'_, str> {
    if !text.contains("\\n") || text.contains(":\\") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\n") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        let quotes = |c: char| matches!(c, '"' | '\'' | '`' | '\\' | '“' | '”' | '(' | ')' | '/' | '[' | ']');
        let doubled = after.starts_with("\\n") || before.is_empty() && out.ends_with('\n');
        let glued = before.chars().next_back().is_some_and(|c| !c.is_whitespace() && !quotes(c));
        let spoken_of = after.starts_with(quotes) && !after.starts_with("\\n");
        out.push_str(before);
        if (glued || doubled) && !spoken_of {
            out.push('\n');
            rest = after.strip_prefix(' ').unwrap_or(after);
        } else {
            out.push_str("\\n");
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Writes `text` without its marks to `out`.
fn inline(text: &str, depth: usize, out: &mut Plain) {
    let mut at = 0;
    let mut line_start = depth == 0;
    while let Some(c) = text[at..].chars().next() {
        if line_start {
            at += heading(&text[at..]);
            line_start = false;
            continue;
        }
        let rest = &text[at..];
        let taken = match c {
            '`' => code(rest, out),
            '*' | '_' => emphasis(text, at, depth, out),
            '\\' => escaped(text, at, out),
            '&' => html::entity(rest).map(|(decoded, length)| {
                out.push(decoded);
                length
            }),
            '<' => tag(rest, depth, out),
            '[' | '!' => link(rest, depth, out),
            'h' | 'H' | 't' | 'w' | 'm' if !ends_in_word(&text[..at]) => address(rest, out),
            _ => None,
        };
        if let Some(length) = taken {
            at += length;
        } else {
            // A run of marks that mark nothing is copied as one.
            let run =
                if matches!(c, '*' | '_' | '`') { rest.len() - rest.trim_start_matches(c).len() } else { c.len_utf8() };
            out.push_str(&rest[..run]);
            at += run;
        }
        line_start = depth == 0 && c == '\n';
    }
}

/// Returns the first part of a text, in which the end of a mark is looked for.
fn near(text: &str) -> &str {
    let mut end = text.len().min(SPAN_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn ends_in_word(text: &str) -> bool {
    text.ends_with(|c: char| c.is_alphanumeric())
}

/// Returns the length of a heading's mark.
fn heading(line: &str) -> usize {
    let hashes = line.len() - line.trim_start_matches('#').len();
    let rest = &line[hashes..];
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let titled = !rest[blanks..].is_empty() && !rest[blanks..].starts_with('\n');
    if (1..=6).contains(&hashes) && blanks > 0 && titled { hashes + blanks } else { 0 }
}

/// Writes code between two runs of as many backticks.
fn code(text: &str, out: &mut Plain) -> Option<usize> {
    let ticks = text.len() - text.trim_start_matches('`').len();
    let body = near(&text[ticks..]);
    let mut at = 0;
    while let Some(from) = body[at..].find('`').map(|next| next + at) {
        let run = body[from..].len() - body[from..].trim_start_matches('`').len();
        if run == ticks {
            let inside = &body[..from];
            let padded = inside.strip_prefix(' ').and_then(|inside| inside.strip_suffix(' '));
            let inside = padded.filter(|inside| !inside.trim().is_empty()).unwrap_or(inside);
            if inside.trim().is_empty() || inside.contains("\n\n") {
                return None;
            }
            let start = out.text.len();
            out.push_str(inside);
            out.mark(start, "code");
            return Some(ticks + from + run);
        }
        at = from + run;
    }
    None
}

/// Writes the text between marks of bold and italics.
fn emphasis(text: &str, at: usize, depth: usize, out: &mut Plain) -> Option<usize> {
    let rest = &text[at..];
    let mark = rest.chars().next()?;
    let width = rest.len() - rest.trim_start_matches(mark).len();
    let opens =
        text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || "([{\"'“‘«—–-:,;.!?…*_~>|•/".contains(c));
    if !opens || width > 3 || depth >= DEPTH_MAX || rest[width..].starts_with(char::is_whitespace) {
        return None;
    }
    // After a slash and the like, a single mark is part of a path.
    if width == 1 && text[..at].ends_with(['/', '.', '~', '|', '>', ':']) {
        return None;
    }
    let body = near(&rest[width..]);
    let end = body.find("\n\n").unwrap_or(body.len());
    let body = if width == 1 { body[..end].split('\n').next().unwrap_or_default() } else { &body[..end] };
    let mut from = 0;
    while let Some(next) = body[from..].find(mark).map(|next| next + from) {
        let run = body[next..].len() - body[next..].trim_start_matches(mark).len();
        // Behind a longer run, the closing marks are the last ones: `**a *b***`.
        let close = if run >= width && (width > 1 || run == 1) { next + run - width } else { next };
        let inside = &body[..close];
        let fits = run == width || width > 1 && run > width;
        if fits && is_marked(text, at, mark, width, inside, &body[close + width..]) {
            let start = out.text.len();
            inline(inside, depth + 1, out);
            if width > 1 {
                out.mark(start, "bold");
            }
            if width != 2 {
                out.mark(start, "italic");
            }
            return Some(width * 2 + close);
        }
        from = next + run;
    }
    None
}

/// Returns whether a mark of that width may be around `inside`, with `after` behind it.
fn is_marked(text: &str, at: usize, mark: char, width: usize, inside: &str, after: &str) -> bool {
    let (Some(first), Some(last)) = (inside.chars().next(), inside.chars().next_back()) else {
        return false;
    };
    let next = after.chars().next();
    if last.is_whitespace() || !inside.chars().any(char::is_alphanumeric) {
        return false;
    }
    if width > 1 {
        // `__init__` is a name. Turkish endings follow a word at once: `**kahve**yi`.
        let is_name = mark == '_' && !inside.contains(char::is_whitespace);
        return !is_name && next.is_none_or(|next| next != mark && (mark == '*' || !next.is_alphanumeric()));
    }
    let quote = |c: char| "\"'“”‘’«»".contains(c);
    let begins = first.is_alphanumeric() || quote(first);
    let ends = last.is_alphanumeric() || quote(last) || ".,:;!?…%)".contains(last);
    let closed = next.is_none_or(|next| next.is_whitespace() || ".,;:!?)]}\"'“”‘’»…*_—–-".contains(next));
    let direction = mark == '*' && starts_sentence(&text[..at]) && first.is_lowercase();
    begins && ends && closed && inside.chars().any(char::is_alphabetic) && !direction
}

/// Returns whether the text behind `before` begins a sentence: there people put into stars what they do, `*sighs*`.
fn starts_sentence(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with(['.', '!', '?', '…', '\n'])
}

/// Writes an escaped mark between letters without its backslash.
fn escaped(text: &str, at: usize, out: &mut Plain) -> Option<usize> {
    let mut ahead = text[at + 1..].chars();
    let mark = ahead.next().filter(|mark| "*_`#[]~>".contains(*mark))?;
    let before = text[..at].chars().next_back();
    let after = ahead.next();
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let edge = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let between = letter(before) && (letter(after) || edge(after)) || edge(before) && letter(after);
    if !between || is_path(text, at) {
        return None;
    }
    out.push(mark);
    Some(1 + mark.len_utf8())
}

/// Returns whether the word around a backslash holds another backslash that is before no mark.
fn is_path(text: &str, at: usize) -> bool {
    let mut from = at.saturating_sub(WORD_BYTES_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let start = text[from..at].rfind(char::is_whitespace).map_or(from, |blank| from + blank);
    let mut end = text.len().min(at + WORD_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let word = text[start..end].trim_start();
    let word = word.split(char::is_whitespace).next().unwrap_or_default();
    word.match_indices('\\').any(|(at, _)| !word[at + 1..].starts_with(['*', '_', '`', '#', '[', ']', '~', '>']))
}

/// Writes a link or picture as its words and its address.
fn link(text: &str, depth: usize, out: &mut Plain) -> Option<usize> {
    let picture = text.starts_with('!');
    let body = near(text.strip_prefix('!').unwrap_or(text).strip_prefix('[')?);
    let close = body.find("](").filter(|close| !body[..*close].contains('\n') && depth < DEPTH_MAX)?;
    let target = &body[close + 2..];
    let mut open = 0_usize;
    let end = target.char_indices().find_map(|(at, c)| match c {
        '(' => {
            open += 1;
            None
        }
        ')' if open == 0 => Some(at),
        ')' => {
            open -= 1;
            None
        }
        _ => None,
    })?;
    let (words, target_text) = (&body[..close], &target[..end]);
    if !is_address(target_text) || target_text.contains(char::is_whitespace) {
        return None;
    }
    let from = out.text.len();
    inline(words, depth + 1, out);
    let bare = |address: &str| {
        let address = SCHEMES.iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(address);
        address.trim_end_matches('/').to_owned()
    };
    if bare(&out.text[from..]) == bare(target_text) || out.text[from..].trim().is_empty() {
        out.truncate(from);
        out.push_str(target_text);
    } else {
        out.push_str(" (");
        out.push_str(target_text);
        out.push(')');
    }
    Some(usize::from(picture) + 1 + close + 2 + end + 1)
}

fn is_address(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| {
        text.len() > scheme.len() && text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// Writes an address in the text as it is: marks in it are its own.
fn address(text: &str, out: &mut Plain) -> Option<usize> {
    if !is_address(text) {
        return None;
    }
    let end =
        text.find(|c: char| c.is_whitespace() || matches!(c, '*' | '`' | '<' | '>' | '"' | '&')).unwrap_or(text.len());
    out.push_str(&text[..end]);
    Some(end)
}

#[cfg(test)]
mod tests;
