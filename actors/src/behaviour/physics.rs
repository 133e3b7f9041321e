//! Loop physics: the limits that a send must keep (I11). Layer `behaviour`; pure. The store judges by them in the
//! transaction that commits `sending`; `limits` foresees them for a director.

pub mod limits;
mod stagnation;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::domain::commit::start::SendRules;
use crate::domain::ids::BotId;
use crate::domain::roster::{BotProfile, ChatProfile};
use crate::domain::window::{WindowKey, WindowRule};

const MINUTE: Duration = Duration::from_mins(1);

/// Span in which Telegram counts a bot's messages in a group: a minute, and the 2 s by which messages may be late on
/// their way there, since Telegram counts arrivals.
const TELEGRAMS_MINUTE: Duration = Duration::from_secs(62);

/// Returns the limits of one send. `per_chat_per_minute` is Telegram's limit for a bot in one group. Answering a person
/// does not count against a pair of bots.
pub fn send_rules(
    chat: &ChatProfile,
    bot: &BotProfile,
    answers_bot: Option<BotId>,
    per_chat_per_minute: Option<NonZeroU32>,
) -> SendRules {
    let physics = &chat.spec.physics;
    let rule = |limit: Option<u32>, key, length| limit.map(|limit| WindowRule { key, limit, length });
    let pair = answers_bot
        .and_then(|other| rule(physics.pair_per_ten_minutes, WindowKey::pair(chat.id, bot.id, other), MINUTE * 10));
    let windows = [
        rule(bot.spec.hourly_cap, WindowKey::Bot(bot.id), MINUTE * 60),
        pair,
        rule(per_chat_per_minute.map(NonZeroU32::get), WindowKey::Member(chat.id, bot.id), TELEGRAMS_MINUTE),
        rule(physics.chat_per_minute, WindowKey::Chat(chat.id), MINUTE),
        rule(physics.fleet_per_minute, WindowKey::Fleet, MINUTE),
    ];
    let windows = windows.into_iter().flatten().collect();
    SendRules { chain_depth_max: physics.chain_depth_max, windows, yields: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::samples::{bot, chat};
    use crate::domain::roster::ChatPolicy;

    #[test]
    fn only_what_is_limited_has_a_window_and_people_do_not_count_against_a_pair() {
        let cast = [bot(1, "Deniz"), bot(2, "Nora")];
        let mut room = chat(ChatPolicy::Natural, &cast);
        let mut profile = (*cast[0].profile).clone();
        assert_eq!(send_rules(&room, &profile, Some(BotId(2)), None).windows, []);
        room.spec.physics.pair_per_ten_minutes = Some(12);
        room.spec.physics.fleet_per_minute = Some(600);
        profile.spec.hourly_cap = Some(30);
        let to_bot = send_rules(&room, &profile, Some(BotId(2)), None);
        let pair = WindowRule { key: WindowKey::pair(room.id, BotId(2), BotId(1)), limit: 12, length: MINUTE * 10 };
        assert!(to_bot.windows.contains(&pair) && to_bot.windows.len() == 3);
        let cap = WindowRule { key: WindowKey::Bot(BotId(1)), limit: 30, length: Duration::from_hours(1) };
        assert!(to_bot.windows.contains(&cap));
        let to_person = send_rules(&room, &profile, None, None);
        assert!(!to_person.windows.contains(&pair) && to_person.windows.len() == 2);
        assert_eq!(to_person.chain_depth_max, Some(6));
    }
}
