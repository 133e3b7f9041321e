//! Matches words in spite of Turkish suffixes and English endings. Layer `behaviour`; pure.
//!
//! Works on folded text, where dotted and dotless i are one letter.

/// Fewest letters of a stem that takes a suffix: too many words begin with shorter ones.
const STEM_MIN: usize = 3;

/// Most suffixes on one word: "çaylarımızdan" has three.
const SUFFIXES_MAX: usize = 4;

/// Suffixes and endings that may follow a word, folded. Vowel harmony is not checked: a wrong one is a typing error.
const SUFFIXES: [&str; 74] = [
    "s", "es", "ed", "d", "ing", "er", "ers", "i", "u", "ü", "e", "a", "yi", "yu", "yü", "ye", "ya", "in", "un", "ün",
    "nin", "nun", "nün", "de", "da", "te", "ta", "den", "dan", "ten", "tan", "nden", "ndan", "nde", "nda", "le", "la",
    "yle", "yla", "ler", "lar", "li", "lu", "lü", "lik", "luk", "lük", "siz", "suz", "süz", "ci", "cu", "cü", "çi",
    "ce", "ca", "ki", "im", "um", "üm", "imiz", "umuz", "iniz", "si", "su", "sü", "ni", "nu", "ne", "na", "dir", "dur",
    "tir", "mi",
];

/// Returns the words of a folded text; an English "n't" is a word "not" of its own.
pub fn words(folded: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for word in folded.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’'))) {
        let bare = word.trim_matches(|c| matches!(c, '\'' | '’'));
        let negated = ["n't", "n’t"].iter().find_map(|ending| bare.strip_suffix(ending));
        match negated {
            Some(stem) => found.extend([stem, "not"].into_iter().filter(|word| !word.is_empty())),
            None => found.extend(bare.split(['\'', '’']).filter(|word| !word.is_empty())),
        }
    }
    found
}

/// Returns the sentences of a text, each with whether it asks.
pub fn sentences(folded: &str) -> impl Iterator<Item = (&str, bool)> {
    folded
        .split_inclusive(['.', '!', '?', '…', ';', '\n'])
        .map(|sentence| (sentence, sentence.ends_with('?')))
        .filter(|(sentence, _)| sentence.chars().any(char::is_alphanumeric))
}

/// Returns whether `word` is `stem`, perhaps with suffixes.
pub fn is_form_of(word: &str, stem: &str) -> bool {
    if let Some(rest) = word.strip_prefix(stem) {
        return rest.is_empty() || (stem.chars().count() >= STEM_MIN && are_suffixes(rest, SUFFIXES_MAX));
    }
    // "kitap" becomes "kitabı".
    let mut letters = stem.chars();
    let soft = match letters.next_back() {
        Some('p') => 'b',
        Some('ç') => 'c',
        Some('t') => 'd',
        Some('k') => 'ğ',
        _ => return false,
    };
    let rest = word.strip_prefix(letters.as_str()).and_then(|rest| rest.strip_prefix(soft));
    stem.chars().count() > STEM_MIN && rest.is_some_and(|rest| are_suffixes(rest, SUFFIXES_MAX))
}

/// Returns whether `word` is `stem` in the ablative, the worse side of a Turkish comparison ("kahveden iyi").
pub fn is_compared_with(word: &str, stem: &str) -> bool {
    let rest = word.strip_prefix(stem);
    rest.is_some_and(|rest| ["den", "dan", "ten", "tan", "nden", "ndan"].contains(&rest))
}

/// Returns the first and the last place in `words` of the words of `phrase`, in their order and near one another.
pub fn find_phrase(words: &[&str], phrase: &[&str]) -> Option<(usize, usize)> {
    /// Most words between two words of the phrase.
    const GAP: usize = 2;
    let first = phrase.first()?;
    'starts: for start in (0..words.len()).filter(|at| is_form_of(words[*at], first)) {
        let mut at = start;
        for wanted in &phrase[1..] {
            let next = (at + 1..words.len().min(at + 2 + GAP)).find(|next| is_form_of(words[*next], wanted));
            match next {
                Some(next) => at = next,
                None => continue 'starts,
            }
        }
        return Some((start, at));
    }
    None
}

fn are_suffixes(rest: &str, left: usize) -> bool {
    rest.is_empty()
        || (left > 0
            && SUFFIXES
                .iter()
                .any(|suffix| rest.strip_prefix(suffix).is_some_and(|after| are_suffixes(after, left - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_in_its_forms() {
        for (word, stem) in [
            ("çayi", "çay"),
            ("çaylardan", "çay"),
            ("kahveden", "kahve"),
            ("kitabi", "kitap"),
            ("kediler", "kedi"),
            ("cats", "cat"),
            ("films", "film"),
            ("ai", "ai"),
        ] {
            assert!(is_form_of(word, stem), "{word} of {stem}");
        }
        for (word, stem) in
            [("teapot", "tea"), ("teach", "tea"), ("aile", "ai"), ("kahvalti", "kahve"), ("çayir", "çay")]
        {
            assert!(!is_form_of(word, stem), "{word} of {stem}");
        }
    }

    #[test]
    fn a_negation_is_a_word_of_its_own() {
        assert_eq!(words("it isn't so, ayşe'nin"), ["it", "is", "not", "so", "ayşe", "nin"]);
    }

    #[test]
    fn a_phrase_is_found_in_order_and_near() {
        let text = words("coffee is clearly better");
        assert_eq!(find_phrase(&text, &["coffee", "is", "better"]), Some((0, 3)));
        assert_eq!(find_phrase(&text, &["better", "coffee"]), None);
        assert_eq!(find_phrase(&words("coffee a b c better"), &["coffee", "better"]), None);
    }
}
