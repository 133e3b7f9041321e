//! Recognises the kind and the language of the message that is answered. Layer: world; pure.

/// A language that the provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) enum Language {
    /// Turkish.
    Turkish,
    /// English.
    English,
}

/// The kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Greeting,
    Wellbeing,
    Thanks,
    Farewell,
    Question(Asks),
    Statement,
}

/// The kind of answer that a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    YesNo,
    Why,
    Who,
    When,
    Place,
    How,
    What,
}

/// Folds case; the four Turkish letters I become one.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(|c| if matches!(c, 'I' | 'İ' | 'ı') { 'i' } else { c }.to_lowercase()).collect()
}

/// Splits a folded text into words.
pub(super) fn words(folded: &str) -> Vec<&str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// Returns whether a folded text has a word that begins with a stem; a stem may consist of several words.
pub(super) fn mentions(folded: &str, stem: &str) -> bool {
    let stem = fold(stem);
    folded.match_indices(stem.as_str()).any(|(at, _)| {
        let opens_a_word = !folded[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        // Short English stems ("tea", "cat") allow only a plural, so that "team" does not match "tea".
        let rest = folded[at + stem.len()..].split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
        opens_a_word && (stem.chars().count() > 3 || !stem.is_ascii() || matches!(rest, "" | "s"))
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
const ENGLISH_WORDS: [&str; 40] = [
    "the", "and", "is", "are", "you", "to", "of", "in", "it", "that", "what", "how", "why", "who", "do", "does",
    "have", "with", "for", "not", "this", "was", "hello", "hi", "my", "your", "i", "we", "on", "at", "but", "so",
    "think", "anyone", "good", "yes", "no", "be", "a", "thanks",
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

const WELLBEING: [&str; 10] = [
    "nasilsin",
    "nasilsiniz",
    "ne haber",
    "naber",
    "keyifler nasil",
    "how are you",
    "how is everyone",
    "how s everyone",
    "what s up",
    "how is it going",
];
const THANKS: [&str; 8] =
    ["teşekkür", "sağ ol", "sağol", "eyvallah", "thanks", "thank you", "cheers", "much appreciated"];
const FAREWELLS: [&str; 10] = [
    "görüşürüz",
    "iyi geceler",
    "hoşça kal",
    "güle güle",
    "good night",
    "goodnight",
    "see you",
    "bye",
    "goodbye",
    "have a good one",
];
const GREETINGS: [&str; 10] =
    ["selam", "merhaba", "günaydin", "iyi akşamlar", "hello", "hi", "hey", "good morning", "good evening", "morning"];

/// Returns the kind of a message.
pub(super) fn intent_of(text: &str) -> Intent {
    let folded = fold(text);
    let words = words(&folded);
    let spaced = format!(" {} ", words.join(" "));
    let has = |list: &[&str]| list.iter().any(|phrase| spaced.contains(&format!(" {phrase}")));
    let short = words.len() <= 7;
    if has(&WELLBEING) && words.len() <= 12 {
        return Intent::Wellbeing;
    }
    if text.contains('?') {
        return Intent::Question(asks_of(last_question(&folded)));
    }
    if short && has(&THANKS) {
        return Intent::Thanks;
    }
    if short && has(&FAREWELLS) {
        return Intent::Farewell;
    }
    if short && GREETINGS.iter().any(|phrase| spaced.trim_start().starts_with(&format!("{phrase} "))) {
        return Intent::Greeting;
    }
    if short && spaced.contains(" selamlar ") {
        return Intent::Greeting;
    }
    Intent::Statement
}

/// Returns the last sentence that asks, without its question mark.
fn last_question(folded: &str) -> &str {
    let asked = folded.rfind('?').map_or(folded, |end| &folded[..end]);
    asked.rsplit(['.', '!', '?']).find(|part| !part.trim().is_empty()).unwrap_or(asked)
}

fn asks_of(question: &str) -> Asks {
    let words = words(question);
    let spaced = format!(" {} ", words.join(" "));
    let has = |list: &[&str]| list.iter().any(|phrase| spaced.contains(&format!(" {phrase} ")));
    if has(&["neden", "niye", "niçin", "why"]) {
        Asks::Why
    } else if has(&["kim", "kimi", "kime", "kimin", "kimler", "who", "whose"]) {
        Asks::Who
    } else if has(&["ne zaman", "saat kaçta", "kaçta", "when", "what time"]) {
        Asks::When
    } else if has(&["nerede", "nereye", "nereden", "nerde", "where"]) {
        Asks::Place
    } else if has(&["nasil", "how"]) {
        Asks::How
    } else if has(&["ne", "hangi", "hangisi", "neler", "kaç", "what", "which"]) || offers_a_choice(&words) {
        Asks::What
    } else if is_yes_no(&words) {
        Asks::YesNo
    } else {
        Asks::What
    }
}

/// Returns whether a question names alternatives: "çay mı kahve mi", "tea or coffee".
fn offers_a_choice(words: &[&str]) -> bool {
    let particles = words.iter().filter(|word| matches!(**word, "mi" | "mu" | "mü")).count();
    particles > 1 || words.contains(&"or")
}

fn is_yes_no(words: &[&str]) -> bool {
    const PARTICLES: [&str; 13] = [
        "mi",
        "mu",
        "mü",
        "misin",
        "musun",
        "müsün",
        "misiniz",
        "musunuz",
        "miyim",
        "miyiz",
        "midir",
        "mudur",
        "müsünüz",
    ];
    const OPENERS: [&str; 25] = [
        "do", "does", "did", "is", "are", "was", "were", "can", "could", "will", "would", "should", "shall", "have",
        "has", "had", "am", "may", "anyone", "anybody", "isn", "aren", "don", "doesn", "ever",
    ];
    words.iter().any(|word| PARTICLES.contains(word)) || words.iter().take(3).any(|word| OPENERS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_for_what_they_are() {
        let cases = [
            ("Selam millet!", Intent::Greeting),
            ("hello everyone", Intent::Greeting),
            ("Merhaba, nasılsınız?", Intent::Wellbeing),
            ("çok teşekkür ederim", Intent::Thanks),
            ("İyi geceler herkese", Intent::Farewell),
            ("bye all", Intent::Farewell),
            ("Neden hep böyle oluyor?", Intent::Question(Asks::Why)),
            ("Sizce çay mı kahve mi?", Intent::Question(Asks::What)),
            ("Where do you buy your tea?", Intent::Question(Asks::Place)),
            ("Do you like cats?", Intent::Question(Asks::YesNo)),
            ("Kim kazanır bu maçı?", Intent::Question(Asks::Who)),
            ("Bugün hava çok güzel.", Intent::Statement),
            ("History repeats itself", Intent::Statement),
            ("I know who did it. Where was it?", Intent::Question(Asks::Place)),
        ];
        for (text, wanted) in cases {
            assert_eq!(intent_of(text), wanted, "{text}");
        }
    }

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
    }
}
