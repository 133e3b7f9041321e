//! Strategies: the director's weights as data, by chat, changed while the fleet runs. Layer `domain`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Weights of a chat's director. Chances are 0 to 1; factors multiply a bot's wish to speak, and 1 is neutral.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Strategy {
    /// Chance that a bot answers a person who mentioned it or replied to it.
    pub addressed_by_person: f64,
    /// Chance that a bot answers a person who named it.
    pub named_by_person: f64,
    /// Share of a named bot's chance that remains when another bot was mentioned or replied to.
    pub talked_about: f64,
    /// Most bots that answer one message, however many it addresses.
    pub addressed_max: usize,
    /// Chance that somebody answers a person's question to the room.
    pub question: f64,
    /// Chance to join in on a remark that a wish of 1 gives a bot; lesser wishes give less in proportion.
    pub remark: f64,
    /// Share of a chance that remains when a person turns to another person.
    pub between_people: f64,
    /// Least chance that somebody answers a person who goes on with a bot.
    pub follow_up: f64,
    /// Chance that an addressed bot answers a bot at the start of a chain.
    pub addressed_by_bot: f64,
    /// Chance that another bot joins in at the start of a chain, when all bots wish to.
    pub joins_bot: f64,
    /// Share of a chance that remains after each step of a chain.
    pub chain_decay: f64,
    /// Share of the room's energy that remains after each message of a bot.
    pub energy_decay: f64,
    /// Share of the lost energy that a person's message restores.
    pub energy_gain: f64,
    /// Factor when a word of the bot's interests is in the message.
    pub interested: f64,
    /// Factor when the message contradicts a stance of the bot.
    pub disagrees: f64,
    /// Factor when the bot is very close to the author (affinity 1); the inverse for -1.
    pub close: f64,
    /// Factor when the message belongs to a thread in which the bot spoke.
    pub in_thread: f64,
    /// Chance that a bot reacts with an emoji to a person's message that nobody answers.
    pub reaction: f64,
    /// Replies whose target would not be evident begin with the name of the person or bot that they answer.
    pub salutation: bool,
    /// Time after its last message in the chat for which a bot that nobody calls stays silent there.
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
            salutation: true,
            cool_down: Duration::from_secs(20),
        }
    }
}

impl Strategy {
    /// Names of the strategies that every manifest knows.
    pub const BUILT_IN: [&str; 3] = ["natural", "lively", "calm"];

    /// Returns a built-in strategy by name; `natural` is the default.
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

    /// Returns the chances by key, each 0 to 1.
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

    /// Returns the factors by key, each from 0; 1 is neutral.
    pub fn factors(&mut self) -> [(&'static str, &mut f64); 4] {
        [
            ("interested", &mut self.interested),
            ("disagrees", &mut self.disagrees),
            ("close", &mut self.close),
            ("in_thread", &mut self.in_thread),
        ]
    }
}

/// Settings of a chat's guard against repetition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Novelty {
    /// Texts are compared at all.
    pub enabled: bool,
    /// Likeness to a former text, 0 to 1, from which a text is a repetition.
    pub limit: f64,
    /// Number of the bot's own last messages that a text is compared with.
    pub own: usize,
    /// Number of the chat's last messages that a text is compared with.
    pub chat: usize,
}

impl Default for Novelty {
    fn default() -> Self {
        Self { enabled: true, limit: 0.6, own: 100, chat: 200 }
    }
}

/// Way in which a chat checks that a bot does not contradict its stances.
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
