//! Who is there and how much they do. Layer: load test; plain data.

use serde::{Deserialize, Serialize};

use crate::world::spec::WorldSpec;

/// Describes the people of some chats and their habits; shares are between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeopleSpec {
    /// The chats and who is in them.
    pub chats: Vec<PeopleChat>,
    /// How many things happen in a chat each minute, on average.
    pub messages_per_minute_per_chat: f64,
    /// How many messages mention a bot.
    pub mention_share: f64,
    /// How many messages reply to another.
    pub reply_share: f64,
    /// How many messages ask something.
    pub question_share: f64,
    /// How many actions are reactions instead of messages.
    pub reaction_share: f64,
    /// When nobody is awake.
    pub sleep: Option<SleepHours>,
}

impl Default for PeopleSpec {
    fn default() -> Self {
        Self {
            chats: Vec::new(),
            messages_per_minute_per_chat: 4.0,
            mention_share: 0.3,
            reply_share: 0.2,
            question_share: 0.35,
            reaction_share: 0.08,
            sleep: None,
        }
    }
}

/// One chat as its people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleChat {
    /// The chat's Telegram id.
    pub chat: i64,
    /// The language spoken there: `tr`, `en`, or anything else for both by turns.
    pub language_code: String,
    /// The people who write.
    pub people: Vec<PeoplePerson>,
    /// The bots who are written to.
    pub bots: Vec<PeopleBot>,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeoplePerson {
    /// Their Telegram id.
    pub id: i64,
    /// The name that others call them by.
    pub first_name: String,
}

/// One bot as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleBot {
    /// Its username, without `@`.
    pub username: String,
    /// The name that people call it by.
    pub first_name: String,
}

/// Hours of the day, 0-23, in which nobody writes; may go over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SleepHours {
    /// The hour at which people fall asleep.
    pub from_hour: u8,
    /// The hour at which they wake.
    pub to_hour: u8,
    /// The hour of the day at which the script starts.
    pub start_hour: u8,
}

impl PeopleSpec {
    /// Takes the people, bots and chats of a world, with the usual habits.
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
