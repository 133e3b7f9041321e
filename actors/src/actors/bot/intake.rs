//! Controls how updates reach a bot, and changes the delivery mode. Layer `actors`. Keeps I1, I2.
//!
//! The delivery mode in force is a row of the store. The actor works towards it, and each step may be repeated:
//!
//! | from | to | steps |
//! |---|---|---|
//! | polling | webhook | end the poll, commit its ingest; commit: mode, address stored, offset forgotten; setWebhook |
//! | webhook | polling | commit: mode stored, offset forgotten; deleteWebhook keeps updates; poll without offset |
//!
//! A crash between two steps begins again with the stored mode. An update that both modes bring is stored once (I2).
//!
//! Longer than other files: the steps of the table are one state machine, read from top to bottom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::polling::{ANSWER_WITHIN, POLL_BACKOFF, answered};
use crate::actors::bot::messages::{BotMsg, DeliveryError, DeliveryReply};
use crate::actors::bot::snapshot::BotHealth;
use crate::actors::bot::state::BotState;
use crate::actors::chat::messages::{ChatMsg, Content, Delivery};
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::Node;
use crate::actors::node::committer::{CommitError, CommitResult};
use crate::actors::node::webhooks::host_of;
use crate::actors::orders::obey::obey;
use crate::behaviour::command::order_in;
use crate::domain::commit::operations::{Operation, Receive, SetDelivery};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::{BotId, ChatId, TelegramChatId, TelegramUserId};
use crate::domain::inbox::{InboxRow, Outcome, OutcomeKind, Source};
use crate::domain::incoming::{AuthorKind, ChatKind, Event, Incoming};
use crate::domain::pause::PAUSE_MAX;
use crate::domain::people::{OPTED_OUT, TOMBSTONE};
use crate::domain::roster::{DeliveryChoice, DeliveryMode};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::bus::Hint;
use crate::ports::telegram::{ReceivedUpdate, TelegramError, WebhookStatus, WebhookTarget};

/// Successive refusals of rows after which rows are stored one at a time.
pub(super) const REFUSALS_TOGETHER: u32 = 2;

/// Time between looks at a webhook: is it still ours, and what does Telegram say of it?
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Time until the next look at a webhook of another program.
const FOREIGN_RETRY: Duration = Duration::from_secs(30);

/// The state of a bot's intake.
pub(super) struct Intake {
    /// The delivery mode in force, as stored.
    pub(super) choice: DeliveryChoice,
    phase: Phase,
    /// Telegram's last report on the webhook.
    status: WebhookStatus,
    /// Rises with every new poll and every call about the webhook, so that the late result of an earlier one is ignored.
    pub(super) generation: u64,
    failures: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No intake is open: Telegram has not confirmed the token yet, or refuses it.
    Closed,
    /// The intake is open, or being opened.
    Open,
    /// A change of the delivery mode is being committed.
    Changing,
}

impl Intake {
    pub(super) fn new(choice: DeliveryChoice) -> Self {
        Self { choice, phase: Phase::Closed, status: WebhookStatus::default(), generation: 0, failures: 0 }
    }

    pub(super) fn mode(&self) -> DeliveryMode {
        self.choice.mode
    }

    pub(super) fn polls(&self) -> bool {
        self.choice.mode == DeliveryMode::Polling && self.phase == Phase::Open
    }

    pub(super) fn status(&self) -> &WebhookStatus {
        &self.status
    }
}

/// Updates as rows, with the chats that they go to.
#[derive(Default)]
pub(super) struct Sorted {
    /// All rows, to be stored.
    pub(super) rows: Vec<InboxRow>,
    /// The rows that a chat handles.
    pub(super) deliveries: BTreeMap<ChatId, Vec<Delivery>>,
    /// Chats that are not in the manifest.
    pub(super) strange: BTreeSet<TelegramChatId>,
}

/// Turns updates into rows and obeys orders in them. Removes words that nobody may store, before any commit.
pub(super) fn sorted(node: &Arc<Node>, bot: BotId, updates: Vec<ReceivedUpdate>) -> Sorted {
    metrics::counter!("botfleet_updates_received_total").increment(updates.len() as u64);
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
            metrics::counter!("botfleet_private_bot_messages_total").increment(1);
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
pub(super) fn deliver(node: &Node, chat: ChatId, deliveries: Vec<Delivery>) -> bool {
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
pub(super) fn refuse_row(node: &Node, row: &InboxRow, refusal: &Refusal) -> InboxRow {
    tracing::error!(bot.id = %row.bot, error = %refusal, "a row cannot be stored, it is a dead letter");
    metrics::counter!("botfleet_rows_dead_total", "at" => "intake").increment(1);
    row.dead(node.inbox_id(), &refusal.to_string())
}

impl BotState {
    /// Opens the intake of the delivery mode in force, and no other: earlier polls and calls are cancelled or stale. A
    /// change that is being committed opens its own intake at its end.
    pub(super) fn open_intake(&mut self) {
        if self.is_closing() || self.intake.phase == Phase::Changing {
            return;
        }
        self.polling.cancel();
        self.intake.generation += 1;
        self.intake.phase = Phase::Open;
        self.intake.failures = 0;
        match self.intake.mode() {
            DeliveryMode::Polling => self.poll(),
            DeliveryMode::Webhook => self.set_webhook(),
        }
    }

    pub(super) fn on_set_delivery(&mut self, mode: DeliveryMode, reply: DeliveryReply) {
        let answer = if self.is_closing() || self.intake.phase == Phase::Changing {
            Err(DeliveryError::Busy)
        } else if mode == self.intake.mode() {
            Ok(())
        } else if mode == DeliveryMode::Webhook && self.webhook_target().is_none() {
            Err(DeliveryError::WebhooksOff)
        } else {
            self.change_delivery(mode, Some(reply));
            return;
        };
        let _ = reply.send(answer);
    }

    fn webhook_target(&self) -> Option<WebhookTarget> {
        // A replaced token makes another secret, which is sent to Telegram with the address.
        if let Some(secret) = self.api.webhook_secret() {
            self.webhooks.set_secret(self.profile.id, secret);
        }
        self.webhooks.target(self.profile.id, &self.profile.spec.name)
    }

    /// Closes the intake and stores the delivery mode. An ingest in hand was submitted before, so it commits before.
    fn change_delivery(&mut self, mode: DeliveryMode, reply: Option<DeliveryReply>) {
        self.polling.cancel();
        self.intake.generation += 1;
        self.intake.phase = Phase::Changing;
        let webhook_url = match mode {
            DeliveryMode::Webhook => self.webhook_target().map(|target| target.url),
            DeliveryMode::Polling => self.intake.choice.webhook_url.clone(),
        };
        let choice = DeliveryChoice { mode, webhook_url };
        let change = SetDelivery { bot: self.profile.id, epoch: self.epoch, choice: choice.clone() };
        let myself = self.myself.clone();
        self.node.committer.submit(Operation::SetDelivery(change), move |result| {
            let _ = myself.cast(BotMsg::DeliveryChanged(choice, result, reply));
        });
    }

    pub(super) fn on_delivery_changed(
        &mut self,
        choice: DeliveryChoice,
        result: CommitResult,
        reply: Option<DeliveryReply>,
    ) {
        let answer = match result {
            Ok(_) => {
                tracing::info!(bot.id = %self.profile.id, mode = choice.mode.as_str(), "updates arrive in another way");
                self.polling.forget_offset();
                self.intake.choice = choice;
                self.intake.status = WebhookStatus::default();
                self.intake.phase = Phase::Open;
                // The next owner of the bot continues from what is stored.
                if !self.is_closing() {
                    match self.intake.mode() {
                        DeliveryMode::Polling => self.delete_webhook(),
                        DeliveryMode::Webhook => self.set_webhook(),
                    }
                }
                Ok(())
            }
            Err(CommitError::Refused(Refusal::Fenced)) => {
                self.on_fenced();
                Err(DeliveryError::Busy)
            }
            Err(error) => {
                self.intake.phase = Phase::Closed;
                self.open_intake();
                Err(DeliveryError::Store(error.to_string()))
            }
        };
        if let Some(reply) = reply {
            let _ = reply.send(answer);
        }
    }

    /// Tells Telegram where to deliver updates. The address is stored first, so that it is known as our own.
    fn set_webhook(&mut self) {
        if self.is_closing() || self.waits_for_pause(BotMsg::SetWebhook) {
            return;
        }
        let Some(target) = self.webhook_target() else {
            let reason = "it is set to webhooks, and webhooks are off: set webhooks.public_url, or set it to polling";
            if !matches!(self.health, BotHealth::Degraded(_)) {
                tracing::error!(bot.id = %self.profile.id, "{reason}");
            }
            self.health = BotHealth::Degraded(reason.to_owned());
            return;
        };
        if self.intake.choice.webhook_url.as_ref() != Some(&target.url) {
            return self.change_delivery(DeliveryMode::Webhook, None);
        }
        let (api, myself, generation) = (Arc::clone(&self.api), self.myself.clone(), self.intake.generation);
        self.tasks.spawn(async move {
            let _ =
                myself.cast(BotMsg::WebhookSet(generation, answered(ANSWER_WITHIN, api.set_webhook(&target)).await));
        });
    }

    pub(super) fn on_webhook_set(&mut self, generation: u64, result: Result<(), TelegramError>) {
        if generation != self.intake.generation || self.is_closing() {
            return self.note_limit(&result);
        }
        match result {
            Ok(()) => {
                self.intake.failures = 0;
                self.health = BotHealth::Receiving;
                drop(self.myself.send_after(LOOK_EVERY, move || BotMsg::LookAtWebhook(generation)));
            }
            Err(error) => self.webhook_failed(&error, "setWebhook failed", BotMsg::SetWebhook),
        }
    }

    pub(super) fn on_set_webhook(&mut self, generation: u64) {
        if generation == self.intake.generation {
            self.set_webhook();
        }
    }

    fn delete_webhook(&mut self) {
        if self.waits_for_pause(BotMsg::DeleteWebhook) {
            return;
        }
        let (api, myself, generation) = (Arc::clone(&self.api), self.myself.clone(), self.intake.generation);
        self.tasks.spawn(async move {
            let _ =
                myself.cast(BotMsg::WebhookDeleted(generation, answered(ANSWER_WITHIN, api.delete_webhook()).await));
        });
    }

    pub(super) fn on_delete_webhook(&mut self, generation: u64) {
        if generation == self.intake.generation && !self.is_closing() {
            self.delete_webhook();
        }
    }

    pub(super) fn on_webhook_deleted(&mut self, generation: u64, result: Result<(), TelegramError>) {
        if generation != self.intake.generation || self.is_closing() {
            return self.note_limit(&result);
        }
        match result {
            Ok(()) => self.open_intake(),
            Err(error) => self.webhook_failed(&error, "deleteWebhook failed", BotMsg::DeleteWebhook),
        }
    }

    /// Asks Telegram for the webhook's state: now and then in webhook mode, and when a webhook prevents polling.
    pub(super) fn look_at_webhook(&mut self, generation: u64) {
        if generation != self.intake.generation || self.is_closing() || self.waits_for_pause(BotMsg::LookAtWebhook) {
            return;
        }
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        self.tasks.spawn(async move {
            let _ = myself.cast(BotMsg::WebhookSeen(generation, answered(ANSWER_WITHIN, api.webhook_status()).await));
        });
    }

    pub(super) fn on_webhook_seen(&mut self, generation: u64, result: Result<WebhookStatus, TelegramError>) {
        if generation != self.intake.generation || self.is_closing() {
            return self.note_limit(&result);
        }
        let status = match result {
            Ok(status) => status,
            Err(error) => return self.webhook_failed(&error, "getWebhookInfo failed", BotMsg::LookAtWebhook),
        };
        self.intake.failures = 0;
        self.intake.status = status.clone();
        match self.intake.mode() {
            DeliveryMode::Webhook => {
                let target = self.webhook_target().map(|target| target.url);
                if target.is_some() && status.url == target {
                    self.health = BotHealth::Receiving;
                    drop(self.myself.send_after(LOOK_EVERY, move || BotMsg::LookAtWebhook(generation)));
                } else {
                    tracing::warn!(bot.id = %self.profile.id, "somebody changed or deleted the webhook, it is set again");
                    self.set_webhook();
                }
            }
            DeliveryMode::Polling => self.on_leftover(generation, status.url.as_deref()),
        }
    }

    /// Deletes a webhook that prevents polling: always our own, another program's only when the operator allows it.
    fn on_leftover(&mut self, generation: u64, url: Option<&str>) {
        let Some(url) = url else {
            return self.open_intake();
        };
        let ours = self.webhooks.is_ours(url) || self.intake.choice.webhook_url.as_deref() == Some(url);
        if ours || self.webhooks.delete_foreign {
            tracing::warn!(bot.id = %self.profile.id, webhook.host = host_of(url), ours, "a webhook keeps the bot from polling, it is deleted");
            self.change_delivery(DeliveryMode::Polling, None);
            return;
        }
        let host = host_of(url);
        let reason = format!(
            "another program receives its updates by a webhook at {host}: delete that webhook, or set \
             webhooks.delete_foreign"
        );
        let news = !matches!(&self.health, BotHealth::Degraded(before) if *before == reason);
        if news {
            tracing::error!(bot.id = %self.profile.id, "{reason}");
        }
        self.health = BotHealth::Degraded(reason);
        drop(self.myself.send_after(FOREIGN_RETRY, move || BotMsg::LookAtWebhook(generation)));
    }

    /// Returns whether calls without a chat are paused; `again` follows when the pause is over.
    pub(super) fn waits_for_pause(&self, again: fn(u64) -> BotMsg) -> bool {
        let (wait, generation) = (self.sending.limiter.calls_pause(), self.intake.generation);
        wait.map(|wait| drop(self.myself.send_after(wait, move || again(generation)))).is_some()
    }

    /// Notes the pause that a late answer asks for, and ignores the rest of the answer.
    pub(super) fn note_limit<T>(&mut self, result: &Result<T, TelegramError>) {
        if let Err(TelegramError::RateLimited { retry_after }) = result {
            self.on_limited(None, *retry_after);
        }
    }

    /// Handles a failed call about webhooks: repeats it later, since none of these calls does harm when done twice.
    fn webhook_failed(&mut self, error: &TelegramError, what: &str, again: fn(u64) -> BotMsg) {
        self.intake.failures += 1;
        metrics::counter!("botfleet_webhook_call_failures_total", "error_type" => error.label()).increment(1);
        if let TelegramError::Unauthorized(reason) = error {
            return self.refused(reason);
        }
        self.health = BotHealth::Degraded(format!("{what}: {error}"));
        let wait = match error {
            TelegramError::RateLimited { retry_after } => {
                self.on_limited(None, *retry_after);
                (*retry_after).min(PAUSE_MAX)
            }
            _ => POLL_BACKOFF.wait(self.intake.failures, self.node.jitter.next()),
        };
        if self.intake.failures.is_power_of_two() {
            tracing::warn!(bot.id = %self.profile.id, error = %error, failures = self.intake.failures, "{what}");
        }
        let generation = self.intake.generation;
        drop(self.myself.send_after(wait, move || again(generation)));
    }

    /// Handles a refused token: looks it up again after a while, since its owner may have replaced or restored it.
    pub(super) fn refused(&mut self, reason: &str) {
        if !matches!(self.health, BotHealth::Refused(_)) {
            tracing::error!(bot.id = %self.profile.id, reason, "the token is refused: put a valid one where it comes from");
        }
        self.health = BotHealth::Refused(reason.to_owned());
        self.set_silence(Some(Silence::Refused));
        self.intake.generation += 1;
        self.intake.phase = Phase::Closed;
        drop(self.myself.send_after(self.settings.refused_retry, || BotMsg::Identify));
    }

    /// Hands rows to their chat, as the function `deliver` does.
    pub(super) fn deliver(&self, chat: ChatId, deliveries: Vec<Delivery>) -> bool {
        deliver(&self.node, chat, deliveries)
    }
}
