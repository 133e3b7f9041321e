//! Tells whether a message contradicts a stance of a bot. Layer `behaviour`; pure.

use crate::domain::roster::Persona;
use crate::domain::stance::Stance;
use crate::domain::text::fold;

/// Fewest characters of a word that may carry endings; shorter words count only whole.
const PREFIX_CHARS_MIN: usize = 3;

/// Returns whether a text is about a stance of the persona and holds one of the phrases that deny it.
pub(super) fn disagrees(said: &[&str], persona: &Persona) -> bool {
    persona.stances.iter().any(|stance| is_about(said, stance) && denies(said, stance))
}

fn is_about(said: &[&str], stance: &Stance) -> bool {
    std::iter::once(&stance.topic).chain(&stance.keywords).any(|words| has(said, words))
}

fn denies(said: &[&str], stance: &Stance) -> bool {
    stance.denials.iter().any(|phrase| has(said, phrase))
}

/// Returns whether the words of a phrase are in a row among those of a text; the last one may carry endings.
pub(super) fn has(said: &[&str], phrase: &str) -> bool {
    let phrase = fold(phrase);
    let wanted: Vec<&str> = words(&phrase).collect();
    let Some((last, first)) = wanted.split_last() else {
        return false;
    };
    let long = last.chars().count() >= PREFIX_CHARS_MIN;
    let is_last = |word: &&str| word == last || (long && word.starts_with(last));
    said.windows(wanted.len()).any(|run| run.starts_with(first) && run.last().is_some_and(is_last))
}

/// Returns the words of a folded text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::samples::bot;
    use crate::domain::stance::Stance;

    #[test]
    fn a_denial_within_the_topic_is_disagreed_with_whatever_its_endings() {
        let mut persona = bot(1, "Deniz").profile.spec.persona.clone();
        persona.stances = vec![Stance {
            topic: "çay".to_owned(),
            keywords: vec!["demlik".to_owned()],
            position: "Çay kahveden üstündür.".to_owned(),
            confidence: 0.9,
            denials: vec!["kahve daha iyi".to_owned()],
            cool_down: std::time::Duration::ZERO,
            ..Stance::default()
        }];
        let heard = |text: &str| disagrees(&words(&fold(text)).collect::<Vec<_>>(), &persona);
        assert!(heard("Çaydan KAHVE DAHA İYİDİR bence"));
        assert!(!heard("çay güzel olmuş") && !heard("kahve daha iyi") && !heard(""));
    }
}
