//! Orders of people in a chat: `/stop`. Layer `actors`. Keeps I9.
//!
//! An order is obeyed as its update arrives, in the control lane and ahead of its own inbox row, so that no queue
//! stands before it. Anyone's `/stop` pauses the chat at once. Who is no administrator of it has it lifted again as
//! soon as Telegram has said so of everyone who ordered it; while Telegram does not answer, the chat stays silent. An
//! anonymous administrator and the chat's own channel need no asking; bots and other channels are not obeyed. A bare
//! command reaches many bots and acts once. A stop that an operator has set is none of theirs, and is never lifted here.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::actor::{BotMsg, BotState};
use crate::actors::committer::STORE_RETRY;
use crate::actors::fleet::actor::FleetMsg;
use crate::actors::node::Node;
use crate::domain::commit::operation::{Applied, Operation, SetStop};
use crate::domain::control::StopScope;
use crate::domain::ids::{BotId, ChatId, MessageId, TelegramChatId, TelegramUserId};
use crate::domain::incoming::{AuthorKind, EntityKind, Event, Incoming, Message};
use crate::policy::backoff::BackoffSettings;
use crate::ports::telegram::{BotApi, TelegramError};

/// Orders remembered, so that each acts once.
const REMEMBERED: usize = 4096;

/// Waits before Telegram is asked again who somebody is.
const ASK_AGAIN: BackoffSettings = BackoffSettings { first: Duration::from_secs(2), max: Duration::from_mins(1) };

/// Orders that were seen lately, and stops that people ordered.
#[derive(Default)]
pub struct Orders(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    orders: HashSet<(TelegramChatId, MessageId)>,
    age: VecDeque<(TelegramChatId, MessageId)>,
    standing: HashMap<ChatId, Standing>,
}

/// How a stop that people ordered stands.
#[derive(Default)]
struct Standing {
    /// People who ordered it and whose rank is not known yet.
    doubts: usize,
    /// One of them may, or an operator stopped the chat as well: it stays.
    confirmed: bool,
}

impl Orders {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an order; false when another bot brought it already.
    fn is_new(&self, telegram: TelegramChatId, message: MessageId) -> bool {
        let mut seen = self.seen();
        if !seen.orders.insert((telegram, message)) {
            return false;
        }
        seen.age.push_back((telegram, message));
        if seen.age.len() > REMEMBERED
            && let Some(oldest) = seen.age.pop_front()
        {
            seen.orders.remove(&oldest);
        }
        true
    }

    /// Somebody ordered a stop. `already`: it was in force before; only one that people ordered is theirs to doubt.
    /// Tells whether the author's rank must be asked for.
    fn ordered(&self, chat: ChatId, already: bool, trusted: bool) -> bool {
        let mut seen = self.seen();
        if already && !seen.standing.contains_key(&chat) {
            return false;
        }
        let standing = seen.standing.entry(chat).or_default();
        standing.confirmed |= trusted;
        standing.doubts += usize::from(!trusted);
        !trusted
    }

    /// Telegram said what somebody is; true when the stop is to be lifted: nobody who ordered it may.
    fn ranked(&self, chat: ChatId, may: bool) -> bool {
        let mut seen = self.seen();
        let Some(standing) = seen.standing.get_mut(&chat) else {
            return false;
        };
        standing.doubts = standing.doubts.saturating_sub(1);
        standing.confirmed |= may;
        let lift = standing.doubts == 0 && !standing.confirmed;
        if lift {
            seen.standing.remove(&chat);
        }
        lift
    }

    /// An operator stopped the chat, which then stays so whoever asked in it; or started it, and all is forgotten.
    pub fn decreed(&self, chat: ChatId, stopped: bool) {
        let mut seen = self.seen();
        if stopped {
            seen.standing.entry(chat).or_default().confirmed = true;
        } else {
            seen.standing.remove(&chat);
        }
    }
}

/// A stop whose author's rank is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct Doubt {
    chat: ChatId,
    telegram: TelegramChatId,
    author: TelegramUserId,
    /// How often Telegram was asked.
    asked: u32,
}

/// A stop that somebody ordered.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    doubt: Doubt,
    /// Whether its author needs no asking.
    trusted: bool,
}

/// Obeys the order in an update, if it is one.
pub(super) fn obey(node: &Arc<Node>, bot: BotId, incoming: &Incoming) {
    let (Some(telegram), Event::Message(message)) = (incoming.chat, &incoming.event) else {
        return;
    };
    let Some(chat) = node.directory.chat_of(telegram).filter(|_| is_stop(message, node, bot)) else {
        return;
    };
    let trusted = match message.author.kind {
        AuthorKind::Anonymous | AuthorKind::LinkedChannel => true,
        AuthorKind::Person => false,
        AuthorKind::Bot | AuthorKind::Channel => return,
    };
    if !node.orders.is_new(telegram, message.message_id) {
        return;
    }
    tracing::warn!(chat.id = %chat, message.id = message.message_id.0, "a person stops the chat");
    let doubt = Doubt { chat, telegram, author: message.author.id, asked: 0 };
    stop(node, bot, Order { doubt, trusted });
}

/// Commits the stop, again and again until the store has it.
fn stop(node: &Arc<Node>, bot: BotId, order: Order) {
    let Order { doubt, trusted } = order;
    let ordering = Arc::clone(node);
    node.committer.submit(set_stop(node, doubt.chat, true, doubt.author), move |result| match result {
        Ok(Applied::StopSet { already }) => {
            if ordering.orders.ordered(doubt.chat, already, trusted) {
                ask(&ordering, bot, doubt);
            }
        }
        Ok(_) => {}
        Err(error) => {
            tracing::error!(chat.id = %doubt.chat, error = %error, "the chat cannot be stopped yet, it is tried again");
            if let Some(actor) = ordering.directory.bot(bot) {
                drop(actor.send_after(STORE_RETRY, move || BotMsg::StopAgain(order)));
            }
        }
    });
}

/// Lets a bot of the chat ask Telegram who the author is: at first the one that brought the order, then others.
fn ask(node: &Node, bot: BotId, doubt: Doubt) {
    let known = node.directory.known();
    let members = known.chats.get(&doubt.chat).map_or(&[][..], |chat| &chat.members);
    let others = members.iter().copied().filter(|member| *member != bot);
    let mut askers = std::iter::once(bot).chain(others).filter_map(|bot| node.directory.bot(bot));
    let count = members.len().max(1);
    if let Some(asker) = askers.nth(doubt.asked as usize % count).or_else(|| node.directory.bot(bot)) {
        let _ = asker.cast(BotMsg::Doubted(doubt));
    } else if let Some(fleet) = node.directory.fleet() {
        // A webhook's receiver where no bot of the chat lives.
        let _ = fleet.cast(FleetMsg::Doubted(bot, doubt));
    }
}

/// Asks Telegram whether the author of a stop may stop the chat, on a node where none of its bots lives, until it says.
pub(in crate::actors) async fn verify(node: &Node, api: &dyn BotApi, mut doubt: Doubt) {
    loop {
        match api.is_admin(doubt.telegram, doubt.author).await {
            Ok(may) => return ranked(node, doubt, may),
            Err(error) => {
                doubt.asked += 1;
                let mut wait = ASK_AGAIN.wait(doubt.asked, node.jitter.next());
                if let TelegramError::RateLimited { retry_after } = &error {
                    wait = wait.max(*retry_after);
                }
                tracing::warn!(chat.id = %doubt.chat, error = %error, "who stopped the chat cannot be verified yet, it stays stopped");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Telegram said whether the author may: a stop of nobody who may is lifted.
fn ranked(node: &Node, doubt: Doubt, may: bool) {
    if node.orders.ranked(doubt.chat, may) {
        tracing::warn!(chat.id = %doubt.chat, "who stopped the chat is no administrator of it: it goes on");
        node.committer.submit(set_stop(node, doubt.chat, false, doubt.author), |_| {});
    }
}

fn set_stop(node: &Node, chat: ChatId, stopped: bool, author: TelegramUserId) -> Operation {
    let by = format!("telegram user {author}");
    Operation::SetStop(SetStop { scope: StopScope::Chat(chat), stopped, until: None, by, at: node.clock.now() })
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
    pub(super) fn on_stop_again(&self, order: Order) {
        stop(&self.node, self.profile.id, order);
    }

    /// Asks Telegram whether the author of a stop may stop the chat.
    pub(super) fn on_doubted(&mut self, doubt: Doubt) {
        if let Some(wait) = self.sending.limiter.pause_left(doubt.chat) {
            drop(self.myself.send_after(wait, move || BotMsg::Doubted(doubt)));
            return;
        }
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        self.tasks.spawn(async move {
            let rank = api.is_admin(doubt.telegram, doubt.author).await;
            let _ = myself.cast(BotMsg::Ranked(doubt, rank));
        });
    }

    pub(super) fn on_ranked(&mut self, mut doubt: Doubt, rank: Result<bool, TelegramError>) {
        let error = match rank {
            Ok(may) => {
                return ranked(&self.node, doubt, may);
            }
            Err(error) => error,
        };
        doubt.asked += 1;
        let mut wait = ASK_AGAIN.wait(doubt.asked, self.node.jitter.next());
        if let TelegramError::RateLimited { retry_after } = &error {
            self.on_limited(Some(doubt.chat), *retry_after);
            wait = wait.max(*retry_after);
        }
        tracing::warn!(chat.id = %doubt.chat, error = %error, "who stopped the chat cannot be verified yet, it stays stopped");
        let (node, bot) = (Arc::clone(&self.node), self.profile.id);
        self.tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            ask(&node, bot, doubt);
        });
    }
}
