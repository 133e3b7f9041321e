//! Text as Telegram counts it. Layer `domain`.

/// Most UTF-16 units in one message, after parsing of entities.
///
/// # Source
/// Bot API, `sendMessage`: "1-4096 characters after entities parsing"; the server counts UTF-16 units.
pub const MESSAGE_UNITS_MAX: usize = 4096;

/// Length of `text` in UTF-16 units.
pub fn utf16_units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
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
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'I' | 'İ' | 'ı' | 'i' => folded.push('i'),
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
