//! Conduct: finds what no bot may write in a chat, whoever asks for it. Layer `behaviour`; pure
//! ([ADR 45](../../../../docs/adr/0045-conduct.md)).
//!
//! | file | holds |
//! |---|---|
//! | `text` | a text as words in plain letters |
//! | `lists` | slurs, threats and accusations by lists (`words.en.txt`, `words.tr.txt`), and a chat's own words |
//! | `links` | links, domains, e-mail addresses and usernames |
//! | `numbers` | numbers of telephones, payment cards and bank accounts |
//! | `orders` | words that somebody put into the bot's mouth; accusations against somebody |
//! | `question` | the same search as a question to a model |
//!
//! An address may be named when the manifest names it, or when somebody in the chat wrote it. It does not count that a
//! person wrote it whose message orders the bot to say something.

mod links;
mod lists;
mod numbers;
mod orders;
pub mod question;
mod text;

use std::sync::Arc;

use self::links::Address;
use self::lists::{Hit, Kind, Lists};
use self::numbers::Number;
use self::text::Plain;
use crate::behaviour::note::Note;
use crate::domain::names::names;
use crate::domain::roster::BotProfile;
use crate::domain::strategy::Conduct;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Kind of what no bot may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misconduct {
    /// A slur or a gross insult.
    Slur,
    /// A threat.
    Threat,
    /// An accusation against somebody.
    Accusation,
    /// A word that the chat does not want.
    Word,
    /// A link, domain or e-mail address that neither the manifest nor anybody in the chat named.
    Link,
    /// A username of nobody in the chat.
    Mention,
    /// A call to everybody, or to too many.
    Crowd,
    /// A number of a telephone, a payment card or a bank account.
    Number,
    /// Words that somebody told the bot to say.
    Dictated,
    /// A model found the text harmful.
    Judged,
}

names! { Misconduct {
    Slur = "slur", Threat = "threat", Accusation = "accusation", Word = "word", Link = "link", Mention = "mention",
    Crowd = "crowd", Number = "number", Dictated = "dictated", Judged = "judged",
} }

/// Finding of the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Kind of what is wrong.
    pub kind: Misconduct,
    /// The reason, in words for operators, without the text itself.
    pub reason: String,
}

/// Circumstances of a text.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The chat's settings.
    pub rules: &'a Conduct,
    /// The bot that is about to speak.
    pub bot: &'a BotProfile,
    /// Usernames of the chat's bots.
    pub usernames: &'a [&'a str],
    /// The window that the model saw, oldest first.
    pub window: &'a [Arc<Note>],
    /// The entry that the text answers.
    pub target: Option<&'a TranscriptEntry>,
}

/// Returns what is wrong with a text, if anything is.
pub fn finding(text: &str, circumstances: &Circumstances<'_>) -> Option<Finding> {
    let found = |kind, reason: &str| Some(Finding { kind, reason: reason.to_owned() });
    let plain = text::read(text);
    for hit in Lists::built_in().find(&plain) {
        let (list, line) = hit.entry.place;
        let kind = match hit.entry.kind {
            Kind::Slur | Kind::Extra => Misconduct::Slur,
            Kind::Threat => Misconduct::Threat,
            Kind::Accusation if orders::accuses(&plain, hit.at.0, circumstances) => Misconduct::Accusation,
            Kind::Domain if is_domain(&plain, hit) => Misconduct::Link,
            Kind::Accusation | Kind::Domain => continue,
        };
        return found(kind, &format!("{}, line {line} of the list {list}", kind.as_str()));
    }
    if !circumstances.rules.words.is_empty() {
        let own = Lists::of(&circumstances.rules.words);
        if let Some(hit) = own.find(&plain).next() {
            return found(Misconduct::Word, &format!("word {} of the chat's own", hit.entry.place.1));
        }
    }
    match numbers::number(text, plain.written()) {
        Some(Number::Phone) => return found(Misconduct::Number, "the number of a telephone"),
        Some(Number::Card) => return found(Misconduct::Number, "the number of a payment card"),
        Some(Number::Account) => return found(Misconduct::Number, "the number of a bank account"),
        None => {}
    }
    let ordered = orders::ordered(circumstances.target);
    if let Some(finding) = foreign(&links::addresses(text), ordered.is_some(), circumstances) {
        return Some(finding);
    }
    match ordered {
        Some(order) if orders::is_dictated(&plain, &order) => {
            found(Misconduct::Dictated, "words that it was told to say")
        }
        _ => None,
    }
}

/// Returns whether an entry such as "dot com" is the end of a domain: "the dot com bubble" is none.
fn is_domain(plain: &Plain, hit: Hit<'_>) -> bool {
    const BEFORE: [&str; 8] = ["the", "a", "of", "bir", "bu", "şu", "o", "eski"];
    const AFTER: [&str; 8] = ["bubble", "boom", "crash", "era", "balonu", "dönemi", "krizi", "company"];
    let sentence = plain.sentence(hit.at.0);
    let before = hit.at.0.checked_sub(1).filter(|at| sentence.contains(at)).map(|at| plain.of(&plain.words[at]));
    let after = Some(hit.at.1 + 1).filter(|at| sentence.contains(at)).map(|at| plain.of(&plain.words[at]));
    before.is_some_and(|word| !BEFORE.contains(&word)) && after.is_none_or(|word| !AFTER.contains(&word))
}

/// Returns the fault of the first address that may not be named here.
fn foreign(addresses: &[Address], is_ordered: bool, circumstances: &Circumstances<'_>) -> Option<Finding> {
    if addresses.is_empty() {
        return None;
    }
    let found = |kind, reason: &str| Some(Finding { kind, reason: reason.to_owned() });
    let mentions = addresses.iter().filter(|address| matches!(address, Address::Mention(_))).count();
    if addresses.contains(&Address::Everybody) {
        return found(Misconduct::Crowd, "a call to everybody");
    }
    if mentions > circumstances.rules.mentions {
        return found(Misconduct::Crowd, &format!("{mentions} mentions"));
    }
    let known = known(is_ordered, circumstances);
    let foreign = addresses.iter().find(|address| !known.iter().any(|known| address.is_covered_by(known)))?;
    match foreign {
        Address::Mention(_) => found(Misconduct::Mention, "a username of nobody in the chat"),
        Address::Email { .. } => found(Misconduct::Link, "an e-mail address that nobody here named"),
        Address::Link { .. } | Address::Everybody => found(Misconduct::Link, "an address that nobody here named"),
    }
}

/// Returns the addresses that may be named: those of the manifest, those of the members, and those that people wrote.
fn known(is_ordered: bool, circumstances: &Circumstances<'_>) -> Vec<Address> {
    let Circumstances { rules, bot, usernames, window, target } = *circumstances;
    let mut known: Vec<Address> = rules.links.iter().filter_map(|link| links::of_manifest(link)).collect();
    let name = |name: &str| Address::Mention(name.trim_start_matches('@').to_ascii_lowercase());
    known.extend(usernames.iter().copied().map(name));
    known.extend(bot.spec.relationships.iter().filter_map(|relation| relation.to.strip_prefix('@')).map(name));
    let entries = || window.iter().map(|note| &*note.entry).chain(target);
    known.extend(entries().filter_map(|entry| entry.author.username.as_deref()).map(name));
    let orders = |entry: &TranscriptEntry| is_ordered && target.is_some_and(|it| it.author.id == entry.author.id);
    let wrote = |entry: &&TranscriptEntry| {
        matches!(entry.kind, EntryKind::Message | EntryKind::Edit) && entry.author.kind.is_person() && !orders(entry)
    };
    let texts = entries().filter(wrote).filter_map(|entry| entry.text.as_deref());
    known.extend(texts.flat_map(links::addresses));
    known
}

#[cfg(test)]
mod tests;
