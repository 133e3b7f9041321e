//! Turns updates into rows of the inbox, and hands rows to their chats: of polls and of webhooks. Layer `actors`. Keeps
//! I1, I2, I8.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::actors::bot::messages::BotMsg;
use crate::actors::chat::messages::{ChatMsg, Content, Delivery};
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::Node;
use crate::actors::node::committer::{CommitError, CommitResult};
use crate::actors::orders::obey::obey;
use crate::behaviour::command::order_in;
use crate::domain::commit::operations::{Ingest, Operation, Receive};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::{BotId, ChatId, TelegramChatId, TelegramUserId};
use crate::domain::inbox::{InboxRow, Outcome, OutcomeKind, Source};
use crate::domain::incoming::{AuthorKind, ChatKind, Event, Incoming};
use crate::domain::people::{OPTED_OUT, TOMBSTONE};
use crate::domain::time::Timestamp;
use crate::ports::bus::Hint;
use crate::ports::metrics;
use crate::ports::telegram::ReceivedUpdate;

/// Successive refusals of rows after which rows are stored one at a time.
pub(in crate::actors) const REFUSALS_TOGETHER: u32 = 2;

/// Updates as rows, with the chats that they go to.
#[derive(Default)]
pub(in crate::actors) struct Sorted {
    /// All rows, to be stored.
    pub(in crate::actors) rows: Vec<InboxRow>,
    /// The rows that a chat handles.
    pub(in crate::actors) deliveries: BTreeMap<ChatId, Vec<Delivery>>,
    /// Chats that are not in the manifest.
    pub(in crate::actors) strange: BTreeSet<TelegramChatId>,
}

/// Turns updates into rows and obeys orders in them. Removes words that nobody may store, before any commit.
pub(in crate::actors) fn sorted(node: &Arc<Node>, bot: BotId, updates: Vec<ReceivedUpdate>) -> Sorted {
    metrics::updates_received_total.increment(updates.len() as u64);
    node.traffic.took_updates(updates.len());
    let now = node.clock.now();
    let mut sorted = Sorted::default();
    for mut update in updates {
        obey(node, bot, &update.incoming);
        let gone = without_words(node, &mut update);
        if let Some((from, to)) = migration(&update.incoming)
            && let Some(chat) = node.directory.chat_of(from)
        {
            // Later updates in the same answer come under the new id, which the chat stores.
            node.directory.migrate(chat, to);
        }
        let (chat, outcome) = route(node, &update.incoming);
        if let (Some(chat), Event::Membership { can_post: true, .. }) = (chat, &update.incoming.event) {
            node.tell([Hint::Opened(bot, chat)]);
        }
        let outcome = gone.map(|reason| Outcome::because(OutcomeKind::Ignored, reason)).or(outcome);
        if let Some(telegram) = update.incoming.chat.filter(|_| chat.is_none() && is_life(&update.incoming)) {
            sorted.strange.extend(node.directory.chat_of(telegram).is_none().then_some(telegram));
        }
        let id = node.inbox_id();
        let source = Source::Update(update.update_id);
        let author = words_of(&update.incoming);
        let waits = outcome.is_none();
        if chat.is_none() && !waits {
            // No chat of the fleet handles the update: nobody may keep its content.
            TOMBSTONE.clone_into(&mut update.raw);
        }
        sorted.rows.push(InboxRow { id, chat, bot, source, payload: update.raw, received_at: now, outcome, author });
        if let Some(chat) = chat.filter(|_| waits) {
            let content = Content::Update(update.incoming);
            sorted.deliveries.entry(chat).or_default().push(Delivery { inbox: id, bot, content });
        }
    }
    sorted
}

/// Returns the ids of a group and of the supergroup that it became. Telegram reports the change in both chats, and a
/// bot may see only one of both reports.
fn migration(incoming: &Incoming) -> Option<(TelegramChatId, TelegramChatId)> {
    match incoming.event {
        Event::MigratedTo { to } => Some((incoming.chat?, to)),
        Event::MigratedFrom { from } => Some((from, incoming.chat?)),
        _ => None,
    }
}

/// Removes from an update what nobody may keep: words of people who have opted out or asked to be forgotten, and quotes
/// of those words, also by the same people. Returns the reason when nothing is left.
fn without_words(node: &Node, update: &mut ReceivedUpdate) -> Option<&'static str> {
    let rights = node.people.rights();
    if rights.is_empty() {
        return None;
    }
    let own = words_of(&update.incoming).and_then(|(author, said_at)| rights.refuses(author, said_at));
    let cut = node.decoder.without(&update.raw, &|author, said_at| rights.refuses(author, said_at).is_some());
    let cut = cut.or_else(|| own.map(|_| TOMBSTONE.to_owned()))?;
    if cut == TOMBSTONE {
        update.raw = cut;
        return Some(own.unwrap_or(OPTED_OUT));
    }
    update.incoming = node.decoder.decode(&cut);
    update.raw = cut;
    None
}

/// Returns the author and date of an update's words, if a person wrote them and they are no command.
fn words_of(incoming: &Incoming) -> Option<(TelegramUserId, Timestamp)> {
    let (author, said_at) = match &incoming.event {
        Event::Message(message) if order_in(message).is_some() => return None,
        Event::Message(message) | Event::Edited(message) => (&message.author, message.date),
        Event::Reaction { author, date, .. } => (author, *date),
        _ => return None,
    };
    (author.kind == AuthorKind::Person).then_some((author.id, said_at))
}

/// Returns whether the update shows that the bot is in the group, supergroup or channel.
fn is_life(incoming: &Incoming) -> bool {
    let there = matches!(incoming.event, Event::Message(_) | Event::Membership { can_post: true, .. });
    there && matches!(incoming.chat_kind, ChatKind::Group | ChatKind::Supergroup | ChatKind::Channel)
}

/// Returns the chat that handles an update, or why none does.
fn route(node: &Node, incoming: &Incoming) -> (Option<ChatId>, Option<Outcome>) {
    let ignored = |reason: &str| (None, Some(Outcome::because(OutcomeKind::Ignored, reason)));
    match (&incoming.event, incoming.chat_kind, incoming.chat) {
        (Event::Undecodable { reason }, _, None) => ignored(&format!("undecodable: {reason}")),
        (Event::Other { name }, _, None) => ignored(&format!("kind {name} is not used")),
        (Event::MigratedTo { .. }, ChatKind::Group, Some(telegram)) if node.directory.chat_of(telegram).is_some() => {
            (node.directory.chat_of(telegram), None)
        }
        (_, ChatKind::Group, _) => ignored("a basic group numbers messages per bot: make it a supergroup"),
        (Event::Message(message) | Event::Edited(message), ChatKind::Private, _)
            if !message.author.kind.is_person() =>
        {
            metrics::private_bot_messages_total.increment(1);
            ignored("a bot wrote in private: bots are not answered there")
        }
        (_, ChatKind::Private, _) => ignored("private chats are not served"),
        (_, _, Some(telegram)) => match node.directory.chat_of(telegram) {
            Some(chat) => (Some(chat), None),
            None => ignored("the chat is not in the manifest"),
        },
        (_, _, None) => ignored("names no chat"),
    }
}

/// Hands rows to their chat; returns false when the chat is not in memory or full, and must be woken after the commit.
pub(in crate::actors) fn deliver(node: &Node, chat: ChatId, deliveries: Vec<Delivery>) -> bool {
    let Some(handle) = node.directory.chat(chat) else {
        return false;
    };
    handle.rows.try_admit(deliveries.len()) && handle.actor.cast(ChatMsg::Deliver(deliveries)).is_ok()
}

/// Stores an update from a webhook; the update is durable on return, and only then may Telegram be told so (I1). The
/// chat gets it after the commit, so a repeated update, which is common with webhooks, never reaches the chat.
///
/// # Errors
/// When the store cannot take the update now: Telegram must bring it again.
///
/// # Cancel safety
/// Dropping the future does not take the rows back; Telegram brings them again, and they are stored once.
pub async fn receive(node: &Arc<Node>, bot: BotId, update: ReceivedUpdate) -> CommitResult {
    let Sorted { rows, deliveries, strange } = sorted(node, bot, vec![update]);
    let (done, result) = tokio::sync::oneshot::channel();
    let hinting = Arc::clone(node);
    let again = rows.clone();
    node.committer.submit(Operation::Receive(Receive { rows }), move |result| {
        if matches!(result, Ok(Applied::Ingested { already_there: 0 })) {
            let deliveries = deliveries.into_iter();
            let absent: Vec<ChatId> =
                deliveries.filter_map(|(chat, rows)| (!deliver(&hinting, chat, rows)).then_some(chat)).collect();
            hinting.wake_chats(absent);
            match (hinting.directory.bot(bot), hinting.directory.fleet()) {
                _ if strange.is_empty() => {}
                (Some(actor), _) => drop(actor.cast(BotMsg::LeaveChats(strange))),
                // The bot lives elsewhere, and hears nothing of these chats there.
                (None, Some(fleet)) => drop(fleet.cast(FleetMsg::LeaveChats(bot, strange))),
                (None, None) => {}
            }
        }
        let _ = done.send(result);
    });
    let result = result.await.unwrap_or_else(|_| Err(CommitError::Unavailable("committer stopped".to_owned())));
    match result {
        Err(CommitError::Refused(_)) => receive_refused(node, again).await,
        result => result,
    }
}

/// Stores refused rows of a webhook: tries once more, then stores them as dead letters. Chats read from the store what
/// is stored here.
async fn receive_refused(node: &Node, rows: Vec<InboxRow>) -> CommitResult {
    let again = Operation::Receive(Receive { rows: rows.clone() });
    let refusal = match node.committer.commit(again).await {
        Err(CommitError::Refused(refusal)) => refusal,
        result => return result,
    };
    let rows = rows.iter().map(|row| refuse_row(node, row, &refusal)).collect();
    node.committer.commit(Operation::Receive(Receive { rows })).await
}

/// Returns the row as a dead letter, which is logged and counted.
pub(in crate::actors) fn refuse_row(node: &Node, row: &InboxRow, refusal: &Refusal) -> InboxRow {
    tracing::error!(bot.id = %row.bot, error = %refusal, "a row cannot be stored, it is a dead letter");
    metrics::rows_dead_total { at: "intake" }.increment(1);
    row.dead(node.inbox_id(), &refusal.to_string())
}

/// Stores rows one at a time, each with the offset that confirms it. A row that is refused alone is a dead letter.
pub(in crate::actors) async fn ingest_apart(node: &Node, ingest: Ingest) -> CommitResult {
    let Ingest { bot, epoch, next_offset, rows } = ingest;
    for row in rows {
        let next_offset = row.source.update().map_or(next_offset, |update| update.0 + 1);
        let alone = |row: InboxRow| Operation::Ingest(Ingest { bot, epoch, next_offset, rows: vec![row] });
        let stored = node.committer.commit(alone(row.clone()));
        // The next row waits for this one.
        let hasten = async { node.committer.hasten() };
        match futures::future::join(stored, hasten).await.0 {
            Err(CommitError::Refused(refusal)) if refusal != Refusal::Fenced => {
                node.committer.commit(alone(refuse_row(node, &row, &refusal))).await?;
            }
            result => drop(result?),
        }
    }
    Ok(Applied::Done)
}
