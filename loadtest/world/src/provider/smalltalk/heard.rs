//! Finds what a message offers to take up: alternatives, a number, a place. Layer: world; pure.

use super::words::{Language, fold, lowered, words};

/// The two alternatives of a question: "çay mı kahve mi", "tea or coffee".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) first: String,
    pub(super) second: String,
}

/// The most words of an alternative.
const OPTION_WORDS: usize = 3;

/// Words before and in an English alternative that are no part of it.
const BEFORE_OPTIONS: [&str; 52] = [
    "do", "does", "did", "you", "we", "i", "they", "he", "she", "is", "are", "was", "it", "the", "a", "an", "to", "in",
    "at", "by", "for", "on", "from", "with", "of", "prefer", "like", "take", "drink", "want", "work", "live", "rather",
    "would", "should", "more", "your", "my", "so", "well", "and", "ok", "okay", "hey", "say", "choose", "team", "go",
    "use", "have", "that", "this",
];

/// Returns the alternatives that a question names.
pub(super) fn options_of(text: &str, language: Language) -> Option<Options> {
    let question = last_question(text);
    let found = match language {
        Language::English => english_options(question),
        Language::Turkish => turkish_options(question),
    }?;
    let is_capital = |text: &str| text.chars().next().is_some_and(char::is_uppercase);
    // A capital that only opens the sentence is no part of the word.
    let first = if is_capital(&found.second) { found.first } else { lowered(&found.first, language) };
    (fold(&first) != fold(&found.second)).then_some(Options { first, ..found })
}

/// Returns the last sentence that asks, without its question mark.
pub(super) fn last_question(text: &str) -> &str {
    let asked = text.rfind('?').map_or(text, |end| &text[..end]);
    // A full stop within a number or an hour ends no sentence.
    let parts = asked.rsplit(['!', '?', '\n']).flat_map(|part| part.rsplit(". "));
    parts.map(str::trim).find(|part| !part.is_empty()).unwrap_or(asked)
}

fn english_options(question: &str) -> Option<Options> {
    let lower = question.to_lowercase();
    let at = lower.find(" or ").filter(|_| lower.len() == question.len())?;
    let (before, after) = (&question[..at], &question[at + " or ".len()..]);
    let before = before.rsplit([',', ':', ';']).find(|part| !part.trim().is_empty())?;
    let after = after.split([',', ':', ';']).next()?;
    let first: Vec<&str> = before.split_whitespace().collect();
    let from = first.iter().rposition(|word| is_before(word)).map_or(0, |at| at + 1);
    let second: Vec<&str> = after.split_whitespace().skip_while(|word| is_before(word)).collect();
    let first = &first[from.max(first.len().saturating_sub(OPTION_WORDS))..];
    let second = &second[..second.len().min(OPTION_WORDS)];
    // "film or series for a rainy evening": what follows is no part of the choice.
    let ends = second.iter().position(|word| AFTER_OPTIONS.contains(&word.to_lowercase().as_str()));
    let second = &second[..ends.unwrap_or(second.len())];
    let vague = |words: &[&str]| words.is_empty() || matches!(words, ["not" | "what" | "something" | "so"]);
    if vague(first) || vague(second) {
        return None;
    }
    Some(Options { first: first.join(" "), second: second.join(" ") })
}

const AFTER_OPTIONS: [&str; 12] =
    ["for", "in", "on", "at", "with", "to", "when", "while", "after", "before", "during", "this"];

fn is_before(word: &str) -> bool {
    BEFORE_OPTIONS.contains(&word.to_lowercase().as_str())
}

fn turkish_options(question: &str) -> Option<Options> {
    let words = words(question);
    let is_particle = |word: &str| matches!(fold(word).as_str(), "mi" | "mu" | "mü");
    let places: Vec<usize> = (1..words.len()).filter(|at| is_particle(words[*at])).collect();
    let [one, .., other] = places[..] else {
        return None;
    };
    let option = |at: usize, length: usize| words[(at + 1).saturating_sub(length + 1)..at].join(" ");
    let (first, second) = (option(one, 1), option(other, 1));
    if fold(&first) == fold(&second) && one >= 2 {
        return Some(Options { first: option(one, 2), second: option(other, 2) });
    }
    Some(Options { first, second })
}

const ENGLISH_NUMBERS: [&str; 15] = [
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty",
    "thirty", "hundred",
];
const TURKISH_NUMBERS: [&str; 15] = [
    "iki", "üç", "dört", "beş", "alti", "yedi", "sekiz", "dokuz", "on", "on iki", "on beş", "yirmi", "otuz", "kirk",
    "yüz",
];

/// Returns the number that a message names, as it stands there.
pub(super) fn number_of(text: &str, language: Language) -> Option<String> {
    let list = if language == Language::Turkish { &TURKISH_NUMBERS } else { &ENGLISH_NUMBERS };
    let is_number = |word: &&str| {
        let digits = word.chars().all(|c| c.is_ascii_digit()) && word.len() <= 3 && !word.starts_with('0');
        digits || list.contains(&fold(word).as_str())
    };
    words(text).into_iter().find(is_number).map(|word| lowered(word, language))
}

/// Places that people write about.
const PLACES: [&str; 40] = [
    "İstanbul",
    "Ankara",
    "İzmir",
    "Kars",
    "Rize",
    "Trabzon",
    "Eskişehir",
    "Antalya",
    "Bursa",
    "Mardin",
    "Bodrum",
    "Kadıköy",
    "Beşiktaş",
    "Üsküdar",
    "Ayvalık",
    "Datça",
    "Urla",
    "Van",
    "Konya",
    "Artvin",
    "Assos",
    "London",
    "Lisbon",
    "Paris",
    "Berlin",
    "Rome",
    "Porto",
    "Edinburgh",
    "Dublin",
    "Oslo",
    "Istanbul",
    "Vienna",
    "Prague",
    "Cornwall",
    "Wales",
    "Scotland",
    "York",
    "Naples",
    "Athens",
    "Amsterdam",
];

/// Returns the place that a message names.
pub(super) fn place_of(text: &str) -> Option<&'static str> {
    let said = words(text);
    // A short name is no more than itself: "Van" is not in "Vanilla".
    let is_in = |place: &str, word: &str| word == place || word.starts_with(place) && place.chars().count() > 4;
    PLACES.into_iter().find(|place| said.iter().any(|word| is_in(place, word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_found_in_both_languages() {
        for (text, first, second) in [
            ("Tea or coffee, and why?", "tea", "coffee"),
            ("do you work from home or in an office?", "home", "office"),
            ("Should I buy a red one or a blue one?", "red one", "blue one"),
            ("Hello all. Train or plane?", "train", "plane"),
        ] {
            let found = options_of(text, Language::English);
            assert_eq!(found, Some(Options { first: first.into(), second: second.into() }), "{text}");
        }
        for (text, first, second) in [
            ("sizce çay mı kahve mi?", "çay", "kahve"),
            ("evden mi çalışıyorsunuz, ofisten mi?", "evden", "ofisten"),
            ("kısa yol mu uzun yol mu?", "kısa yol", "uzun yol"),
            ("Kitap mı yoksa film mi?", "kitap", "film"),
        ] {
            let found = options_of(text, Language::Turkish);
            assert_eq!(found, Some(Options { first: first.into(), second: second.into() }), "{text}");
        }
        assert_eq!(options_of("Are you coming or not?", Language::English), None);
        assert_eq!(options_of("kedisi olan var mı?", Language::Turkish), None);
    }

    #[test]
    fn numbers_places_and_words_are_taken_as_they_stand() {
        assert_eq!(number_of("four meetings today", Language::English).as_deref(), Some("four"));
        assert_eq!(number_of("bugün dört toplantıya girdim", Language::Turkish).as_deref(), Some("dört"));
        assert_eq!(number_of("saat 8.15 vapuru", Language::Turkish).as_deref(), Some("8"));
        assert_eq!(number_of("no numbers here", Language::English), None);
        assert_eq!(place_of("trenle Kars'a gitmeyi kafaya koydum"), Some("Kars"));
        assert_eq!(place_of("we stayed in Lisbon"), Some("Lisbon"));
        assert_eq!(place_of("the vanilla tea"), None);
    }
}
