//! Obeys orders of people in a chat: `/stop`, `/start`, `/quiet`, and claims of their rights. Layer `actors`. Keeps I9.
//!
//! An order is obeyed as its update arrives, in the control lane and ahead of its own inbox row, so that no queue
//! delays the order. The chat answers the order later, as it reads the row.
//!
//! | order | what happens |
//! |---|---|
//! | `/stop` | pauses the chat at once; the stop is unverified until its author is known to be an administrator |
//! | `/stop` of somebody refused there within the hour | Telegram is asked first (I15), against repeated silencing |
//! | `/quiet` | Telegram is asked first; while it does not answer, an unverified stop pauses the chat as with `/stop` |
//! | `/start` | Telegram is asked first; while it does not answer, the chat stays as it is |
//! | `/optout`, `/forgetme` | in force on this node at once, then stored |
//! | `/optin` | in force once it is stored, unless a newer order of the same person says the opposite |
//!
//! An anonymous administrator and the chat's own channel need no asking, nor does a rank that Telegram told lately,
//! except of a first `/stop`. Bots and other channels are not obeyed. A bare command reaches many bots and acts once.
//! The transaction judges which order counts more (`domain::control`). Nothing is in memory alone but orders that
//! Telegram was asked about first.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::actors::node::Node;
use crate::actors::orders::doubt::{Doubt, Wish};
use crate::actors::orders::submit::{ask, claim, order};
use crate::actors::orders::verify::conclude;
use crate::behaviour::command::{Command, order_in};
use crate::domain::control::{Rank, StopOrder};
use crate::domain::ids::{BotId, ChatId, TelegramChatId};
use crate::domain::incoming::{AuthorKind, ChatKind, Event, Incoming, Message};
use crate::domain::people::{Right, SetRight};
use crate::domain::text::fold;

/// Obeys the order in an update, if there is one.
pub(in crate::actors) fn obey(node: &Arc<Node>, bot: BotId, incoming: &Incoming) {
    let (Some(telegram), Event::Message(message)) = (incoming.chat, &incoming.event) else {
        return;
    };
    let Some(order) = order_in(message) else {
        return;
    };
    if order.to.is_some_and(|to| node.directory.username(bot).is_none_or(|name| fold(&name) != to)) {
        return;
    }
    if let Some(right) = right_of(order.command) {
        // A right is a person's own and holds in all chats, wherever the person claims it.
        let in_private = incoming.chat_kind == ChatKind::Private;
        let is_served = in_private || node.directory.chat_of(telegram).is_some();
        // Private chats number messages for each bot, and a message without an id comes to one bot alone.
        let one_copy = in_private || !message.message_id.is_of_one();
        let is_new = || one_copy || node.orders.is_new(telegram, message.message_id);
        let heard = |person| right != Right::OptIn || node.orders.may_opt_in(person);
        if message.author.kind == AuthorKind::Person && is_served && is_new() && heard(message.author.id) {
            let by = format!("telegram user {}", message.author.id);
            claim(node, SetRight { person: message.author.id, right, by, at: message.date });
        }
        return;
    }
    let Some(chat) = node.directory.chat_of(telegram).filter(|_| order.command.is_for_administrators()) else {
        return;
    };
    if !message.message_id.is_of_one() || node.orders.is_new(telegram, message.message_id) {
        administer(node, bot, (chat, telegram), order.command, message);
    }
}

fn right_of(command: Command) -> Option<Right> {
    match command {
        Command::OptOut => Some(Right::OptOut),
        Command::OptIn => Some(Right::OptIn),
        Command::Forget => Some(Right::Forget),
        _ => None,
    }
}

/// Handles the order of an administrator, or of somebody who claims to be one.
fn administer(
    node: &Arc<Node>,
    bot: BotId,
    (chat, telegram): (ChatId, TelegramChatId),
    command: Command,
    message: &Message,
) {
    let author = message.author.id;
    let stands_for_chat = message.author.kind != AuthorKind::Person;
    let rank = if stands_for_chat { Some(true) } else { node.orders.rank(telegram, author) };
    // Time on the clock by which stops end: Telegram's may differ.
    let said = node.clock.when(message.date);
    let wish = match command {
        Command::Stop if node.orders.was_refused(chat, author) => Wish::Halt,
        Command::Stop => Wish::Settle,
        Command::Quiet(quiet) => {
            let known = node.directory.known();
            let zone = known.chats.get(&chat).map_or("", |chat| chat.spec.time_zone.as_str());
            let until = quiet.end(said, zone);
            if until <= node.clock.now() {
                tracing::warn!(chat.id = %chat, message.id = message.message_id.0, "a quiet is over before it was heard of: nothing is done");
                return;
            }
            Wish::Quiet(until)
        }
        _ => Wish::Start,
    };
    tracing::warn!(chat.id = %chat, message.id = message.message_id.0, command = command.as_str(), "a person steers the chat");
    let doubt = Doubt { chat, telegram, author, said, wish, asked: 0, refused: BTreeSet::new() };
    let said = Some((telegram, message.message_id));
    match (wish, rank) {
        (Wish::Settle, Some(true)) => {
            order(node, doubt.order(StopOrder::Set { until: None, rank: Rank::Administrator }, said));
        }
        // Anybody's word silences the chat until more is known: the author may have become administrator just now.
        (Wish::Settle, _) => order(node, doubt.noted(bot, None, said)),
        (_, Some(may)) => conclude(node, &doubt, may, said),
        (_, None) => ask(node, bot, doubt),
    }
}
