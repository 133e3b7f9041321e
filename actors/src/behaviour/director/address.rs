//! Finds the bots that a message addresses. Layer `behaviour`; pure.
//!
//! A mention beats a reply, a reply beats a name. Names are compared folded (Turkish i's are alike) and as whole
//! words; Turkish suffixes may follow with an apostrophe (Deniz'e) or, where Turkish is spoken, without (Denize).

use super::lately::talk;
use super::suffix::carries_suffixes;
use crate::behaviour::note::Note;
use crate::behaviour::scene::{CastMember, Scene};
use crate::domain::incoming::{AuthorKind, EntityKind};
use crate::domain::names::names;
use crate::domain::roster::Language;
use crate::domain::text::fold;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Shortest name that takes a suffix without an apostrophe, in characters: too many words begin with shorter ones.
const SUFFIXED_NAME_CHARS_MIN: usize = 3;

/// Most words up to the comma of a salutation.
const VOCATIVE_WORDS_MAX: usize = 2;

/// Most words of a message that only another one explains.
const BRIEF_WORDS_MAX: usize = 2;

/// Way in which a bot is addressed, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// By @username, or by id.
    Mention,
    /// By a reply to the bot's message.
    Reply,
    /// By the bot's name in the text.
    Name,
    /// By nothing but a link: the message most likely answers the bot's.
    Link,
}

names! { Address { Mention = "mention", Reply = "reply", Name = "name", Link = "link" } }

/// A run of words that is a name of the cast's member `member`.
struct NameRun {
    member: usize,
    start: usize,
    words: usize,
}

/// Returns the bots that `entry` addresses, the surest first, then in the order of the cast; never the author.
pub fn addressed<'a>(scene: &Scene<'a>, entry: &Note) -> Vec<(&'a CastMember, Address)> {
    let calling = entry.calling();
    let words = words_of(&calling);
    // A guest's reply is to the person who called it, and so calls nobody.
    let is_guest = entry.author.kind == AuthorKind::Guest;
    let replied = replied_to(scene, entry).filter(|_| !is_guest).and_then(|other| other.fleet_bot);
    let runs = name_runs(scene, &words);
    let how = |(at, member): (usize, &'a CastMember)| {
        let profile = &member.profile;
        if entry.fleet_bot == Some(profile.id) || entry.author.id == profile.spec.telegram_id {
            return None;
        }
        let telegram_id = profile.spec.telegram_id;
        let turned = !is_guest && entry.entities.iter().any(|entity| entity.is_turned_to(telegram_id));
        let by_id = entry
            .entities
            .iter()
            .any(|entity| entity.kind == EntityKind::TextMention(telegram_id) && !entity.is_turned_to(telegram_id));
        let address = if by_id || words.iter().any(|word| is_handle_of(word, member)) {
            Address::Mention
        } else if replied == Some(profile.id) || turned {
            Address::Reply
        } else if runs.iter().any(|run| run.member == at && !is_part_of_longer(run, &runs)) {
            Address::Name
        } else {
            return None;
        };
        Some((member, address))
    };
    let mut found: Vec<_> = scene.cast.iter().enumerate().filter_map(how).collect();
    found.sort_by_key(|(_, address)| *address);
    found
}

/// Returns whether the message turns to another person: by a reply, by a mention of somebody outside the cast, by that
/// person's name in front, or, when it `calls` no bot, as a brief question or answer right below that person's message
/// ("where?", "strong no").
pub(super) fn is_to_person(scene: &Scene<'_>, entry: &Note, calls: bool) -> bool {
    if begins_with_a_person(scene, entry) || (!calls && is_brief_exchange(scene, entry)) {
        return true;
    }
    let replies = replied_to(scene, entry).is_some_and(|other| {
        other.fleet_bot.is_none() && other.author.kind.is_person() && other.author.id != entry.author.id
    });
    if replies {
        return true;
    }
    words_of(&entry.calling()).iter().any(|word| {
        word.len() > 1 && word.starts_with('@') && !scene.cast.iter().any(|member| is_handle_of(word, member))
    })
}

/// Returns whether the text begins with another person's first name, set off by a comma, maybe after a word ("hey Tom,").
fn begins_with_a_person(scene: &Scene<'_>, entry: &Note) -> bool {
    let Some((front, _)) = entry.folded().split_once(',') else { return false };
    let front = words_of(front);
    let (1..=VOCATIVE_WORDS_MAX, Some(name)) = (front.len(), front.last()) else { return false };
    let is_it = |full: &str| words_of(&fold(full)).first().is_some_and(|first| first == name);
    if scene.cast.iter().any(|member| is_it(&member.profile.spec.name)) {
        return false;
    }
    let mut people = scene.window.iter().filter(|other| other.fleet_bot.is_none() && other.author.kind.is_person());
    people.any(|other| other.author.id != entry.author.id && is_it(&other.author.name))
}

/// Returns whether a message is too brief to be for everybody, the one right above is another person's, and one of the two
/// asks.
fn is_brief_exchange(scene: &Scene<'_>, entry: &Note) -> bool {
    let Some(above) = talk(scene).find(|other| other.number < entry.number) else { return false };
    let by_another = above.fleet_bot.is_none() && above.author.kind.is_person() && above.author.id != entry.author.id;
    let asks = |note: &Note| is_question(note.text.as_deref().unwrap_or_default());
    by_another && words_of(entry.folded()).len() <= BRIEF_WORDS_MAX && (asks(entry) || asks(above))
}

/// Returns the post that `entry` replies to, when the window still has it.
pub(super) fn replied_to<'a>(scene: &Scene<'a>, entry: &TranscriptEntry) -> Option<&'a Note> {
    let message = entry.reply_to?;
    let is_it = |other: &&Note| {
        other.message_id == message && other.kind == EntryKind::Message && other.telegram_chat == entry.telegram_chat
    };
    scene.window.iter().rev().map(|other| &**other).find(is_it)
}

/// Returns the words of a folded text; an `@` and an underscore belong to the word.
pub(in crate::behaviour) fn words_of(folded: &str) -> Vec<&str> {
    folded.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '@')).filter(|word| !word.is_empty()).collect()
}

fn is_handle_of(word: &str, member: &CastMember) -> bool {
    let username = word.strip_prefix('@').zip(member.username.as_deref());
    username.is_some_and(|(handle, username)| handle == fold(username))
}

/// Finds all places of a name or nickname of the cast.
fn name_runs(scene: &Scene<'_>, words: &[&str]) -> Vec<NameRun> {
    let mut runs = Vec::new();
    for (at, member) in scene.cast.iter().enumerate() {
        let persona = &member.profile.spec.persona;
        let turkish = scene.chat.spec.language == Language::Tr || persona.language == Language::Tr;
        for name in std::iter::once(&member.profile.spec.name).chain(&persona.nicknames) {
            let folded = fold(name);
            let parts = words_of(&folded);
            let Some((last, first)) = parts.split_last() else {
                continue;
            };
            for (start, run) in words.windows(parts.len()).enumerate() {
                if run.starts_with(first) && run.last().is_some_and(|word| is_name(word, last, turkish)) {
                    runs.push(NameRun { member: at, start, words: parts.len() });
                }
            }
        }
    }
    runs
}

/// Returns whether a folded word is a folded name, bare or, where Turkish is spoken, with suffixes.
pub(in crate::behaviour) fn is_name(word: &str, name: &str, turkish: bool) -> bool {
    match word.strip_prefix(name) {
        Some("") => true,
        Some(rest) => turkish && name.chars().count() >= SUFFIXED_NAME_CHARS_MIN && carries_suffixes(name, rest),
        None => false,
    }
}

/// Returns whether a longer name of another bot covers the run: "Deniz Can" does not call Deniz.
fn is_part_of_longer(run: &NameRun, runs: &[NameRun]) -> bool {
    runs.iter().any(|other| {
        other.member != run.member
            && other.words > run.words
            && other.start <= run.start
            && run.start + run.words <= other.start + other.words
    })
}

/// Returns whether a text asks something.
pub fn is_question(text: &str) -> bool {
    const LAST_WORDS: [&str; 19] = [
        "mi",
        "mu",
        "mü",
        "misin",
        "misiniz",
        "musun",
        "musunuz",
        "müsün",
        "müsünüz",
        "miyiz",
        "muyuz",
        "müyüz",
        "kim",
        "neden",
        "nasil",
        "nerede",
        "hangi",
        "sizce",
        "anyone",
    ];
    let asks =
        |mark: usize| text[mark..].chars().nth(1).is_none_or(|next| next.is_whitespace() || !next.is_alphanumeric());
    if text.match_indices('?').any(|(mark, _)| asks(mark)) {
        return true;
    }
    let folded = fold(text);
    words_of(&folded).last().is_some_and(|last| LAST_WORDS.contains(last))
}
