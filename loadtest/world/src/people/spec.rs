//! Describes the people and how much they do. Layer: world; plain data.

use serde::{Deserialize, Serialize};

use crate::world::spec::WorldSpec;

/// The people of some chats and their habits; shares are between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeopleSpec {
    /// The chats and their people.
    pub chats: Vec<PeopleChat>,
    /// The average number of actions in a chat each minute.
    pub messages_per_minute_per_chat: f64,
    /// The share of messages that name or address a bot.
    pub mention_share: f64,
    /// The share of messages that answer a bot's.
    pub reply_share: f64,
    /// The share of lines about a topic that ask something.
    pub question_share: f64,
    /// The share of actions that are reactions.
    pub reaction_share: f64,
    /// The hours in which nobody is awake.
    pub sleep: Option<SleepHours>,
}

impl Default for PeopleSpec {
    fn default() -> Self {
        Self {
            chats: Vec::new(),
            messages_per_minute_per_chat: 4.0,
            mention_share: 0.2,
            reply_share: 0.17,
            question_share: 0.35,
            reaction_share: 0.08,
            sleep: None,
        }
    }
}

/// One chat from its people's point of view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleChat {
    /// The chat's Telegram id.
    pub chat: i64,
    /// The language spoken in the chat: `tr`, `en`, or anything else for both at random.
    pub language_code: String,
    /// The people who write in the chat.
    pub people: Vec<PeoplePerson>,
    /// The bots that people write to.
    pub bots: Vec<PeopleBot>,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeoplePerson {
    /// The person's Telegram id.
    pub id: i64,
    /// The name that others use.
    pub first_name: String,
}

/// One bot from people's point of view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleBot {
    /// The bot's username, without `@`.
    pub username: String,
    /// The name that people use.
    pub first_name: String,
}

/// The hours of the day, 0-23, in which nobody writes; the range may pass midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SleepHours {
    /// The hour when people fall asleep.
    pub from_hour: u8,
    /// The hour when people wake.
    pub to_hour: u8,
    /// The hour of the day when the script starts.
    pub start_hour: u8,
}

impl PeopleSpec {
    /// Takes the people, bots and chats of a world, with default habits.
    pub fn of_world(world: &WorldSpec) -> Self {
        let chats = world
            .chats
            .iter()
            .map(|chat| PeopleChat {
                chat: chat.id,
                language_code: chat.language_code.clone(),
                people: world
                    .people
                    .iter()
                    .filter(|person| chat.people.contains(&person.id))
                    .map(|person| PeoplePerson { id: person.id, first_name: person.first_name.clone() })
                    .collect(),
                bots: world
                    .bots
                    .iter()
                    .filter(|bot| chat.bots.contains(&bot.id))
                    .map(|bot| PeopleBot { username: bot.username.clone(), first_name: bot.first_name.clone() })
                    .collect(),
            })
            .collect();
        Self { chats, ..Self::default() }
    }
}
