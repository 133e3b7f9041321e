//! Strategies: the director's weights as data, by chat, changed while the fleet runs. Layer `domain`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a chat's director weighs what it sees. Chances are 0 to 1; factors multiply a bot's wish to speak, 1 is neutral.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Strategy {
    /// Chance that a bot answers a person who mentioned it or replied to it.
    pub addressed_by_person: f64,
    /// Chance that a bot answers a person who named it.
    pub named_by_person: f64,
    /// What remains of a named bot's chance when another one was mentioned or replied to.
    pub talked_about: f64,
    /// Most bots that answer one message, however many it addresses.
    pub addressed_max: usize,
    /// Chance that somebody answers a person's question to the room.
    pub question: f64,
    /// How far a wish of 1 becomes a chance to answer a person's remark.
    pub remark: f64,
    /// What remains of a chance when a person turns to another person.
    pub between_people: f64,
    /// Least chance to go on with a person who goes on with a bot.
    pub follow_up: f64,
    /// Chance that an addressed bot answers a bot at the start of a chain.
    pub addressed_by_bot: f64,
    /// Chance that another bot joins in at the start of a chain, when all wish to.
    pub joins_bot: f64,
    /// What each step of a chain leaves of a chance.
    pub chain_decay: f64,
    /// What the room's energy loses with each message of the fleet.
    pub energy_decay: f64,
    /// How far a person's message brings the room's energy back to 1.
    pub energy_gain: f64,
    /// Factor: a word of the bot's interests stands in the message.
    pub interested: f64,
    /// Factor: the message contradicts a stance of the bot.
    pub disagrees: f64,
    /// Factor: the bot is very close to the author (affinity 1); its inverse for -1.
    pub close: f64,
    /// Factor: the message belongs to a thread in which the bot spoke.
    pub in_thread: f64,
    /// Chance that a message that nobody answers gets an emoji of a bot.
    pub reaction: f64,
    /// A bot that nobody calls does not speak again in the chat before this long.
    #[serde(with = "humantime_serde")]
    pub cool_down: Duration,
}

impl Default for Strategy {
    fn default() -> Self {
        Self {
            addressed_by_person: 0.99,
            named_by_person: 0.97,
            talked_about: 0.5,
            addressed_max: 3,
            question: 0.97,
            remark: 0.5,
            between_people: 0.35,
            follow_up: 0.8,
            addressed_by_bot: 0.9,
            joins_bot: 0.45,
            chain_decay: 0.8,
            energy_decay: 0.85,
            energy_gain: 0.7,
            interested: 2.5,
            disagrees: 2.0,
            close: 1.6,
            in_thread: 1.8,
            reaction: 0.08,
            cool_down: Duration::from_secs(20),
        }
    }
}

impl Strategy {
    /// The strategies that every manifest knows.
    pub const BUILT_IN: [&str; 3] = ["natural", "lively", "calm"];

    /// A built-in strategy by name; `natural` is the default.
    pub fn built_in(name: &str) -> Option<Self> {
        let natural = Self::default();
        match name {
            "natural" => Some(natural),
            "lively" => Some(Self {
                remark: 0.7,
                between_people: 0.5,
                joins_bot: 0.6,
                chain_decay: 0.87,
                energy_decay: 0.92,
                energy_gain: 0.85,
                reaction: 0.15,
                cool_down: Duration::from_secs(8),
                ..natural
            }),
            "calm" => Some(Self {
                addressed_max: 2,
                question: 0.9,
                remark: 0.25,
                between_people: 0.15,
                follow_up: 0.6,
                addressed_by_bot: 0.7,
                joins_bot: 0.2,
                chain_decay: 0.6,
                energy_decay: 0.75,
                energy_gain: 0.5,
                reaction: 0.05,
                cool_down: Duration::from_secs(90),
                ..natural
            }),
            _ => None,
        }
    }

    /// The chances by key, each 0 to 1.
    pub fn chances(&mut self) -> [(&'static str, &mut f64); 13] {
        [
            ("addressed_by_person", &mut self.addressed_by_person),
            ("named_by_person", &mut self.named_by_person),
            ("talked_about", &mut self.talked_about),
            ("question", &mut self.question),
            ("remark", &mut self.remark),
            ("between_people", &mut self.between_people),
            ("follow_up", &mut self.follow_up),
            ("addressed_by_bot", &mut self.addressed_by_bot),
            ("joins_bot", &mut self.joins_bot),
            ("chain_decay", &mut self.chain_decay),
            ("energy_decay", &mut self.energy_decay),
            ("energy_gain", &mut self.energy_gain),
            ("reaction", &mut self.reaction),
        ]
    }

    /// The factors by key, each from 0; 1 is neutral.
    pub fn factors(&mut self) -> [(&'static str, &mut f64); 4] {
        [
            ("interested", &mut self.interested),
            ("disagrees", &mut self.disagrees),
            ("close", &mut self.close),
            ("in_thread", &mut self.in_thread),
        ]
    }
}

/// How a chat guards against what was said already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Novelty {
    /// Whether texts are compared at all.
    pub enabled: bool,
    /// A text this like a former one, 0 to 1, is no news.
    pub limit: f64,
    /// Last messages of the bot itself that a text is compared with.
    pub own: usize,
    /// Last messages of the chat that it is compared with.
    pub chat: usize,
}

impl Default for Novelty {
    fn default() -> Self {
        Self { enabled: true, limit: 0.6, own: 100, chat: 200 }
    }
}

/// How a chat checks that a bot does not contradict its stances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Not at all.
    Off,
    /// By words alone.
    #[default]
    Lexical,
    /// By words, then by a structured question to the bot's own model when the text is about a stance.
    Model,
}

impl Consistency {
    /// The name in the manifest and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Lexical => "lexical",
            Self::Model => "model",
        }
    }
}
