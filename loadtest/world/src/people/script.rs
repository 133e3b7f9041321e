//! Generates people's small talk as a pure, seeded sequence of actions. Layer: world.
//!
//! The sequence never ends unless all chats are silent, its times never decrease, and the same seed and spec give the
//! same sequence.

use std::time::Duration;

use super::lines::{ENGLISH, Lines, TURKISH};
use super::names::{Case, suffixed};
use super::spec::{PeopleBot, PeopleChat, PeopleSpec, SleepHours};

/// The number of last messages that people reply to.
const REPLY_DEPTH: usize = 4;
/// The emoji of people's reactions; all are allowed as reactions in groups.
const EMOJI: [&str; 8] = ["👍", "❤", "😁", "🔥", "🎉", "🤔", "👏", "💯"];
const HOUR: f64 = 3600.0;

/// An action of a person at its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonAction {
    /// The time, in virtual time since the start.
    pub after: Duration,
    /// The chat.
    pub chat: i64,
    /// The person.
    pub person: i64,
    /// The action.
    pub action: Action,
}

/// An action of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The person writes a message.
    Post {
        /// The text.
        text: String,
        /// The message that this one replies to.
        reply: Option<ReplyTo>,
        /// The username that the text mentions, without `@`.
        mentions: Option<String>,
    },
    /// The person reacts to the last message of the chat.
    React {
        /// The reaction.
        emoji: String,
    },
}

/// A reference to the message that is replied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyTo {
    /// The n-th last message of the chat, from 1.
    Last(usize),
}

/// An endless sequence of people's actions.
#[derive(Debug, Clone)]
pub struct PeopleScript {
    rng: fastrand::Rng,
    spec: PeopleSpec,
    /// The time of the next action in each chat, in seconds since the start.
    next: Vec<f64>,
}

impl PeopleScript {
    /// Makes a script. Chats without people stay silent, and a rate that is not above 0 silences all.
    pub fn new(seed: u64, mut spec: PeopleSpec) -> Self {
        spec.chats.retain(|chat| !chat.people.is_empty());
        let rate = spec.messages_per_minute_per_chat;
        if !(rate.is_finite() && rate > 0.0) {
            spec.chats.clear();
        }
        let mut script = Self { rng: fastrand::Rng::with_seed(seed), next: Vec::new(), spec };
        script.next = (0..script.spec.chats.len()).map(|_| script.gap()).collect();
        script
    }

    /// Draws an exponential gap, in seconds.
    fn gap(&mut self) -> f64 {
        -(1.0 - self.rng.f64()).ln() * 60.0 / self.spec.messages_per_minute_per_chat
    }

    fn is_drawn(&mut self, share: f64) -> bool {
        self.rng.f64() < share
    }

    fn act(&mut self, index: usize) -> (i64, i64, Action) {
        let chat = self.spec.chats[index].clone();
        let person = self.rng.choice(&chat.people).cloned();
        let (person, name) = person.map(|person| (person.id, person.first_name)).unwrap_or_default();
        let action = if self.is_drawn(self.spec.reaction_share) {
            let emoji = EMOJI[self.rng.usize(..EMOJI.len())];
            Action::React { emoji: emoji.to_owned() }
        } else {
            self.write(&chat, &name)
        };
        (chat.chat, person, action)
    }

    fn write(&mut self, chat: &PeopleChat, author: &str) -> Action {
        let lines = match chat.language_code.get(..2) {
            Some("tr") => &TURKISH,
            Some("en") => &ENGLISH,
            _ if self.rng.bool() => &TURKISH,
            _ => &ENGLISH,
        };
        let bot = if self.is_drawn(self.spec.mention_share) { self.rng.choice(&chat.bots).cloned() } else { None };
        let others: Vec<&str> =
            chat.people.iter().map(|person| person.first_name.as_str()).filter(|name| *name != author).collect();
        let other = self.rng.choice(others).map(str::to_owned);
        let reply = self.is_drawn(self.spec.reply_share).then(|| ReplyTo::Last(self.rng.usize(1..=REPLY_DEPTH)));
        let template = self.template(lines, bot.is_some(), reply.is_some());
        let apostrophe = if self.rng.bool() { '\'' } else { '’' };
        let text = fill(&template, bot.as_ref(), other.as_deref(), apostrophe)
            .or_else(|| fill(&self.about_topic(lines), bot.as_ref(), None, apostrophe))
            .unwrap_or_default();
        let mentions = bot.map(|bot| bot.username).filter(|username| text.contains(&format!("@{username}")));
        Action::Post { text, reply, mentions }
    }

    fn template(&mut self, lines: &Lines, to_bot: bool, is_reply: bool) -> String {
        if to_bot {
            if self.is_drawn(0.35) {
                return self.line(&lines.about_bots);
            }
            let address = self.line(&lines.addresses);
            return format!("{address} {}", self.about_topic(lines));
        }
        if is_reply {
            let reply = self.line(&lines.replies);
            return if self.is_drawn(0.4) { format!("{reply}, {}", self.about_topic(lines)) } else { reply };
        }
        let text = if self.is_drawn(0.15) { self.line(&lines.chatter) } else { self.about_topic(lines) };
        if self.is_drawn(0.3) { format!("{} {text}", self.line(&lines.openers)) } else { text }
    }

    fn about_topic(&mut self, lines: &Lines) -> String {
        let (statements, questions) = &lines.topics[self.rng.usize(..lines.topics.len())];
        if self.is_drawn(self.spec.question_share) { self.line(questions) } else { self.line(statements) }
    }

    fn line(&mut self, list: &[&str]) -> String {
        self.rng.choice(list.iter()).map(|line| (*line).to_owned()).unwrap_or_default()
    }
}

impl Iterator for PeopleScript {
    type Item = PersonAction;

    fn next(&mut self) -> Option<PersonAction> {
        let (index, at) = loop {
            let index = (0..self.next.len()).min_by(|a, b| self.next[*a].total_cmp(&self.next[*b]))?;
            let at = self.next[index];
            match self.spec.sleep.and_then(|sleep| wake_after(sleep, at)) {
                // Each chat wakes after a gap of its own, so another chat may come first.
                Some(wake) => self.next[index] = wake + self.gap(),
                None => break (index, at),
            }
        };
        self.next[index] = at + self.gap();
        let (chat, person, action) = self.act(index);
        Some(PersonAction { after: Duration::try_from_secs_f64(at).ok()?, chat, person, action })
    }
}

/// Returns when people wake, in seconds since the start, or `None` when they are awake at `at`.
fn wake_after(sleep: SleepHours, at: f64) -> Option<f64> {
    let (from, to) = (f64::from(sleep.from_hour % 24), f64::from(sleep.to_hour % 24));
    let hour = (f64::from(sleep.start_hour % 24) + at / HOUR).rem_euclid(24.0);
    // From an hour to the same hour is no sleep; it does not mean a whole day.
    let length = (to - from).rem_euclid(24.0);
    let slept = (hour - from).rem_euclid(24.0);
    (slept < length).then_some(at + (length - slept) * HOUR)
}

/// Fills a line's slots; `None` when a slot has no value.
fn fill(line: &str, bot: Option<&PeopleBot>, other: Option<&str>, apostrophe: char) -> Option<String> {
    let mut text = line.to_owned();
    if text.contains("{p}") {
        text = text.replace("{p}", other?);
    }
    let cases =
        [("{b:e}", Case::Dative), ("{b:in}", Case::Genitive), ("{b:i}", Case::Accusative), ("{b:den}", Case::Ablative)];
    for (slot, case) in cases {
        if text.contains(slot) {
            text = text.replace(slot, &suffixed(&bot?.first_name, case, apostrophe));
        }
    }
    if text.contains("{b}") {
        text = text.replace("{b}", &bot?.first_name);
    }
    if text.contains("{@}") {
        text = text.replace("{@}", &format!("@{}", bot?.username));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::spec::PeoplePerson;
    use super::*;

    fn spec() -> PeopleSpec {
        let chat = |chat, language_code: &str| PeopleChat {
            chat,
            language_code: language_code.to_owned(),
            people: [(1, "Ayşe"), (2, "Tom"), (3, "Mert")]
                .map(|(id, name)| PeoplePerson { id, first_name: name.to_owned() })
                .to_vec(),
            bots: [("deniz_bot", "Deniz"), ("zeynep_bot", "Zeynep")]
                .map(|(username, name)| PeopleBot { username: username.to_owned(), first_name: name.to_owned() })
                .to_vec(),
        };
        PeopleSpec { chats: vec![chat(-1001, "tr"), chat(-1002, "en"), chat(-1003, "mixed")], ..PeopleSpec::default() }
    }

    #[test]
    fn the_same_seed_gives_the_same_script_in_rising_time() {
        let take = |seed| PeopleScript::new(seed, spec()).take(300).collect::<Vec<_>>();
        let script = take(4);
        assert_eq!(script, take(4));
        assert_ne!(script, take(5));
        assert!(script.windows(2).all(|pair| pair[0].after <= pair[1].after));
    }

    #[test]
    fn shares_and_rate_are_kept() {
        let mut wanted = spec();
        wanted.messages_per_minute_per_chat = 10.0;
        wanted.reaction_share = 0.1;
        let script: Vec<_> = PeopleScript::new(1, wanted).take(3000).collect();
        let minutes = script.last().map_or(0.0, |action| action.after.as_secs_f64() / 60.0);
        assert!((80.0..120.0).contains(&minutes), "3000 actions in three chats took {minutes} minutes");
        let reactions = script.iter().filter(|action| matches!(action.action, Action::React { .. })).count();
        assert!((230..370).contains(&reactions), "{reactions}");
        let replies =
            script.iter().filter(|action| matches!(action.action, Action::Post { reply: Some(_), .. })).count();
        assert!((440..640).contains(&replies), "{replies}");
    }

    #[test]
    fn texts_are_filled_and_varied_and_mention_bots_in_several_ways() {
        let texts: Vec<String> = PeopleScript::new(2, spec())
            .take(3000)
            .filter_map(|action| match action.action {
                Action::Post { text, mentions, .. } => {
                    assert_eq!(mentions.is_some(), text.contains('@'), "{text}");
                    Some(text)
                }
                Action::React { .. } => None,
            })
            .collect();
        assert!(texts.iter().all(|text| !text.is_empty() && !text.contains(['{', '}'])));
        assert!(texts.iter().collect::<std::collections::HashSet<_>>().len() > 800);
        for wanted in ["@deniz_bot", "Deniz'e", "Zeynep’in", "Deniz’den", "Zeynep,", "?"] {
            assert!(texts.iter().any(|text| text.contains(wanted)), "{wanted}");
        }
    }

    #[test]
    fn nobody_writes_while_asleep() {
        let sleep = SleepHours { from_hour: 23, to_hour: 7, start_hour: 21 };
        let spec = PeopleSpec { sleep: Some(sleep), messages_per_minute_per_chat: 0.5, ..spec() };
        let mut last = Duration::ZERO;
        for action in PeopleScript::new(3, spec).take(2000) {
            let hour = (21.0 + action.after.as_secs_f64() / HOUR) % 24.0;
            assert!((7.0..23.0).contains(&hour), "wrote at {hour}");
            assert!(action.after >= last);
            last = action.after;
        }
        assert!(last > Duration::from_hours(12), "the script goes on after the night");
    }

    #[test]
    fn without_people_or_rate_there_is_silence() {
        assert_eq!(PeopleScript::new(1, PeopleSpec::default()).next(), None);
        assert_eq!(PeopleScript::new(1, PeopleSpec { messages_per_minute_per_chat: 0.0, ..spec() }).next(), None);
    }
}
