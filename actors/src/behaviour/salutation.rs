//! Salutations: a reply whose target would not be evident begins with a name. Layer `behaviour`; pure.
//!
//! Telegram shows a link at a reply, and people overlook it; in a busy room they call each other by name. The link
//! resolver, which is not told of the link, decides whether a reply is evident.

use std::sync::Arc;

use super::links::features::{HISTORY, WINDOW};
use super::links::resolver::Resolver;
use super::links::utterance::Utterance;
use super::note::Note;
use super::prompt::clean_name;
use crate::domain::roster::{BotProfile, Language};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Longest name that is put in front, in characters.
const NAME_CHARS_MAX: usize = 24;

/// Probability from which a reply to the message right above it counts as evident.
const ALMOST: f64 = 0.1;

/// Messages before the resolver's candidates that tell who speaks to whom.
const BEFORE: usize = HISTORY;

/// Returns the text, with the name of the target's author in front when the reply would not be evident without it.
pub fn salute(
    text: &str,
    bot: &BotProfile,
    username: Option<&str>,
    target: &TranscriptEntry,
    window: &[Arc<Note>],
    now: Timestamp,
) -> String {
    let plain = || text.to_owned();
    let name = clean_name(&target.author.name);
    let Some(name) = name.split_whitespace().next().filter(|name| name.chars().count() <= NAME_CHARS_MAX) else {
        return plain();
    };
    if is_evident(text, bot, username, target, window, now) || names(text, name) {
        return plain();
    }
    let language = bot.spec.persona.language;
    let mut saluted = format!("{name}, ");
    let mut letters = text.chars();
    let begins_with_name = window.iter().any(|note| {
        let first = note.author.name.split_whitespace().next();
        first.is_some_and(|first| names(text, first))
    });
    match letters.next() {
        // A plain word, neither a name nor an abbreviation: after a comma it begins small.
        Some(first)
            if first.is_uppercase() && !begins_with_name && letters.clone().next().is_some_and(char::is_lowercase) =>
        {
            match (first, language) {
                ('I', Language::Tr) => saluted.push('ı'),
                ('İ', _) => saluted.push('i'),
                ('I', Language::En) => saluted.push('I'),
                _ => saluted.extend(first.to_lowercase()),
            }
            saluted.push_str(letters.as_str());
        }
        _ => saluted.push_str(text),
    }
    saluted
}

/// Returns whether a reader who does not see Telegram's link would attach the reply to its target.
fn is_evident(
    text: &str,
    bot: &BotProfile,
    username: Option<&str>,
    target: &TranscriptEntry,
    window: &[Arc<Note>],
    now: Timestamp,
) -> bool {
    let posts: Vec<&Note> = window.iter().map(|note| &**note).filter(|note| note.kind == EntryKind::Message).collect();
    let posts = &posts[posts.len().saturating_sub(WINDOW + BEFORE)..];
    let Some(place) = posts.iter().position(|note| note.number == target.number) else {
        return false;
    };
    let earlier: Vec<&Utterance> = posts.iter().map(|note| note.utterance()).collect();
    let own = Utterance::new(&bot.spec.name, username, text, now, false);
    let own = own.spoken_by(&bot.spec.telegram_id.to_string());
    let links = Resolver::standard().resolve(&earlier, &own);
    let is_last = place + 1 == posts.len();
    let almost = || links.candidates.iter().any(|(at, probability)| *at == place && *probability >= ALMOST);
    links.chosen().contains(&Some(place)) || (is_last && almost())
}

/// Returns whether the text begins with the name already.
fn names(text: &str, name: &str) -> bool {
    fold(text).trim_start_matches(|c: char| !c.is_alphanumeric()).starts_with(&fold(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::samples::{bot, noted, says};

    fn heard(lines: &[(i64, Option<usize>, &str)]) -> Vec<Arc<Note>> {
        let cast = [bot(1, "Deniz"), bot(2, "Nora")];
        lines
            .iter()
            .map(|(number, author, text)| Arc::new(noted(&says(*number, author.map(|at| &cast[at]), text, 0))))
            .collect()
    }

    #[test]
    fn an_evident_reply_stays_as_it_is() {
        let window = heard(&[(1, None, "Deniz, çay var mı?")]);
        let deniz = bot(1, "Deniz");
        let text = salute("Var, buyur.", &deniz.profile, None, &window[0].entry, &window, Timestamp::from_secs(4));
        assert_eq!(text, "Var, buyur.");
    }

    #[test]
    fn a_reply_to_what_lies_further_back_names_whom_it_answers() {
        let window = heard(&[
            (1, None, "kitap okuyan var mı?"),
            (2, Some(1), "Deniz, sen dün ne dedin?"),
            (3, Some(1), "Deniz, orada mısın?"),
        ]);
        let deniz = bot(1, "Deniz");
        let now = Timestamp::from_secs(30);
        let say = |text: &str| salute(text, &deniz.profile, None, &window[0].entry, &window, now);
        assert_eq!(say("Ilık bir gün."), "Ayşe, ılık bir gün.");
        assert_eq!(say("İyi fikir."), "Ayşe, iyi fikir.");
        assert_eq!(say("Ayşe, ben okuyorum."), "Ayşe, ben okuyorum.");
        assert_eq!(say("TRT verdi."), "Ayşe, TRT verdi.");
    }
}
