//! Interruptions: tells whether messages that came meanwhile make an answer pointless. Layer `behaviour`; pure.
//!
//! | meanwhile | asked by name | else |
//! |---|---|---|
//! | the message was deleted, or its author takes the question back | drop | drop |
//! | its author changed it into something else | rewrite | rewrite |
//! | another person answered it | rewrite | drop |
//! | another bot answered it | keep | drop; a bot chosen to speak after others rewrites |
//! | people went on talking | rewrite when its author did | drop |
//!
//! A message that turns to this very bot is answered in any case, unless its author does not want an answer any more.

use std::sync::Arc;

use super::director::address::{is_name, words_of};
use super::note::Note;
use super::novelty::sketch::Sketch;
use crate::domain::ids::{BotId, Number, ThreadId};
use crate::domain::incoming::{Entity, EntityKind};
use crate::domain::roster::{BotProfile, Language};
use crate::domain::text::fold;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Number of newer messages of people from which the conversation has gone on.
const GONE_ON: usize = 6;

/// Number of newer messages of the author from which there is more to answer.
const MORE_TO_ANSWER: usize = 2;

/// Likeness below which an edit makes another message.
const EDITED_HEAVILY: f64 = 0.5;

/// Longest message that takes something back, in words.
const WITHDRAWAL_WORDS_MAX: usize = 8;

/// Phrases with which people take a question back, in lower case as `fold` writes them.
const WITHDRAWALS: [&str; 27] = [
    "boşver",
    "boş ver",
    "boşverin",
    "vazgeçtim",
    "gerek kalmadi",
    "gerek yok",
    "hallettim",
    "hallettik",
    "hallolmuş",
    "buldum",
    "bulduk",
    "çözdüm",
    "çözüldü",
    "unut gitsin",
    "unutun gitsin",
    "never mind",
    "nevermind",
    "nvm",
    "forget it",
    "forget about it",
    "found it",
    "got it sorted",
    "solved it",
    "figured it out",
    "no need",
    "sorted now",
    "scratch that",
];

/// An answer that is about to be given.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The bot.
    pub bot: BotId,
    /// The message to answer; `None` when the bot brings something up.
    pub target: Option<Arc<TranscriptEntry>>,
    /// The message turns to this very bot.
    pub addressed: bool,
    /// The bot was chosen to speak after others.
    pub after_others: bool,
    /// Last entry that the answer takes into account.
    pub seen: Number,
    /// Forum topic of the answer.
    pub thread: Option<ThreadId>,
}

impl Pending {
    /// Gathers the facts about an answer of `bot`. `spoken` is the chat's language, `window` the known end of its
    /// transcript, oldest first; `known` replaces the last entry where the window is empty.
    pub fn of(
        bot: &BotProfile,
        username: Option<&str>,
        spoken: Language,
        target: Option<Arc<TranscriptEntry>>,
        window: &[Arc<Note>],
        known: Option<Number>,
    ) -> Self {
        let replied = target.as_ref().and_then(|target| {
            let message = target.reply_to?;
            window.iter().rev().find(|note| note.message_id == message).and_then(|note| note.fleet_bot)
        });
        let addressed = target.as_ref().is_some_and(|target| turns_to(bot, username, spoken, target, replied));
        let seen = window.last().map(|note| note.number).or(known).unwrap_or(Number(i64::MAX));
        let thread = target.as_ref().and_then(|target| target.thread);
        Self { bot: bot.id, target, addressed, after_others: false, seen, thread }
    }
}

/// Decision about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconsidered {
    /// The answer is given as it is.
    Keep,
    /// The answer is not given, for this reason.
    Drop(&'static str),
    /// The model is asked again with the newer messages, for this reason.
    Rewrite(&'static str),
}

/// Decides about an answer after `tail`, the current end of the chat's transcript, oldest first.
pub fn reconsider(pending: &Pending, tail: &[Arc<TranscriptEntry>]) -> Reconsidered {
    let is_news = |entry: &&TranscriptEntry| entry.number > pending.seen && entry.thread == pending.thread;
    let news: Vec<&TranscriptEntry> = tail.iter().map(|entry| &**entry).filter(is_news).collect();
    let Some(target) = pending.target.as_deref() else {
        // Nobody needs a new topic when people have begun to talk by themselves.
        let people = news.iter().any(|entry| is_post(entry) && entry.author.kind.is_person());
        return if people { Reconsidered::Drop("people speak again") } else { Reconsidered::Keep };
    };
    let had_text = target.text.is_some();
    if had_text && tail.iter().any(|entry| entry.number == target.number && entry.text.is_none()) {
        return Reconsidered::Drop("the message was deleted");
    }
    let by_author = |entry: &&&TranscriptEntry| entry.author.id == target.author.id;
    if news.iter().filter(by_author).any(|entry| is_post(entry) && withdraws(entry, target)) {
        return Reconsidered::Drop("the question was taken back");
    }
    if let Some(edit) = news.iter().rev().find(|entry| entry.kind == EntryKind::Edit && is_of(entry, target))
        && changes(target.text.as_deref(), edit.text.as_deref())
    {
        return Reconsidered::Rewrite("the message was changed");
    }
    let answers = |entry: &&&TranscriptEntry| is_post(entry) && answers(entry, target);
    let other_person = |entry: &&TranscriptEntry| {
        entry.fleet_bot.is_none() && entry.author.kind.is_person() && entry.author.id != target.author.id
    };
    if news.iter().filter(answers).any(other_person) {
        return if pending.addressed {
            Reconsidered::Rewrite("a person answered as well")
        } else {
            Reconsidered::Drop("a person answered")
        };
    }
    let other_bot = |entry: &&TranscriptEntry| entry.fleet_bot.is_some_and(|bot| bot != pending.bot);
    if !pending.addressed && news.iter().filter(answers).any(other_bot) {
        return if pending.after_others {
            Reconsidered::Rewrite("others answered before")
        } else {
            Reconsidered::Drop("another bot answered")
        };
    }
    let by_people: Vec<_> = news.iter().filter(|e| is_post(e) && e.author.kind.is_person()).collect();
    if !pending.addressed && by_people.len() >= GONE_ON {
        return Reconsidered::Drop("the talk has gone on");
    }
    let more = by_people.iter().filter(|entry| entry.author.id == target.author.id).count();
    if pending.addressed && target.author.kind.is_person() && more >= MORE_TO_ANSWER {
        return Reconsidered::Rewrite("there is more to answer");
    }
    Reconsidered::Keep
}

/// Decides whether a bot that has said the beginning says the rest: not when a person spoke meanwhile. `tail` is as for
/// [`reconsider`].
pub fn go_on(pending: &Pending, tail: &[Arc<TranscriptEntry>]) -> Reconsidered {
    let begun = tail.iter().rev().find(|entry| entry.fleet_bot == Some(pending.bot) && entry.number > pending.seen);
    let since = |entry: &&Arc<TranscriptEntry>| {
        begun.is_some_and(|begun| entry.number > begun.number) && entry.thread == pending.thread
    };
    if tail.iter().filter(since).any(|entry| is_post(entry) && entry.author.kind.is_person()) {
        return Reconsidered::Drop("a person spoke in between");
    }
    Reconsidered::Keep
}

/// Returns whether `target` turns to this very bot: by @username, by a reply to the bot, or by one of its names.
/// `spoken` is the chat's language.
fn turns_to(
    bot: &BotProfile,
    username: Option<&str>,
    spoken: Language,
    target: &TranscriptEntry,
    replied: Option<BotId>,
) -> bool {
    let turned = |entity: &Entity| entity.kind == EntityKind::TextMention(bot.spec.telegram_id);
    if replied == Some(bot.id) || target.entities.iter().any(turned) {
        return true;
    }
    let text = fold(target.text.as_deref().unwrap_or_default());
    let words = words_of(&text);
    let handle = username.map(|name| format!("@{}", fold(name)));
    if handle.is_some_and(|handle| words.contains(&handle.as_str())) {
        return true;
    }
    let turkish = spoken == Language::Tr || bot.spec.persona.language == Language::Tr;
    let names = std::iter::once(&bot.spec.name).chain(&bot.spec.persona.nicknames);
    names.map(|name| fold(name)).any(|name| {
        let name = words_of(&name);
        let fits = |run: &[&str]| {
            let last = run.len() - 1;
            run[..last] == name[..last] && is_name(run[last], name[last], turkish)
        };
        !name.is_empty() && words.windows(name.len()).any(fits)
    })
}

fn is_post(entry: &TranscriptEntry) -> bool {
    entry.kind == EntryKind::Message
}

fn is_of(entry: &TranscriptEntry, target: &TranscriptEntry) -> bool {
    entry.message_id == target.message_id && entry.telegram_chat == target.telegram_chat
}

fn answers(entry: &TranscriptEntry, target: &TranscriptEntry) -> bool {
    entry.reply_to == Some(target.message_id) && entry.telegram_chat == target.telegram_chat
}

/// Returns whether a message of the same author says that no answer is needed any more.
fn withdraws(entry: &TranscriptEntry, target: &TranscriptEntry) -> bool {
    if entry.reply_to.is_some_and(|message| message != target.message_id) {
        return false;
    }
    let text = fold(entry.text.as_deref().unwrap_or_default());
    let words: Vec<&str> = words(&text).collect();
    words.len() <= WITHDRAWAL_WORDS_MAX && {
        let line = format!(" {} ", words.join(" "));
        WITHDRAWALS.iter().any(|phrase| line.contains(&format!(" {phrase} ")))
    }
}

/// Returns whether an edit makes another message.
fn changes(before: Option<&str>, after: Option<&str>) -> bool {
    let (before, after) = (Sketch::of(before.unwrap_or_default()), Sketch::of(after.unwrap_or_default()));
    let short = before.likeness(&before) < f64::EPSILON || after.likeness(&after) < f64::EPSILON;
    if short { !before.is_same(&after) } else { before.likeness(&after) < EDITED_HEAVILY }
}

fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::samples::{bot, says};
    use crate::domain::ids::TelegramUserId;

    fn ask(text: &str) -> TranscriptEntry {
        says(1, None, text, 0)
    }

    fn person(number: i64, name: i64, text: &str) -> TranscriptEntry {
        let mut entry = says(number, None, text, 0);
        entry.author.id = TelegramUserId(name);
        entry
    }

    fn pending(target: &TranscriptEntry, addressed: bool) -> Pending {
        let target = Some(Arc::new(target.clone()));
        Pending { bot: BotId(1), target, addressed, after_others: false, seen: Number(1), thread: None }
    }

    fn after(pending: &Pending, news: Vec<TranscriptEntry>) -> Reconsidered {
        let tail: Vec<_> = news.into_iter().map(Arc::new).collect();
        reconsider(pending, &tail)
    }

    #[test]
    fn what_was_known_already_changes_nothing() {
        let target = ask("kim gelir?");
        let pending = Pending { seen: Number(9), ..pending(&target, false) };
        let mut answer = person(5, 2, "ben");
        answer.reply_to = Some(target.message_id);
        assert_eq!(after(&pending, vec![target, answer]), Reconsidered::Keep);
    }

    #[test]
    fn a_persons_answer_makes_a_bots_idle_unless_it_was_asked_itself() {
        let target = ask("Yarın hava nasıl olacak?");
        let mut answer = person(2, 2, "yağmurlu diyorlar");
        answer.reply_to = Some(target.message_id);
        assert_eq!(after(&pending(&target, false), vec![answer.clone()]), Reconsidered::Drop("a person answered"));
        assert!(matches!(after(&pending(&target, true), vec![answer]), Reconsidered::Rewrite(_)));
    }

    #[test]
    fn who_takes_a_question_back_gets_no_answer() {
        for words in ["neyse boşver", "Buldum, sağ olun!", "never mind, found it", "VAZGEÇTİM"] {
            let news = vec![person(2, 1, words)];
            let verdict = after(&pending(&ask("anahtar nerede?"), true), news);
            assert_eq!(verdict, Reconsidered::Drop("the question was taken back"), "{words}");
        }
        let others = vec![person(2, 2, "boşver")];
        assert_eq!(after(&pending(&ask("anahtar nerede?"), true), others), Reconsidered::Keep);
        let longer = "dün akşam kitabı buldum ve hemen okumaya başladım, çok güzelmiş gerçekten";
        assert_eq!(after(&pending(&ask("x"), true), vec![person(2, 1, longer)]), Reconsidered::Keep);
    }

    #[test]
    fn a_bot_that_has_begun_lets_a_person_who_speaks_have_the_floor() {
        let target = ask("Anlatsana?");
        let own = says(2, Some(&bot(1, "Deniz")), "Dün", 1);
        let after = |news: Vec<TranscriptEntry>| {
            let tail: Vec<_> = news.into_iter().map(Arc::new).collect();
            go_on(&pending(&target, true), &tail)
        };
        assert_eq!(after(vec![own.clone()]), Reconsidered::Keep);
        let before = TranscriptEntry { number: Number(2), ..person(2, 2, "evet") };
        assert_eq!(after(vec![before, TranscriptEntry { number: Number(3), ..own.clone() }]), Reconsidered::Keep);
        assert!(matches!(after(vec![own.clone(), person(3, 2, "dur")]), Reconsidered::Drop(_)));
        let other = says(3, Some(&bot(2, "Nora")), "ben de", 1);
        assert_eq!(after(vec![own, other]), Reconsidered::Keep);
    }

    #[test]
    fn another_bots_answer_is_enough_for_the_room() {
        let target = ask("Saat kaç?");
        let mut answer = says(2, Some(&bot(2, "Nora")), "beş", 1);
        answer.reply_to = Some(target.message_id);
        let room = pending(&target, false);
        assert_eq!(after(&room, vec![answer.clone()]), Reconsidered::Drop("another bot answered"));
        let second = Pending { after_others: true, ..room };
        assert_eq!(after(&second, vec![answer.clone()]), Reconsidered::Rewrite("others answered before"));
        assert_eq!(after(&pending(&target, true), vec![answer]), Reconsidered::Keep);
    }

    #[test]
    fn a_deleted_message_is_not_answered_and_a_changed_one_is_thought_over() {
        let target = ask("Cumartesi pikniğe kim gelir acaba?");
        let gone = TranscriptEntry { text: None, ..target.clone() };
        assert_eq!(after(&pending(&target, true), vec![gone]), Reconsidered::Drop("the message was deleted"));
        let edit = |text: &str| TranscriptEntry {
            number: Number(2),
            kind: EntryKind::Edit,
            text: Some(text.to_owned()),
            ..target.clone()
        };
        let typo = edit("Cumartesi pikniğe kimler gelir acaba?");
        assert_eq!(after(&pending(&target, true), vec![typo]), Reconsidered::Keep);
        let other = edit("Pazar günü sinemaya gitmek isteyen var mı?");
        assert_eq!(after(&pending(&target, true), vec![other]), Reconsidered::Rewrite("the message was changed"));
    }

    #[test]
    fn talk_that_has_gone_on_needs_no_late_remark() {
        let target = ask("bugün de ne güzel");
        let talk = |author: fn(i64) -> i64| (2..8).map(|n| person(n, author(n), "bence de öyle")).collect::<Vec<_>>();
        assert_eq!(after(&pending(&target, false), talk(|n| n)), Reconsidered::Drop("the talk has gone on"));
        assert_eq!(after(&pending(&target, true), talk(|n| n + 10)), Reconsidered::Keep);
        assert_eq!(after(&pending(&target, true), talk(|_| 1)), Reconsidered::Rewrite("there is more to answer"));
    }

    #[test]
    fn a_topic_is_not_brought_up_when_people_speak_again() {
        let opening = Pending {
            bot: BotId(1),
            target: None,
            addressed: false,
            after_others: false,
            seen: Number(1),
            thread: None,
        };
        assert_eq!(after(&opening, vec![says(2, Some(&bot(2, "Nora")), "…", 0)]), Reconsidered::Keep);
        assert_eq!(after(&opening, vec![person(2, 3, "selam")]), Reconsidered::Drop("people speak again"));
    }

    #[test]
    fn a_bot_knows_when_it_is_meant() {
        let member = bot(1, "Deniz");
        let is_meant =
            |text: &str, replied| turns_to(&member.profile, Some("deniz_bot"), Language::Tr, &ask(text), replied);
        assert!(is_meant("DENİZ ne dersin?", None) && is_meant("@deniz_bot?", None) && is_meant("Deniz'e sor", None));
        assert!(is_meant("Denizi gördüm", None) && !is_meant("denizaltı", None) && !is_meant("@deniz_bot2?", None));
        assert!(is_meant("sence?", Some(BotId(1))) && !is_meant("sence?", Some(BotId(2))) && !is_meant("kim?", None));
    }
}
