//! Provides ready-made worlds: a small community that talks, and a fleet for load tests. Layer: world; pure.

use super::latency::Latency;
use super::spec::{BotSpec, ChatKind, ChatSpec, PersonSpec, SUPERGROUP_BASE, WorldSpec};

/// The first name and username of each of the demo's bots: six Turkish, six English.
const BOTS: [(&str, &str); 12] = [
    ("Deniz", "deniz_bot"),
    ("Zeynep", "zeynep_bot"),
    ("Kerem", "kerem_bot"),
    ("Elif", "elif_bot"),
    ("Baran", "baran_bot"),
    ("Defne", "defne_bot"),
    ("Oliver", "oliver_bot"),
    ("Hazel", "hazel_bot"),
    ("Milo", "milo_bot"),
    ("Ruby", "ruby_bot"),
    ("Jasper", "jasper_bot"),
    ("Nora", "nora_bot"),
];

/// The first name, username and language of each of the demo's people.
const PEOPLE: [(&str, Option<&str>, &str); 9] = [
    ("Ayşe", Some("ayse_k"), "tr"),
    ("Mehmet", Some("mehmet_usta"), "tr"),
    ("Işıl", None, "tr"),
    ("Emily", Some("emily_reads"), "en"),
    ("Tom", Some("tomhikes"), "en"),
    ("Priya", None, "en"),
    ("Can", Some("can_ist"), "tr"),
    ("Sofia", Some("sofia_m"), "en"),
    ("Umut", Some("umutcan"), "tr"),
];

/// The title, language, bots and people (by index) of one of the demo's chats.
type Room = (&'static str, &'static str, &'static [usize], &'static [usize]);
const ROOMS: [Room; 3] = [
    ("Çay Bahçesi", "tr", &[0, 1, 2, 3, 4], &[0, 1, 2]),
    ("The Corner Table", "en", &[6, 7, 8, 9, 10], &[3, 4, 5]),
    ("Boğaz Hattı / Ferry Line", "tr", &[0, 4, 5, 6, 10, 11], &[6, 7, 8]),
];

const FIRST_BOT: i64 = 7_100_000_001;
const FIRST_PERSON: i64 = 510_000_001;
const FIRST_CHAT: i64 = SUPERGROUP_BASE - 2_100_000_001;
/// The number of characters in a token after its colon.
const SECRET_LETTERS: usize = 35;

impl WorldSpec {
    /// Describes twelve bots with Turkish and English names in three supergroups (Turkish, English, mixed) with three
    /// people each.
    pub fn demo(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let bots = BOTS.iter().enumerate().map(|(index, (name, username))| {
            let id = FIRST_BOT + index as i64;
            BotSpec {
                id,
                token: token(id, &mut rng),
                username: (*username).to_owned(),
                first_name: (*name).to_owned(),
                can_read_all_group_messages: true,
                bot_to_bot: false,
            }
        });
        let people = PEOPLE.iter().enumerate().map(|(index, person)| PersonSpec {
            id: FIRST_PERSON + index as i64,
            first_name: person.0.to_owned(),
            username: person.1.map(str::to_owned),
            language_code: person.2.to_owned(),
        });
        let chats = ROOMS.iter().enumerate().map(|(index, room)| {
            let people: Vec<i64> = room.3.iter().map(|i| FIRST_PERSON + *i as i64).collect();
            ChatSpec {
                id: FIRST_CHAT - index as i64,
                title: room.0.to_owned(),
                kind: ChatKind::Supergroup,
                language_code: room.1.to_owned(),
                bots: room.2.iter().map(|i| FIRST_BOT + *i as i64).collect(),
                admins: people.iter().take(1).copied().collect(),
                people,
            }
        });
        Self {
            seed,
            bots: bots.collect(),
            people: people.collect(),
            chats: chats.collect(),
            send_latency: Latency::realistic(),
            ..Self::default()
        }
    }

    /// Describes a fleet for load tests. Each bot hears everything and is in exactly one chat; bots are dealt out to
    /// the chats in turn. Each chat has three people. Sends are answered at once.
    pub fn fleet(seed: u64, bots: usize, chats: usize) -> Self {
        let chats = chats.max(1);
        let mut rng = fastrand::Rng::with_seed(seed);
        let bot_specs = (0..bots).map(|index| {
            let id = FIRST_BOT + index as i64;
            BotSpec {
                id,
                token: token(id, &mut rng),
                username: format!("fleet_{}_bot", index + 1),
                first_name: format!("Bot {}", index + 1),
                can_read_all_group_messages: true,
                bot_to_bot: false,
            }
        });
        let people = (0..chats * 3).map(|index| {
            let turkish = index / 3 % 2 == 1;
            PersonSpec {
                id: FIRST_PERSON + index as i64,
                first_name: PEOPLE[index % PEOPLE.len()].0.to_owned(),
                username: Some(format!("person_{}", index + 1)),
                language_code: if turkish { "tr" } else { "en" }.to_owned(),
            }
        });
        let rooms = (0..chats).map(|chat| {
            let people: Vec<i64> = (0..3).map(|i| FIRST_PERSON + (chat * 3 + i) as i64).collect();
            ChatSpec {
                id: FIRST_CHAT - chat as i64,
                title: format!("Group {}", chat + 1),
                kind: ChatKind::Supergroup,
                language_code: if chat % 2 == 1 { "tr" } else { "en" }.to_owned(),
                bots: (chat..bots).step_by(chats).map(|i| FIRST_BOT + i as i64).collect(),
                admins: people.iter().take(1).copied().collect(),
                people,
            }
        });
        Self {
            seed,
            bots: bot_specs.collect(),
            people: people.collect(),
            chats: rooms.collect(),
            send_latency: Latency::ZERO,
            ..Self::default()
        }
    }
}

/// Makes a random token for a bot.
pub(super) fn token(id: i64, rng: &mut fastrand::Rng) -> String {
    let secret: String = (0..SECRET_LETTERS).map(|_| rng.alphanumeric()).collect();
    format!("{id}:{secret}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_made_worlds_are_sound() {
        assert_eq!(WorldSpec::demo(1).check(), Ok(()));
        let fleet = WorldSpec::fleet(1, 23, 5);
        assert_eq!(fleet.check(), Ok(()));
        let placed: usize = fleet.chats.iter().map(|chat| chat.bots.len()).sum();
        assert_eq!(placed, 23);
        assert_eq!(fleet, WorldSpec::fleet(1, 23, 5));
    }
}
