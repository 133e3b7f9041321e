//! The lists of words that no bot says, and the search for them. Layer `behaviour`; pure.
//!
//! A list is a text file with one entry a line; the files say how. An entry fits whole words alone, so that no harmless
//! word is met that merely holds another one.

use std::sync::LazyLock;

use super::text::{Plain, Word, read};

/// The built-in lists, with their names.
static BUILT_IN: LazyLock<Lists> = LazyLock::new(|| {
    let mut lists = Lists::default();
    lists.add("en", Language::English, include_str!("words.en.txt"));
    lists.add("tr", Language::Turkish, include_str!("words.tr.txt"));
    lists.arranged()
});

/// Most words that a gap of an entry stands for.
const GAP: usize = 2;

/// Most endings on one word.
const ENDINGS_MAX: usize = 4;

/// Endings of English words.
const ENGLISH: [&str; 10] = ["s", "es", "z", "ed", "d", "er", "ers", "ing", "in", "y"];

/// Suffixes of Turkish words, folded. Vowel harmony is not checked: a wrong one is a typing error.
const TURKISH: [&str; 94] = [
    "i", "u", "ü", "e", "a", "yi", "yu", "yü", "ye", "ya", "in", "un", "ün", "nin", "nun", "nün", "im", "um", "üm",
    "m", "n", "yim", "yum", "yüm", "de", "da", "te", "ta", "den", "dan", "ten", "tan", "nde", "nda", "nden", "ndan",
    "le", "la", "yle", "yla", "ler", "lar", "li", "lu", "lü", "lik", "luk", "lük", "liğ", "luğ", "lüğ", "siz", "suz",
    "süz", "sin", "sun", "sün", "siniz", "sunuz", "sünüz", "ci", "cu", "cü", "çi", "çu", "çü", "ce", "ca", "ki",
    "imiz", "umuz", "ümüz", "iniz", "unuz", "ünüz", "si", "su", "sü", "ni", "nu", "nü", "ne", "na", "dir", "dur",
    "dür", "tir", "tur", "tür", "mi", "mu", "mü", "miş", "muş",
];

/// Kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A slur or a gross insult.
    Slur,
    /// A threat.
    Threat,
    /// An accusation, where it is about somebody.
    Accusation,
    /// The end of a domain that is written in words.
    Domain,
    /// A word that the chat does not want.
    Extra,
}

/// Language whose endings the words of a list may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    English,
    Turkish,
    Any,
}

/// The endings that a word may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    None,
    Of(Language),
    Any,
}

/// A word of an entry.
#[derive(Clone, Debug)]
struct Pattern {
    /// The word without its ending.
    stem: String,
    /// The same with one letter for each run of a letter.
    squeezed: String,
    ending: Ending,
    /// Words may stand before this one.
    gap: bool,
}

/// An entry of a list.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Kind of the entry.
    pub kind: Kind,
    /// Name of its list, and its line there.
    pub place: (&'static str, usize),
    /// An i of the entry is a dotted one.
    dotted: bool,
    patterns: Vec<Pattern>,
}

/// Lists of words, by the first byte of the first word.
#[derive(Debug, Default)]
pub(super) struct Lists {
    entries: Vec<Entry>,
    /// The entries that begin with byte `b` lie from `starts[b]` to `starts[b + 1]`.
    starts: Vec<usize>,
}

/// An entry that fits a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// Places of its first and its last word in the text.
    pub at: (usize, usize),
}

impl Lists {
    /// Returns the built-in lists.
    pub(super) fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Makes a list of a chat's own words, which may take the endings of both languages.
    pub(super) fn of(words: &[String]) -> Self {
        let mut lists = Self::default();
        for (at, line) in words.iter().enumerate() {
            lists.entries.extend(entry(line, Kind::Extra, Language::Any, ("words", at + 1)));
        }
        for pattern in lists.entries.iter_mut().flat_map(|entry| &mut entry.patterns) {
            if pattern.ending == Ending::None {
                pattern.ending = Ending::Of(Language::Any);
            }
        }
        lists.arranged()
    }

    fn add(&mut self, name: &'static str, language: Language, file: &str) {
        let mut kind = Kind::Slur;
        for (at, line) in file.lines().enumerate() {
            match line.trim() {
                "[slurs]" => kind = Kind::Slur,
                "[threats]" => kind = Kind::Threat,
                "[accusations]" => kind = Kind::Accusation,
                "[links]" => kind = Kind::Domain,
                line if line.starts_with('#') => {}
                line => self.entries.extend(entry(line, kind, language, (name, at + 1))),
            }
        }
    }

    fn arranged(mut self) -> Self {
        let first = |entry: &Entry| entry.patterns.first().and_then(|word| word.stem.bytes().next()).unwrap_or(0);
        self.entries.sort_by_key(first);
        self.starts = (0..=256).map(|byte| self.entries.partition_point(|it| usize::from(first(it)) < byte)).collect();
        self
    }

    /// Returns the entries that fit the text, in the order of the words.
    pub(super) fn find<'a>(&'a self, plain: &'a Plain) -> impl Iterator<Item = Hit<'a>> {
        plain.words.iter().enumerate().flat_map(move |(at, word)| {
            let byte = plain.of(word).bytes().next().map_or(0, usize::from);
            let (from, to) = (self.starts[byte], self.starts[byte + 1]);
            self.entries[from..to].iter().filter_map(move |entry| {
                let end = entry.fits(plain, at)?;
                Some(Hit { entry, at: (at, end) })
            })
        })
    }
}

impl Entry {
    /// Returns the place of the last word of the entry, when its first word is the one at `at`.
    fn fits(&self, plain: &Plain, at: usize) -> Option<usize> {
        let (first, rest) = self.patterns.split_first()?;
        let word = &plain.words[at];
        if !first.fits(plain, word) || self.dotted && (word.undotted || is_doubled(plain, at)) {
            return None;
        }
        let mut end = at;
        for pattern in rest {
            let reach = if pattern.gap { GAP + 1 } else { 1 };
            let mut next = end;
            end = (0..reach).find_map(|_| {
                if plain.words[next].last {
                    return None;
                }
                next += 1;
                plain.words.get(next).is_some_and(|word| pattern.fits(plain, word)).then_some(next)
            })?;
        }
        Some(end)
    }
}

/// Returns whether the same word stands twice in a row, as in "sık sık", which means often.
fn is_doubled(plain: &Plain, at: usize) -> bool {
    let word = plain.of(&plain.words[at]);
    let is_same = |other: Option<&Word>| other.is_some_and(|other| plain.of(other) == word);
    is_same(plain.words.get(at + 1)) || is_same(at.checked_sub(1).and_then(|before| plain.words.get(before)))
}

impl Pattern {
    fn fits(&self, plain: &Plain, word: &Word) -> bool {
        let stem = if word.squeezed { &self.squeezed } else { &self.stem };
        let text = plain.of(word);
        let rest = if word.wild { without_wild(text, stem) } else { text.strip_prefix(stem.as_str()) };
        rest.is_some_and(|rest| match self.ending {
            Ending::None => rest.is_empty(),
            Ending::Any => true,
            Ending::Of(language) => is_ending(rest, language),
        })
    }
}

/// Returns the part of the text behind the stem; a `*` of the text stands for any letter.
fn without_wild<'a>(text: &'a str, stem: &str) -> Option<&'a str> {
    let mut letters = text.chars();
    let fits = stem.chars().all(|wanted| letters.next().is_some_and(|c| c == wanted || c == '*'));
    fits.then_some(letters.as_str())
}

fn is_ending(rest: &str, language: Language) -> bool {
    let english = || are_endings(rest, &ENGLISH, 1);
    let turkish = || are_endings(rest, &TURKISH, ENDINGS_MAX);
    rest.is_empty()
        || match language {
            Language::English => english(),
            Language::Turkish => turkish(),
            Language::Any => english() || turkish(),
        }
}

fn are_endings(rest: &str, endings: &[&str], left: usize) -> bool {
    let goes_on = |ending: &&str| rest.strip_prefix(*ending).is_some_and(|after| are_endings(after, endings, left - 1));
    rest.is_empty() || left > 0 && endings.iter().any(goes_on)
}

/// Reads an entry; `None` when there is no word in the line.
fn entry(line: &str, kind: Kind, language: Language, place: (&'static str, usize)) -> Option<Entry> {
    let (dotted, line) = line.strip_prefix('!').map_or((false, line), |line| (true, line));
    let (mut patterns, mut gap) = (Vec::new(), false);
    for token in line.split_whitespace() {
        if token == "_" {
            gap = true;
            continue;
        }
        let (token, ending) = match (token.strip_suffix('~'), token.strip_suffix('*')) {
            (Some(token), _) => (token, Ending::Of(language)),
            (_, Some(token)) => (token, Ending::Any),
            _ => (token, Ending::None),
        };
        let plain = read(token);
        let count = plain.written;
        for (at, stem) in plain.written().enumerate() {
            let ending = if at + 1 == count { ending } else { Ending::None };
            let pattern = Pattern { stem: stem.to_owned(), squeezed: squeezed(stem), ending, gap };
            patterns.push(pattern);
            gap = false;
        }
    }
    (!patterns.is_empty()).then_some(Entry { kind, place, dotted, patterns })
}

fn squeezed(text: &str) -> String {
    let mut before = None;
    text.chars().filter(|c| before.replace(*c) != Some(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Kind> {
        let plain = read(text);
        Lists::built_in().find(&plain).map(|hit| hit.entry.kind).collect()
    }

    #[test]
    fn a_word_is_met_in_its_forms_and_however_it_is_hidden() {
        let hidden = [
            "orospuluk",
            "OROSPUNUN",
            "o r o s p u",
            "or0spu",
            "orrrrospu",
            "o.r.o.s.p.u",
            "şerefsizsiniz",
            "s1k",
            "siiiik",
            "s*ktir",
            "s.i.k.t.i.r git",
            "f u c k you",
            "fvck f*ck",
            "nigggger",
            "b1tches",
            "b!tch",
            "İBNELER",
            "am1na koyayım",
            "оrоsрu",
            "𝐟𝐮𝐜𝐤",
            "piiiç",
        ];
        for text in hidden {
            assert_eq!(found(text).first(), Some(&Kind::Slur), "{text}");
        }
    }

    #[test]
    fn a_harmless_word_that_holds_another_is_not_met() {
        let harmless = "klasik müzik, sıkıcı bir sınıf, sık sık, SIK SIK, sık dişini, ağır siklet, sikke koleksiyonu, götürdüm, \
             götürü, amca ama aman, Amasya, ampul, pikniğe, piç değil mi demeyelim denen pic; Scunthorpe, Penistone, \
             cockpit, cocktail, assassin, Niger, Nigeria, snigger, niggle, spice, despicable, Pakistan, retardant, \
             shiitake, Essex, Dick, Cockburn, therapist, basement, button, canal, analiz, titanik, kahveci, kahvaltı, \
             ibadet, oçağ, pustule, puştuva, kırosan, 51k takipçi, 4m2, a4, f1, mp3";
        let harmless = harmless.replace("piç değil mi demeyelim denen ", "");
        assert_eq!(found(&harmless), [], "{harmless}");
    }

    #[test]
    fn threats_are_met_and_figures_of_speech_are_not() {
        for text in [
            "I'll kill you!",
            "I will slowly kill you",
            "kill yourself",
            "I know where you live",
            "Seni öldürürüm",
            "öldürürüm lan seni öldürürüm seni",
            "seni geberteceğim",
            "Evini de biliyorum",
            "git geber, geber git",
        ] {
            assert!(found(text).contains(&Kind::Threat), "{text}");
        }
        for text in [
            "I could kill for a coffee",
            "öldürecek beni bu sıcak",
            "this heat will kill me",
            "gülmekten öldüm",
            "my feet are killing me",
            "you killed it yesterday",
            "I will find you a chair. And kill the lights",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_chats_own_words_are_met_with_their_endings() {
        let lists = Lists::of(&["kripto".to_owned(), "diet pill".to_owned(), "  ".to_owned()]);
        let found = |text: &str| lists.find(&read(text)).map(|hit| hit.entry.place.1).collect::<Vec<_>>();
        assert_eq!(found("Kriptodan anlar mısın? diet pills!"), [1, 2]);
        assert_eq!(found("kriptonit, a diet. Pill"), [0; 0]);
    }
}
