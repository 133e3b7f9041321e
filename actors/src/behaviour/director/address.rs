//! Who is addressed by a message. Layer `behaviour`; pure.

use crate::behaviour::scene::{CastMember, Scene};
use crate::domain::incoming::EntityKind;
use crate::domain::text::fold;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// How a bot is addressed, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// By @username, or by id.
    Mention,
    /// By a reply to its message.
    Reply,
    /// By its name in the text.
    Name,
}

impl Address {
    /// The word in decisions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mention => "mention",
            Self::Reply => "reply",
            Self::Name => "name",
        }
    }
}

/// Longest suffix that a name may carry without an apostrophe: `-lerinden` is among the longest in Turkish.
const SUFFIX_CHARS_MAX: usize = 4;

/// Suffixes that a Turkish name may carry without an apostrophe, folded.
const SUFFIXES: [&str; 34] = [
    "e", "a", "i", "u", "ü", "ye", "ya", "yi", "yu", "yü", "de", "da", "te", "ta", "den", "dan", "ten", "tan", "in",
    "un", "ün", "nin", "nun", "nün", "le", "la", "yle", "yla", "ce", "ca", "ler", "lar", "cim", "ciğim",
];

/// The bots addressed by `entry`, in the order of the cast; never its author.
pub fn addressed<'a>(scene: &Scene<'a>, entry: &TranscriptEntry) -> Vec<(&'a CastMember, Address)> {
    let text = entry.text.as_deref().unwrap_or_default();
    let folded = fold(text);
    let words: Vec<&str> = folded
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '@'))
        .filter(|word| !word.is_empty())
        .collect();
    let replied = entry.reply_to.and_then(|message| {
        scene
            .window
            .iter()
            .rev()
            .find(|other| other.message_id == message && other.kind == EntryKind::Message)
            .and_then(|other| other.fleet_bot)
    });
    let how = |member: &CastMember| {
        let profile = &member.profile;
        if entry.fleet_bot == Some(profile.id) || entry.author.id == profile.spec.telegram_id {
            return None;
        }
        let by_id =
            entry.entities.iter().any(|entity| entity.kind == EntityKind::TextMention(profile.spec.telegram_id));
        let handle = member.username.as_ref().map(|username| format!("@{}", fold(username)));
        if by_id || handle.is_some_and(|handle| words.contains(&handle.as_str())) {
            return Some(Address::Mention);
        }
        if replied == Some(profile.id) {
            return Some(Address::Reply);
        }
        let names = std::iter::once(&profile.spec.name).chain(&profile.spec.persona.nicknames);
        names.into_iter().any(|name| is_named(&words, &fold(name))).then_some(Address::Name)
    };
    scene.cast.iter().filter_map(|member| how(member).map(|address| (member, address))).collect()
}

/// Whether the folded name stands among the folded words, with or without a suffix.
fn is_named(words: &[&str], name: &str) -> bool {
    let parts: Vec<&str> = name.split_whitespace().collect();
    let Some((last, first)) = parts.split_last() else {
        return false;
    };
    words.windows(parts.len()).any(|run| {
        let (run_last, run_first) = (run[run.len() - 1], &run[..run.len() - 1]);
        run_first == first && carries(run_last, last)
    })
}

/// Whether `word` is `name`, perhaps with a suffix.
fn carries(word: &str, name: &str) -> bool {
    match word.strip_prefix(name) {
        Some("") => true,
        Some(suffix) => {
            name.chars().count() >= 3 && suffix.chars().count() <= SUFFIX_CHARS_MAX && SUFFIXES.contains(&suffix)
        }
        None => false,
    }
}

/// Whether the message asks the room something.
pub fn is_question(text: &str) -> bool {
    const WORDS: [&str; 14] =
        ["mi", "mı", "mu", "mü", "misin", "misiniz", "kim", "ne", "neden", "nasil", "nerede", "hangi", "anyone", "who"];
    let trimmed = text.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '?');
    if trimmed.ends_with('?') || text.contains("? ") {
        return true;
    }
    let folded = fold(text);
    let last = folded.split(|c: char| !c.is_alphanumeric()).rfind(|word| !word.is_empty());
    last.is_some_and(|last| WORDS.contains(&last))
}
