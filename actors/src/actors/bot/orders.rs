//! Orders of people in a chat: `/stop`, `/start`, `/quiet`, and their rights. Layer `actors`. Keeps I9.
//!
//! An order is obeyed as its update arrives, in the control lane and ahead of its own inbox row, so that no queue
//! stands before it. The chat answers it later, as it reads the row.
//!
//! | order | what happens |
//! |---|---|
//! | `/stop` | anyone's pauses the chat at once; who is no administrator of it has it lifted again as soon as Telegram has said so of everyone who ordered it; while Telegram does not answer, the chat stays silent |
//! | `/quiet` | Telegram is asked first; while it does not answer, the chat is paused and it goes on as with `/stop` |
//! | `/start` | Telegram is asked first; while it does not answer, the chat stays as it is |
//! | `/optout`, `/optin`, `/forgetme` | in force on this node at once, then stored |
//!
//! An anonymous administrator and the chat's own channel need no asking; bots and other channels are not obeyed. A bare
//! command reaches many bots and acts once. A stop that an operator has set since this process began is none of theirs,
//! and is not lifted here.
//!
//! Longer than other files: who may order what, and what is done while nobody knows, belong together.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Timelike};
use chrono_tz::Tz;
use tokio::time::Instant;

use super::actor::{BotMsg, BotState};
use crate::actors::committer::STORE_RETRY;
use crate::actors::fleet::actor::FleetMsg;
use crate::actors::node::Node;
use crate::behaviour::command::{Command, Quiet, order_in};
use crate::domain::commit::operation::{Applied, Operation, SetRight, SetStop};
use crate::domain::control::StopScope;
use crate::domain::ids::{BotId, ChatId, MessageId, TelegramChatId, TelegramUserId};
use crate::domain::incoming::{AuthorKind, ChatKind, Event, Incoming, Message};
use crate::domain::people::Right;
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::policy::backoff::BackoffSettings;
use crate::ports::bus::Hint;
use crate::ports::telegram::{BotApi, TelegramError};

/// Orders remembered, so that each acts once.
const REMEMBERED: usize = 4096;

/// Ranks remembered.
const RANKS: usize = 4096;

/// How long somebody's rank in a chat is believed.
const RANK_HOLDS: Duration = Duration::from_mins(5);

/// A bot is not told twice to leave the same chat within this time.
const LEAVE_AGAIN: Duration = Duration::from_mins(10);

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
    ranks: HashMap<(TelegramChatId, TelegramUserId), (bool, Instant)>,
    left: HashMap<(BotId, TelegramChatId), Instant>,
}

/// How a stop that people ordered stands.
#[derive(Default)]
struct Standing {
    /// People who ordered it and whose rank is not known yet.
    doubts: usize,
    /// One of them may, or an operator stopped the chat as well: it stays.
    confirmed: bool,
    /// An operator stopped the chat.
    decreed: bool,
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
            let standing = seen.standing.entry(chat).or_default();
            (standing.confirmed, standing.decreed) = (true, true);
        } else {
            seen.standing.remove(&chat);
        }
    }

    /// An administrator starts the chat again; false when it is an operator who stopped it.
    fn may_start(&self, chat: ChatId) -> bool {
        let mut seen = self.seen();
        if seen.standing.get(&chat).is_some_and(|standing| standing.decreed) {
            return false;
        }
        seen.standing.remove(&chat);
        true
    }

    /// What Telegram said lately of somebody's rank.
    fn rank(&self, telegram: TelegramChatId, author: TelegramUserId) -> Option<bool> {
        self.seen().ranks.get(&(telegram, author)).filter(|(_, at)| at.elapsed() < RANK_HOLDS).map(|(may, _)| *may)
    }

    fn learned(&self, telegram: TelegramChatId, author: TelegramUserId, may: bool) {
        let mut seen = self.seen();
        if seen.ranks.len() >= RANKS {
            seen.ranks.clear();
        }
        seen.ranks.insert((telegram, author), (may, Instant::now()));
    }

    /// Whether a bot is to be told to leave a chat: once in a while.
    pub(super) fn may_leave(&self, bot: BotId, telegram: TelegramChatId) -> bool {
        let mut seen = self.seen();
        seen.left.retain(|_, at| at.elapsed() < LEAVE_AGAIN);
        if seen.left.len() >= REMEMBERED || seen.left.contains_key(&(bot, telegram)) {
            return false;
        }
        seen.left.insert((bot, telegram), Instant::now());
        true
    }
}

/// What an administrator wishes.
#[derive(Clone, Copy, Debug)]
enum Wish {
    /// Silence at once, until then or until somebody starts the chat.
    Stop(Option<Timestamp>),
    /// Silence until then, once the rank is known.
    Quiet(Timestamp),
    /// An end of it.
    Start,
}

/// An order whose author's rank is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct Doubt {
    chat: ChatId,
    telegram: TelegramChatId,
    author: TelegramUserId,
    wish: Wish,
    /// How often Telegram was asked.
    asked: u32,
}

/// What an administrator ordered.
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
    let Some(order) = order_in(message) else {
        return;
    };
    if order.to.is_some_and(|to| node.directory.username(bot).is_none_or(|name| fold(&name) != to)) {
        return;
    }
    if let Some(right) = right_of(order.command) {
        // A right is a person's own, and holds in all chats: wherever it is claimed.
        let in_private = incoming.chat_kind == ChatKind::Private;
        let is_served = in_private || node.directory.chat_of(telegram).is_some();
        // Private chats number messages for each bot: there no two bots bring the same one.
        let is_new = || in_private || node.orders.is_new(telegram, message.message_id);
        if message.author.kind == AuthorKind::Person && is_served && is_new() {
            let by = format!("telegram user {}", message.author.id);
            claim(node, SetRight { person: message.author.id, right, by, at: message.date });
        }
        return;
    }
    let Some(chat) = node.directory.chat_of(telegram).filter(|_| order.command.is_for_administrators()) else {
        return;
    };
    if node.orders.is_new(telegram, message.message_id) {
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

/// A person makes use of a right: in force here at once, and stored as soon as the store takes it. What repeats it asks
/// for nothing, and nobody is told.
pub(in crate::actors) fn claim(node: &Arc<Node>, right: SetRight) {
    node.people.ordered(right.person, right.right, right.at);
    let claiming = Arc::clone(node);
    node.committer.submit(Operation::SetRight(right.clone()), move |result| match result {
        Ok(Applied::RightSet { already: true }) => claiming.people.stored(right.person, right.right),
        Ok(_) => claiming.right_stored(&right),
        Err(error) => {
            tracing::error!(error = %error, right = right.right.as_str(), "a person's right cannot be stored yet, it is tried again");
            if let Some(fleet) = claiming.directory.fleet() {
                drop(fleet.send_after(STORE_RETRY, move || FleetMsg::Claim(right)));
            }
        }
    });
}

impl Node {
    /// A right is in the store: it holds here, and the other nodes are told.
    pub fn right_stored(&self, right: &SetRight) {
        self.people.ordered(right.person, right.right, right.at);
        self.people.stored(right.person, right.right);
        self.hear(Hint::People);
        self.tell([Hint::People]);
    }
}

/// An administrator's order, or one of somebody who says so.
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
    let wish = match command {
        Command::Stop => Wish::Stop(None),
        Command::Quiet(quiet) => Wish::Quiet(quiet_until(node, chat, quiet)),
        _ => Wish::Start,
    };
    tracing::warn!(chat.id = %chat, message.id = message.message_id.0, command = command.as_str(), "a person steers the chat");
    let doubt = Doubt { chat, telegram, author, wish, asked: 0 };
    match (wish, rank) {
        // Silence is given on anybody's word, until more is known: somebody may have become administrator just now.
        (Wish::Stop(_), rank) => stop(node, bot, Order { doubt, trusted: rank == Some(true) }),
        (_, Some(true)) => enact(node, bot, doubt),
        (_, Some(false)) => refused(doubt),
        (_, None) => ask(node, bot, doubt),
    }
}

/// Until when a chat is to be quiet.
fn quiet_until(node: &Node, chat: ChatId, quiet: Quiet) -> Timestamp {
    let now = node.clock.now();
    match quiet {
        Quiet::For(length) => now + length,
        Quiet::Until(minute) => {
            let zone = node.directory.known().chats.get(&chat).and_then(|chat| chat.spec.time_zone.parse::<Tz>().ok());
            let zone = zone.unwrap_or(Tz::UTC);
            let here = DateTime::from_timestamp_millis(now.as_millis()).map(|at| at.with_timezone(&zone));
            let second = here.map_or(0, |here| here.num_seconds_from_midnight());
            let wanted = u32::from(minute) * 60;
            let left = if wanted > second { wanted - second } else { wanted + 86_400 - second };
            now + Duration::from_secs(u64::from(left))
        }
    }
}

fn refused(doubt: Doubt) {
    tracing::warn!(chat.id = %doubt.chat, "who steers the chat is no administrator of it: nothing is done");
}

/// Does what an administrator ordered.
fn enact(node: &Arc<Node>, bot: BotId, doubt: Doubt) {
    let scope = StopScope::Chat(doubt.chat);
    let order = match doubt.wish {
        Wish::Stop(_) => return,
        // A stop without an end is not shortened by a wish for some quiet.
        Wish::Quiet(_) if node.people.stops().0.get(&scope) == Some(&None) => return,
        Wish::Quiet(until) => set_stop(node, doubt, true, Some(until)),
        Wish::Start if !node.orders.may_start(doubt.chat) => {
            tracing::warn!(chat.id = %doubt.chat, "an operator stopped the chat: its administrators do not start it");
            return;
        }
        Wish::Start => set_stop(node, doubt, false, None),
    };
    let enacting = Arc::clone(node);
    submit(node, &order, move |done| {
        if !done && let Some(actor) = enacting.directory.bot(bot) {
            drop(actor.send_after(STORE_RETRY, move || BotMsg::StopAgain(Order { doubt, trusted: true })));
        }
    });
}

/// Commits a stop or its end, and lets this node know at once.
fn submit(node: &Arc<Node>, order: &SetStop, then: impl FnOnce(bool) + Send + 'static) {
    let knowing = Arc::clone(node);
    let (scope, stopped, until) = (order.scope, order.stopped, order.until);
    node.committer.submit(Operation::SetStop(order.clone()), move |result| {
        if result.is_ok() {
            knowing.people.stop_set(scope, stopped, until);
        }
        then(result.is_ok());
    });
}

/// Commits the stop, again and again until the store has it.
fn stop(node: &Arc<Node>, bot: BotId, order: Order) {
    let Order { doubt, trusted } = order;
    let until = if let Wish::Stop(until) = doubt.wish { until } else { None };
    let ordering = Arc::clone(node);
    let stop = set_stop(node, doubt, true, until);
    node.committer.submit(Operation::SetStop(stop.clone()), move |result| match result {
        Ok(Applied::StopSet { already }) => {
            ordering.people.stop_set(stop.scope, true, stop.until);
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

/// Asks Telegram whether the author of an order may steer the chat, on a node where none of its bots lives, until it says.
pub(in crate::actors) async fn verify(node: &Arc<Node>, bot: BotId, api: &dyn BotApi, mut doubt: Doubt) {
    loop {
        match api.is_admin(doubt.telegram, doubt.author).await {
            Ok(may) => return ranked(node, bot, doubt, may),
            Err(error) => {
                if let Some(paused) = paused_meanwhile(doubt) {
                    return stop(node, bot, paused);
                }
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

/// While nobody knows whether the author of a wish for quiet may have it: the same as a stop, to be lifted if not.
fn paused_meanwhile(doubt: Doubt) -> Option<Order> {
    match doubt.wish {
        Wish::Quiet(until) => Some(Order { doubt: Doubt { wish: Wish::Stop(Some(until)), ..doubt }, trusted: false }),
        Wish::Stop(_) | Wish::Start => None,
    }
}

/// Telegram said whether the author may: a stop of nobody who may is lifted, every other wish is done or not.
fn ranked(node: &Arc<Node>, bot: BotId, doubt: Doubt, may: bool) {
    node.orders.learned(doubt.telegram, doubt.author, may);
    match doubt.wish {
        Wish::Stop(_) => {
            if node.orders.ranked(doubt.chat, may) {
                tracing::warn!(chat.id = %doubt.chat, "who stopped the chat is no administrator of it: it goes on");
                submit(node, &set_stop(node, doubt, false, None), |_| {});
            }
        }
        Wish::Quiet(_) | Wish::Start if may => enact(node, bot, doubt),
        Wish::Quiet(_) | Wish::Start => refused(doubt),
    }
}

fn set_stop(node: &Node, doubt: Doubt, stopped: bool, until: Option<Timestamp>) -> SetStop {
    let by = format!("telegram user {}", doubt.author);
    SetStop { scope: StopScope::Chat(doubt.chat), stopped, until, by, at: node.clock.now() }
}

impl BotState {
    pub(super) fn on_stop_again(&self, order: Order) {
        match order.doubt.wish {
            Wish::Stop(_) => stop(&self.node, self.profile.id, order),
            Wish::Quiet(_) | Wish::Start => enact(&self.node, self.profile.id, order.doubt),
        }
    }

    /// Asks Telegram whether the author of an order may steer the chat.
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
                return ranked(&self.node, self.profile.id, doubt, may);
            }
            Err(error) => error,
        };
        if let Some(paused) = paused_meanwhile(doubt) {
            return stop(&self.node, self.profile.id, paused);
        }
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
