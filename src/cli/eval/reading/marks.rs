//! The marks of a single text. Part of `cli`.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use botfleet_actors::domain::ids::MessageId;
use botfleet_actors::domain::text::fold;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKind, TranscriptEntry};

/// Number of a speaker's last texts in which the same opening counts as "again".
const OPENINGS: usize = 20;

/// Letters by which two words are of one subject, and the fewest letters of a word that has one: Turkish words carry
/// their suffixes behind the fifth letter, for the most part.
const STEM: usize = 5;
const SUBJECT_MIN: usize = 4;

/// Words of four letters and more that are of no subject, folded.
const SMALL: [&str; 92] = [
    "that", "this", "these", "those", "with", "from", "have", "been", "were", "will", "would", "could", "should",
    "what", "when", "where", "which", "there", "here", "they", "them", "their", "then", "than", "your", "just", "like",
    "some", "about", "also", "very", "really", "much", "more", "most", "only", "well", "know", "think", "want", "make",
    "does", "done", "into", "over", "even", "still", "maybe", "yeah", "okay", "good", "right", "because", "ama",
    "için", "daha", "gibi", "kadar", "sonra", "önce", "bana", "sana", "bence", "sence", "bunu", "şunu", "onun",
    "bunun", "benim", "senin", "bizim", "şimdi", "çünkü", "belki", "biraz", "hiçbir", "böyle", "şöyle", "öyle",
    "neden", "niye", "nasil", "evet", "hayir", "tamam", "olan", "olur", "oldu", "olarak", "değil", "zaman", "güzel",
];

/// A text of a transcript with its marks.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "marks that are found one by one")]
pub(super) struct Marked {
    pub author: String,
    /// True for a bot of the fleet, false for a person; texts of others are left out.
    pub is_bot: bool,
    pub text: String,
    pub date: Timestamp,
    /// Author of the text that this one answers by Telegram's link, and whether both share a subject; `None` when one of
    /// them has no word of a subject.
    pub answers: Option<(String, Option<bool>)>,
    pub begins_with_name: bool,
    pub asks: bool,
    /// The first two words behind a name, folded.
    pub opening: Option<String>,
    /// The speaker opened one of its last texts with the same words.
    pub opens_again: bool,
}

impl Marked {
    /// Returns the marks of the text, as a page shows them.
    pub(super) fn marks(&self) -> Vec<&'static str> {
        let no_subject = matches!(self.answers, Some((_, Some(false))));
        let marks = [
            ("name", self.begins_with_name),
            ("?", self.asks),
            ("opening again", self.opens_again),
            ("no subject", no_subject),
        ];
        marks.into_iter().filter(|(_, is)| *is).map(|(mark, _)| mark).collect()
    }
}

/// Returns names in the forms in which a text can begin with them, folded, the longest first.
pub(super) fn names(names: impl Iterator<Item = String>) -> Vec<String> {
    let folded = names.map(|name| fold(name.trim()));
    let forms = folded.flat_map(|name| [name.split_whitespace().next().unwrap_or_default().to_owned(), name]);
    let distinct: BTreeSet<String> = forms.filter(|name| name.chars().count() >= 2).collect();
    let mut names: Vec<String> = distinct.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names
}

/// Marks the texts of people and bots in a transcript, oldest first. Notices of the fleet are left out.
pub(super) fn marked(entries: &[Arc<TranscriptEntry>], names: &[String]) -> Vec<Marked> {
    let mut texts: HashMap<MessageId, (&str, &str)> = HashMap::new();
    let mut openings: HashMap<String, VecDeque<String>> = HashMap::new();
    let mut marked = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Message && !entry.is_notice()) {
        let Some(text) = entry.text.as_deref().filter(|text| !text.trim().is_empty()) else { continue };
        let is_bot = entry.fleet_bot.is_some();
        if !is_bot && !entry.author.kind.is_person() {
            continue;
        }
        let answered = entry.reply_to.and_then(|message| texts.get(&message));
        let answers = answered.map(|(author, other)| ((*author).to_owned(), share_subject(text, other)));
        texts.insert(entry.message_id, (&entry.author.name, text));
        let folded = fold(text);
        let bare = behind_name(&folded, names);
        let opening = opening(bare.unwrap_or(&folded));
        let opens_again = opening.as_ref().is_some_and(|opening| {
            let lately = openings.entry(entry.author.id.to_string()).or_default();
            let again = lately.contains(opening);
            lately.push_back(opening.clone());
            if lately.len() > OPENINGS {
                lately.pop_front();
            }
            again
        });
        marked.push(Marked {
            author: entry.author.name.clone(),
            is_bot,
            text: text.to_owned(),
            date: entry.date,
            answers,
            begins_with_name: bare.is_some(),
            asks: text.contains('?'),
            opening,
            opens_again,
        });
    }
    marked
}

/// Returns the part of a folded text behind a name at its beginning; `None` when there is none.
fn behind_name<'a>(folded: &'a str, names: &[String]) -> Option<&'a str> {
    let text = folded.trim_start_matches(|c: char| !c.is_alphanumeric());
    names.iter().find_map(|name| {
        let rest = text.strip_prefix(name.as_str())?;
        // "Ayşe'nin" speaks of her.
        let ends = rest.chars().next().is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '\'' | '’' | '_'));
        ends.then_some(rest)
    })
}

/// Returns the first two words of a folded text; `None` when it has fewer.
fn opening(folded: &str) -> Option<String> {
    let mut words = words(folded);
    Some(format!("{} {}", words.next()?, words.next()?))
}

/// Returns the words of a folded text.
pub(super) fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Returns whether two texts share a subject; `None` when one of them has none.
fn share_subject(one: &str, other: &str) -> Option<bool> {
    let (one, other) = (subjects(one), subjects(other));
    (!one.is_empty() && !other.is_empty()).then(|| !one.is_disjoint(&other))
}

/// Returns the beginnings of the words of a text that are of a subject.
fn subjects(text: &str) -> BTreeSet<String> {
    let folded = fold(text);
    let of_subject = words(&folded).filter(|word| word.chars().count() >= SUBJECT_MIN && !SMALL.contains(word));
    of_subject.map(|word| word.chars().take(STEM).collect()).collect()
}
