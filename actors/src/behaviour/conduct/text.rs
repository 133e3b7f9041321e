//! Reads a text as words in plain letters, whatever was done to hide them. Layer `behaviour`; pure.
//!
//! One pass over the text. Letters are folded; letters of other alphabets that look alike, digits and signs within a
//! word become the letters that they stand for; marks that nobody sees are left out. A dotless i is an i with a note,
//! since Turkish has harmless words that differ from others in that dot alone.

use std::ops::Range;

/// Longest word that is put together from its letters, in bytes.
const JOINED_MAX: usize = 32;

/// A word of a text.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "marks that are found one by one")]
pub(super) struct Word {
    /// Place of the word's letters.
    letters: Range<usize>,
    /// The word begins with a capital.
    pub capital: bool,
    /// One i of the word may be a dotless one.
    pub undotted: bool,
    /// The word holds a `*` for a letter.
    pub wild: bool,
    /// A letter stood three times or more, so that each run of a letter is one letter now.
    pub squeezed: bool,
    /// The word ends its sentence.
    pub last: bool,
    /// The word ends its sentence with a question mark.
    pub asks: bool,
    /// One mark, and no blank, is between the word before and this one.
    glued: bool,
    /// The word is one letter.
    single: bool,
}

/// A text as words.
#[derive(Debug, Default)]
pub(super) struct Plain {
    letters: String,
    /// The words in order; behind them those that are put together from single letters.
    pub words: Vec<Word>,
    /// Number of the words that stand in the text as they are.
    pub written: usize,
}

impl Plain {
    /// Returns the letters of a word.
    pub(super) fn of(&self, word: &Word) -> &str {
        &self.letters[word.letters.clone()]
    }

    /// Returns the words that stand in the text as they are.
    pub(super) fn written(&self) -> impl Iterator<Item = &str> {
        self.words[..self.written].iter().map(|word| self.of(word))
    }

    /// Returns the places of the words of the sentence around the word at `at`.
    pub(super) fn sentence(&self, at: usize) -> Range<usize> {
        let before = self.words[..at].iter().rposition(|word| word.last);
        let from = before.map_or(0, |end| end + 1);
        let to = self.words[at..].iter().position(|word| word.last);
        from..to.map_or(self.words.len(), |end| at + end + 1)
    }
}

/// The meaning of a character.
enum Read {
    /// A letter or a digit.
    Letter(char),
    /// A letter that is not told.
    Wild,
    /// Nothing that anybody sees.
    Nothing,
    /// The end of a word.
    Break,
}

/// The word that is being read.
#[derive(Default)]
struct Open {
    word: Word,
    letters: usize,
    /// Digits and signs, which may stand for letters.
    signs: usize,
    run: usize,
    run_of: char,
    begun: bool,
}

/// Reads a text.
pub(super) fn read(text: &str) -> Plain {
    let letters = String::with_capacity(text.len() + 8);
    let mut plain = Plain { letters, words: Vec::with_capacity(text.len() / 4 + 1), written: 0 };
    let (mut open, mut marks, mut blank) = (Open::default(), 0u32, true);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        let letter = match meaning(c, open.begun, next) {
            Read::Letter(letter) => letter,
            Read::Wild => '*',
            Read::Nothing => continue,
            Read::Break => {
                close(&mut plain, &mut open);
                marks += 1;
                blank |= !matches!(c, '.' | '-' | '_' | '/' | '~' | '+' | '|' | ',' | '*');
                let ends = matches!(c, '!' | '?' | '…' | '\n' | ';') || c == '.' && !next.is_alphanumeric();
                if let Some(word) = plain.words.last_mut().filter(|_| ends) {
                    (word.last, word.asks) = (true, word.asks || c == '?');
                }
                continue;
            }
        };
        if !open.begun {
            let (from, glued) = (plain.letters.len(), marks == 1 && !blank);
            open = Open { begun: true, ..Open::default() };
            open.word = Word { letters: from..from, capital: c.is_uppercase(), glued, ..Word::default() };
            (marks, blank) = (0, false);
        }
        open.word.undotted |= matches!(c, 'ı' | 'I');
        open.word.wild |= letter == '*';
        if letter.is_ascii_digit() || matches!(letter, '$' | '@' | '!') {
            open.signs += 1;
        } else {
            open.letters += 1;
        }
        open.run = if letter == open.run_of { open.run + 1 } else { 1 };
        open.run_of = letter;
        open.word.squeezed |= open.run == 3;
        plain.letters.push(letter);
    }
    close(&mut plain, &mut open);
    plain.written = plain.words.len();
    if let Some(word) = plain.words.last_mut() {
        word.last = true;
    }
    join(&mut plain);
    plain
}

/// Returns the meaning of a character; `inside` a word, and before the character `next`.
fn meaning(c: char, inside: bool, next: char) -> Read {
    match c {
        'a'..='z' | '0'..='9' => Read::Letter(c),
        'A'..='Z' => Read::Letter(c.to_ascii_lowercase()),
        '$' if next.is_alphabetic() => Read::Letter(c),
        '@' | '!' if inside && next.is_lowercase() => Read::Letter(c),
        '*' | '#' if inside && (next.is_alphanumeric() || next == c) => Read::Wild,
        _ if c.is_ascii() => Read::Break,
        'ç' | 'ğ' | 'ö' | 'ş' | 'ü' => Read::Letter(c),
        'ı' | 'İ' => Read::Letter('i'),
        _ => foreign(c),
    }
}

/// Returns the meaning of a character that is neither ASCII nor a small letter of Turkish.
fn foreign(c: char) -> Read {
    let ascii = |at: u32| Read::Letter(char::from(b'a' + u8::try_from(at % 26).unwrap_or_default()));
    Read::Letter(match c {
        'â' | 'à' | 'á' | 'ä' | 'ã' | 'Â' | 'а' | 'А' | 'α' => 'a',
        'é' | 'è' | 'ê' | 'ë' | 'е' | 'Е' | 'ё' | 'ε' => 'e',
        'î' | 'í' | 'ì' | 'ï' | 'Î' | 'і' | 'І' | 'ι' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'о' | 'О' | 'ο' => 'o',
        'û' | 'ú' | 'ù' | 'Û' | 'υ' => 'u',
        'с' | 'С' => 'c',
        'к' | 'К' | 'κ' => 'k',
        'р' | 'Р' | 'ρ' => 'p',
        'ѕ' | 'Ѕ' => 's',
        'т' | 'Т' | 'τ' => 't',
        'х' | 'Х' | 'χ' => 'x',
        'у' | 'У' => 'y',
        'ñ' | 'ν' => 'n',
        // Zero-width characters, joiners, marks on letters, selectors of variants.
        '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2060}'..='\u{2064}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => return Read::Nothing,
        // Letters of full width, bold and slanted ones, and letters in circles.
        '\u{ff21}'..='\u{ff3a}' => return ascii(u32::from(c) - 0xff21),
        '\u{ff41}'..='\u{ff5a}' => return ascii(u32::from(c) - 0xff41),
        '\u{1d400}'..='\u{1d6a3}' => return ascii(u32::from(c) - 0x1d400),
        '\u{24b6}'..='\u{24e9}' => return ascii(u32::from(c) - 0x24b6),
        _ if c.is_alphanumeric() => c.to_lowercase().next().unwrap_or(c),
        _ => return Read::Break,
    })
}

/// Ends the word that is being read.
fn close(plain: &mut Plain, open: &mut Open) {
    if !std::mem::take(&mut open.begun) {
        return;
    }
    let mut word = std::mem::take(&mut open.word);
    let from = word.letters.start;
    word.squeezed &= open.letters > 0;
    // "51k" is a number, "s1k" a word.
    if open.signs > 0 && open.letters > open.signs || word.squeezed {
        let (stands, mut before) = (open.letters > open.signs, None);
        let mut shown = |c: char| {
            let c = if stands { stood_for(c) } else { c };
            let again = word.squeezed && before == Some(c);
            before = Some(c);
            (!again).then_some(c)
        };
        let shown: String = plain.letters[from..].chars().filter_map(&mut shown).collect();
        plain.letters.truncate(from);
        plain.letters.push_str(&shown);
    }
    word.letters = from..plain.letters.len();
    word.single = open.letters == 1 && open.signs == 0;
    plain.letters.push(' ');
    plain.words.push(word);
}

/// Returns the letter that a digit or a sign stands for.
fn stood_for(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    }
}

/// Adds the words that are put together from single letters, as in "s p a c e d" and "dot.t.ed".
fn join(plain: &mut Plain) {
    let mut from = 0;
    while from < plain.written {
        let mut to = from + 1;
        let (mut glued, mut single) = (true, plain.words[from].single);
        while let Some(next) = plain.words[..plain.written].get(to) {
            if !(next.glued || next.single && plain.words[to - 1].single) {
                break;
            }
            glued &= next.glued;
            single |= next.single;
            to += 1;
        }
        let count = to - from;
        if count >= 2 && single && (glued || count >= 3) {
            // "a b c": the first letter may be a word of its own.
            let alone = matches!(plain.of(&plain.words[from]), "a" | "i" | "o") && count >= 4;
            for from in from..=from + usize::from(alone) {
                add(plain, from..to);
            }
        }
        from = to;
    }
}

/// Adds the word that some words make together.
fn add(plain: &mut Plain, parts: Range<usize>) {
    let parts = &plain.words[parts];
    let joined: String = parts.iter().map(|part| &plain.letters[part.letters.clone()]).collect();
    if joined.len() > JOINED_MAX {
        return;
    }
    let start = plain.letters.len();
    let undotted = parts.iter().any(|part| part.undotted);
    plain.letters.push_str(&joined);
    let letters = start..plain.letters.len();
    plain.words.push(Word { letters, undotted, last: true, ..Word::default() });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let plain = read(text);
        plain.words.iter().map(|word| plain.of(word).to_owned()).collect()
    }

    #[test]
    fn hidden_words_are_read_in_plain_letters() {
        assert_eq!(words("Gün AYDIN, İpek!"), ["gün", "aydin", "ipek"]);
        assert_eq!(words("h3ll0 $am b@na"), ["hello", "sam", "bana"]);
        assert_eq!(words("heeeellooo"), ["helo"]);
        assert_eq!(words("h e l l o there"), ["h", "e", "l", "l", "o", "there", "hello"]);
        assert_eq!(words("a b c d"), ["a", "b", "c", "d", "abcd", "bcd"]);
        assert_eq!(words("h.e.l.l.o"), ["h", "e", "l", "l", "o", "hello"]);
        assert_eq!(words("so h.ello"), ["so", "h", "ello", "hello"]);
        assert_eq!(
            words("h\u{200b}el\u{301}lo \u{1d421}\u{1d41e}\u{1d42b}\u{1d41e} hеllо"),
            ["hello", "here", "hello"]
        );
        assert_eq!(words("h**lo *hello*"), ["h**lo", "hello"]);
    }

    #[test]
    fn numbers_stay_numbers() {
        assert_eq!(words("51k 2024 $100 3.5 90lar 1000"), ["51k", "2024", "100", "3", "5", "9olar", "1000"]);
    }

    #[test]
    fn sentences_end_at_their_marks() {
        let plain = read("Bu 3.5 mu? Evet. Tamam");
        let ends: Vec<(bool, bool)> = plain.words.iter().map(|word| (word.last, word.asks)).collect();
        assert_eq!(ends[3..], [(true, true), (true, false), (true, false)]);
        assert_eq!((plain.sentence(1), plain.sentence(4), plain.sentence(5)), (0..4, 4..5, 5..6));
    }
}
