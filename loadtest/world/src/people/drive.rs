//! Plays a script in real time, on a world or over the control API. Layer: world.
//!
//! # Cancel safety
//! Dropping a drive stops it, maybe while an action is under way. Each action on the simulated Telegram is then done or
//! not begun.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::http::{self, HttpError};
use super::script::{Action, PersonAction, ReplyTo};
use crate::world::World;
use crate::world::event::{ChatMessage, Post};

/// How long one call to the control API may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The counts of a script's actions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleSummary {
    /// Messages that were posted.
    pub posts: u64,
    /// Posted messages that reply to another message.
    pub replies: u64,
    /// Posted messages that mention a bot by its username.
    pub mentions: u64,
    /// Reactions that were set.
    pub reactions: u64,
    /// Reactions left out because there was no message yet.
    pub skipped: u64,
    /// Actions that were refused.
    pub refused: u64,
}

/// A place where a script is played.
trait Stage {
    /// Returns the last messages of a chat, newest first.
    fn last(&self, chat: i64, count: usize) -> impl Future<Output = Vec<Seen>> + Send;
    /// Posts a message; returns false when it was refused.
    fn post(&self, action: &PersonAction, text: &str, reply_to: Option<i64>) -> impl Future<Output = bool> + Send;
    /// Sets a reaction; returns false when it was refused.
    fn react(&self, action: &PersonAction, message_id: i64, emoji: &str) -> impl Future<Output = bool> + Send;
}

/// Plays a script on a world until it ends or `until` is ready.
pub async fn drive(
    world: &World,
    script: impl IntoIterator<Item = PersonAction>,
    until: impl Future<Output = ()>,
) -> PeopleSummary {
    play(&WorldStage(world), script, until).await
}

/// Plays a script over the control API of a simulation until it ends or `until` is ready.
///
/// # Errors
/// The reason why no client can be made; refused actions are counted instead.
pub async fn drive_http(
    base_url: &str,
    script: impl IntoIterator<Item = PersonAction>,
    until: impl Future<Output = ()>,
) -> Result<PeopleSummary, HttpError> {
    let stage = HttpStage { client: http::client()?, base_url: base_url.trim_end_matches('/').to_owned() };
    Ok(play(&stage, script, until).await)
}

async fn play(
    stage: &impl Stage,
    script: impl IntoIterator<Item = PersonAction>,
    until: impl Future<Output = ()>,
) -> PeopleSummary {
    let mut until = std::pin::pin!(until);
    let mut summary = PeopleSummary::default();
    let started = Instant::now();
    for action in script {
        let due = started + action.after;
        tokio::select! {
            biased;
            () = &mut until => break,
            () = tokio::time::sleep_until(due) => {}
        }
        tokio::select! {
            biased;
            () = &mut until => break,
            () = perform(stage, &action, &mut summary) => {}
        }
    }
    summary
}

async fn perform(stage: &impl Stage, action: &PersonAction, summary: &mut PeopleSummary) {
    let mut post = async |text: &str, reply_to: Option<i64>, mentions: bool| {
        if stage.post(action, text, reply_to).await {
            summary.posts += 1;
            summary.replies += u64::from(reply_to.is_some());
            summary.mentions += u64::from(mentions);
        } else {
            summary.refused += 1;
        }
    };
    match &action.action {
        Action::Post { text, reply, mentions } => {
            let reply_to = match reply {
                Some(ReplyTo::Last(n)) => stage.last(action.chat, *n).await.last().map(|seen| seen.message_id),
                None => None,
            };
            post(text, reply_to, mentions.is_some()).await;
        }
        Action::Answer { answer, within, otherwise } => {
            let last = stage.last(action.chat, *within).await;
            match last.iter().find(|seen| seen.author.is_bot && !seen.text.is_empty()) {
                Some(said) => post(&answer.to(&said.text), Some(said.message_id), false).await,
                None => post(otherwise, None, false).await,
            }
        }
        Action::React { emoji } => match stage.last(action.chat, 1).await.first().map(|seen| seen.message_id) {
            None => summary.skipped += 1,
            Some(message_id) if stage.react(action, message_id, emoji).await => {
                summary.reactions += 1;
            }
            Some(_) => summary.refused += 1,
        },
    }
}

struct WorldStage<'a>(&'a World);

impl Stage for WorldStage<'_> {
    async fn last(&self, chat: i64, count: usize) -> Vec<Seen> {
        let seen = |message: ChatMessage| Seen {
            message_id: message.message_id,
            text: message.text,
            author: SeenAuthor { is_bot: message.author.is_bot },
        };
        self.0.history(chat, count).into_iter().rev().map(seen).collect()
    }

    async fn post(&self, action: &PersonAction, text: &str, reply_to: Option<i64>) -> bool {
        let post = Post { reply_to, ..Post::text(text) };
        self.0.post(action.chat, action.person, post).is_ok()
    }

    async fn react(&self, action: &PersonAction, message_id: i64, emoji: &str) -> bool {
        self.0.react(action.chat, action.person, message_id, Some(emoji)).is_ok()
    }
}

struct HttpStage {
    client: reqwest::Client,
    base_url: String,
}

/// The part of a message that a person needs in order to answer it.
#[derive(Debug, Deserialize)]
struct Seen {
    message_id: i64,
    #[serde(default)]
    text: String,
    author: SeenAuthor,
}

/// The part of a message's author that a person needs.
#[derive(Debug, Deserialize)]
struct SeenAuthor {
    #[serde(default)]
    is_bot: bool,
}

impl HttpStage {
    async fn tell(&self, url: String, body: serde_json::Value) -> bool {
        let request = self.client.post(&url).timeout(CALL_TIMEOUT).json(&body);
        match http::send(request, &url).await {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "an action of a person was refused");
                false
            }
        }
    }
}

impl Stage for HttpStage {
    async fn last(&self, chat: i64, count: usize) -> Vec<Seen> {
        let url = format!("{}/sim/chats/{chat}/messages?last={count}", self.base_url);
        let Ok(response) = http::send(self.client.get(&url).timeout(CALL_TIMEOUT), &url).await else {
            return Vec::new();
        };
        let mut seen: Vec<Seen> = response.json().await.unwrap_or_default();
        seen.reverse();
        seen
    }

    async fn post(&self, action: &PersonAction, text: &str, reply_to: Option<i64>) -> bool {
        let url = format!("{}/sim/chats/{}/messages", self.base_url, action.chat);
        self.tell(url, json!({"from": action.person, "text": text, "reply_to": reply_to})).await
    }

    async fn react(&self, action: &PersonAction, message_id: i64, emoji: &str) -> bool {
        let url = format!("{}/sim/chats/{}/reactions", self.base_url, action.chat);
        self.tell(url, json!({"from": action.person, "message_id": message_id, "emoji": emoji})).await
    }
}
