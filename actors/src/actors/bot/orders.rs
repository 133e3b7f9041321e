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

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::verifying::{Doubt, Wish, ask, conclude};
use crate::actors::committer::STORE_RETRY;
use crate::actors::fleet::actor::FleetMsg;
use crate::actors::node::Node;
use crate::behaviour::command::{Command, order_in};
use crate::domain::commit::operations::{Operation, SetStop};
use crate::domain::commit::outcome::Applied;
use crate::domain::control::{Rank, Stop, StopOrder, StopScope};
use crate::domain::ids::{BotId, ChatId, MessageId, TelegramChatId, TelegramUserId};
use crate::domain::incoming::{AuthorKind, ChatKind, Event, Incoming, Message};
use crate::domain::people::{Right, SetRight};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::ports::bus::Hint;

/// The most orders that are remembered, so that each acts once.
const REMEMBERED: usize = 4096;

/// The most chats whose administrators are remembered.
const CHATS: usize = 4096;

/// Time for which an administrator is believed to be one.
const RANK_HOLDS: Duration = Duration::from_mins(5);

/// Time for which somebody is believed to be no administrator.
const NO_RANK_HOLDS: Duration = Duration::from_secs(30);

/// Time after which a question without news is lost, with the actor that asked it.
const ASKING: Duration = Duration::from_mins(2);

/// Time by which an answer is known everywhere on this node.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// Time for which a `/stop` of somebody without the right to it there needs Telegram's answer first.
const REFUSED_HOLDS: Duration = Duration::from_hours(1);

/// Time in which the orders of one person are counted together (I15).
const TALLY: Duration = Duration::from_mins(1);

/// Times in `TALLY` that one person may opt in again; opting out is always heard.
const OPT_INS: u32 = 3;

/// Commands of one person in `TALLY` that become entries; their effects have limits of their own.
const COMMANDS: u32 = 20;

/// Time within which a bot is not told twice to leave the same chat.
const LEAVE_AGAIN: Duration = Duration::from_mins(10);

/// Orders that were seen lately, and Telegram's answers about people.
#[derive(Default)]
pub struct Orders(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    orders: HashSet<(TelegramChatId, MessageId)>,
    age: VecDeque<(TelegramChatId, MessageId)>,
    administrators: HashMap<TelegramChatId, (HashSet<TelegramUserId>, Instant)>,
    /// Authors whose unverified stops Telegram is being asked about, each with the time until which that is believed.
    asking: HashMap<(ChatId, TelegramUserId), Instant>,
    left: HashMap<(BotId, TelegramChatId), Instant>,
    /// People who tried to stop a chat without the right to, and when Telegram said so.
    refused: HashMap<(ChatId, TelegramUserId), Instant>,
    /// Counts of the orders that people gave lately: since when, and how many.
    tally: HashMap<(TelegramUserId, Asked), (Instant, u32)>,
}

/// The kinds of orders that are counted for each person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asked {
    OptIn,
    Command,
}

impl Orders {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an order; returns false when another bot brought it already.
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

    /// Forgets an order that could not be kept: another copy of it may act.
    fn forget(&self, (telegram, message): (TelegramChatId, MessageId)) {
        self.seen().orders.remove(&(telegram, message));
    }

    /// Returns what Telegram said lately of somebody's rank. A "no" holds briefly, so that no new administrator waits.
    fn rank(&self, telegram: TelegramChatId, author: TelegramUserId) -> Option<bool> {
        let seen = self.seen();
        let (administrators, at) = seen.administrators.get(&telegram)?;
        let may = administrators.contains(&author);
        (at.elapsed() < if may { RANK_HOLDS } else { NO_RANK_HOLDS }).then_some(may)
    }

    /// Notes who administers a chat, as Telegram told.
    pub(super) fn learned(&self, telegram: TelegramChatId, administrators: HashSet<TelegramUserId>) {
        let mut seen = self.seen();
        if seen.administrators.len() >= CHATS {
            seen.administrators.clear();
        }
        seen.administrators.insert(telegram, (administrators, Instant::now()));
    }

    /// Begins to ask about somebody's unverified stop; returns false when that is under way.
    pub(super) fn may_ask(&self, chat: ChatId, author: TelegramUserId) -> bool {
        let mut seen = self.seen();
        let now = Instant::now();
        seen.asking.retain(|_, until| *until > now);
        if seen.asking.contains_key(&(chat, author)) {
            return false;
        }
        seen.asking.insert((chat, author), now + ASKING);
        true
    }

    /// Notes that the question is under way for `longer`, and then for as long as an answer may take.
    pub(super) fn still_asking(&self, chat: ChatId, author: TelegramUserId, longer: Duration) {
        self.seen().asking.insert((chat, author), Instant::now() + longer + ASKING);
    }

    /// Notes that the question is answered, so that older readings of the store do not ask it again.
    pub(super) fn asked(&self, chat: ChatId, author: TelegramUserId) {
        self.seen().asking.insert((chat, author), Instant::now() + SETTLES_WITHIN);
    }

    /// Notes that Telegram said that somebody may not steer a chat.
    pub(super) fn refuses(&self, chat: ChatId, author: TelegramUserId) {
        let mut seen = self.seen();
        if seen.refused.len() >= REMEMBERED {
            seen.refused.retain(|_, at| at.elapsed() < REFUSED_HOLDS);
        }
        if seen.refused.len() < REMEMBERED {
            seen.refused.insert((chat, author), Instant::now());
        }
    }

    fn was_refused(&self, chat: ChatId, author: TelegramUserId) -> bool {
        self.seen().refused.get(&(chat, author)).is_some_and(|at| at.elapsed() < REFUSED_HOLDS)
    }

    fn may_opt_in(&self, person: TelegramUserId) -> bool {
        self.tally(person, Asked::OptIn) <= OPT_INS
    }

    /// Counts a command of a person; returns whether it is to become an entry.
    pub(in crate::actors) fn may_command(&self, person: TelegramUserId) -> bool {
        self.tally(person, Asked::Command) <= COMMANDS
    }

    fn tally(&self, person: TelegramUserId, asked: Asked) -> u32 {
        let mut seen = self.seen();
        if seen.tally.len() >= REMEMBERED {
            seen.tally.retain(|_, (since, _)| since.elapsed() < TALLY);
        }
        let (since, times) = seen.tally.entry((person, asked)).or_insert((Instant::now(), 0));
        if since.elapsed() >= TALLY {
            (*since, *times) = (Instant::now(), 0);
        }
        *times += 1;
        *times
    }

    /// Returns whether a bot is to be told to leave a chat: once in a while.
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

/// An order about a stop, on its way to the store.
#[derive(Clone, Debug)]
pub struct Order {
    stop: SetStop,
    /// The message that gives the order; another copy of it may act should the order get lost.
    said: Option<(TelegramChatId, MessageId)>,
    /// The bot that asks Telegram once the order is stored, and its question.
    then: Option<(BotId, Doubt)>,
}

/// Obeys the order in an update, if there is one.
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

/// Claims a right for a person: stores the claim as soon as the store takes it. A repeated claim changes nothing, and
/// nobody is told.
pub(in crate::actors) fn claim(node: &Arc<Node>, right: SetRight) {
    node.people.ordered(right.person, right.right, right.at);
    let claiming = Arc::clone(node);
    node.committer.submit(Operation::SetRight(right.clone()), move |result| match result {
        Ok(Applied::RightSet { already: true }) => claiming.people.stored(right.person, right.right),
        Ok(Applied::RightOutdated) => claiming.people.settle(right.person, right.right == Right::OptIn),
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
    /// Puts a right that is in the store in force here, and tells the other nodes.
    pub fn right_stored(&self, right: &SetRight) {
        self.people.ordered(right.person, right.right, right.at);
        self.people.stored(right.person, right.right);
        self.hear(Hint::People);
        self.tell([Hint::People]);
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

impl Doubt {
    /// Returns an order about the stop in the author's name, for the store.
    pub(super) fn order(&self, order: StopOrder, said: Option<(TelegramChatId, MessageId)>) -> Order {
        let (scope, by) = (StopScope::Chat(self.chat), format!("telegram user {}", self.author));
        Order { stop: SetStop { scope, order, by, at: self.said }, said, then: None }
    }

    /// Returns an order that silences the chat while nobody knows whether its author may do so; then `bot` asks.
    pub(super) fn noted(
        self,
        bot: BotId,
        until: Option<Timestamp>,
        said: Option<(TelegramChatId, MessageId)>,
    ) -> Order {
        let order = self.order(StopOrder::Doubt { until, author: self.author }, said);
        Order { then: Some((bot, Self { wish: Wish::Settle, ..self })), ..order }
    }
}

/// Commits an order about a stop, again and again until the store has it, and then lets this node know at once.
pub(in crate::actors) fn order(node: &Arc<Node>, order: Order) {
    let ordering = Arc::clone(node);
    node.committer.submit(Operation::SetStop(order.stop.clone()), move |result| match result {
        Ok(Applied::StopSet(stop)) => {
            let lifts = matches!(order.stop.order, StopOrder::Lift { .. });
            if lifts && stop.as_ref().is_some_and(Stop::is_operators) {
                tracing::warn!(stop = ?order.stop.scope, "an operator stopped the chat: its administrators do not start it");
            }
            ordering.people.stop_set(order.stop.scope, stop);
            if let Some((bot, doubt)) = order.then
                && ordering.orders.may_ask(doubt.chat, doubt.author)
            {
                ask(&ordering, bot, doubt);
            }
        }
        Ok(_) => {}
        Err(error) => {
            tracing::error!(stop = ?order.stop.scope, error = %error, "a person's order cannot be stored yet, it is tried again");
            // The root of the node has the order from here on: bots come and go.
            match (ordering.directory.fleet(), order.said) {
                (Some(fleet), _) => drop(fleet.send_after(STORE_RETRY, move || FleetMsg::Order(order))),
                (None, Some(said)) => ordering.orders.forget(said),
                (None, None) => {}
            }
        }
    });
}
