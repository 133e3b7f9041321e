//! Strategies: the director's weights as data, by chat, changed while the fleet runs. Layer `domain`.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keys::keyed;
use super::keys::rule::key;
use super::names::names;
use super::roster::ModelRef;

/// Bounds of a chance.
const CHANCE: RangeInclusive<f64> = 0.0..=1.0;

/// Bounds of a factor: more would leave nothing to the others.
const FACTOR: RangeInclusive<f64> = 0.0..=20.0;

keyed! {
    /// Weights of a chat's director, over those of the built-in strategy natural. Chances are 0 to 1; factors multiply a
    /// bot's wish to speak, and 1 is neutral.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct Strategy {
        /// Chance that a bot answers a person who mentioned it or replied to it.
        pub addressed_by_person: f64 = key(0.99).within(CHANCE);
        /// Chance that a bot answers a person who named it.
        pub named_by_person: f64 = key(0.97).within(CHANCE);
        /// Share of a named bot's chance that remains when another bot was mentioned or replied to.
        pub talked_about: f64 = key(0.5).within(CHANCE);
        /// Most bots that answer one message, however many it addresses.
        pub addressed_max: usize = key(3).within(1..=20);
        /// Chance that somebody answers a person's question to the room.
        pub question: f64 = key(0.97).within(CHANCE);
        /// Chance to join in on a remark that a wish of 1 gives a bot; lesser wishes give less in proportion.
        pub remark: f64 = key(0.5).within(CHANCE);
        /// Share of a chance that remains when a person turns to another person.
        pub between_people: f64 = key(0.35).within(CHANCE);
        /// Least chance that somebody answers a person who goes on with a bot.
        pub follow_up: f64 = key(0.8).within(CHANCE);
        /// Chance that an addressed bot answers a bot at the start of a chain.
        pub addressed_by_bot: f64 = key(0.9).within(CHANCE);
        /// Chance that another bot joins in at the start of a chain, when all bots wish to.
        pub joins_bot: f64 = key(0.45).within(CHANCE);
        /// Share of a chance that remains after each step of a chain.
        pub chain_decay: f64 = key(0.8).within(CHANCE);
        /// Share of the room's energy that remains after each message of a bot.
        pub energy_decay: f64 = key(0.85).within(CHANCE);
        /// Share of the lost energy that a person's message restores.
        pub energy_gain: f64 = key(0.7).within(CHANCE);
        /// Factor when a word of the bot's interests is in the message.
        pub interested: f64 = key(2.5).within(FACTOR);
        /// Factor when the message contradicts a stance of the bot.
        pub disagrees: f64 = key(2.0).within(FACTOR);
        /// Factor when the bot is very close to the author (affinity 1); the inverse for -1.
        pub close: f64 = key(1.6).within(FACTOR);
        /// Factor when the message belongs to a thread in which the bot spoke.
        pub in_thread: f64 = key(1.8).within(FACTOR);
        /// Chance that a bot reacts with an emoji to a person's message that nobody answers.
        pub reaction: f64 = key(0.08).within(CHANCE);
        /// Where several talk at once, a reply that Telegram shows no link for may begin with the name of the person or bot
        /// that it answers.
        pub salutation: bool = key(false);
        /// Time after its last message in the chat for which a bot that nobody calls stays silent there.
        #[serde(with = "humantime_serde")]
        pub cool_down: Duration = key(Duration::from_secs(20)).within(Duration::ZERO..=Duration::from_hours(24));
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
}

keyed! {
    /// Settings of a chat's guard against repetition.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct Novelty {
        /// Texts are compared at all.
        pub enabled: bool = key(true);
        /// Likeness to a former text from which a text is a repetition.
        pub limit: f64 = key(0.6).within(0.1..=1.0);
        /// Number of the bot's own last messages that a text is compared with.
        pub own: usize = key(100).within(0..=200);
        /// Number of the chat's last messages that a text is compared with; a chat remembers 200.
        pub chat: usize = key(200).within(0..=200);
    }
}

keyed! {
    /// Settings of a chat's guard on conduct.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct Conduct {
        /// Texts are looked at at all.
        pub enabled: bool = key(true);
        /// Words and phrases that no bot says here, besides the built-in lists. They are met with endings, and however
        /// they are hidden.
        pub words: Vec<String> = key(Vec::new()).tidy();
        /// Domains, addresses such as "t.me/ours" and usernames such as "@ours" that bots may name though nobody in the
        /// chat wrote them. A domain covers those below it.
        pub links: Vec<String> = key(Vec::new()).tidy();
        /// Most usernames in one text.
        pub mentions: usize = key(4).within(0..=50);
        /// Model that is asked about each text as well, before the text is sent: a provider (its own model), or
        /// `provider/model`. When it does not answer, the text is sent.
        pub model: Option<String> = key(None).unset("none is asked").example("\"openai\"").tidy();
    }
}

impl Conduct {
    /// Returns the model that is asked about texts; the manifest's checks write its provider before it.
    pub fn moderator(&self) -> Option<ModelRef> {
        let (provider, model) = self.model.as_deref()?.split_once('/')?;
        Some(ModelRef { provider: provider.to_owned(), model: model.to_owned() })
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

names! { Consistency { Off = "off", Lexical = "lexical", Model = "model" } }
