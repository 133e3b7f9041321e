//! Implements `BotApi` for one token. Layer `adapters`. Keeps I1, I4, I12.
//!
//! A read (`getMe`, `getUpdates`, `getChat`) changes nothing, whatever becomes of it. So every failure of a read
//! without a definite answer is `Unreachable`; for a write it is `Unknown`.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use botfleet_actors::domain::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId, UpdateId};
use botfleet_actors::domain::incoming::{ChatKind, Entity, EntityKind};
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::telegram::{
    BotApi, ChatDescription, Me, ReceivedUpdate, SendMessage, TelegramError, WebhookSecret, WebhookStatus,
    WebhookTarget,
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use teloxide::payloads;
use teloxide::requests::Payload;
use teloxide::types::{
    AllowedUpdate, ChatAction, ChatId, LinkPreviewOptions, MessageEntity, MessageEntityKind, MessageId as SdkMessageId,
    ReactionType, ReplyParameters, ThreadId as SdkThreadId, True,
};

use super::client::{Answer, Call, Effect, TelegramClient, record, without};
use super::secret::webhook_secret;
use super::{answer, decode, wire};

/// Most updates in one answer.
///
/// # Source
/// Bot API, getUpdates.
const POLL_LIMIT: u8 = 100;

/// The kinds of updates that the fleet reads.
const ALLOWED_UPDATES: [AllowedUpdate; 4] =
    [AllowedUpdate::Message, AllowedUpdate::EditedMessage, AllowedUpdate::MessageReaction, AllowedUpdate::MyChatMember];

/// The access of one bot to Telegram; cheap to clone.
#[derive(Clone)]
pub struct TelegramBot {
    shared: Arc<Shared>,
}

struct Shared {
    client: TelegramClient,
    source: Option<TokenSource>,
    access: RwLock<Arc<Access>>,
}

/// Reads the token from its source again; `None` when the source holds no token of this bot.
pub type TokenSource = Arc<dyn Fn() -> Option<SecretString> + Send + Sync>;

/// A token, and the addresses of the calls that are made again and again; those of others are made for each call, since
/// a fleet holds an access for every bot.
struct Access {
    token: SecretString,
    get_updates: Url,
    send_message: Url,
    send_chat_action: Url,
}

impl Access {
    fn new(client: &TelegramClient, token: SecretString) -> Self {
        Self {
            get_updates: client.url(&token, payloads::GetUpdates::NAME),
            send_message: client.url(&token, payloads::SendMessage::NAME),
            send_chat_action: client.url(&token, payloads::SendChatAction::NAME),
            token,
        }
    }

    fn url(&self, client: &TelegramClient, method: &str) -> Cow<'_, Url> {
        match method {
            payloads::GetUpdates::NAME => Cow::Borrowed(&self.get_updates),
            payloads::SendMessage::NAME => Cow::Borrowed(&self.send_message),
            payloads::SendChatAction::NAME => Cow::Borrowed(&self.send_chat_action),
            _ => Cow::Owned(client.url(&self.token, method)),
        }
    }
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

/// The payload of setWebhook without a certificate. teloxide's own payload is a form, for the certificate's sake.
#[derive(Serialize)]
struct SetWebhook<'a> {
    url: &'a str,
    max_connections: u8,
    allowed_updates: &'a [AllowedUpdate],
    drop_pending_updates: bool,
    secret_token: &'a str,
}

impl Payload for SetWebhook<'_> {
    type Output = True;
    const NAME: &'static str = payloads::SetWebhook::NAME;
}

#[derive(Deserialize)]
struct WebhookInfoResult {
    #[serde(default)]
    url: String,
    #[serde(default)]
    pending_update_count: u64,
    #[serde(default)]
    last_error_message: Option<String>,
}

#[derive(Deserialize)]
struct SentResult {
    message_id: i64,
}

#[derive(Deserialize)]
struct MemberResult {
    user: MemberUser,
}

#[derive(Deserialize)]
struct MemberUser {
    id: i64,
}

impl TelegramBot {
    pub(super) fn new(client: TelegramClient, token: SecretString, source: Option<TokenSource>) -> Self {
        let access = RwLock::new(Arc::new(Access::new(&client, token)));
        Self { shared: Arc::new(Shared { client, source, access }) }
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.shared.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes one call and reads its result.
    async fn call<P, T>(
        &self,
        effect: Effect,
        payload: &P,
        wait: Option<Duration>,
        read: impl FnOnce(&RawValue) -> Result<T, TelegramError>,
    ) -> Result<T, TelegramError>
    where
        P: Payload + Serialize + Sync,
    {
        let access = self.access();
        let token = &access.token;
        let started = wait.is_none().then(Instant::now);
        let url = access.url(&self.shared.client, P::NAME);
        let call = Call { url: &url, token, effect };
        let outcome = match self.shared.client.attempt(call, payload, wait).await {
            Ok(Answer { status, headers, body }) => {
                answer::result(status, &headers, &body).and_then(read).map_err(|error| settled(effect, token, error))
            }
            Err(error) => Err(error),
        };
        record(P::NAME, started, &outcome);
        outcome
    }
}

/// Takes the token out of an error. For a call that changes nothing, an unknown outcome becomes `Unreachable`.
fn settled(effect: Effect, token: &SecretString, error: TelegramError) -> TelegramError {
    match error {
        TelegramError::Unknown(text) if effect != Effect::Write => TelegramError::Unreachable(without(token, text)),
        TelegramError::Unknown(text) => TelegramError::Unknown(without(token, text)),
        TelegramError::Unauthorized(text) => TelegramError::Unauthorized(without(token, text)),
        TelegramError::WebhookSet(text) => TelegramError::WebhookSet(without(token, text)),
        TelegramError::Conflict(text) => TelegramError::Conflict(without(token, text)),
        TelegramError::CannotWrite { place, description } => {
            TelegramError::CannotWrite { place, description: without(token, description) }
        }
        TelegramError::Rejected { code, description } => {
            TelegramError::Rejected { code, description: without(token, description) }
        }
        other => other,
    }
}

fn sdk_message(id: i64) -> Result<SdkMessageId, TelegramError> {
    i32::try_from(id).map(SdkMessageId).map_err(|_| out_of_range("message id"))
}

/// Converts a thread for the Bot API: the General topic is left out.
fn sdk_thread(thread: Option<ThreadId>) -> Result<Option<SdkThreadId>, TelegramError> {
    match thread {
        Some(ThreadId(id)) if id != decode::GENERAL_TOPIC => Ok(Some(SdkThreadId(sdk_message(id)?))),
        _ => Ok(None),
    }
}

fn out_of_range(what: &str) -> TelegramError {
    TelegramError::Rejected { code: 400, description: format!("{what} out of range") }
}

/// Reads the updates of an answer. One without an id can be neither kept nor confirmed, so it is counted and skipped.
fn received(result: &RawValue) -> Result<Vec<ReceivedUpdate>, TelegramError> {
    let raws: Vec<&RawValue> = serde_json::from_str(result.get())
        .map_err(|e| TelegramError::Unknown(format!("updates are no list at column {}", e.column())))?;
    let mut updates = Vec::with_capacity(raws.len());
    for raw in raws {
        let (id, incoming) = decode::read(raw.get());
        let Some(id) = id else {
            metrics::telegram_updates_skipped_total.increment(1);
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
        let me: MeResult = self.call(Effect::Probe, &payload, None, answer::typed).await?;
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
        payload.allowed_updates = Some(ALLOWED_UPDATES.to_vec());
        self.call(Effect::Probe, &payload, Some(timeout), received).await
    }

    async fn set_webhook(&self, target: &WebhookTarget) -> Result<(), TelegramError> {
        let payload = SetWebhook {
            url: &target.url,
            max_connections: target.max_connections,
            allowed_updates: &ALLOWED_UPDATES,
            drop_pending_updates: false,
            secret_token: target.secret.expose(),
        };
        self.call(Effect::Probe, &payload, None, |_| Ok(())).await
    }

    async fn delete_webhook(&self) -> Result<(), TelegramError> {
        let mut payload = payloads::DeleteWebhook::new();
        payload.drop_pending_updates = Some(false);
        self.call(Effect::Probe, &payload, None, |_| Ok(())).await
    }

    async fn webhook_status(&self) -> Result<WebhookStatus, TelegramError> {
        let payload = payloads::GetWebhookInfo::new();
        let found: WebhookInfoResult = self.call(Effect::Probe, &payload, None, answer::typed).await?;
        Ok(WebhookStatus {
            url: Some(found.url).filter(|url| !url.is_empty()),
            pending: found.pending_update_count,
            last_error: found.last_error_message.map(|words| without(&self.access().token, words)),
        })
    }

    fn sends_go(&self) -> bool {
        self.shared.client.sends_have_a_chance()
    }

    fn webhook_secret(&self) -> Option<WebhookSecret> {
        Some(webhook_secret(&self.access().token))
    }

    fn renew_token(&self) -> bool {
        let Some(token) = self.shared.source.as_ref().and_then(|source| source()) else {
            return false;
        };
        let mut access = self.shared.access.write().unwrap_or_else(PoisonError::into_inner);
        let news = access.token.expose_secret() != token.expose_secret();
        if news {
            *access = Arc::new(Access::new(&self.shared.client, token));
        }
        news
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
        payload.entities = entities(&message.marks);
        if let Some(MessageId(id)) = message.reply_to {
            payload.reply_parameters = Some(ReplyParameters::new(sdk_message(id)?).allow_sending_without_reply());
        }
        let sent: SentResult = self.call(Effect::Write, &payload, None, answer::typed).await?;
        Ok(MessageId(sent.message_id))
    }

    async fn send_typing(&self, chat: TelegramChatId, thread: Option<ThreadId>) -> Result<(), TelegramError> {
        let mut payload = payloads::SendChatAction::new(ChatId(chat.0), ChatAction::Typing);
        payload.message_thread_id = sdk_thread(thread)?;
        self.call(Effect::Write, &payload, None, |_| Ok(())).await
    }

    async fn set_reaction(&self, chat: TelegramChatId, message: MessageId, emoji: &str) -> Result<(), TelegramError> {
        let mut payload = payloads::SetMessageReaction::new(ChatId(chat.0), sdk_message(message.0)?);
        payload.reaction = Some(vec![ReactionType::Emoji { emoji: emoji.to_owned() }]);
        self.call(Effect::Write, &payload, None, |_| Ok(())).await
    }

    async fn delete_message(&self, chat: TelegramChatId, message: MessageId) -> Result<(), TelegramError> {
        let payload = payloads::DeleteMessage::new(ChatId(chat.0), sdk_message(message.0)?);
        self.call(Effect::Write, &payload, None, |_| Ok(())).await
    }

    async fn administrators(&self, chat: TelegramChatId) -> Result<Vec<TelegramUserId>, TelegramError> {
        let payload = payloads::GetChatAdministrators::new(ChatId(chat.0));
        let members: Vec<MemberResult> = self.call(Effect::Read, &payload, None, answer::typed).await?;
        Ok(members.into_iter().map(|member| TelegramUserId(member.user.id)).collect())
    }

    async fn leave_chat(&self, chat: TelegramChatId) -> Result<(), TelegramError> {
        let payload = payloads::LeaveChat::new(ChatId(chat.0));
        self.call(Effect::Write, &payload, None, |_| Ok(())).await
    }

    async fn get_chat(&self, chat: TelegramChatId) -> Result<ChatDescription, TelegramError> {
        let payload = payloads::GetChat::new(ChatId(chat.0));
        self.call(Effect::Read, &payload, None, |result| {
            let chat: wire::Chat<'_> = serde_json::from_str(result.get())
                .map_err(|e| TelegramError::Unknown(format!("unexpected result at column {}", e.column())))?;
            let kind: ChatKind = decode::chat_kind(&chat);
            Ok(ChatDescription { kind, title: decode::chat_name(&chat) })
        })
        .await
    }
}

/// Returns the marked parts as Telegram names them; `None` when there are none.
fn entities(marks: &[Entity]) -> Option<Vec<MessageEntity>> {
    let sdk = |mark: &Entity| {
        let EntityKind::Other(kind) = &mark.kind else { return None };
        let kind = match kind.as_str() {
            "bold" => MessageEntityKind::Bold,
            "italic" => MessageEntityKind::Italic,
            "underline" => MessageEntityKind::Underline,
            "code" => MessageEntityKind::Code,
            "pre" => MessageEntityKind::Pre { language: None },
            _ => return None,
        };
        Some(MessageEntity::new(kind, mark.offset, mark.length))
    };
    let entities: Vec<MessageEntity> = marks.iter().filter_map(sdk).collect();
    (!entities.is_empty()).then_some(entities)
}
