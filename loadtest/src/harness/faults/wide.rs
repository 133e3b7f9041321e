//! Performs and heals the further troubles of the `wide` imagination, and looks for wrong reactions. Layer: harness.

use botfleet_world::checker::report::Report;
use botfleet_world::checker::whole;
use botfleet_world::ledger::LedgerRecord;
use botfleet_world::people::oddities;
use botfleet_world::provider::calls::CallRecord;
use botfleet_world::scenario::file::Action;
use botfleet_world::world::World;
use botfleet_world::world::error::WorldError;
use botfleet_world::world::event::Post;
use botfleet_world::world::shut::Shut;
use botfleet_world::world::spec::{ChatKind, ChatSpec};
use fastrand::Rng;
use serde_json::json;

use crate::harness::operator::Operator;

/// Edits of a live location in one step: enough to fill a window of 200 entries together with others.
const LOCATION_EDITS: usize = 80;

/// The first marker of messages that are too old to be answered.
pub(super) const OLD_FROM: u64 = 8_000_000;

/// The first marker of odd messages.
const ODD_FROM: u64 = 9_000_000;

/// Refusals of a chat in which a bot may not write, as `error_code` and description.
///
/// # Source
/// tdlib/telegram-bot-api, `Client.cpp`; Telethon's list of errors.
const REFUSALS: [(u16, &str); 10] = [
    (400, "Bad Request: not enough rights to send text messages to the chat"),
    (400, "Bad Request: CHAT_WRITE_FORBIDDEN"),
    (400, "Bad Request: CHAT_RESTRICTED"),
    (400, "Bad Request: CHAT_SEND_PLAIN_FORBIDDEN"),
    (400, "Bad Request: have no rights to send a message"),
    (400, "Bad Request: USER_BANNED_IN_CHANNEL"),
    (400, "Bad Request: PEER_ID_INVALID"),
    (400, "Bad Request: need administrator rights in the channel chat"),
    (403, "Forbidden: bot is not a member of the supergroup chat"),
    (403, "Forbidden: CHAT_GUEST_SEND_FORBIDDEN"),
];

/// Returns whether this file performs the action.
pub(super) fn is_one(action: Action) -> bool {
    matches!(
        action,
        Action::LateCopies { .. }
            | Action::Hold { .. }
            | Action::Release { .. }
            | Action::Odd { .. }
            | Action::Old { .. }
            | Action::Location { .. }
            | Action::Album { .. }
            | Action::Topic { .. }
            | Action::Shut { .. }
            | Action::Open { .. }
            | Action::Restrict { .. }
    )
}

/// Performs an action; an action that the world refuses is left out.
pub(super) fn perform(world: &World, action: Action) {
    if let Err(error) = try_to(world, action) {
        tracing::debug!(%error, "a step was left out");
    }
}

fn try_to(world: &World, action: Action) -> Result<(), WorldError> {
    let chats = &world.spec().chats;
    let at = |place: usize| &chats[place % chats.len()];
    match action {
        Action::LateCopies { chat, draw } => {
            let mut rng = Rng::with_seed(draw);
            for _ in 0..rng.u8(1..=4) {
                world.copy_any_update(at(chat).id, |of| rng.usize(0..of));
            }
        }
        Action::Hold { bot } => world.hold_updates(bot_at(world, bot), None),
        Action::Release { bot } => drop(world.release_updates(bot_at(world, bot))),
        Action::Odd { chat, draw } => {
            let mut rng = Rng::with_seed(draw);
            let text = format!("what do you say to this? #m{}", ODD_FROM + draw % 900_000);
            let (chat, person) = (at(chat), person_of(at(chat), &mut rng)?);
            world.post(chat.id, person, oddities::odd(&mut rng, &text))?;
        }
        Action::Old { chat, draw } => {
            let mut rng = Rng::with_seed(draw);
            for place in 0..rng.u64(1..=3) {
                let text = format!("is anybody there? #m{}", OLD_FROM + (draw % 200_000) * 4 + place);
                let (chat, person) = (at(chat), person_of(at(chat), &mut rng)?);
                world.post(chat.id, person, oddities::old(&mut rng, &text))?;
            }
        }
        Action::Location { chat, draw } => share_location(world, at(chat), &mut Rng::with_seed(draw))?,
        Action::Album { chat, draw } => post_album(world, at(chat), draw)?,
        Action::Topic { draw } => change_topic(world, draw)?,
        Action::Shut { chat, draw } => {
            let mut rng = Rng::with_seed(draw);
            if rng.u8(0..5) == 0 {
                return world.delete_chat(at(chat).id);
            }
            let (code, words) = REFUSALS[rng.usize(0..REFUSALS.len())];
            world.close_chat(at(chat).id, Shut::closed(code, words))?;
        }
        Action::Open { chat } => world.open_chat(at(chat).id)?,
        Action::Restrict { bot } => {
            let bot = bot_at(world, bot);
            if let Some(chat) = chats.iter().find(|chat| chat.bots.contains(&bot)) {
                world.set_restricted(chat.id, bot, true)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn bot_at(world: &World, place: usize) -> i64 {
    let bots = &world.spec().bots;
    bots[place % bots.len()].id
}

fn person_of(chat: &ChatSpec, rng: &mut Rng) -> Result<i64, WorldError> {
    let none = WorldError::Invalid(format!("nobody is in chat {}", chat.id));
    if chat.people.is_empty() { Err(none) } else { Ok(chat.people[rng.usize(0..chat.people.len())]) }
}

fn share_location(world: &World, chat: &ChatSpec, rng: &mut Rng) -> Result<(), WorldError> {
    let person = person_of(chat, rng)?;
    let place = |rng: &mut Rng| json!({ "latitude": 41.0 + rng.f64(), "longitude": 29.0 + rng.f64(), "live_period": 28_800, "heading": 7 });
    let post = Post { text: String::new(), ..Post::default() }.with("location", place(rng));
    let message = world.post(chat.id, person, post)?;
    // An edit of a location comes as an edited message without words.
    for _ in 0..LOCATION_EDITS {
        for bot in &chat.bots {
            let body = json!({
                "message_id": message, "date": world.calendar_ms() / 1000, "edit_date": world.calendar_ms() / 1000,
                "chat": { "id": chat.id, "type": "supergroup", "title": chat.title },
                "from": { "id": person, "is_bot": false, "first_name": "Walker" }, "location": place(rng),
            });
            world.queue_update(*bot, "edited_message", &body, Some((chat.id, message)))?;
        }
    }
    Ok(())
}

fn post_album(world: &World, chat: &ChatSpec, draw: u64) -> Result<(), WorldError> {
    let mut rng = Rng::with_seed(draw);
    let person = person_of(chat, &mut rng)?;
    let caption_at = rng.u64(0..3);
    for place in 0..rng.u64(3..=5) {
        let text = if place == caption_at {
            format!("look at these #m{}", ODD_FROM + 950_000 + draw % 40_000)
        } else {
            String::new()
        };
        let photo = json!([{ "file_id": format!("p{place}"), "file_unique_id": "u", "width": 90, "height": 90 }]);
        let post =
            Post { text, ..Post::default() }.with("photo", photo).with("media_group_id", json!(draw.to_string()));
        world.post(chat.id, person, post)?;
    }
    Ok(())
}

fn change_topic(world: &World, draw: u64) -> Result<(), WorldError> {
    let mut rng = Rng::with_seed(draw);
    let Some(forum) = world.spec().chats.iter().find(|chat| chat.kind == ChatKind::Forum) else { return Ok(()) };
    let thread = world.create_topic(forum.id, &format!("topic {}", draw % 100))?;
    let person = person_of(forum, &mut rng)?;
    let text = format!("a word in this topic #m{}", ODD_FROM + 990_000 + draw % 9_000);
    world.post(forum.id, person, Post::text(text).in_thread(thread))?;
    match rng.u8(0..3) {
        0 => world.close_topic(forum.id, thread),
        1 => world.delete_topic(forum.id, thread),
        _ => Ok(()),
    }
}

/// Opens what was shut, restores every right, and ends Telegram's pauses.
pub(super) fn heal(world: &World) {
    world.lift();
}

/// Tells the product that Telegram's pauses are over, bot by bot; a build without that order keeps its pauses.
pub(super) async fn lift_pauses(world: &World, operator: &Operator<'_>) {
    for bot in &world.spec().bots {
        if let Err(error) = operator.lift_pauses(&bot.username).await {
            tracing::debug!(%error, "pauses are not lifted");
        }
    }
}

/// Looks for answers to messages that were too old, texts not wholly from the provider, and chats that bots left.
pub(super) fn check(ledger: &[LedgerRecord], calls: &[CallRecord], report: &mut Report) {
    whole::check(ledger, calls, OLD_FROM..ODD_FROM, report);
}
