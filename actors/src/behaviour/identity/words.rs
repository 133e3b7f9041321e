//! Prepares a text for the search for claims: folded, without quotations, in sentences. Layer `behaviour`; pure.

/// A sentence.
#[derive(Clone, Debug)]
pub(super) struct Sentence<'a> {
    /// Words of the sentence; a comma is a word of its own.
    pub words: Vec<&'a str>,
    /// The sentence ends with a question mark.
    pub asks: bool,
}

/// English short forms, and their long ones.
const SHORT: [(&str, &str); 14] = [
    ("i'm", "i am"),
    ("im", "i am"),
    ("you're", "you are"),
    ("youre", "you are"),
    ("we're", "we are"),
    ("i've", "i have"),
    ("there's", "there is"),
    ("ain't", "am not"),
    ("aint", "am not"),
    ("can't", "can not"),
    ("cannot", "can not"),
    ("won't", "will not"),
    ("dont", "do not"),
    ("it's", "it is"),
];

/// Returns the text as somebody speaks it: without quotations, short forms written out.
pub(super) fn spoken(folded: &str) -> String {
    let mut bare = String::with_capacity(folded.len() + 16);
    let mut close = None;
    for (at, c) in folded.char_indices() {
        let rest = &folded[at + c.len_utf8()..];
        match (close, c) {
            (Some(end), c) if c == end => close = None,
            (Some(_), _) => {}
            // A quotation mark that nothing closes opens no quotation.
            (None, '"' | '“' | '«' | '„') if rest.contains(closing(c)) => {
                close = Some(closing(c));
                bare.push(' ');
            }
            (None, '’' | '‘' | '`') => bare.push('\''),
            (None, 'â') => bare.push('a'),
            (None, 'î') => bare.push('i'),
            (None, 'û') => bare.push('u'),
            (None, '\n' | ';' | '…') => bare.push_str(" . "),
            (None, '.' | '!' | '?') => {
                bare.push(' ');
                bare.push(c);
                bare.push(' ');
            }
            (None, ',' | ':' | '(' | ')' | '—' | '–') => bare.push_str(" , "),
            (None, c) if c.is_alphanumeric() || matches!(c, '\'' | '-' | '%') => bare.push(c),
            (None, _) => bare.push(' '),
        }
    }
    let mut words = String::with_capacity(bare.len() + 16);
    for word in bare.split_whitespace() {
        let word = word.trim_matches(|c| matches!(c, '\'' | '-'));
        let short = SHORT.iter().find(|(short, _)| *short == word).map(|(_, long)| *long);
        match (short, word.strip_suffix("n't")) {
            (Some(long), _) => words.push_str(long),
            (None, Some(verb)) => {
                words.push_str(verb);
                words.push_str(" not");
            }
            (None, None) => words.push_str(word),
        }
        words.push(' ');
    }
    words
}

fn closing(open: char) -> char {
    match open {
        '“' => '”',
        '«' => '»',
        '„' => '“',
        open => open,
    }
}

/// Returns the sentences of a spoken text.
pub(super) fn sentences(spoken: &str) -> Vec<Sentence<'_>> {
    let mut found = Vec::new();
    let mut words = Vec::new();
    for word in spoken.split_whitespace() {
        if matches!(word, "." | "!" | "?") {
            if !words.is_empty() {
                found.push(Sentence { words: std::mem::take(&mut words), asks: word == "?" });
            }
        } else {
            words.push(word);
        }
    }
    if !words.is_empty() {
        found.push(Sentence { words, asks: false });
    }
    found
}

/// Returns the length, in words, of the longest of `phrases` that `words` begins with.
pub(super) fn starts_with_any(words: &[&str], phrases: &[&[&str]]) -> Option<usize> {
    phrases.iter().filter(|phrase| words.starts_with(phrase)).map(|phrase| phrase.len()).max()
}

/// Returns whether the words hold the phrase.
pub(super) fn holds(words: &[&str], phrase: &[&str]) -> bool {
    words.windows(phrase.len()).any(|run| run == phrase)
}
