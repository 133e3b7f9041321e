//! Derives how a persona writes from the words about it, and writes sentences that way. Layer: world; pure, seeded.
//!
//! Words about the manner ("short", "dry", "lower case", "emoji") decide first, then the persona's examples, then a hash
//! of the persona: the same persona always writes the same way.

use std::hash::{Hash, Hasher};

use super::book::Book;
use super::prompt::Persona;
use super::words::{Language, capitalised, fold, lowered};

/// How many sentences a persona likes to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Short,
    Middle,
    Long,
}

/// The mark at the end of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stop,
    Nothing,
    Bang,
    Dots,
}

/// The marks between two sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    Stop,
    Comma,
    Dash,
    Semicolon,
    Dots,
}

/// The manner of a persona.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    /// The hash of the persona.
    pub(super) seed: u64,
    pub(super) length: Length,
    /// The share of answers that may ask something.
    pub(super) asks: f64,
    /// The shares of statements that the persona agrees and disagrees with in so many words.
    pub(super) agrees: f64,
    pub(super) disagrees: f64,
    lower: bool,
    end: End,
    join: Join,
    emoji_share: f64,
    emoji: Vec<String>,
    contracts: bool,
    head_share: f64,
    heads: Vec<&'static str>,
    tail_share: f64,
    tails: Vec<&'static str>,
    calls: Vec<&'static str>,
    /// The most messages that an answer becomes.
    messages: usize,
}

/// The share of answers of several sentences that become several messages, where the persona writes so.
const APART: f64 = 0.6;

/// The share of tails that may call those who read, when nobody tells of themselves.
const CALLS: f64 = 0.35;

const SHORT: [&str; 15] = [
    "short",
    "few words",
    "terse",
    "laconic",
    "brief",
    "clipped",
    "one sentence",
    "one line",
    "kisa",
    "az ve öz",
    "az konuş",
    "tek cümle",
    "tek satir",
    "lafi uzat",
    "iki kelime",
];
const LONG: [&str; 10] =
    ["rambling", "long", "story", "stories", "wordy", "uzun", "betimle", "hikâye", "hikaye", "ballandir"];
const WARM: [&str; 18] = [
    "warm",
    "cheerful",
    "friendly",
    "kind",
    "optimis",
    "supportive",
    "gentle",
    "encourag",
    "neşeli",
    "sicak",
    "iyimser",
    "sevecen",
    "destekle",
    "canli",
    "candan",
    "coşku",
    "şefkat",
    "yüreklendir",
];
const SLANG: [&str; 8] = ["slang", "upbeat", "quick", "argo", "sokak", "günlük konuş", "mahalle", "serbest"];
const DRY: [&str; 14] = [
    "dry",
    "sarcas",
    "iron",
    "precise",
    "deadpan",
    "formal",
    "kuru",
    "düzgün",
    "titiz",
    "ciddi",
    "ölçülü",
    "alayci",
    "mesafeli",
    "poetic",
];
const CONTRARY: [&str; 14] = [
    "contrar",
    "disagree",
    "skeptic",
    "sceptic",
    "grumpy",
    "devil's advocate",
    "argu",
    "strong opinions",
    "itiraz",
    "karşi çik",
    "şüpheci",
    "huysuz",
    "eleştir",
    "inatçi",
];
const CURIOUS: [&str; 7] = ["curious", "question", "inquisitive", "merakli", "soru", "sorar", "asks"];
const LOWER: [&str; 5] = ["lower case", "lowercase", "lower-case", "küçük harf", "no capitals"];
const UPPER: [&str; 4] = ["proper sentences", "full sentences", "düzgün cümle", "büyük harfle başla"];
const BARE: [&str; 5] = ["no full stop", "without full stop", "noktasiz", "nokta koyma", "no punctuation"];
const BANG: [&str; 7] = ["exclamation", "enthusias", "upbeat", "encourag", "ünlem", "coşku", "excited"];
const DOTS: [&str; 7] = ["trail", "dreamy", "ellips", "three dots", "üç nokta", "dalgin", "şiirsel"];
const DASH: [&str; 3] = ["dash", "kisa çizgi", "tireyle"];
const SEMICOLON: [&str; 3] = ["semicolon", "noktali virgül", "semi-colon"];
const COMMA: [&str; 4] = ["comma", "virgülle", "run-on", "rambling"];
const NO_EMOJI: [&str; 5] = ["no emoji", "without emoji", "never an emoji", "emojisiz", "emoji yok"];
const MANY_EMOJI: [&str; 3] = ["emoji", "smiley", "ifade simge"];

/// English forms that are drawn together in speech.
const SHORTER: [(&str, &str); 21] = [
    ("I am ", "I'm "),
    ("I have ", "I've "),
    ("I will ", "I'll "),
    ("I would ", "I'd "),
    ("do not ", "don't "),
    ("does not ", "doesn't "),
    ("did not ", "didn't "),
    ("cannot ", "can't "),
    ("is not ", "isn't "),
    ("are not ", "aren't "),
    ("was not ", "wasn't "),
    ("will not ", "won't "),
    ("would not ", "wouldn't "),
    ("it is ", "it's "),
    ("that is ", "that's "),
    ("you are ", "you're "),
    ("they are ", "they're "),
    ("there is ", "there's "),
    ("we are ", "we're "),
    ("who is ", "who's "),
    ("could not ", "couldn't "),
];

impl Voice {
    /// Derives the manner of a persona in a language.
    pub(super) fn of(persona: &Persona, book: &'static Book) -> Self {
        let manner = fold(&persona.manner);
        let has = |list: &[&str]| list.iter().any(|word| manner.contains(word));
        let seed = seed_of(persona);
        // Salted, so that the hash of a persona decides each habit anew.
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x766f_6963);
        let mut drawn = |share: f64| rng.f64() < share;
        let (by_lower, by_bare, by_bang, by_dots) = (drawn(0.4), drawn(0.5), drawn(0.25), drawn(0.25));
        let (by_comma, by_dash, by_dots_between) = (drawn(0.3), drawn(0.3), drawn(0.2));
        let (by_emoji, by_contraction, by_short, by_long) = (drawn(0.35), drawn(0.7), drawn(0.3), drawn(0.35));
        let samples = &persona.examples;
        let is_lower = |text: &String| text.chars().find(|c| c.is_alphabetic()).is_some_and(char::is_lowercase);
        let shows = |mark: fn(&String) -> bool| samples.len() > 1 && samples.iter().all(mark);
        let found: Vec<String> = persona
            .manner
            .chars()
            .chain(samples.iter().flat_map(|sample| sample.chars()))
            .filter(|c| is_emoji(*c))
            .map(String::from)
            .collect();
        let mood = match () {
            () if has(&DRY) => "dry",
            () if has(&WARM) => "warm",
            () if has(&SLANG) => "slang",
            () => "plain",
        };
        let of_mood = |lists: &'static [(&'static str, Vec<&'static str>)], take: usize, salt: u64| {
            let mut words =
                lists.iter().find(|(of, _)| *of == mood).map(|(_, words)| words.clone()).unwrap_or_default();
            fastrand::Rng::with_seed(seed ^ salt).shuffle(&mut words);
            words.truncate(take);
            words
        };
        let (tails, heads, calls) =
            (of_mood(&book.tails, 1, 1), of_mood(&book.heads, 1, 2), of_mood(&book.calls, 1, 3));
        let end = match () {
            () if has(&BARE) => End::Nothing,
            () if has(&BANG) => End::Bang,
            () if has(&DOTS) => End::Dots,
            () if has(&UPPER) || mood == "dry" && !has(&LOWER) => End::Stop,
            () if shows(|text| !text.ends_with(['.', '!', '?', '…'])) || by_bare => End::Nothing,
            () if by_bang => End::Bang,
            () if by_dots => End::Dots,
            () => End::Stop,
        };
        let join = match () {
            () if has(&SEMICOLON) => Join::Semicolon,
            () if has(&DASH) => Join::Dash,
            () if has(&COMMA) => Join::Comma,
            () if has(&DOTS) => Join::Dots,
            () if has(&UPPER) => Join::Stop,
            () if by_comma => Join::Comma,
            () if by_dash => Join::Dash,
            () if by_dots_between => Join::Dots,
            () => Join::Stop,
        };
        let length = match () {
            () if has(&SHORT) => Length::Short,
            () if has(&LONG) => Length::Long,
            () if by_short => Length::Short,
            () if by_long => Length::Long,
            () => Length::Middle,
        };
        let emoji_share = match () {
            () if has(&NO_EMOJI) => 0.0,
            () if has(&MANY_EMOJI) || !found.is_empty() => 0.8,
            () if mood == "dry" => 0.0,
            () if by_emoji => 0.35,
            () => 0.0,
        };
        let (agrees, disagrees) = match (has(&CONTRARY), mood) {
            (true, _) => (0.05, 0.45),
            (false, "warm") => (0.3, 0.04),
            _ => (0.18, 0.12),
        };
        Self {
            seed,
            length,
            asks: if has(&CURIOUS) { 0.18 } else { 0.1 },
            agrees,
            disagrees,
            lower: has(&LOWER) || !has(&UPPER) && mood != "dry" && (shows(is_lower) || samples.is_empty() && by_lower),
            end,
            join,
            emoji_share,
            emoji: found,
            contracts: mood != "dry" && by_contraction,
            head_share: 0.1,
            heads,
            tail_share: 0.4,
            tails,
            calls,
            messages: persona.messages,
        }
    }

    /// Returns whether a line is one of those that the persona prefers: about three in five.
    pub(super) fn likes(&self, line: &str) -> bool {
        let mut hasher = std::hash::DefaultHasher::new();
        (self.seed, line).hash(&mut hasher);
        hasher.finish() % 5 < 3
    }

    /// Writes sentences, which begin in lower case and end with their mark, in the persona's manner.
    pub(super) fn write(
        &self,
        rng: &mut fastrand::Rng,
        sentences: &[String],
        emoji: &[&str],
        language: Language,
    ) -> String {
        let mut text = String::new();
        let apart = (2..=self.messages).contains(&sentences.len()) && rng.f64() < APART;
        for (at, sentence) in sentences.iter().enumerate() {
            let is_last = at + 1 == sentences.len();
            let mut sentence = sentence.clone();
            if at == 0 {
                sentence = self.adorned(rng, sentence);
            }
            if let (false, Some(plain)) = (is_last, sentence.strip_suffix('.')) {
                sentence = match self.join {
                    _ if apart && self.end == End::Nothing => plain.to_owned(),
                    _ if apart => sentence,
                    Join::Stop => sentence,
                    Join::Comma => format!("{plain},"),
                    Join::Dash => format!("{plain} -"),
                    Join::Semicolon => format!("{plain};"),
                    Join::Dots => format!("{plain}…"),
                };
            }
            if at > 0 {
                text.push(if apart { '\n' } else { ' ' });
            }
            text.push_str(&sentence);
        }
        if self.contracts && language == Language::English {
            for (long, short) in SHORTER {
                text = text.replace(long, short);
            }
        }
        if !self.lower {
            text = capitalised(&text, language);
        }
        if let Some(plain) = text.strip_suffix('.') {
            text = match self.end {
                End::Bang if rng.f64() < 0.8 => format!("{plain}!"),
                End::Dots if rng.f64() < 0.8 => format!("{plain}…"),
                End::Nothing => plain.to_owned(),
                _ => text,
            };
        }
        if rng.f64() < self.emoji_share {
            let own = self.emoji.iter().map(String::as_str);
            let of_topic = emoji.iter().copied().filter(|_| self.emoji.is_empty());
            if let Some(emoji) = rng.choice(own.chain(of_topic).collect::<Vec<_>>()) {
                text.push(' ');
                text.push_str(emoji);
            }
        }
        text
    }

    /// Puts one of the persona's small words before or behind a sentence, sometimes.
    fn adorned(&self, rng: &mut fastrand::Rng, sentence: String) -> String {
        let (tail, head) = (rng.f64() < self.tail_share, rng.f64() < self.head_share);
        let Some(plain) = sentence.strip_suffix('.').filter(|plain| !plain.contains(['.', '!', '?', ':', '"'])) else {
            return sentence;
        };
        let (tails, calls) = if is_own(plain) { (&self.tails, true) } else { (&self.calls, rng.f64() < CALLS) };
        match (rng.choice(tails), rng.choice(&self.heads)) {
            (Some(word), _) if tail && calls && !says(plain, word) => format!("{plain}{word}."),
            (_, Some(word)) if head && !says(plain, word) => format!("{word} {sentence}"),
            _ => sentence,
        }
    }
}

/// Returns whether somebody tells of themselves.
fn is_own(sentence: &str) -> bool {
    const ENGLISH: [&str; 8] = ["i", "my", "me", "mine", "we", "our", "i'm", "i've"];
    const TURKISH: [&str; 9] = ["ben", "bana", "bende", "benim", "beni", "bizim", "bizde", "biz", "bize"];
    const ENDS: [&str; 10] = ["yorum", "iyorum", "dim", "dum", "düm", "tim", "tum", "arim", "erim", "irim"];
    let folded = fold(sentence);
    folded
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .any(|word| ENGLISH.contains(&word) || TURKISH.contains(&word) || ENDS.iter().any(|end| word.ends_with(end)))
}

fn says(sentence: &str, word: &str) -> bool {
    let (sentence, word) = (fold(sentence), lowered(word, Language::English));
    let word = fold(word.trim_matches(|c: char| !c.is_alphanumeric()));
    word.split_whitespace().any(|word| sentence.split_whitespace().any(|said| said.trim_matches(',') == word))
}

/// Returns the hash of a persona, which does not depend on the chat.
fn seed_of(persona: &Persona) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    (&persona.name, &persona.manner, &persona.interests).hash(&mut hasher);
    hasher.finish()
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1F300}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}')
}
