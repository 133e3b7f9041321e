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

use crate::actors::node::Node;
use crate::actors::orders::doubt::{Administrators, Doubt, Wish};
use crate::actors::orders::submit::{ask, order};
use crate::domain::control::{Rank, StopOrder, StopScope};
use crate::domain::ids::{BotId, MessageId, TelegramChatId};
use crate::domain::ownership::LeaseKey;
use crate::policy::backoff::BackoffSettings;
use crate::ports::telegram::{BotApi, TelegramError};

/// Waits before Telegram is asked again who administers a chat.
const ASK_AGAIN: BackoffSettings = BackoffSettings { first: Duration::from_secs(2), max: Duration::from_mins(1) };

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

/// Asks Telegram as a bot that does not live on this node.
pub(in crate::actors) async fn verify(node: &Arc<Node>, bot: BotId, api: &dyn BotApi, doubt: Doubt) {
    let answer = api.administrators(doubt.telegram).await;
    if let Some((doubt, wait)) = heard(node, bot, doubt, answer) {
        tokio::time::sleep(wait).await;
        ask(node, bot, doubt);
    }
}

/// Handles Telegram's answer; returns what is left to ask, and when.
pub(in crate::actors) fn heard(
    node: &Arc<Node>,
    bot: BotId,
    mut doubt: Doubt,
    answer: Administrators,
) -> Option<(Doubt, Duration)> {
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
