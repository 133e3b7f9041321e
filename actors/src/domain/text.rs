//! Text measured as Telegram does, in UTF-16 units. Layer `domain`.

/// Most UTF-16 units in one message, after parsing of entities.
///
/// # Source
/// Bot API, `sendMessage`: "1-4096 characters after entities parsing"; the server counts UTF-16 units.
pub const MESSAGE_UNITS_MAX: usize = 4096;

/// Length of `text` in UTF-16 units.
pub fn utf16_units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Returns `length` UTF-16 units of `text` from unit `offset` on; `None` when they end outside `text` or within a
/// character.
pub fn utf16_slice(text: &str, offset: usize, length: usize) -> Option<&str> {
    let from = byte_at_unit(text, offset)?;
    let rest = &text[from..];
    Some(&rest[..byte_at_unit(rest, length)?])
}

/// The byte at which UTF-16 unit `unit` begins; the end of the text when the text has exactly `unit` units.
fn byte_at_unit(text: &str, unit: usize) -> Option<usize> {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        if units >= unit {
            return (units == unit).then_some(at);
        }
        units += c.len_utf16();
    }
    (units == unit).then_some(text.len())
}

/// Returns whether a character is visible. Blanks, zero-width characters, tags and variation selectors are not;
/// Telegram refuses a text of them alone.
///
/// # Source
/// Unicode 16, `Default_Ignorable_Code_Point`, and the letters that are drawn blank (U+2800).
pub fn is_visible(c: char) -> bool {
    let blank = matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    !blank && !c.is_whitespace() && !c.is_control()
}

/// Returns whether a text has a visible character.
pub fn shows(text: &str) -> bool {
    text.chars().any(is_visible)
}

/// Cuts `text` into parts of at most `max_units` UTF-16 units, preferably after a paragraph, a line, a sentence or a
/// word, never inside a character. White space at the cuts is dropped; no part is empty.
pub fn split_message(text: &str, max_units: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some(hard_cut) = byte_after_units(rest, max_units) else {
            parts.push(rest.to_owned());
            break;
        };
        let cut = soft_cut(&rest[..hard_cut]).unwrap_or(hard_cut);
        let (head, tail) = rest.split_at(cut);
        parts.push(head.trim_end().to_owned());
        rest = tail.trim_start();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Splits `text` at its line breaks into at most `most` parts; the last part keeps what is left, with its breaks. Empty
/// lines are dropped at the cuts; no part is empty.
pub fn split_lines(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while parts.len() + 1 < most {
        let Some((line, others)) = rest.split_once('\n') else { break };
        parts.push(line.trim_end());
        rest = others.trim_start();
    }
    parts.push(rest);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Byte index after the last character that fits `max_units`; `None` when all of `text` fits. At least one character.
fn byte_after_units(text: &str, max_units: usize) -> Option<usize> {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > max_units {
            return Some(if at == 0 { c.len_utf8() } else { at });
        }
    }
    None
}

/// The best place to cut within `head`, in its second half.
fn soft_cut(head: &str) -> Option<usize> {
    let from = head.len() / 2;
    ["\n\n", "\n", ". ", "! ", "? ", " "]
        .iter()
        .find_map(|mark| head.rfind(mark).filter(|at| *at >= from).map(|at| at + mark.len()))
}

/// Lower case that treats Turkish dotted and dotless i alike, so that names match however they were typed.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'İ' | 'ı' => folded.push('i'),
            ascii if ascii.is_ascii() => folded.push(ascii.to_ascii_lowercase()),
            '\u{307}' => {}
            other => folded.extend(other.to_lowercase()),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn turkish_capitals_fold_to_one_form() {
        assert_eq!(fold("IŞIK"), fold("ışık"));
        assert_eq!(fold("İpek"), fold("ipek"));
    }

    #[test]
    fn slices_count_utf16_units_and_never_split_a_character() {
        assert_eq!(utf16_slice("🌞 /stop", 3, 5), Some("/stop"));
        assert_eq!(utf16_slice("/stop.", 0, 5), Some("/stop"));
        assert_eq!(utf16_slice("/stop", 0, 6), None);
        assert_eq!(utf16_slice("🌞", 1, 1), None);
        assert_eq!(utf16_slice("", 0, 0), Some(""));
    }

    #[test]
    fn lines_are_parts_up_to_the_most() {
        assert_eq!(split_lines("bir\n\n iki\nüç", 3), ["bir", "iki", "üç"]);
        assert_eq!(split_lines("bir\niki\nüç", 2), ["bir", "iki\nüç"]);
        assert_eq!(split_lines("bir\niki", 1), ["bir\niki"]);
        assert_eq!(split_lines(" \n ", 3), [""; 0]);
    }

    #[test]
    fn tags_and_zero_width_characters_alone_show_nothing() {
        let tags: String = "hello".bytes().map(|b| char::from_u32(0xe0000 + u32::from(b)).unwrap()).collect();
        for blank in [tags.as_str(), "\u{200b}\u{2060}\n", "\u{fe0f}\u{e0101}", ""] {
            assert!(!shows(blank), "{blank:?}");
        }
        assert!(shows(&format!("🏴{tags}")) && shows(" ğ"));
    }

    proptest! {
        #[test]
        fn parts_fit_and_keep_every_visible_character(text in "[a-zğış🙂 \n.]{0,400}", max in 2usize..60) {
            let parts = split_message(&text, max);
            for part in &parts {
                prop_assert!(!part.is_empty() && utf16_units(part) <= max);
            }
            let visible = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(visible(&parts.concat()), visible(&text));
        }
    }
}
