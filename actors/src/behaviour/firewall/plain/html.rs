//! Makes plain text of HTML: tags of markup and entities. Layer `behaviour`; pure.

use super::{Plain, inline, is_address, near};
use crate::domain::text::is_visible;

/// Tags that mark and say nothing themselves.
const MARKING: [&str; 16] = [
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "code",
    "pre",
    "small",
    "mark",
    "span",
    "center",
    "blockquote",
    "h1",
    "h2",
    "h3",
];

/// Named entities that models write.
const ENTITIES: [(&str, char); 18] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("hellip", '…'),
    ("mdash", '—'),
    ("ndash", '–'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("euro", '€'),
    ("deg", '°'),
    ("times", '×'),
];

/// Returns the character that an entity at the start of `text` stands for, and the entity's length.
pub(super) fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(12).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let decoded = match name.strip_prefix('#') {
        Some(number) => {
            let hex = number.strip_prefix(['x', 'X']);
            let code = hex.map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
            char::from_u32(code).filter(|c| !c.is_control() && is_visible(*c))?
        }
        None => ENTITIES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((decoded, end + 1))
}

/// Writes a tag at the start of `text` as plain text: the marked words stay, a break ends the line. Returns the length.
pub(super) fn tag(text: &str, depth: usize, out: &mut Plain) -> Option<usize> {
    let end = text.bytes().take(super::SPAN_BYTES_MAX).position(|byte| byte == b'>')?;
    let inner = text.get(1..end)?;
    if is_address(inner) && !inner.contains(char::is_whitespace) {
        out.push_str(inner);
        return Some(end + 1);
    }
    let name = inner.trim_end_matches('/').trim_end().to_ascii_lowercase();
    match name.as_str() {
        "br" | "/p" => {
            out.push('\n');
            let after = text[end + 1..].strip_prefix('\n').map_or(0, |_| 1);
            return Some(end + 1 + after);
        }
        "p" => {
            if !out.text.is_empty() && !out.text.ends_with('\n') {
                out.push('\n');
            }
            return Some(end + 1);
        }
        _ => {}
    }
    if depth >= super::DEPTH_MAX {
        return None;
    }
    let target = name.strip_prefix("a href=").map(|_| inner["a href=".len()..].trim_matches(['"', '\'']));
    let closing = match target {
        Some(target) if is_address(target) && !target.contains(['"', ' ']) => "</a>".to_owned(),
        None if MARKING.contains(&name.as_str()) => format!("</{name}>"),
        _ => return None,
    };
    let body = near(&text[end + 1..]);
    // Lower case in ASCII keeps the positions of bytes.
    let close = body.to_ascii_lowercase().find(&closing)?;
    let from = out.text.len();
    inline(&body[..close], depth + 1, out);
    match name.as_str() {
        "b" | "strong" => out.mark(from, "bold"),
        "i" | "em" => out.mark(from, "italic"),
        "u" | "ins" => out.mark(from, "underline"),
        "code" => out.mark(from, "code"),
        "pre" => out.mark(from, "pre"),
        _ => {}
    }
    if let Some(target) = target.filter(|target| out.text[from..] != **target) {
        out.push_str(" (");
        out.push_str(target);
        out.push(')');
    }
    Some(end + 1 + close + closing.len())
}
