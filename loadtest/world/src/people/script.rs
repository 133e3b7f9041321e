//! Generates people's small talk as a pure, seeded sequence of actions. Layer: world.
//!
//! The sequence never ends unless all chats are silent, its times never decrease, and the same seed and spec give the
//! same sequence.

use std::collections::VecDeque;
use std::time::Duration;

use super::answers::Answer;
use super::lines::{ENGLISH, Lines, TURKISH};
use super::names::{Case, suffixed};
use super::spec::{PeopleBot, PeopleChat, PeopleSpec, SleepHours};
use crate::texts::varied;

/// The number of last messages among which people look for a bot's to answer.
const REPLY_DEPTH: usize = 6;
/// The share of actions with which somebody leaves, and the number of actions until they are back.
const LEAVES: f64 = 0.03;
const AWAY: std::ops::Range<u32> = 5..14;
/// The share of actions that begin a scene.
const SCENES: f64 = 0.07;
/// The gap between the lines of a story, as a share of the usual one.
const STORY_GAP: f64 = 0.4;
/// The number of a chat's last lines that are not said again.
const REMEMBERED: usize = 40;
/// The emoji of people's reactions; all are allowed as reactions in groups.
const EMOJI: [&str; 8] = ["👍", "❤", "😁", "🔥", "🎉", "🤔", "👏", "💯"];
/// The least time between two unrelated lines of one person while others are there, in seconds.
const OWN_PAUSE: f64 = 8.0;
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
    /// The person answers the last message of a bot.
    Answer {
        /// The answer.
        answer: Answer,
        /// The number of last messages among which the bot's is looked for.
        within: usize,
        /// The text when there is no such message.
        otherwise: String,
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
    rooms: Vec<Room>,
}

/// The state of one chat.
#[derive(Debug, Clone, Default)]
struct Room {
    /// The time of the next action, in seconds since the start.
    next: f64,
    /// The rest of a scene: persons by their place among the chat's people, and what they say.
    scene: VecDeque<(usize, &'static str)>,
    /// The persons who left, each with the number of actions until they are back.
    away: Vec<(usize, u32)>,
    /// The last lines, which are not said again at once.
    said: VecDeque<&'static str>,
    /// The person who acted last, and the time.
    last: Option<(usize, f64)>,
}

impl Room {
    /// Returns who of those present may begin something new now: whoever spoke a moment ago lets the others speak.
    fn free(&self, here: &[usize]) -> Vec<usize> {
        let just = self.last.filter(|(_, at)| self.next - at < OWN_PAUSE).map(|(person, _)| person);
        let others: Vec<usize> = here.iter().copied().filter(|at| Some(*at) != just).collect();
        if others.is_empty() { here.to_vec() } else { others }
    }
}

impl PeopleScript {
    /// Makes a script. Chats without people stay silent, and a rate that is not above 0 silences all.
    pub fn new(seed: u64, mut spec: PeopleSpec) -> Self {
        spec.chats.retain(|chat| !chat.people.is_empty());
        let rate = spec.messages_per_minute_per_chat;
        if !(rate.is_finite() && rate > 0.0) {
            spec.chats.clear();
        }
        let mut script = Self { rng: fastrand::Rng::with_seed(seed), rooms: Vec::new(), spec };
        script.rooms = (0..script.spec.chats.len()).map(|_| Room { next: script.gap(), ..Room::default() }).collect();
        script
    }

    /// Draws an exponential gap, in seconds.
    fn gap(&mut self) -> f64 {
        -(1.0 - self.rng.f64()).ln() * 60.0 / self.spec.messages_per_minute_per_chat
    }

    fn is_drawn(&mut self, share: f64) -> bool {
        self.rng.f64() < share
    }

    /// Returns the next action of a chat, with the person by its place.
    fn act(&mut self, index: usize) -> (usize, Action) {
        let chat = self.spec.chats[index].clone();
        let turkish = match chat.language_code.get(..2) {
            Some("tr") => true,
            Some("en") => false,
            _ => self.rng.bool(),
        };
        let lines: &'static Lines = if turkish { &TURKISH } else { &ENGLISH };
        if let Some((person, text)) = self.rooms[index].scene.pop_front() {
            return (person, post(varied(&mut self.rng, text)));
        }
        for (_, left) in &mut self.rooms[index].away {
            *left = left.saturating_sub(1);
        }
        if let Some(at) = self.rooms[index].away.iter().position(|(_, left)| *left == 0) {
            let (person, _) = self.rooms[index].away.swap_remove(at);
            return (person, post(self.line(index, &lines.returning)));
        }
        let here: Vec<usize> =
            (0..chat.people.len()).filter(|at| self.rooms[index].away.iter().all(|(away, _)| away != at)).collect();
        let free = self.rooms[index].free(&here);
        let person = free[self.rng.usize(..free.len())];
        if self.is_drawn(self.spec.reaction_share) {
            let emoji = EMOJI[self.rng.usize(..EMOJI.len())];
            return (person, Action::React { emoji: emoji.to_owned() });
        }
        if here.len() > 1 && self.is_drawn(LEAVES) {
            let until = self.rng.u32(AWAY);
            self.rooms[index].away.push((person, until));
            return (person, post(self.line(index, &lines.leaving)));
        }
        if self.is_drawn(SCENES)
            && let Some(action) = self.begin_scene(index, lines, &here, person)
        {
            return action;
        }
        let action = self.write(index, turkish, &chat, person);
        (person, action)
    }

    /// Begins a scene whose persons are all here, with `first`; returns its first line.
    fn begin_scene(
        &mut self,
        index: usize,
        lines: &'static Lines,
        here: &[usize],
        first: usize,
    ) -> Option<(usize, Action)> {
        let scene = self.rng.choice(&lines.scenes)?;
        if self.rooms[index].said.contains(&scene.first()?.1) {
            return None;
        }
        let mut cast = here.to_vec();
        self.rng.shuffle(&mut cast);
        // Scenes are opened by their first person.
        if let Some(at) = cast.iter().position(|person| *person == first) {
            cast.swap(0, at);
        }
        let played: Option<VecDeque<_>> = scene.iter().map(|(role, text)| Some((*cast.get(*role)?, *text))).collect();
        self.rooms[index].scene = played?;
        let (person, text) = self.rooms[index].scene.pop_front()?;
        self.remember(index, text);
        Some((person, post(varied(&mut self.rng, text))))
    }

    fn write(&mut self, index: usize, turkish: bool, chat: &PeopleChat, author: usize) -> Action {
        let lines: &'static Lines = if turkish { &TURKISH } else { &ENGLISH };
        if !chat.bots.is_empty() && self.is_drawn(self.spec.reply_share) {
            let seed = self.rng.u64(..);
            let otherwise = self.about_topic(index, lines);
            let answer = Answer { seed, turkish };
            return Action::Answer { answer, within: REPLY_DEPTH, otherwise };
        }
        let bot = if self.is_drawn(self.spec.mention_share) { self.rng.choice(&chat.bots).cloned() } else { None };
        let others: Vec<&str> = (0..chat.people.len())
            .filter(|at| *at != author && self.rooms[index].away.iter().all(|(away, _)| away != at))
            .map(|at| chat.people[at].first_name.as_str())
            .collect();
        let other = self.rng.choice(others).map(str::to_owned);
        let template = self.template(index, lines, bot.is_some());
        let apostrophe = if self.rng.bool() { '\'' } else { '’' };
        let text = fill(&template, bot.as_ref(), other.as_deref(), apostrophe)
            .or_else(|| fill(&self.about_topic(index, lines), bot.as_ref(), None, apostrophe))
            .unwrap_or_default();
        let mentions = bot.map(|bot| bot.username).filter(|username| text.contains(&format!("@{username}")));
        Action::Post { text, reply: None, mentions }
    }

    fn template(&mut self, index: usize, lines: &'static Lines, to_bot: bool) -> String {
        if to_bot {
            if self.is_drawn(0.2) {
                return self.line(index, &lines.about_bots);
            }
            let address = self.rng.choice(&lines.addresses).copied().unwrap_or_default();
            let question = self.question(index, lines);
            return format!("{address} {question}");
        }
        if self.is_drawn(0.15) {
            return self.line(index, &lines.chatter);
        }
        let text = self.about_topic(index, lines);
        if self.is_drawn(0.12) {
            let opener = self.rng.choice(&lines.openers).copied().unwrap_or_default();
            return format!("{opener} {text}");
        }
        text
    }

    fn about_topic(&mut self, index: usize, lines: &'static Lines) -> String {
        if self.is_drawn(self.spec.question_share) {
            return self.question(index, lines);
        }
        let topic = &lines.topics[self.rng.usize(..lines.topics.len())];
        self.line(index, &topic.statements)
    }

    fn question(&mut self, index: usize, lines: &'static Lines) -> String {
        let topic = &lines.topics[self.rng.usize(..lines.topics.len())];
        self.line(index, &topic.questions)
    }

    /// Chooses a line, if possible one that was not said lately.
    fn line(&mut self, index: usize, list: &[&'static str]) -> String {
        let fresh: Vec<&'static str> =
            list.iter().copied().filter(|line| !self.rooms[index].said.contains(line)).collect();
        let Some(line) = self.rng.choice(if fresh.is_empty() { list } else { &fresh }).copied() else {
            return String::new();
        };
        self.remember(index, line);
        varied(&mut self.rng, line)
    }

    fn remember(&mut self, index: usize, line: &'static str) {
        let said = &mut self.rooms[index].said;
        if said.len() >= REMEMBERED {
            said.pop_front();
        }
        said.push_back(line);
    }
}

fn post(text: String) -> Action {
    Action::Post { text, reply: None, mentions: None }
}

impl Iterator for PeopleScript {
    type Item = PersonAction;

    fn next(&mut self) -> Option<PersonAction> {
        let (index, at) = loop {
            let index = (0..self.rooms.len()).min_by(|a, b| self.rooms[*a].next.total_cmp(&self.rooms[*b].next))?;
            let at = self.rooms[index].next;
            match self.spec.sleep.and_then(|sleep| wake_after(sleep, at)) {
                // Each chat wakes after a gap of its own, so another chat may come first.
                Some(wake) => self.rooms[index].next = wake + self.gap(),
                None => break (index, at),
            }
        };
        let (person, action) = self.act(index);
        // Who tells something over several lines writes them in quick succession.
        self.rooms[index].last = Some((person, at));
        let goes_on = self.rooms[index].scene.front().is_some_and(|(next, _)| *next == person);
        self.rooms[index].next = at + self.gap() * if goes_on { STORY_GAP } else { 1.0 };
        let chat = &self.spec.chats[index];
        let (chat, person) = (chat.chat, chat.people[person].id);
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
        let answers = script.iter().filter(|action| matches!(action.action, Action::Answer { .. })).count();
        assert!((250..520).contains(&answers), "{answers}");
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
                Action::Answer { .. } | Action::React { .. } => None,
            })
            .collect();
        assert!(texts.iter().all(|text| !text.is_empty() && !text.contains(['{', '}'])));
        assert!(texts.iter().collect::<std::collections::HashSet<_>>().len() > 450);
        for wanted in ["@deniz_bot", "Deniz'e", "Zeynep’in", "Deniz’den", "Zeynep,", "?"] {
            assert!(texts.iter().any(|text| text.contains(wanted)), "{wanted}");
        }
    }

    #[test]
    fn at_most_a_third_of_the_lines_call_a_bot_and_stories_are_told_over_several_lines() {
        let script: Vec<_> = PeopleScript::new(6, spec()).take(3000).collect();
        let (mut lines, mut calls) = (0, 0);
        for action in &script {
            match &action.action {
                Action::Post { text, .. } => {
                    lines += 1;
                    calls += u32::from(["Deniz", "Zeynep", "@"].iter().any(|name| text.contains(name)));
                }
                Action::Answer { .. } => {
                    lines += 1;
                    calls += 1;
                }
                Action::React { .. } => {}
            }
        }
        assert!(calls * 3 <= lines, "{calls} of {lines}");
        for (first, second) in [("so the plumber came", "looks at the tap"), ("gece üçte zil çaldı", "çorapla indim")]
        {
            let text = |action: &PersonAction| match &action.action {
                Action::Post { text, .. } => text.clone(),
                _ => String::new(),
            };
            let opens = script.iter().find(|action| text(action).contains(first)).expect("the story is told");
            let told = script.iter().any(|action| {
                (action.chat, action.person) == (opens.chat, opens.person) && text(action).contains(second)
            });
            assert!(told, "{first}");
        }
    }

    #[test]
    fn nobody_writes_two_unrelated_lines_within_a_moment() {
        let hasty = PeopleSpec { messages_per_minute_per_chat: 20.0, reaction_share: 0.0, ..spec() };
        let script: Vec<_> = PeopleScript::new(4, hasty).take(3000).collect();
        let mut own = 0;
        for chat in [-1001, -1002, -1003] {
            let of_chat: Vec<_> = script.iter().filter(|action| action.chat == chat).collect();
            let moments = of_chat.windows(2).filter(|pair| pair[1].after < pair[0].after + Duration::from_secs(8));
            own += moments.filter(|pair| pair[0].person == pair[1].person).count();
        }
        // Stories go on, and who comes back may have left a moment ago.
        assert!(own < 350, "{own} of 3000");
    }

    #[test]
    fn who_leaves_says_nothing_until_back() {
        let only = PeopleSpec { chats: vec![spec().chats[1].clone()], ..spec() };
        let mut away: Vec<i64> = Vec::new();
        let mut returned = 0;
        for action in PeopleScript::new(8, only).take(2000) {
            let Action::Post { text, .. } = &action.action else { continue };
            let says = |list: &[&str]| list.contains(&text.as_str());
            if says(&ENGLISH.returning) {
                assert!(away.contains(&action.person));
                away.retain(|person| *person != action.person);
                returned += 1;
            } else {
                assert!(!away.contains(&action.person), "{text}");
            }
            if says(&ENGLISH.leaving) {
                away.push(action.person);
            }
        }
        assert!(returned > 10, "{returned}");
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
