//! Tries in one private group what the fleet does, takes it back, and tells what differed from the fleet's assumptions.
//! Part of `online`.
//!
//! # Source
//! Bot API 10.3: sendMessage, `ReplyParameters`, editMessageText, setMessageReaction, deleteMessage; texts of refusals
//! as the public Bot API server gives them.

use anyhow::{Context, bail};
use botfleet_actors::domain::roster::ChatSpec;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};

use super::recording::Recording;
use crate::config::manifest::LoadedManifest;
use crate::config::settings::Config;
use crate::telegram::client::TelegramClient;
use crate::telegram::inquiry::Inquiry;

/// Most members of a group to try things in.
const MEMBERS_MAX: i64 = 20;

/// Text that is sent. `WORD` stands behind a letter of two UTF-16 units and Turkish ones, so that wrong offsets show.
const TEXT: &str = "🦜 botfleet deneme: çığ İstanbul, one moment please";
const WORD: &str = "İstanbul";

/// Most text of a message, in UTF-16 units.
const TEXT_MAX_UNITS: usize = 4096;

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// The thing that was tried.
    pub what: &'static str,
    /// Differences from what was expected; empty when there were none.
    pub differences: Vec<String>,
}

/// The result of the trial.
#[derive(Debug)]
pub struct Trial {
    /// The things that were tried, in order.
    pub tried: Vec<Tried>,
    /// Every call and its answer, without names, texts of others, ids and tokens.
    pub recording: Recording,
}

/// Tries everything in the chat of that name; whatever was sent is deleted at the end.
///
/// # Errors
/// When the manifest has no such chat, no bot of it answers, or it is no small private supergroup.
pub async fn run(config: &Config, manifest: &LoadedManifest, chat: &str) -> anyhow::Result<Trial> {
    let client = TelegramClient::new(&config.telegram)?;
    let spec = manifest.plan.chats.iter().find(|spec| spec.name == chat);
    let spec = spec.with_context(|| format!("the manifest has no chat {chat:?}"))?;
    let mut hands = Vec::new();
    for bot in manifest.plan.bots.iter().filter(|bot| spec.bots.contains(&bot.name)).take(2) {
        let token = manifest.tokens.get(&bot.name).with_context(|| format!("{} has no token here", bot.name))?;
        hands.push(Hand { token, id: bot.telegram_id.0 });
    }
    let Some(first) = hands.first() else { bail!("{chat} has no bots") };
    must_be_private(&client, first, spec).await?;
    let mut session = Session {
        client: &client,
        chat: spec.telegram_id.0,
        recording: Recording::default(),
        tried: Vec::new(),
        sent: Vec::new(),
    };
    session.converse(first).await;
    if let Some(second) = hands.get(1) {
        session.answer_of_another(second).await;
    }
    session.take_back().await;
    Ok(Trial { tried: session.tried, recording: session.recording })
}

/// A bot of the trial.
struct Hand<'a> {
    token: &'a SecretString,
    id: i64,
}

async fn must_be_private(client: &TelegramClient, hand: &Hand<'_>, spec: &ChatSpec) -> anyhow::Result<()> {
    let id = json!({ "chat_id": spec.telegram_id.0 });
    let chat = client.inquire(hand.token, "getChat", &id).await.result.context("the chat cannot be seen")?;
    if chat.get("type").and_then(Value::as_str) != Some("supergroup") || chat.get("username").is_some() {
        bail!("{} is no private supergroup: make one of your own to try things in", spec.name);
    }
    let count = client.inquire(hand.token, "getChatMemberCount", &id).await.result?.as_i64().unwrap_or(i64::MAX);
    if count > MEMBERS_MAX {
        bail!("{} has {count} members; try things where nobody is disturbed (up to {MEMBERS_MAX} members)", spec.name);
    }
    Ok(())
}

/// The trial under way.
struct Session<'a> {
    client: &'a TelegramClient,
    chat: i64,
    recording: Recording,
    tried: Vec<Tried>,
    /// Messages to be deleted, each with the token of its bot.
    sent: Vec<(&'a SecretString, i64)>,
}

impl<'a> Session<'a> {
    async fn call(&mut self, hand: &Hand<'a>, method: &'static str, mut parameters: Value) -> Inquiry {
        parameters["chat_id"] = json!(self.chat);
        let inquiry = self.client.try_out(hand.token, method, &parameters).await;
        self.recording.note(hand.id, method, &parameters, &inquiry);
        if method == "sendMessage"
            && let Some(id) = message_id(&inquiry)
        {
            self.sent.push((hand.token, id));
        }
        inquiry
    }

    fn compare(&mut self, what: &'static str, mut looked_at: Vec<Option<String>>, inquiry: &Inquiry) {
        if let Err(error) = &inquiry.result {
            looked_at = vec![Some(format!("refused: {error}"))];
        }
        self.tried.push(Tried { what, differences: looked_at.into_iter().flatten().collect() });
    }

    fn refused(&mut self, what: &'static str, inquiry: &Inquiry, words: &str) {
        let said = inquiry.body.get("description").and_then(Value::as_str).unwrap_or("no description");
        let expected = inquiry.status == 400 && said.to_lowercase().contains(words);
        let difference = (!expected).then(|| format!("expected 400 \"...{words}...\", got {}: {said}", inquiry.status));
        self.tried.push(Tried { what, differences: difference.into_iter().collect() });
    }

    async fn converse(&mut self, hand: &Hand<'a>) {
        let typing = self.call(hand, "sendChatAction", json!({ "action": "typing" })).await;
        self.compare("show typing", vec![is_true(&typing)], &typing);

        let offset = TEXT.split(WORD).next().unwrap_or("").encode_utf16().count();
        let length = WORD.encode_utf16().count();
        let entities = json!([{ "type": "bold", "offset": offset, "length": length }]);
        let first = self.call(hand, "sendMessage", json!({ "text": TEXT, "entities": entities })).await;
        let at = |key: &str| first.body.pointer(&format!("/result/{key}")).cloned().unwrap_or(Value::Null);
        let looked_at = vec![
            differs("text", &at("text"), &json!(TEXT)),
            differs("entities", &at("entities"), &entities),
            differs("chat.id", &at("chat/id"), &json!(self.chat)),
            first
                .date
                .and_then(|date| date.checked_sub(at("date").as_i64()?))
                .filter(|late| late.abs() > 60)
                .map(|late| format!("date is {late} s away from the Date header")),
        ];
        self.compare("send, entities in UTF-16 units", looked_at, &first);
        let Some(id) = message_id(&first) else { return };

        let reply = json!({ "text": "botfleet: a reply", "reply_parameters": { "message_id": id } });
        let reply = self.call(hand, "sendMessage", reply).await;
        let shown = reply.body.pointer("/result/reply_to_message/message_id").cloned().unwrap_or(Value::Null);
        let later = message_id(&reply).is_some_and(|reply| reply > id);
        let order = (!later).then(|| "its id is not higher than the message's before".to_owned());
        self.compare("reply", vec![differs("reply_to_message", &shown, &json!(id)), order], &reply);

        let quote = json!({ "message_id": id, "quote": WORD });
        let quoted =
            self.call(hand, "sendMessage", json!({ "text": "botfleet: a quote", "reply_parameters": quote })).await;
        let shown = quoted.body.pointer("/result/quote/text").cloned().unwrap_or(Value::Null);
        self.compare("quote", vec![differs("quote.text", &shown, &json!(WORD))], &quoted);

        let emoji = json!({ "message_id": id, "reaction": [{ "type": "emoji", "emoji": "👍" }] });
        let reaction = self.call(hand, "setMessageReaction", emoji).await;
        self.compare("react", vec![is_true(&reaction)], &reaction);

        let edit = json!({ "message_id": id, "text": "botfleet: edited" });
        let edited = self.call(hand, "editMessageText", edit.clone()).await;
        let dated = edited.body.pointer("/result/edit_date").is_none().then(|| "edit_date is missing".to_owned());
        self.compare("edit", vec![dated], &edited);
        let again = self.call(hand, "editMessageText", edit).await;
        self.refused("edit to the same text is refused", &again, "message is not modified");

        let long = self.call(hand, "sendMessage", json!({ "text": "x".repeat(TEXT_MAX_UNITS + 1) })).await;
        self.refused("4,097 units are refused", &long, "message is too long");
        let blank = self.call(hand, "sendMessage", json!({ "text": " \n " })).await;
        self.refused("white space is refused", &blank, "empty");

        let deleted = self.call(hand, "deleteMessage", json!({ "message_id": id })).await;
        self.compare("delete", vec![is_true(&deleted)], &deleted);
        self.sent.retain(|(_, sent)| *sent != id);
        let strict = json!({ "message_id": id, "allow_sending_without_reply": false });
        let vain =
            self.call(hand, "sendMessage", json!({ "text": "botfleet: to nobody", "reply_parameters": strict })).await;
        self.refused("a reply to a deleted message is refused", &vain, "message to be replied not found");
        let lenient = json!({ "message_id": id, "allow_sending_without_reply": true });
        let sent =
            self.call(hand, "sendMessage", json!({ "text": "botfleet: anyway", "reply_parameters": lenient })).await;
        self.compare("a reply to a deleted message is sent where that is allowed", Vec::new(), &sent);
        let twice = self.call(hand, "deleteMessage", json!({ "message_id": id })).await;
        self.refused("deleting twice is refused", &twice, "message to delete not found");
    }

    async fn answer_of_another(&mut self, hand: &Hand<'a>) {
        let last = self.sent.last().map_or(0, |(_, id)| *id);
        let other = self.call(hand, "sendMessage", json!({ "text": "botfleet: another bot" })).await;
        let shared = message_id(&other).is_some_and(|id| id > last);
        let order = (!shared).then(|| "its id does not follow the other bot's: ids are not shared here".to_owned());
        self.compare("bots of a supergroup share message ids", vec![order], &other);
    }

    async fn take_back(&mut self) {
        let mut left = 0;
        for (token, id) in std::mem::take(&mut self.sent) {
            let parameters = json!({ "chat_id": self.chat, "message_id": id });
            left += usize::from(self.client.try_out(token, "deleteMessage", &parameters).await.result.is_err());
        }
        let difference =
            (left > 0).then(|| format!("{left} messages of the trial stay in the chat: delete them by hand"));
        self.tried.push(Tried { what: "everything is taken back", differences: difference.into_iter().collect() });
    }
}

fn message_id(inquiry: &Inquiry) -> Option<i64> {
    inquiry.result.as_ref().ok()?.get("message_id")?.as_i64()
}

fn is_true(inquiry: &Inquiry) -> Option<String> {
    let answered = inquiry.body.get("result").cloned().unwrap_or(Value::Null);
    differs("result", &answered, &json!(true))
}

fn differs(what: &str, found: &Value, expected: &Value) -> Option<String> {
    (found != expected).then(|| format!("{what}: expected {expected}, got {found}"))
}
