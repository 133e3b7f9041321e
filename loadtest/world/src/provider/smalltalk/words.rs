//! Folds and splits texts, and tells Turkish from English. Layer: world; pure.

use crate::people::names::{Case, suffixed};

/// A language that the provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// Turkish.
    Turkish,
    /// English.
    English,
}

/// Folds case; the four Turkish letters I become one.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(|c| if matches!(c, 'I' | 'İ' | 'ı') { 'i' } else { c }.to_lowercase()).collect()
}

/// Lowers a text by the rules of its language.
pub(super) fn lowered(text: &str, language: Language) -> String {
    match language {
        Language::Turkish => text.replace('İ', "i").replace('I', "ı").to_lowercase(),
        Language::English => text.to_lowercase(),
    }
}

/// Splits a text into words.
pub(super) fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// Returns the words of a folded text with one space around each, in which phrases can be searched.
pub(super) fn spaced(folded: &str) -> String {
    format!(" {} ", words(folded).join(" "))
}

/// Returns whether a folded text has a word that begins with a folded stem; a stem may consist of several words, and
/// one that begins with `=` is the whole word.
pub(super) fn mentions(folded: &str, stem: &str) -> bool {
    let (stem, whole) = stem.strip_prefix('=').map_or((stem, false), |stem| (stem, true));
    folded.match_indices(stem).any(|(at, _)| {
        let opens_a_word = !folded[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        let rest = folded[at + stem.len()..].split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
        // Short English stems ("tea", "cat") allow only a plural, so that "team" does not match "tea".
        let is_stem = stem.chars().count() > 3 || !stem.is_ascii() || rest == "s";
        opens_a_word && (rest.is_empty() || (is_stem && !whole))
    })
}

const TURKISH_WORDS: [&str; 44] = [
    "bir",
    "ve",
    "bu",
    "da",
    "de",
    "mi",
    "mu",
    "mü",
    "için",
    "çok",
    "ne",
    "ben",
    "sen",
    "biz",
    "siz",
    "selam",
    "merhaba",
    "evet",
    "hayir",
    "var",
    "yok",
    "gibi",
    "ama",
    "bence",
    "kim",
    "nasil",
    "neden",
    "niye",
    "bugün",
    "iyi",
    "güzel",
    "değil",
    "daha",
    "kadar",
    "olarak",
    "sonra",
    "yani",
    "peki",
    "hangi",
    "misin",
    "musun",
    "hadi",
    "tamam",
    "teşekkürler",
];
const ENGLISH_WORDS: [&str; 42] = [
    "the", "and", "is", "are", "you", "to", "of", "in", "it", "that", "what", "how", "why", "who", "do", "does",
    "have", "with", "for", "not", "this", "was", "hello", "hi", "my", "your", "i", "we", "on", "at", "but", "so",
    "think", "anyone", "good", "yes", "no", "be", "a", "thanks", "or", "where",
];

/// Guesses a text's language by its letters and words; `None` when neither prevails.
pub(super) fn language_of(text: &str) -> Option<Language> {
    let letters = text.chars().filter(|c| matches!(c, 'ğ' | 'ş' | 'ı' | 'İ' | 'Ğ' | 'Ş' | 'ç' | 'ö' | 'ü')).count();
    let folded = fold(text);
    let words = words(&folded);
    let count = |list: &[&str]| words.iter().filter(|word| list.contains(*word)).count();
    let (turkish, english) = (count(&TURKISH_WORDS) + letters, count(&ENGLISH_WORDS));
    match turkish.cmp(&english) {
        std::cmp::Ordering::Greater => Some(Language::Turkish),
        std::cmp::Ordering::Less => Some(Language::English),
        std::cmp::Ordering::Equal => None,
    }
}

/// Returns whether a folded word is in most messages.
pub(super) fn is_common(word: &str) -> bool {
    TURKISH_WORDS.contains(&word) || ENGLISH_WORDS.contains(&word)
}

/// Raises the first letter of every sentence; in Turkish, i becomes İ.
pub(super) fn capitalised(text: &str, language: Language) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut opens = true;
    for c in text.chars() {
        if opens && c.is_alphabetic() {
            match c {
                'i' if language == Language::Turkish => out.push('İ'),
                _ => out.extend(c.to_uppercase()),
            }
            opens = false;
        } else {
            out.push(c);
            if matches!(c, '.' | '?' | '!') {
                opens = true;
            } else if !c.is_whitespace() && c != '"' {
                opens = false;
            }
        }
    }
    out
}

/// Puts a suffix of Turkish onto a word of the message: the cases of a name, or the particle that asks.
pub(super) fn with_suffix(word: &str, suffix: &str) -> Option<String> {
    let case = match suffix {
        "e" => Case::Dative,
        "i" => Case::Accusative,
        "in" => Case::Genitive,
        "den" => Case::Ablative,
        "de" => return suffixed(word, Case::Ablative, '\'').strip_suffix('n').map(str::to_owned),
        "mi" => {
            let vowel = fold_vowel(word)?;
            let particle = match vowel {
                'a' | 'ı' => "mı",
                'o' | 'u' => "mu",
                'ö' | 'ü' => "mü",
                _ => "mi",
            };
            return Some(format!("{word} {particle}"));
        }
        _ => return None,
    };
    Some(suffixed(word, case, '\''))
}

/// Returns the last vowel of a word; of a number in digits, that of its last word.
fn fold_vowel(word: &str) -> Option<char> {
    let spoken = match word.chars().next_back()? {
        '1' | '2' | '5' | '7' | '8' => "i",
        '3' | '4' => "ö",
        '6' => "ı",
        '9' => "u",
        '0' => match word.trim_end_matches('0').chars().next_back()? {
            '1' | '3' => "o",
            '2' | '5' | '7' | '8' => "i",
            '4' | '6' | '9' => "ı",
            _ => "ü",
        },
        _ => word,
    };
    spoken.chars().rev().flat_map(char::to_lowercase).find(|c| "aeıioöuü".contains(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart_and_silence_is_possible() {
        assert_eq!(language_of("Bugün ne yapıyorsun?"), Some(Language::Turkish));
        assert_eq!(language_of("What are you doing today?"), Some(Language::English));
        assert_eq!(language_of("Selam"), Some(Language::Turkish));
        assert_eq!(language_of("42 :)"), None);
    }

    #[test]
    fn a_stem_matches_the_start_of_words_only() {
        assert!(mentions(&fold("İki bardak çay içtim"), "çay"));
        assert!(mentions("my cats sleep", "cat"));
        assert!(!mentions("my team won", "tea"));
        assert!(!mentions("a duplicate", "cat"));
        assert!(mentions("a star fell", "=star") && !mentions("we start now", "=star"));
    }

    #[test]
    fn a_turkish_sentence_opens_with_a_dotted_capital() {
        assert_eq!(capitalised("iyiyim. ılık bir gün!", Language::Turkish), "İyiyim. Ilık bir gün!");
        assert_eq!(capitalised("it is so. fine?", Language::English), "It is so. Fine?");
    }

    #[test]
    fn suffixes_follow_the_vowels_of_what_was_said() {
        for (word, suffix, wanted) in [
            ("Kars", "e", "Kars'a"),
            ("İzmir", "de", "İzmir'de"),
            ("Rize", "den", "Rize'den"),
            ("dört", "mi", "dört mü"),
            ("altı", "mi", "altı mı"),
            ("10", "mi", "10 mu"),
            ("20", "mi", "20 mi"),
            ("6", "mi", "6 mı"),
        ] {
            assert_eq!(with_suffix(word, suffix).as_deref(), Some(wanted));
        }
        assert_eq!(with_suffix("Kars", "ler"), None);
    }
}
