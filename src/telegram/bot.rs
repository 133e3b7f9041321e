//! `BotApi` for one token. Layer `adapters`. Keeps I1, I4, I12.
//!
//! A failed read (`getMe`, `getUpdates`, `getChat`) did nothing whatever became of it, so that every failure without
//! a definite answer is `Unreachable` there; for writes it is `Unknown`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use botfleet_actors::domain::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId, UpdateId};
use botfleet_actors::domain::incoming::ChatKind;
use botfleet_actors::ports::telegram::{BotApi, ChatDescription, Me, ReceivedUpdate, SendMessage, TelegramError};
use reqwest::Url;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use teloxide::payloads;
use teloxide::requests::Payload;
use teloxide::types::{
    AllowedUpdate, ChatAction, ChatId, LinkPreviewOptions, MessageId as SdkMessageId, ReactionType, ReplyParameters,
    ThreadId as SdkThreadId, UserId,
};

use super::client::{Answer, Call, Effect, TelegramClient, record, without};
use super::{answer, decode, wire};

/// Most updates in one answer.
///
/// # Source
/// Bot API, getUpdates.
const POLL_LIMIT: u8 = 100;

/// One bot at Telegram; cheap to clone.
#[derive(Clone)]
pub struct TelegramBot {
    shared: Arc<Shared>,
}

struct Shared {
    client: TelegramClient,
    token: SecretString,
    get_me: Url,
    get_updates: Url,
    send_message: Url,
    send_chat_action: Url,
    set_message_reaction: Url,
    get_chat: Url,
    get_chat_member: Url,
}

impl fmt::Debug for TelegramBot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelegramBot").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct MeResult {
    id: i64,
    first_name: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    can_read_all_group_messages: bool,
}

#[derive(Deserialize)]
struct SentResult {
    message_id: i64,
}

#[derive(Deserialize)]
struct MemberResult {
    status: String,
}

impl TelegramBot {
    pub(super) fn new(client: TelegramClient, token: SecretString) -> Self {
        let shared = Shared {
            get_me: client.url(&token, payloads::GetMe::NAME),
            get_updates: client.url(&token, payloads::GetUpdates::NAME),
            send_message: client.url(&token, payloads::SendMessage::NAME),
            send_chat_action: client.url(&token, payloads::SendChatAction::NAME),
            set_message_reaction: client.url(&token, payloads::SetMessageReaction::NAME),
            get_chat: client.url(&token, payloads::GetChat::NAME),
            get_chat_member: client.url(&token, payloads::GetChatMember::NAME),
            client,
            token,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes one call and reads its result.
    async fn call<P, T>(
        &self,
        url: &Url,
        effect: Effect,
        payload: &P,
        wait: Option<Duration>,
        read: impl FnOnce(&RawValue) -> Result<T, TelegramError>,
    ) -> Result<T, TelegramError>
    where
        P: Payload + Serialize + Sync,
    {
        let Shared { client, token, .. } = &*self.shared;
        let started = wait.is_none().then(Instant::now);
        let call = Call { url, token, effect };
        let outcome = match client.attempt(call, payload, wait).await {
            Ok(Answer { status, headers, body }) => {
                answer::result(status, &headers, &body).and_then(read).map_err(|error| settled(effect, token, error))
            }
            Err(error) => Err(error),
        };
        record(P::NAME, started, &outcome);
        outcome
    }
}

/// An error without the token; for calls that change nothing, an unknown outcome is none.
fn settled(effect: Effect, token: &SecretString, error: TelegramError) -> TelegramError {
    match error {
        TelegramError::Unknown(text) if effect != Effect::Write => TelegramError::Unreachable(without(token, text)),
        TelegramError::Unknown(text) => TelegramError::Unknown(without(token, text)),
        TelegramError::Unauthorized(text) => TelegramError::Unauthorized(without(token, text)),
        TelegramError::Conflict(text) => TelegramError::Conflict(without(token, text)),
        TelegramError::Forbidden(text) => TelegramError::Forbidden(without(token, text)),
        TelegramError::Rejected { code, description } => {
            TelegramError::Rejected { code, description: without(token, description) }
        }
        other => other,
    }
}

fn sdk_message(id: i64) -> Result<SdkMessageId, TelegramError> {
    i32::try_from(id).map(SdkMessageId).map_err(|_| out_of_range("message id"))
}

/// The thread as the Bot API wants it: the General topic is left out.
fn sdk_thread(thread: Option<ThreadId>) -> Result<Option<SdkThreadId>, TelegramError> {
    match thread {
        Some(ThreadId(id)) if id != decode::GENERAL_TOPIC => Ok(Some(SdkThreadId(sdk_message(id)?))),
        _ => Ok(None),
    }
}

fn out_of_range(what: &str) -> TelegramError {
    TelegramError::Rejected { code: 400, description: format!("{what} out of range") }
}

/// The updates of an answer; one without an id cannot be kept nor confirmed by name, so it is counted and skipped.
fn received(result: &RawValue) -> Result<Vec<ReceivedUpdate>, TelegramError> {
    let raws: Vec<&RawValue> = serde_json::from_str(result.get())
        .map_err(|e| TelegramError::Unknown(format!("updates are no list at column {}", e.column())))?;
    let mut updates = Vec::with_capacity(raws.len());
    for raw in raws {
        let (id, incoming) = decode::read(raw.get());
        let Some(id) = id else {
            metrics::counter!("botfleet_telegram_updates_skipped_total").increment(1);
            tracing::warn!("an update without id was skipped");
            continue;
        };
        updates.push(ReceivedUpdate { update_id: UpdateId(id), raw: raw.get().to_owned(), incoming });
    }
    Ok(updates)
}

#[async_trait]
impl BotApi for TelegramBot {
    async fn get_me(&self) -> Result<Me, TelegramError> {
        let payload = payloads::GetMe::new();
        let me: MeResult = self.call(&self.shared.get_me, Effect::Probe, &payload, None, answer::typed).await?;
        Ok(Me {
            id: TelegramUserId(me.id),
            username: me.username,
            first_name: me.first_name,
            can_read_all_group_messages: me.can_read_all_group_messages,
        })
    }

    async fn get_updates(&self, offset: Option<i64>, timeout: Duration) -> Result<Vec<ReceivedUpdate>, TelegramError> {
        let mut payload = payloads::GetUpdates::new();
        payload.offset = offset.map(i32::try_from).transpose().map_err(|_| out_of_range("offset"))?;
        payload.limit = Some(POLL_LIMIT);
        payload.timeout = Some(timeout.as_secs() as u32);
        payload.allowed_updates = Some(vec![
            AllowedUpdate::Message,
            AllowedUpdate::EditedMessage,
            AllowedUpdate::MessageReaction,
            AllowedUpdate::MyChatMember,
        ]);
        self.call(&self.shared.get_updates, Effect::Probe, &payload, Some(timeout), received).await
    }

    async fn send_message(&self, message: &SendMessage) -> Result<MessageId, TelegramError> {
        let mut payload = payloads::SendMessage::new(ChatId(message.chat.0), message.text.clone());
        payload.message_thread_id = sdk_thread(message.thread)?;
        payload.link_preview_options = Some(LinkPreviewOptions {
            is_disabled: true,
            url: None,
            prefer_small_media: false,
            prefer_large_media: false,
            show_above_text: false,
        });
        if let Some(MessageId(id)) = message.reply_to {
            payload.reply_parameters = Some(ReplyParameters::new(sdk_message(id)?).allow_sending_without_reply());
        }
        let sent: SentResult =
            self.call(&self.shared.send_message, Effect::Write, &payload, None, answer::typed).await?;
        Ok(MessageId(sent.message_id))
    }

    async fn send_typing(&self, chat: TelegramChatId, thread: Option<ThreadId>) -> Result<(), TelegramError> {
        let mut payload = payloads::SendChatAction::new(ChatId(chat.0), ChatAction::Typing);
        payload.message_thread_id = sdk_thread(thread)?;
        self.call(&self.shared.send_chat_action, Effect::Write, &payload, None, |_| Ok(())).await
    }

    async fn set_reaction(&self, chat: TelegramChatId, message: MessageId, emoji: &str) -> Result<(), TelegramError> {
        let mut payload = payloads::SetMessageReaction::new(ChatId(chat.0), sdk_message(message.0)?);
        payload.reaction = Some(vec![ReactionType::Emoji { emoji: emoji.to_owned() }]);
        self.call(&self.shared.set_message_reaction, Effect::Write, &payload, None, |_| Ok(())).await
    }

    async fn is_admin(&self, chat: TelegramChatId, user: TelegramUserId) -> Result<bool, TelegramError> {
        let user = u64::try_from(user.0).map(UserId).map_err(|_| out_of_range("user id"))?;
        let payload = payloads::GetChatMember::new(ChatId(chat.0), user);
        let member: MemberResult =
            self.call(&self.shared.get_chat_member, Effect::Read, &payload, None, answer::typed).await?;
        Ok(matches!(member.status.as_str(), "creator" | "administrator"))
    }

    async fn get_chat(&self, chat: TelegramChatId) -> Result<ChatDescription, TelegramError> {
        let payload = payloads::GetChat::new(ChatId(chat.0));
        self.call(&self.shared.get_chat, Effect::Read, &payload, None, |result| {
            let chat: wire::Chat<'_> = serde_json::from_str(result.get())
                .map_err(|e| TelegramError::Unknown(format!("unexpected result at column {}", e.column())))?;
            let kind: ChatKind = decode::chat_kind(&chat);
            Ok(ChatDescription { kind, title: decode::chat_name(&chat) })
        })
        .await
    }
}
