//! Asks Telegram whether the author of an order administers the chat. Layer `actors`. Keeps I9.
//!
//! | Telegram | then |
//! |---|---|
//! | tells the administrators | the order is done, or its unverified stop settled; they are remembered for minutes |
//! | refuses the bot for good | the next bot asks; when all are refused, the author counts as no administrator |
//! | does not answer, or limits | asked again, by one bot after the other; `/quiet` is an unverified stop meanwhile |
//!
//! An unverified stop is a row of the store: the node that owns the chat takes the stop up when nobody asks, after a
//! restart as well. An order that waits for an answer before anything is done (`/start`, `/quiet`, `/stop` of somebody
//! who was refused) lives in memory alone.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::actor::{BotMsg, BotState};
use super::orders::order;
use crate::actors::fleet::actor::FleetMsg;
use crate::actors::node::Node;
use crate::domain::control::{Rank, StopOrder, StopScope};
use crate::domain::ids::{BotId, ChatId, MessageId, TelegramChatId, TelegramUserId};
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;
use crate::policy::backoff::BackoffSettings;
use crate::ports::telegram::{BotApi, TelegramError};

/// Waits before Telegram is asked again who administers a chat.
const ASK_AGAIN: BackoffSettings = BackoffSettings { first: Duration::from_secs(2), max: Duration::from_mins(1) };

/// Telegram's answer about a chat's administrators.
pub type Administrators = Result<Vec<TelegramUserId>, TelegramError>;

/// The step that follows once the author's rank is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    /// Confirm the unverified stop in the store, or take it away.
    Settle,
    /// Silence the chat once Telegram says that the author, who was refused before, may do so.
    Halt,
    /// Silence the chat until then.
    Quiet(Timestamp),
    /// End the silence.
    Start,
}

/// An order whose author's rank is not known yet.
#[derive(Clone, Debug)]
pub struct Doubt {
    pub(super) chat: ChatId,
    pub(super) telegram: TelegramChatId,
    pub(super) author: TelegramUserId,
    /// The time when the order was given.
    pub(super) said: Timestamp,
    pub(super) wish: Wish,
    /// The number of times that Telegram did not answer.
    pub(super) asked: u32,
    /// Bots to which Telegram does not tell the administrators.
    pub(super) refused: BTreeSet<BotId>,
}

impl Doubt {
    /// Returns the bots that may still ask, `first` before all others.
    fn askers(&self, node: &Node, first: BotId) -> Vec<BotId> {
        let known = node.directory.known();
        let members = known.chats.get(&self.chat).map_or(&[][..], |chat| &chat.members);
        let others = members.iter().copied().filter(|member| *member != first);
        std::iter::once(first).chain(others).filter(|bot| !self.refused.contains(bot)).collect()
    }
}

/// Asks about unverified stops of chats that live here when nobody asks: the stops outlive whoever asked.
pub(in crate::actors) fn take_up(node: &Arc<Node>) {
    let (stops, now) = (node.people.stops(), node.clock.now());
    for (scope, stop) in &stops.0 {
        let StopScope::Chat(chat) = *scope else { continue };
        if stop.doubts.is_empty() || node.leases.epoch(LeaseKey::Chat(chat)).is_none() {
            continue;
        }
        let first = node.directory.chat_profile(chat).and_then(|chat| chat.members.first().copied());
        let (Some(first), Some(telegram)) = (first, node.directory.telegram_chat(chat)) else { continue };
        for doubt in stop.doubts.iter().filter(|doubt| doubt.until.is_none_or(|until| until > now)) {
            if node.orders.may_ask(chat, doubt.author) {
                let (author, said, refused) = (doubt.author, doubt.at, BTreeSet::new());
                ask(node, first, Doubt { chat, telegram, author, said, wish: Wish::Settle, asked: 0, refused });
            }
        }
    }
}

/// Lets a bot of the chat ask Telegram who administers it: at first the bot that brought the order, then others.
pub(super) fn ask(node: &Arc<Node>, first: BotId, doubt: Doubt) {
    let askers = doubt.askers(node, first);
    let here: Vec<_> = askers.iter().filter_map(|bot| node.directory.bot(*bot)).collect();
    let turn = doubt.asked as usize;
    if let Some(asker) = here.get(turn % here.len().max(1)) {
        let _ = asker.cast(BotMsg::Doubted(doubt));
    } else if let (Some(asker), Some(fleet)) = (askers.get(turn % askers.len().max(1)), node.directory.fleet()) {
        // No bot of the chat lives here, as on a node that received a webhook: the fleet asks for one of them.
        let _ = fleet.cast(FleetMsg::Doubted(*asker, doubt));
    }
}

/// Asks Telegram as a bot that does not live on this node.
pub(in crate::actors) async fn verify(node: &Arc<Node>, bot: BotId, api: &dyn BotApi, doubt: Doubt) {
    let answer = api.administrators(doubt.telegram).await;
    if let Some((doubt, wait)) = heard(node, bot, doubt, answer) {
        tokio::time::sleep(wait).await;
        ask(node, bot, doubt);
    }
}

/// Handles Telegram's answer; returns what is left to ask, and when.
fn heard(node: &Arc<Node>, bot: BotId, mut doubt: Doubt, answer: Administrators) -> Option<(Doubt, Duration)> {
    let error = match answer {
        Ok(administrators) => {
            let administrators: HashSet<_> = administrators.into_iter().collect();
            let may = administrators.contains(&doubt.author);
            node.orders.learned(doubt.telegram, administrators);
            conclude(node, &doubt, may, None);
            return None;
        }
        Err(error) => error,
    };
    match (&error, doubt.wish) {
        (TelegramError::Migrated(to), _) if doubt.telegram != *to => {
            node.directory.migrate(doubt.chat, *to);
            doubt.telegram = *to;
            return Some((doubt, Duration::ZERO));
        }
        (TelegramError::CannotWrite { .. } | TelegramError::Rejected { .. } | TelegramError::Unauthorized(_), _) => {
            tracing::warn!(chat.id = %doubt.chat, bot.id = %bot, error = %error, "telegram does not tell this bot who administers the chat");
            doubt.refused.insert(bot);
            if doubt.askers(node, bot).is_empty() {
                tracing::warn!(chat.id = %doubt.chat, "telegram tells no bot of the chat who administers it: who steers it counts as no administrator");
                conclude(node, &doubt, false, None);
                return None;
            }
            return Some((doubt, Duration::ZERO));
        }
        // The chat is silent meanwhile, and goes on if the author may not silence it.
        (_, Wish::Quiet(until)) => {
            order(node, doubt.noted(bot, Some(until), None));
            return None;
        }
        _ => {}
    }
    doubt.asked += 1;
    let mut wait = ASK_AGAIN.wait(doubt.asked, node.jitter.next());
    if let TelegramError::RateLimited { retry_after } = &error {
        wait = wait.max(*retry_after);
    }
    if matches!(doubt.wish, Wish::Settle) {
        node.orders.still_asking(doubt.chat, doubt.author, wait);
    }
    tracing::warn!(chat.id = %doubt.chat, error = %error, "who steers the chat cannot be verified yet, it stays as it is");
    Some((doubt, wait))
}

/// Acts on the author's rank: settles an unverified stop; does any other order if the author may, else drops it.
pub(super) fn conclude(node: &Arc<Node>, doubt: &Doubt, may: bool, said: Option<(TelegramChatId, MessageId)>) {
    let rank = Rank::Administrator;
    if !may {
        node.orders.refuses(doubt.chat, doubt.author);
    }
    let wish = match doubt.wish {
        Wish::Settle => {
            node.orders.asked(doubt.chat, doubt.author);
            if !may {
                tracing::warn!(chat.id = %doubt.chat, "who stopped the chat is no administrator of it: it goes on unless somebody else stopped it");
            }
            StopOrder::Settle { author: doubt.author, may }
        }
        _ if !may => {
            tracing::warn!(chat.id = %doubt.chat, "who steers the chat is no administrator of it: nothing is done");
            return;
        }
        Wish::Halt => StopOrder::Set { until: None, rank },
        Wish::Quiet(until) => StopOrder::Set { until: Some(until), rank },
        Wish::Start => StopOrder::Lift { rank },
    };
    order(node, doubt.order(wish, said));
}

impl BotState {
    /// Asks Telegram who administers a chat.
    pub(super) fn on_doubted(&mut self, doubt: Doubt) {
        if let Some(wait) = self.sending.limiter.pause_left(doubt.chat) {
            if matches!(doubt.wish, Wish::Settle) {
                self.node.orders.still_asking(doubt.chat, doubt.author, wait);
            }
            drop(self.myself.send_after(wait, move || BotMsg::Doubted(doubt)));
            return;
        }
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        self.tasks.spawn(async move {
            let answer = api.administrators(doubt.telegram).await;
            let _ = myself.cast(BotMsg::Ranked(doubt, answer));
        });
    }

    pub(super) fn on_ranked(&mut self, doubt: Doubt, answer: Administrators) {
        if let Err(TelegramError::RateLimited { retry_after }) = &answer {
            self.on_limited(Some(doubt.chat), *retry_after);
        }
        let (node, bot) = (Arc::clone(&self.node), self.profile.id);
        if let Some((doubt, wait)) = heard(&node, bot, doubt, answer) {
            self.tasks.spawn(async move {
                tokio::time::sleep(wait).await;
                ask(&node, bot, doubt);
            });
        }
    }
}
