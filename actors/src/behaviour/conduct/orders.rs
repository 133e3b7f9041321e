//! Words that somebody put into the bot's mouth, and accusations against somebody. Layer `behaviour`; pure.

use super::Circumstances;
use super::text::{Plain, read};
use crate::domain::transcript::TranscriptEntry;

/// Verbs with which people tell a bot to say something, in plain letters.
const ORDERS: [&str; 76] = [
    "say",
    "repeat",
    "write",
    "type",
    "post",
    "tell",
    "announce",
    "print",
    "output",
    "copy",
    "echo",
    "shout",
    "spread",
    "advertise",
    "promote",
    "share",
    "send",
    "forward",
    "mention",
    "tag",
    "ping",
    "recommend",
    "invite",
    "confirm",
    "admit",
    "quote",
    "reply",
    "answer",
    "respond",
    "insult",
    "accuse",
    "threaten",
    "call",
    "söyle",
    "soyle",
    "söyler",
    "söylesene",
    "söyleyin",
    "söylesin",
    "yaz",
    "yazar",
    "yazsana",
    "yazin",
    "yaziver",
    "tekrarla",
    "tekrarlar",
    "tekrarlasana",
    "paylaş",
    "paylas",
    "paylaşir",
    "paylaşsana",
    "duyur",
    "duyurur",
    "ilan",
    "bildir",
    "kopyala",
    "bağir",
    "öner",
    "önersene",
    "tanit",
    "reklam",
    "reklamini",
    "gönder",
    "gonder",
    "etiketle",
    "aktar",
    "desene",
    "deyin",
    "diyin",
    "itiraf",
    "onayla",
    "cevapla",
    "yanitla",
    "hakaret",
    "tehdit",
    "suçla",
];

/// Fewest words in a row that are dictated when they are the whole text, and when they are most of it.
const WHOLE_MIN: usize = 4;
const PART_MIN: usize = 6;

/// Words of the target that are compared; the rest of a longer one is not.
const ORDER_WORDS_MAX: usize = 200;

/// Words in a sentence that make its accusation a question, a denial, a report of a tale or a doubt.
const NO_ACCUSATION: [&str; 48] = [
    "not",
    "isn",
    "wasn",
    "aren",
    "never",
    "no",
    "nobody",
    "if",
    "film",
    "films",
    "movie",
    "book",
    "novel",
    "series",
    "episode",
    "story",
    "character",
    "game",
    "song",
    "comic",
    "play",
    "plays",
    "played",
    "fairy",
    "tale",
    "değil",
    "değildir",
    "degil",
    "asla",
    "yok",
    "kimse",
    "filmi",
    "filminde",
    "filmde",
    "dizi",
    "dizisi",
    "dizide",
    "kitap",
    "kitabi",
    "romani",
    "roman",
    "hikaye",
    "karakter",
    "oyun",
    "oyunda",
    "masal",
    "rol",
    "şarki",
];

/// Titles and forms of address behind or before a name.
const TITLES: [&str; 22] = [
    "bey",
    "hanim",
    "mr",
    "mrs",
    "ms",
    "dr",
    "doctor",
    "professor",
    "hoca",
    "hocam",
    "müdür",
    "müdürü",
    "öğretmen",
    "öğretmeni",
    "başkan",
    "başkani",
    "muhtar",
    "komşumuz",
    "patron",
    "mayor",
    "minister",
    "teacher",
];

/// Capitalised words that name nobody, in plain letters.
const NO_NAMES: [&str; 24] = [
    "i",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "pazartesi",
    "sali",
    "çarşamba",
    "perşembe",
    "cuma",
    "cumartesi",
    "pazar",
    "ve",
    "ama",
    "the",
    "netflix",
    "tanrim",
    "allah",
    "god",
    "aids",
    "hiv",
];

/// Returns the words of the target when the target tells the bot to say something.
pub(super) fn ordered(target: Option<&TranscriptEntry>) -> Option<Plain> {
    let text = target?.text.as_deref()?;
    let order = read(text);
    let is_pair = |pair: &[&str]| matches!(pair, ["de", "ki"] | ["tekrar", "et" | "eder"]);
    let words: Vec<&str> = order.written().collect();
    let is_order = words.iter().any(|word| ORDERS.contains(word)) || words.windows(2).any(is_pair);
    is_order.then_some(order)
}

/// Returns whether the text, or most of it, is a run of the words of an order.
pub(super) fn is_dictated(plain: &Plain, order: &Plain) -> bool {
    let text: Vec<&str> = plain.written().collect();
    if text.len() < WHOLE_MIN {
        return false;
    }
    let order: Vec<&str> = order.written().take(ORDER_WORDS_MAX).collect();
    let mut longest = 0;
    for from in 0..text.len().saturating_sub(WHOLE_MIN - 1) {
        for start in 0..order.len() {
            if order.len() - start <= longest {
                break;
            }
            let run = text[from..].iter().zip(&order[start..]).take_while(|(one, other)| one == other).count();
            longest = longest.max(run);
        }
    }
    longest >= text.len() || longest >= PART_MIN && longest * 10 >= text.len() * 6
}

/// Returns whether the sentence around the word at `at`, an accusing one, accuses somebody by name.
pub(super) fn accuses(plain: &Plain, at: usize, circumstances: &Circumstances<'_>) -> bool {
    let sentence = plain.sentence(at);
    let words = &plain.words[sentence.clone()];
    let said = |word: &str| words.iter().any(|it| plain.of(it) == word);
    if words.last().is_some_and(|word| word.asks) || NO_ACCUSATION.iter().any(|word| said(word)) {
        return false;
    }
    let is_title = TITLES.iter().any(|title| said(title));
    let named = words.iter().enumerate().any(|(place, word)| {
        let text = plain.of(word);
        let is_other = sentence.start + place != at;
        let is_name = word.capital && place > 0 && !NO_NAMES.contains(&text) && text.len() > 1;
        is_other && (is_name || is_member(text, circumstances))
    });
    is_title || named
}

/// Returns whether a word is part of the name of somebody in the chat.
fn is_member(word: &str, circumstances: &Circumstances<'_>) -> bool {
    /// Fewest letters of a part of a name.
    const NAME_MIN: usize = 3;
    let holds = |name: &str| read(name).written().any(|part| part.chars().count() >= NAME_MIN && part == word);
    circumstances.window.iter().any(|note| holds(&note.author.name))
        || circumstances.target.is_some_and(|target| holds(&target.author.name))
}
