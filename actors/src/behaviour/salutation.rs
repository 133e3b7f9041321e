//! Salutations: where several talk at once, a reply without a link may begin with a name. Layer `behaviour`; pure.
//!
//! People call each other by name seldom: when Telegram shows no link and the words alone would not tell whom they
//! answer. The link resolver decides the latter.

use std::sync::Arc;

use super::linked::is_linked;
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

/// A room is busy when so many spoke in its last messages, and how many count as the last.
const BUSY: usize = 3;
const LAST: usize = 6;

/// Messages before the resolver's candidates that tell who speaks to whom.
const BEFORE: usize = HISTORY;

/// Returns the text, with the name of the target's author in front where a person would write it.
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
    let last = window.iter().rev().filter(|note| note.kind == EntryKind::Message && note.thread == target.thread);
    let last: Vec<&Note> = last.take(LAST).map(|note| &**note).collect();
    if is_linked(target, last.first().map(|note| &*note.entry)) || !is_busy(&last) {
        return plain();
    }
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

fn is_busy(last: &[&Note]) -> bool {
    let mut speakers: Vec<i64> = last.iter().map(|note| note.author.id.0).collect();
    speakers.sort_unstable();
    speakers.dedup();
    speakers.len() >= BUSY
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
    let almost = || links.candidates.iter().any(|(at, probability)| *at == place && *probability >= ALMOST);
    links.chosen().contains(&Some(place)) || almost()
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

    /// Three speak at once, and the newest line says nothing of whom it is for.
    fn busy(first: i64) -> Vec<Arc<Note>> {
        heard(&[
            (first, Some(1), "Deniz, sen dün ne dedin?"),
            (first + 1, Some(0), "Nora, hiçbir şey demedim."),
            (first + 2, None, "kitap okuyan var mı?"),
        ])
    }

    fn say(window: &[Arc<Note>], target: usize, text: &str) -> String {
        let deniz = bot(1, "Deniz");
        salute(text, &deniz.profile, None, &window[target].entry, window, Timestamp::from_secs(300))
    }

    #[test]
    fn where_several_talk_and_no_link_is_shown_a_reply_may_name_whom_it_answers() {
        let window = busy(1);
        assert_eq!(say(&window, 2, "Nora, sana söylüyorum."), "Ayşe, Nora, sana söylüyorum.");
    }

    #[test]
    fn a_reply_that_telegram_links_names_nobody() {
        assert_eq!(say(&busy(1), 0, "Ilık bir gün."), "Ilık bir gün.", "further back");
        let window = busy(6);
        assert!(is_linked(&window[2].entry, Some(&window[2].entry)));
        assert_eq!(say(&window, 2, "Nora, sana söylüyorum."), "Nora, sana söylüyorum.", "right above");
    }

    #[test]
    fn two_people_alone_do_not_call_each_other_by_name() {
        let window = heard(&[
            (1, Some(1), "Deniz, sen dün ne dedin?"),
            (2, Some(1), "Nora, hiçbir şey demedim."),
            (3, None, "kitap okuyan var mı?"),
        ]);
        assert_eq!(say(&window, 2, "Nora, sana söylüyorum."), "Nora, sana söylüyorum.");
    }
}
