//! Turkish suffixes on a name, written without an apostrophe. Layer `behaviour`; pure.
//!
//! Works on folded text, where dotted and dotless i are one letter; so the harmony of `i` is not checked.

/// Suffixes that follow a vowel only: their first letter is a buffer.
const AFTER_VOWEL: [&str; 14] =
    ["ye", "ya", "yi", "yu", "yü", "nin", "nun", "nün", "yle", "yla", "yim", "yum", "yüm", "m"];

/// Suffixes that follow a consonant only.
const AFTER_CONSONANT: [&str; 11] = ["e", "a", "i", "u", "ü", "in", "un", "ün", "im", "um", "üm"];

/// Suffixes that follow either.
const AFTER_ANY: [&str; 29] = [
    "de", "da", "te", "ta", "den", "dan", "ten", "tan", "le", "la", "ce", "ca", "çe", "ça", "ler", "lar", "ki", "cim",
    "cum", "cüm", "çim", "çum", "çüm", "ciğim", "cuğum", "cüğüm", "çiğim", "siz", "suz",
];

/// Most suffixes on one name: "Denizlerdeki" has three.
const SUFFIXES_MAX: usize = 3;

/// Returns whether `rest`, which follows `stem` in a word, is made of suffixes that may follow it.
pub(in crate::behaviour) fn carries_suffixes(stem: &str, rest: &str) -> bool {
    carries(stem.chars().next_back(), last_vowel(stem), rest, SUFFIXES_MAX)
}

fn carries(before: Option<char>, harmony: Option<char>, rest: &str, left: usize) -> bool {
    if rest.is_empty() {
        return true;
    }
    if left == 0 {
        return false;
    }
    let fitting: &[&str] = if before.is_some_and(is_vowel) { &AFTER_VOWEL } else { &AFTER_CONSONANT };
    fitting.iter().chain(&AFTER_ANY).any(|suffix| {
        rest.strip_prefix(suffix).is_some_and(|after| {
            let vowel = last_vowel(suffix);
            harmonise(harmony, vowel) && carries(suffix.chars().next_back(), vowel.or(harmony), after, left - 1)
        })
    })
}

fn is_vowel(c: char) -> bool {
    "aeiouöü".contains(c)
}

fn last_vowel(text: &str) -> Option<char> {
    text.chars().rev().find(|c| is_vowel(*c))
}

/// Returns whether a suffix with vowel `of` may follow `after`: front follows front, back follows back.
fn harmonise(after: Option<char>, of: Option<char>) -> bool {
    let front = |vowel: char| match vowel {
        'e' | 'ö' | 'ü' => Some(true),
        'a' | 'o' | 'u' => Some(false),
        _ => None,
    };
    match (after.and_then(front), of.and_then(front)) {
        (Some(after), Some(of)) => after == of,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::carries_suffixes;

    #[test]
    fn suffixes_follow_harmony_and_buffers() {
        for (stem, rest) in [
            ("deniz", "e"),
            ("deniz", "ciğim"),
            ("deniz", "lerdeki"),
            ("nora", "ya"),
            ("nora", "nin"),
            ("kerem", "den"),
            ("tom", "la"),
            ("ayşe", "yle"),
        ] {
            assert!(carries_suffixes(stem, rest), "{stem}{rest}");
        }
        for (stem, rest) in
            [("kerem", "a"), ("nora", "e"), ("kerem", "ye"), ("deniz", "li"), ("can", "avar"), ("nora", "den")]
        {
            assert!(!carries_suffixes(stem, rest), "{stem}{rest}");
        }
    }
}
