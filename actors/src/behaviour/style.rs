//! Style: measures how a persona writes, and how far apart two ways of writing are. Layer `behaviour`; pure.
//!
//! Personas that sound alike make a dull room. Each is measured by its last messages: their length, their punctuation,
//! their emoji, capitals and questions, their small words and their runs of three letters. A distance is the mean of
//! the differences in each respect, 0 (the same hand) to 1 (nothing in common).

use crate::domain::text::fold;

/// Small words whose use identifies a writer, folded: such words say little of the subject.
const SMALL_WORDS: [&str; 56] = [
    "i", "you", "we", "the", "a", "and", "but", "so", "well", "just", "really", "very", "not", "no", "yes", "oh",
    "hey", "maybe", "think", "know", "like", "of", "to", "that", "this", "ben", "sen", "biz", "bir", "ve", "ama", "da",
    "de", "ki", "ya", "yani", "bence", "sence", "çok", "ne", "mi", "bu", "şu", "o", "evet", "hayir", "belki", "hani",
    "işte", "galiba", "aslinda", "valla", "abi", "canim", "ile", "için",
];

/// Bins for runs of three letters.
const RUN_BINS: usize = 256;

/// Letters in a run.
const RUN: usize = 3;

/// Letters of a message above which lengths differ no further.
const LONG_LETTERS: f64 = 300.0;

/// Fewest messages by which a style is told.
pub const MESSAGES_MIN: usize = 5;

/// Style of a persona.
#[derive(Clone, Debug, PartialEq)]
pub struct Style {
    /// Number of measured messages.
    pub messages: usize,
    /// Letters in a message, on average.
    pub letters: f64,
    /// Shares of messages: with an emoji, with a question mark, with a capital first, with an exclamation mark.
    habits: [f64; 4],
    /// Marks in a hundred letters: commas, full stops, dots in a row, dashes and brackets with colons and semicolons.
    marks: [f64; 4],
    small: Vec<f64>,
    runs: Vec<f64>,
}

impl Style {
    /// Measures the style of `texts`; `None` when they are too few to tell.
    pub fn of<T: AsRef<str>>(texts: &[T]) -> Option<Self> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).filter(|text| !text.trim().is_empty()).collect();
        if texts.len() < MESSAGES_MIN {
            return None;
        }
        let (mut letters, mut habits, mut marks) = (0usize, [0f64; 4], [0f64; 4]);
        let (mut small, mut runs) = (vec![0f64; SMALL_WORDS.len()], vec![0f64; RUN_BINS]);
        let mut words = 0usize;
        for text in &texts {
            letters += text.chars().filter(|c| c.is_alphabetic()).count();
            let first = text.chars().find(|c| c.is_alphabetic());
            let shows = [
                text.chars().any(is_emoji),
                text.contains('?'),
                first.is_some_and(char::is_uppercase),
                text.contains('!'),
            ];
            for (habit, shows) in habits.iter_mut().zip(shows) {
                *habit += f64::from(u8::from(shows));
            }
            let dots = text.matches("...").count() + text.matches('…').count();
            let full_stops = text.matches('.').count().saturating_sub(3 * text.matches("...").count());
            let counts = [
                text.matches(',').count(),
                full_stops,
                dots,
                text.matches(['-', '–', '—', '(', ')', ';', ':']).count(),
            ];
            for (mark, count) in marks.iter_mut().zip(counts) {
                *mark += count as f64;
            }
            let folded = fold(text);
            for word in folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
                words += 1;
                if let Some(at) = SMALL_WORDS.iter().position(|small| *small == word) {
                    small[at] += 1.0;
                }
                let word: Vec<u32> = word.chars().map(u32::from).collect();
                for run in word.windows(RUN) {
                    runs[bin(run)] += 1.0;
                }
            }
        }
        let count = texts.len() as f64;
        let per_letters = 100.0 / (letters.max(1) as f64);
        Some(Self {
            messages: texts.len(),
            letters: letters as f64 / count,
            habits: habits.map(|habit| habit / count),
            marks: marks.map(|mark| mark * per_letters),
            small: small.into_iter().map(|uses| uses / (words.max(1) as f64)).collect(),
            runs,
        })
    }

    /// Returns the distance of two styles: 0 (the same hand) to 1 (nothing in common).
    pub fn distance(&self, other: &Self) -> f64 {
        let length = (self.letters.clamp(1.0, LONG_LETTERS).ln() - other.letters.clamp(1.0, LONG_LETTERS).ln()).abs()
            / LONG_LETTERS.ln();
        let habits: f64 =
            self.habits.iter().zip(&other.habits).map(|(one, other)| (one - other).abs()).sum::<f64>() / 4.0;
        let marks: f64 =
            self.marks.iter().zip(&other.marks).map(|(one, other)| ratio_apart(*one, *other)).sum::<f64>() / 4.0;
        let respects = [
            length.min(1.0),
            habits,
            marks,
            1.0 - cosine(&self.small, &other.small),
            1.0 - cosine(&self.runs, &other.runs),
        ];
        respects.iter().sum::<f64>() / respects.len() as f64
    }
}

/// Returns the distance of two rates: 0 when they are the same, 1 when only one of them is there.
fn ratio_apart(one: f64, other: f64) -> f64 {
    let sum = one + other;
    if sum <= f64::EPSILON { 0.0 } else { (one - other).abs() / sum }
}

fn cosine(one: &[f64], other: &[f64]) -> f64 {
    let dot: f64 = one.iter().zip(other).map(|(one, other)| one * other).sum();
    let length = |of: &[f64]| of.iter().map(|value| value * value).sum::<f64>().sqrt();
    let lengths = length(one) * length(other);
    // Two styles that use none of it do not differ in it.
    if lengths <= f64::EPSILON {
        return if length(one) + length(other) <= f64::EPSILON { 1.0 } else { 0.0 };
    }
    (dot / lengths).clamp(0.0, 1.0)
}

fn bin(run: &[u32]) -> usize {
    let hash = run.iter().fold(0x811C_9DC5u32, |hash, letter| (hash ^ letter).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 15)) as usize % RUN_BINS
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1F300}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}' | '\u{1F1E6}'..='\u{1F1FF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM: [&str; 6] = [
        "Canım benim, bugün hava ne güzel değil mi? 🌞",
        "Çay koydum, gelsene! ☕",
        "Ay çok tatlısın ya! 😊",
        "Valla ben de özledim, ne zaman görüşüyoruz? 🥰",
        "Hadi bakalım, güzel haberler bekliyorum! 🎉",
        "Ne yaptın bugün, anlatsana? 😄",
    ];
    const DRY: [&str; 6] = [
        "veriler bunu desteklemiyor. örneklem küçük.",
        "kaynak belirtilmediği sürece bir şey söylemek güç.",
        "ortalama ile medyan farklı şeylerdir; karıştırmayın.",
        "rapor geçen yıl yayımlandı. sonuçlar belirsiz.",
        "bu yöntem hatalı. yeniden hesaplanması gerekir.",
        "iddia tutarlı değil; kanıt da yok.",
    ];

    #[test]
    fn two_hands_are_further_apart_than_one_from_itself() {
        let half = |texts: &[&str], odd: usize| -> Vec<String> {
            let lines = texts.iter().enumerate().filter(|(at, _)| at % 2 == odd).map(|(_, text)| (*text).to_owned());
            lines.clone().chain(lines).collect()
        };
        let style = |texts: &[&str], odd| Style::of(&half(texts, odd)).expect("enough to tell");
        let apart = style(&WARM, 0).distance(&style(&DRY, 0));
        for texts in [&WARM, &DRY] {
            let itself = style(texts, 0).distance(&style(texts, 1));
            assert!(apart > itself + 0.15, "{apart} between two hands, {itself} within one");
        }
    }

    #[test]
    fn a_distance_is_symmetric_and_zero_to_itself() {
        let (warm, dry) = (Style::of(&WARM).expect("a style"), Style::of(&DRY).expect("a style"));
        assert!((warm.distance(&dry) - dry.distance(&warm)).abs() < 1e-12);
        assert!(warm.distance(&warm) < 1e-9 && (0.0..=1.0).contains(&warm.distance(&dry)));
    }

    #[test]
    fn too_few_messages_tell_no_hand() {
        assert!(Style::of(&WARM[..4]).is_none() && Style::of(&["", " ", "a", "b", "c"]).is_none());
    }
}
