//! Loop physics: the limits with authority over a send (I11). Layer `behaviour`; pure. The store judges by them in the
//! transaction that commits `sending`.

use std::time::Duration;

use crate::domain::commit::operation::SendRules;
use crate::domain::ids::BotId;
use crate::domain::roster::{BotProfile, ChatProfile};
use crate::domain::window::{WindowKey, WindowRule};

const MINUTE: Duration = Duration::from_mins(1);

/// The limits of one send. Answering a person does not count against a pair of bots.
pub fn send_rules(chat: &ChatProfile, bot: &BotProfile, answers_bot: Option<BotId>) -> SendRules {
    let physics = &chat.spec.physics;
    let rule = |limit: Option<u32>, key, length| limit.map(|limit| WindowRule { key, limit, length });
    let pair = answers_bot
        .and_then(|other| rule(physics.pair_per_ten_minutes, WindowKey::pair(chat.id, bot.id, other), MINUTE * 10));
    let windows = [
        rule(bot.spec.hourly_cap, WindowKey::Bot(bot.id), MINUTE * 60),
        pair,
        rule(physics.chat_per_minute, WindowKey::Chat(chat.id), MINUTE),
        rule(physics.fleet_per_minute, WindowKey::Fleet, MINUTE),
    ];
    SendRules { chain_depth_max: physics.chain_depth_max, windows: windows.into_iter().flatten().collect() }
}
