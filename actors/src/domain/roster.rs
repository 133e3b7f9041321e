//! The roster: bots, personas, chats and models as the manifest describes them. Layer `domain`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use super::hours::Hours;
use super::ids::{BotId, ChatId, ConfigSeq, TelegramChatId, TelegramUserId};
use super::keys::choice::choices;
use super::keys::keyed;
use super::keys::rule::{group, key, no_key};
use super::names::names;
use super::outbox::OnUnknown;
use super::stance::{Relationship, Stance};
use super::strategy::{Conduct, Consistency, Novelty, Strategy};

/// A language that prompts are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Turkish.
    Tr,
}

choices! { Language DeliveryMode ChatPolicy OnUnknown Consistency }

keyed! {
    /// A character, by which bots speak: one revision of a persona.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub struct Persona {
        /// Name in the manifest.
        pub name: String = no_key(String::new());
        /// The language that the persona speaks when nothing else is asked for.
        pub language: Language = key(Language::En);
        /// Description of the character, in the words of the prompt.
        pub voice: String = key(String::new())
            .required("tell in a few sentences who it is, as in \"You are Ada, a retired engineer ...\"").tidy();
        /// Writing style.
        pub style: Option<String> = key(None).tidy();
        /// Subjects that the persona likes to talk about; their words make it speak up.
        pub interests: Vec<String> = key(Vec::new()).tidy();
        /// Lines that the persona might write.
        pub examples: Vec<String> = key(Vec::new()).tidy();
        /// How readily the bot speaks unasked; 0 is never.
        pub talkativeness: f64 = key(0.3).within(0.0..=1.0);
        /// Other names that people call the bot by.
        pub nicknames: Vec<String> = key(Vec::new()).tidy();
        /// Opinions of the persona. A stance changes with the manifest and in no other way.
        pub stances: Vec<Stance> = group::<Stance>().list();
        /// Hours in which the bot speaks unasked, by the chat's clock. Outside of them it answers only people who call it.
        pub active_hours: Option<Hours> = key(None).unset("always");
        /// Emoji of Telegram's list that the bot reacts with; without any it never reacts.
        pub reactions: Vec<String> = key(Vec::new());
        /// Most messages that an answer becomes: the model is told that each line it writes is a message of its own.
        pub messages: usize = key(1).within(1..=5);
        /// The persona may mark words as bold, italic or code; of another one, all marks are taken off.
        pub markup: bool = key(false);
        /// Typing speed in characters a second.
        pub chars_per_second: Option<f64> = key(None).within(1.0..=1_000.0).unset("the chat's");
    }
}

/// A model at a provider; a chain of them is tried in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelRef {
    /// The provider's name in the manifest.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
}

keyed! {
    /// Settings with which a bot asks its models.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub struct Generation {
        /// Models in order of preference, at least one: a provider (its own model), or `provider/model`.
        pub models: Vec<ModelRef> = key(Vec::<String>::new()).shared().looked_up();
        /// Sampling temperature, from sober to wild.
        pub temperature: f64 = key(0.8).within(0.0..=2.0).shared();
        /// Most tokens of an answer.
        pub max_tokens: u32 = key(400).within(1..=32_768).shared();
        /// Most tokens of a prompt.
        pub context_tokens: u32 = key(3_000).within(256..=1_000_000).shared();
        /// Most messages of the chat in a prompt.
        pub context_messages: usize = key(40).within(1..=500).shared();
    }
}

/// Delivery mode: how a bot's updates reach the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DeliveryMode {
    /// The fleet asks Telegram for updates.
    #[default]
    Polling,
    /// Telegram sends updates to the fleet's receiver.
    Webhook,
}

names! { DeliveryMode { Polling = "polling", Webhook = "webhook" } }

/// The delivery mode in force for a bot, which a person may have changed since the manifest was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryChoice {
    /// The delivery mode.
    pub mode: DeliveryMode,
    /// The webhook address that the fleet told Telegram last, by which the fleet recognises its own webhook.
    pub webhook_url: Option<String>,
}

keyed! {
    /// A bot as the manifest gives it.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub struct BotSpec {
        /// Name in the manifest, and among people.
        pub name: String = key(String::new()).required("give it a name").tidy();
        /// Telegram's id of the bot: the leading digits of its token.
        pub telegram_id: TelegramUserId = no_key(TelegramUserId(0));
        /// Place of the token: `env:NAME` or `file:PATH`. Never the token itself.
        pub credential: String = key(String::new())
            .called("token").required("write \"env:NAME\" or \"file:PATH\"").secret();
        /// Character of the bot: the name of one of the personas.
        pub persona: Persona = key(String::new()).required("name one of [personas.NAME]").looked_up();
        /// Settings with which the bot asks its models.
        pub generation: Generation = group::<Generation>().flat();
        /// Most messages of a bot in any hour.
        pub hourly_cap: Option<u32> = key(Some(12)).or_zero().shared();
        /// How updates arrive: the fleet asks Telegram (polling), or Telegram brings them (webhook, which needs
        /// `webhooks.public_url` in the settings). A person may change it while the fleet runs.
        pub delivery: DeliveryMode = key(DeliveryMode::Polling).shared();
        /// Attitudes to other bots and to people.
        pub relationships: Vec<Relationship> = group::<Relationship>().list();
    }
}

/// A bot as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BotProfile {
    /// Surrogate id of the bot.
    pub id: BotId,
    /// The bot as the manifest gives it.
    pub spec: BotSpec,
    /// Revision of the persona, from 1.
    pub persona_revision: i64,
    /// Rises when the token is replaced.
    pub token_generation: i64,
    /// Id of the first update that is not confirmed yet; `None` before the first, and after webhooks.
    pub next_offset: Option<i64>,
    /// Delivery mode in force.
    #[serde(default)]
    pub delivery: DeliveryChoice,
    /// Username, once Telegram told it to any node.
    #[serde(default)]
    pub username: Option<String>,
}

impl BotProfile {
    /// Creates the profile of a bot that is new to the fleet.
    pub fn new(id: BotId, spec: BotSpec) -> Self {
        let (delivery, next_offset, username) = (DeliveryChoice::default(), None, None);
        Self { id, spec, persona_revision: 1, token_generation: 1, next_offset, delivery, username }
    }
}

/// Policy by which a chat chooses who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatPolicy {
    /// Weighs mentions, replies, names, questions, talkativeness and silence.
    #[default]
    Natural,
    /// Only bots that are mentioned or replied to speak.
    Mention,
    /// Each bot that receives a person's message answers it: for tests and benchmarks.
    Every,
}

names! { ChatPolicy { Natural = "natural", Mention = "mention", Every = "every" } }

impl ChatPolicy {
    /// Returns whether messages of bots are guarded against repetition, contradiction and interruption. Under `Every`,
    /// which is for tests, nothing is guarded.
    pub fn is_guarded(self) -> bool {
        self != Self::Every
    }
}

keyed! {
    /// Loop physics of a chat: they hold whatever the models say (I11).
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub struct Physics {
        /// Longest chain of bot messages after a person's.
        pub chain_depth_max: Option<u32> = key(Some(6)).or_zero();
        /// Most messages between one pair of bots in ten minutes.
        pub pair_per_ten_minutes: Option<u32> = key(Some(12)).or_zero();
        /// Most answers that one person gets in ten minutes, sent or kept back, while others speak there as well:
        /// one person cannot use up a chat or its budget. Policy `every` has no such limit.
        pub person_per_ten_minutes: Option<u32> = key(Some(30)).or_zero();
        /// Most messages of the fleet in the chat in a minute.
        pub chat_per_minute: Option<u32> = key(Some(20)).or_zero();
        /// Most messages of the whole fleet in a minute.
        pub fleet_per_minute: Option<u32> = key(Some(600)).or_zero();
        /// A chat that reached a limit stays calm for this long: no talk among bots, no openings, no remarks. Questions
        /// and calls of people are answered. Each message of a person takes a third off the time that is left; a message
        /// that calls a bot ends it.
        #[serde(with = "humantime_serde")]
        pub cool_down: Duration = key(Duration::from_mins(10)).within(Duration::ZERO..=Duration::from_hours(24));
        /// This many messages of bots in a row that say much the same count as a limit.
        pub stagnation_turns: Option<u32> = key(Some(4)).within(2..=50).or_zero();
        /// Most messages of the fleet since a person last spoke.
        pub unheard_max: Option<u32> = key(Some(24)).or_zero();
    }
}

keyed! {
    /// Pace of a chat's bots.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub struct Pacing {
        /// Bots take time to read and type, show that they type, and look at the answer again when something came
        /// meanwhile; `false` turns all three off.
        pub enabled: bool = key(true);
        /// Typing speed in characters a second, a quarter more or less.
        pub chars_per_second: f64 = key(14.0).within(1.0..=1_000.0);
        /// Longest time spent typing.
        pub typing_max: Duration = key(Duration::from_secs(8)).within(Duration::ZERO..=Duration::from_mins(1));
        /// Quiet time after a person's line before it is answered: lines that come within it are one thing said, and get
        /// one answer. Commands are never waited for.
        pub burst: Duration = key(Duration::from_millis(1_500)).within(Duration::ZERO..=Duration::from_secs(5));
        /// A message older than this, by its own date on Telegram's time, is read as context and not answered. An answer
        /// that would come later is not sent. Typing never lengthens this.
        pub stale_after: Duration =
            key(Duration::from_mins(2)).within(Duration::from_secs(1)..=Duration::from_hours(24));
        /// Roughly how long a quiet chat waits before a bot says something new. The wait is longer at night, in a tired
        /// room, and after openings that nobody answered.
        pub quiet_tick: Option<Duration> = key(Some(Duration::from_mins(5)))
            .within(Duration::from_secs(1)..=Duration::from_hours(7 * 24)).or_zero();
    }
}

keyed! {
    /// A chat as the manifest gives it.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub struct ChatSpec {
        /// Name in the manifest.
        pub name: String = key(String::new()).required("give it a name").tidy();
        /// Telegram's id of the chat, a supergroup: it begins with -100.
        pub telegram_id: TelegramChatId = key(TelegramChatId(0))
            .required("the id of a supergroup, as in -1001234567890");
        /// Names of the chat's bots.
        pub bots: Vec<String> = key(Vec::new()).required("name the bots of the chat");
        /// Who speaks: by mentions, replies, names, questions and talkativeness (natural), only bots that are mentioned or
        /// replied to (mention: no openings), or each bot that receives a person's message (every, for tests: no quiet
        /// hours, no calm, no disclosure, no guards except the one against claims to be human).
        pub policy: ChatPolicy = key(ChatPolicy::Natural).shared();
        /// Main language of the chat.
        pub language: Language = key(Language::En).shared();
        /// IANA name of the chat's time zone.
        pub time_zone: String = key("UTC".to_owned()).shared();
        /// Days that texts are kept, as /privacy tells people; 0 keeps them for ever.
        pub retention_days: u32 = key(30).within(0..=3_650).shared();
        /// Subjects that bots bring up when the chat is quiet, besides their own interests.
        pub topics: Vec<String> = key(Vec::new()).tidy();
        /// Limits of loop physics.
        pub physics: Physics = group::<Physics>().shared();
        /// Pace of the bots.
        pub pacing: Pacing = group::<Pacing>().shared();
        /// When nobody knows whether Telegram has a message: it stays unknown until evidence or a person resolves it
        /// (report), or it is sent again, at most twice and counted: people may see it twice (resend).
        pub on_unknown: OnUnknown = key(OnUnknown::Report).shared();
        /// Weights of the policy natural: the name of a built-in strategy (natural, lively, calm) or of one of the
        /// manifest. `salutation` also counts for the policy mention.
        pub strategy: Strategy = key(None::<String>).unset("natural").example("\"natural\"").shared().looked_up();
        /// Hours in which no bot of the fleet speaks, even when it is called, by the chat's clock; they may cross midnight.
        /// Commands are still answered.
        pub quiet_hours: Option<Hours> = key(None).unset("none").example("\"none\"").shared();
        /// Factor on the bots' wish to speak unasked, by the chat's clock: at some times of the day, as in
        /// "08:00 0.5, 13:00 1, 21:00 1.5", and on a straight line between them. Openings of a quiet chat follow it too. At
        /// 0 nobody speaks unasked.
        pub talkative_hours: Option<Curve> = key(None).unset("none").example("\"none\"").shared();
        /// Guard against repetition: a text is compared with the bot's last messages, the chat's last messages and the
        /// fleet's last 400 on this node. When the likeness reaches the limit, the model is asked once more; a second such
        /// text is not sent.
        pub novelty: Novelty = group::<Novelty>().shared();
        /// Guard on conduct: no slurs, no threats, no accusations against somebody, no numbers of telephones, cards or
        /// accounts, no calls to everybody, no addresses that neither the manifest nor anybody in the chat named, no words
        /// that somebody told the bot to say. The model is asked once more; a second such text is not sent.
        pub conduct: Conduct = group::<Conduct>().shared();
        /// Guard of the bots' stances, by words (lexical), or also by a question to the bot's own model when a text touches
        /// a stance (model). When a text contradicts a stance, the model is asked once more; a second such text is not
        /// sent.
        pub consistency: Consistency = key(Consistency::Lexical).shared();
        /// Text that says that AI bots are in the chat: once, when the fleet first speaks there, and on /ai. An empty text
        /// says nothing unasked, which is for where people have been told in another way.
        pub disclosure: Option<String> = key(None).unset("a text in the chat's language")
            .example("\"Some of us are AI bots. /privacy tells what is stored, /optout keeps it from being stored.\"")
            .shared();
        /// A bot that an operator takes over tells the people so, in a line of its own; `false` where people have been told
        /// in another way.
        pub takeover_notice: bool = key(true).shared();
    }
}

/// A chat as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatProfile {
    /// Surrogate id of the chat.
    pub id: ChatId,
    /// The chat as the manifest gives it.
    pub spec: ChatSpec,
    /// The chat's bots.
    pub members: Vec<BotId>,
}

/// Bots and chats that the manifest asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RosterPlan {
    /// All bots; names and Telegram ids are unique.
    pub bots: Vec<BotSpec>,
    /// All chats; names and Telegram ids are unique.
    pub chats: Vec<ChatSpec>,
}

/// Bots and chats in use after a plan was applied. Those that the plan leaves out stay stored, unused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roster {
    /// The bots in use.
    pub bots: BTreeMap<BotId, BotProfile>,
    /// The chats in use.
    pub chats: BTreeMap<ChatId, ChatProfile>,
    /// Every id that Telegram ever gave one of the chats.
    pub aliases: BTreeMap<TelegramChatId, ChatId>,
    /// Number of this configuration.
    pub config_seq: ConfigSeq,
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json, to_value};

    use super::*;

    /// Asserts that a stored table without one of its keys, or without any, reads as if the manifest did not set them.
    fn lacking_keys_are_built_in<K: Default + PartialEq + Serialize + DeserializeOwned>() {
        let built_in = to_value(K::default()).unwrap();
        let read = |stored: Value| to_value(serde_json::from_value::<K>(stored).unwrap()).unwrap();
        assert_eq!(read(json!({})), built_in);
        for key in built_in.as_object().unwrap().keys() {
            let mut stored = built_in.clone();
            stored.as_object_mut().unwrap().remove(key);
            assert_eq!(read(stored), built_in, "{key}");
        }
    }

    #[test]
    fn a_stored_spec_that_lacks_a_key_has_the_built_in_value() {
        lacking_keys_are_built_in::<BotSpec>();
        lacking_keys_are_built_in::<Persona>();
        lacking_keys_are_built_in::<Generation>();
        lacking_keys_are_built_in::<ChatSpec>();
        lacking_keys_are_built_in::<Physics>();
        lacking_keys_are_built_in::<Pacing>();
        lacking_keys_are_built_in::<Strategy>();
        lacking_keys_are_built_in::<Novelty>();
        lacking_keys_are_built_in::<Conduct>();
        lacking_keys_are_built_in::<Stance>();
        lacking_keys_are_built_in::<Relationship>();
        let stored: ChatSpec = serde_json::from_value(json!({ "physics": {}, "pacing": {} })).unwrap();
        assert_eq!((stored.physics.chain_depth_max, stored.physics.pair_per_ten_minutes), (Some(6), Some(12)));
        assert_eq!((stored.physics.chat_per_minute, stored.physics.fleet_per_minute), (Some(20), Some(600)));
        assert_eq!(stored.pacing.quiet_tick, Some(Duration::from_mins(5)));
        let off: Physics = serde_json::from_value(json!({ "chain_depth_max": null })).unwrap();
        assert_eq!(off.chain_depth_max, None, "no limit was stored, and counts");
    }
}
