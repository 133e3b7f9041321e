//! Finds sends without a cause, duplicate sends, and sends that never happened. Layer: world; pure (I4).
//!
//! A send is identified by bot, chat and message id. Each message of the product accounts for one send. A message in
//! state `sending` or `unknown` was committed with the intent to send, so it accounts for one send of its bot and chat
//! that no other message accounts for. A chat that was migrated counts as the chat it became, in sends and claims
//! alike; two sends may then have the same message id.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::chats::Chats;
use super::outcome::{MessageState, OutcomeLine};
use super::report::Report;
use crate::ledger::{LedgerEvent, LedgerRecord};
use crate::provider::calls::CallRecord;

/// Bot, chat and message id.
type SendKey = (i64, i64, i64);

/// A send that Telegram accepted.
#[derive(Debug)]
struct Send<'a> {
    number: u64,
    /// The key as Telegram named it at the time.
    key: SendKey,
    /// The key with the chat's present id.
    claim: SendKey,
    text: &'a str,
    marker: Option<&'a str>,
}

/// The sends that the product claims, with each message of the outbox once.
#[derive(Debug, Default)]
struct Claims<'a> {
    /// The messages of the outbox that name a send.
    by_send: BTreeMap<SendKey, BTreeSet<&'a str>>,
    /// The sends that a message of the outbox names; several when lines about it differ.
    by_message: BTreeMap<&'a str, BTreeSet<SendKey>>,
    /// Messages in state `sent` without a message id: bot, chat, message.
    nameless: Vec<(i64, i64, &'a str)>,
    /// The number of messages, per bot and chat, that may account for a send without naming it.
    open: HashMap<(i64, i64), u64>,
    unknown: u64,
}

/// Compares the sends that Telegram accepted with the product's messages and the provider's texts.
pub(super) fn check(ledger: &[LedgerRecord], calls: &[CallRecord], outcomes: &[OutcomeLine], report: &mut Report) {
    let chats = Chats::of(ledger);
    let sends = accepted(ledger, &chats);
    let claims = claims(outcomes, &chats);
    report.breaches.unknown = claims.unknown;
    find_uncaused(&sends, &claims, report);
    find_phantoms(&sends, &claims, report);
    find_duplicates(&sends, &claims, calls, report);
}

fn accepted<'a>(ledger: &'a [LedgerRecord], chats: &Chats) -> Vec<Send<'a>> {
    ledger
        .iter()
        .filter_map(|record| match &record.event {
            LedgerEvent::SendAccepted { send, bot, chat, message_id, text, marker, .. } => Some(Send {
                number: *send,
                key: (*bot, *chat, *message_id),
                claim: (*bot, chats.now(*chat), *message_id),
                text: text.trim(),
                marker: marker.as_deref(),
            }),
            _ => None,
        })
        .collect()
}

fn claims<'a>(outcomes: &'a [OutcomeLine], chats: &Chats) -> Claims<'a> {
    let mut claims = Claims::default();
    let mut open = HashSet::new();
    let mut unknown = HashSet::new();
    for turn in outcomes.iter().flat_map(|line| &line.turns) {
        for message in &turn.messages {
            let id = message.id.as_str();
            let chat = chats.now(message.chat_id);
            if message.state == MessageState::Unknown {
                unknown.insert(id);
            }
            match (message.state, message.message_id) {
                (_, Some(message_id)) => {
                    let key = (turn.bot_id, chat, message_id);
                    claims.by_send.entry(key).or_default().insert(id);
                    claims.by_message.entry(id).or_default().insert(key);
                }
                (MessageState::Sent, None) => {
                    claims.nameless.push((turn.bot_id, chat, id));
                }
                (MessageState::Unknown | MessageState::Sending, None) if open.insert(id) => {
                    *claims.open.entry((turn.bot_id, chat)).or_default() += 1;
                }
                _ => {}
            }
        }
    }
    claims.unknown = unknown.len() as u64;
    claims
}

fn find_uncaused(sends: &[Send<'_>], claims: &Claims<'_>, report: &mut Report) {
    let mut open = claims.open.clone();
    let mut named: HashMap<SendKey, usize> = claims.by_send.iter().map(|(key, ids)| (*key, ids.len())).collect();
    for send in sends {
        let (bot, chat, message_id) = send.claim;
        if let Some(left) = named.get_mut(&send.claim).filter(|left| **left > 0) {
            *left -= 1;
            continue;
        }
        match open.get_mut(&(bot, chat)) {
            Some(left) if *left > 0 => *left -= 1,
            _ => {
                report.breaches.uncaused_sends += 1;
                report.example(|| {
                    format!("send {} of bot {bot}: no outcome for message {message_id} in chat {chat}", send.number)
                });
            }
        }
    }
}

fn find_phantoms(sends: &[Send<'_>], claims: &Claims<'_>, report: &mut Report) {
    let mut known: HashMap<SendKey, usize> = HashMap::new();
    for send in sends {
        *known.entry(send.claim).or_default() += 1;
    }
    for ((bot, chat, message_id), messages) in &claims.by_send {
        let times = known.get(&(*bot, *chat, *message_id)).copied().unwrap_or(0);
        // A send accounts for one of the messages that name it; each further one claims a send that never happened.
        for message in messages.iter().skip(times) {
            report.breaches.phantom_sends += 1;
            report.example(|| {
                format!("message {message} of bot {bot} claims {message_id} in chat {chat}, which was not sent for it")
            });
        }
    }
    for (bot, chat, message) in &claims.nameless {
        report.breaches.phantom_sends += 1;
        report.example(|| format!("message {message} of bot {bot} is called sent in chat {chat} without a message id"));
    }
}

fn find_duplicates(sends: &[Send<'_>], claims: &Claims<'_>, calls: &[CallRecord], report: &mut Report) {
    let mut again: BTreeMap<u64, String> = BTreeMap::new();
    let mut markers = HashSet::new();
    let mut keys = HashSet::new();
    let mut generated: HashMap<&str, u64> = HashMap::new();
    for call in calls {
        *generated.entry(call.text.trim()).or_default() += 1;
    }
    let mut spoken: HashMap<&str, u64> = HashMap::new();
    for send in sends {
        let bot = send.key.0;
        if let Some(marker) = send.marker
            && !markers.insert((bot, marker))
        {
            again.insert(send.number, format!("bot {bot} sent {marker} again"));
        }
        if let Some(made) = generated.get(send.text) {
            let times = spoken.entry(send.text).or_default();
            *times += 1;
            if *times > *made {
                again.entry(send.number).or_insert_with(|| format!("a text made {made} times was sent {times} times"));
            }
        }
        if !keys.insert(send.key) {
            again.entry(send.number).or_insert_with(|| format!("bot {bot} sent message {} again", send.key.2));
        }
    }
    let by_key: HashMap<SendKey, u64> = sends.iter().map(|send| (send.claim, send.number)).collect();
    for (message, named) in claims.by_message.iter().filter(|(_, named)| named.len() > 1) {
        for send in named.iter().filter_map(|key| by_key.get(key)).skip(1) {
            again.entry(*send).or_insert_with(|| format!("message {message} was sent more than once"));
        }
    }
    report.breaches.duplicate_sends = again.len() as u64;
    for (send, why) in again {
        report.example(|| format!("send {send}: {why}"));
    }
}
