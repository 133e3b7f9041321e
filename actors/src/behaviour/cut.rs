//! Cuts a text that broke off because its tokens were used up after its last full sentence, and a text that begins to
//! repeat itself before it does. Layer `behaviour`; pure.
//! Keeps I13: nothing is taken from the middle, and nobody reads half a word.

use crate::domain::text::fold;

/// Marks that end a sentence, in the scripts that the fleet's models write.
const ENDS: [char; 10] = ['.', '!', '?', '…', '。', '！', '？', '؟', '।', '۔'];

/// Characters that may be between the mark and the blank after a sentence.
const CLOSERS: [char; 14] = ['"', '\'', '”', '’', '»', ')', ']', '}', '*', '_', '~', '`', '」', '）'];

/// Ends that need no blank after them.
const WIDE: [char; 3] = ['。', '！', '？'];

/// Words, in lower case, whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 16] =
    ["dr", "mr", "mrs", "ms", "prof", "st", "vs", "etc", "approx", "no", "sn", "vb", "vd", "örn", "bkz", "yy"];

/// Fewest words of a sentence that a text says once.
const REPEATED_WORDS_MIN: usize = 3;

/// Words in a row that no two sentences of a message share.
const REPEATED_RUN: usize = 6;

/// Returns the text up to the end of its last full sentence or line; `None` when it holds none.
pub fn at_last_sentence(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let mut end = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\n' {
            let line = text[..at].trim_end();
            // A line that leads over to the next is no end.
            let is_full = !line.is_empty() && !line.ends_with([':', ',', ';', '-', '–', '—', '(']);
            if is_full && !ends_with_number(line) {
                end = Some(line.len());
            }
        } else if ENDS.contains(&c) && (c != '.' || !is_abbreviation(&text[..at])) {
            let mut to = at + c.len_utf8();
            while let Some((next, closer)) = chars.next_if(|(_, c)| ENDS.contains(c) || CLOSERS.contains(c)) {
                to = next + closer.len_utf8();
            }
            let is_last = WIDE.contains(&c) || chars.peek().is_none_or(|(_, c)| c.is_whitespace());
            if is_last {
                end = Some(to);
            }
        }
    }
    end.map(|end| text[..end].trim_end()).filter(|text| text.chars().any(char::is_alphanumeric))
}

/// Returns the text up to the first sentence or line that repeats what it has said before: word for word, or by a run of
/// [`REPEATED_RUN`] words. Small models go round in circles. Sentences of fewer than [`REPEATED_WORDS_MIN`] words may repeat.
pub fn before_repetition(text: &str) -> &str {
    // Most texts are one sentence.
    if !text.trim_end().contains(|c| ENDS.contains(&c) || c == '\n') {
        return text;
    }
    let mut said: Vec<Vec<String>> = Vec::new();
    let mut from = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let to = at + c.len_utf8();
        let ends = c == '\n' || ENDS.contains(&c) && chars.peek().is_none_or(|(_, next)| next.is_whitespace());
        if !ends && to < text.len() {
            continue;
        }
        let folded = fold(&text[from..to]);
        let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let sentence: Vec<String> = words.map(str::to_owned).collect();
        if sentence.len() >= REPEATED_WORDS_MIN {
            if said.iter().any(|before| repeats(before, &sentence)) {
                return text[..from].trim_end();
            }
            said.push(sentence);
        }
        from = to;
    }
    text
}

/// Returns whether a sentence is one before it, or shares a run of words with it.
fn repeats(before: &[String], sentence: &[String]) -> bool {
    before == sentence
        || sentence.windows(REPEATED_RUN).any(|run| before.windows(REPEATED_RUN).any(|earlier| earlier == run))
}

/// Returns whether a full stop behind `before` ends no sentence: after an abbreviation, an initial, or a list's number.
fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    is_initial || ABBREVIATIONS.contains(&word.to_lowercase().as_str()) || ends_with_number(before)
}

/// Returns whether the last line is only a number, perhaps with marks around.
fn ends_with_number(text: &str) -> bool {
    let line = text.rsplit('\n').next().unwrap_or_default();
    let bare = line.trim_matches(|c: char| !c.is_alphanumeric());
    !bare.is_empty() && bare.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_with_its_last_full_sentence() {
        let table = [
            ("The tea is hot. The cups are on the ta", Some("The tea is hot.")),
            ("The tea is hot.", Some("The tea is hot.")),
            ("Really?! \"Yes,\" he said, \"it is.\" And th", Some("Really?! \"Yes,\" he said, \"it is.\"")),
            ("It costs 3.50 at Dr. Brown's. I me", Some("It costs 3.50 at Dr. Brown's.")),
            ("Ask J. Smith abo", None),
            ("Çay sıcak. Bardaklar mas", Some("Çay sıcak.")),
            ("今天很好。明天", Some("今天很好。")),
            ("no sentence at a", None),
            ("... ", None),
            ("", None),
        ];
        for (text, cut) in table {
            assert_eq!(at_last_sentence(text), cut, "{text}");
        }
    }

    #[test]
    fn a_text_that_goes_round_in_circles_ends_before_it_does() {
        let table = [
            ("I am not sure how. I am not sure how. I", "I am not sure how."),
            ("Sinin çok çalışkan.\n\nSinin çok çalışkan.\n\nYine.", "Sinin çok çalışkan."),
            ("The cat sleeps, the cat purrs. THE CAT SLEEPS, the cat purrs!", "The cat sleeps, the cat purrs."),
            (
                "I'm happy that I could talk about my family. I'm not too happy, I'm just happy that I could talk about it.",
                "I'm happy that I could talk about my family.",
            ),
            ("I like the red one. I like the blue one best.", "I like the red one. I like the blue one best."),
            ("No, no. No, no. Not the red one.", "No, no. No, no. Not the red one."),
            ("Tea is hot. Tea is cold.", "Tea is hot. Tea is cold."),
            ("one two three", "one two three"),
            ("", ""),
        ];
        for (text, cut) in table {
            assert_eq!(before_repetition(text), cut, "{text}");
        }
    }

    #[test]
    fn a_list_ends_with_its_last_full_line() {
        assert_eq!(at_last_sentence("Bring:\n1. ropes\n2. tea\n3. a lam"), Some("Bring:\n1. ropes\n2. tea"));
        assert_eq!(at_last_sentence("Bring:\n1. ro"), None);
        assert_eq!(at_last_sentence("Ready!\n\nBring:\n1."), Some("Ready!"));
    }
}
