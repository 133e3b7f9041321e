//! Orders of people in a chat: `/stop`. Layer `actors`. Keeps I9.
//!
//! An order is obeyed as its update arrives, in the control lane and ahead of its own inbox row, so that no queue
//! stands before it. Anyone's `/stop` pauses the chat at once; whoever is no administrator of it has it lifted again
//! as soon as Telegram has said so, and while Telegram does not answer the chat stays silent. An anonymous
//! administrator and the chat's own channel need no asking. A bare command reaches many bots and acts once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::actor::{BotMsg, BotState};
use crate::actors::node::Node;
use crate::domain::commit::operation::{Applied, Operation, SetStop};
use crate::domain::control::StopScope;
use crate::domain::ids::{BotId, ChatId, MessageId, TelegramChatId, TelegramUserId};
use crate::domain::incoming::{AuthorKind, EntityKind, Event, Incoming, Message};
use crate::ports::telegram::TelegramError;

/// Orders remembered, so that each acts once.
const REMEMBERED: usize = 4096;

/// Wait before Telegram is asked again who somebody is.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Orders that were seen lately.
#[derive(Default)]
pub struct Orders(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    orders: HashSet<(TelegramChatId, MessageId)>,
    age: VecDeque<(TelegramChatId, MessageId)>,
    /// The last one in each chat: only its own author's rank may lift what it did.
    last: HashMap<ChatId, MessageId>,
}

impl Orders {
    /// Notes an order; false when another bot brought it already.
    fn is_new(&self, chat: ChatId, telegram: TelegramChatId, message: MessageId) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.orders.insert((telegram, message)) {
            return false;
        }
        seen.age.push_back((telegram, message));
        if seen.age.len() > REMEMBERED
            && let Some(oldest) = seen.age.pop_front()
        {
            seen.orders.remove(&oldest);
        }
        seen.last.insert(chat, message);
        true
    }

    fn is_last(&self, chat: ChatId, message: MessageId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last.get(&chat) == Some(&message)
    }
}

/// A stop whose author's rank is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct Doubt {
    chat: ChatId,
    telegram: TelegramChatId,
    author: TelegramUserId,
    message: MessageId,
}

/// Obeys the order in an update, if it is one.
pub(super) fn obey(node: &Node, bot: BotId, incoming: &Incoming) {
    let (Some(telegram), Event::Message(message)) = (incoming.chat, &incoming.event) else {
        return;
    };
    let Some(chat) = node.directory.chat_of(telegram).filter(|_| is_stop(message, node, bot)) else {
        return;
    };
    if message.author.kind == AuthorKind::Bot || !node.orders.is_new(chat, telegram, message.message_id) {
        return;
    }
    tracing::warn!(chat.id = %chat, message.id = message.message_id.0, "a person stops the chat");
    let asker = node.directory.bot(bot).filter(|_| message.author.kind == AuthorKind::Person);
    let doubt = Doubt { chat, telegram, author: message.author.id, message: message.message_id };
    node.committer.submit(set_stop(node, chat, true, message.author.id), move |result| match (result, asker) {
        (Ok(Applied::StopSet { already: false }), Some(asker)) => drop(asker.cast(BotMsg::Doubted(doubt))),
        (Ok(_), _) => {}
        (Err(error), _) => {
            tracing::error!(chat.id = %chat, error = %error, "the chat could not be stopped: stop it by the API");
        }
    });
}

fn set_stop(node: &Node, chat: ChatId, stopped: bool, author: TelegramUserId) -> Operation {
    let by = format!("telegram user {author}");
    Operation::SetStop(SetStop { scope: StopScope::Chat(chat), stopped, by, at: node.clock.now() })
}

/// Whether the message is `/stop`, to everybody or to this bot.
fn is_stop(message: &Message, node: &Node, bot: BotId) -> bool {
    let Some(text) = message.text.as_deref() else {
        return false;
    };
    let command = message.entities.iter().any(|entity| entity.kind == EntityKind::BotCommand && entity.offset == 0);
    let word = text.split_whitespace().next().unwrap_or_default();
    let (name, to) = word.split_once('@').map_or((word, None), |(name, to)| (name, Some(to)));
    command
        && name.eq_ignore_ascii_case("/stop")
        && to.is_none_or(|to| node.directory.username(bot).is_some_and(|username| username.eq_ignore_ascii_case(to)))
}

impl BotState {
    /// Asks Telegram whether the author of a stop may stop the chat.
    pub(super) fn on_doubted(&mut self, doubt: Doubt) {
        let (api, myself) = (std::sync::Arc::clone(&self.api), self.myself.clone());
        self.tasks.spawn(async move {
            let rank = api.is_admin(doubt.telegram, doubt.author).await;
            let _ = myself.cast(BotMsg::Ranked(doubt, rank));
        });
    }

    pub(super) fn on_ranked(&mut self, doubt: Doubt, rank: Result<bool, TelegramError>) {
        match rank {
            Ok(false) if self.node.orders.is_last(doubt.chat, doubt.message) => {
                tracing::warn!(chat.id = %doubt.chat, "who stopped the chat is no administrator of it: it goes on");
                let lift = set_stop(&self.node, doubt.chat, false, doubt.author);
                self.node.committer.submit(lift, |_| {});
            }
            // An administrator's stop, or one that another order came after: it stays.
            Ok(_) => {}
            Err(error) => {
                let mut wait = ASK_AGAIN;
                if let TelegramError::RateLimited { retry_after } = &error {
                    self.on_limited(Some(doubt.chat), *retry_after);
                    wait = wait.max(*retry_after);
                }
                tracing::warn!(chat.id = %doubt.chat, error = %error, "who stopped the chat cannot be verified yet, it stays stopped");
                drop(self.myself.send_after(wait, move || BotMsg::Doubted(doubt)));
            }
        }
    }
}
