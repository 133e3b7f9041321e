//! Asks Telegram about tokens, chats, rights and clock. Part of `online`.
//!
//! # Source
//! Bot API: getMe, getWebhookInfo, getChat, getChatMember, `ChatMember`, `ChatPermissions`.

use std::collections::BTreeMap;

use botfleet_actors::domain::roster::{BotSpec, ChatSpec, DeliveryMode};
use botfleet_actors::ports::telegram::TelegramError;
use futures::StreamExt;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Finding, Verdict};
use crate::config::manifest::LoadedManifest;
use crate::telegram::client::TelegramClient;
use crate::telegram::inquiry::Inquiry;

/// Most calls under way at a time.
const AT_ONCE: usize = 8;

/// Seconds between the clocks, above which /health is degraded.
const OFFSET_MAX_S: i64 = 30;

/// Facts about a bot that Telegram tells for its token.
#[derive(Clone, Copy, Default)]
struct Known {
    hears_all: bool,
    may_join: bool,
}

/// Asks Telegram about each bot, each chat, and each bot in each chat.
pub(super) async fn look(client: &TelegramClient, manifest: &LoadedManifest, progress: &dyn Fn(&str)) -> Vec<Finding> {
    let plan = &manifest.plan;
    let mut findings = Vec::new();
    let mut known = BTreeMap::new();
    let mut offset = None;
    let asked = futures::stream::iter(&plan.bots).map(|bot| async move {
        let Some(token) = manifest.tokens.get(&bot.name) else { return (bot, None) };
        let me = client.inquire(token, "getMe", &json!({})).await;
        let webhook = client.inquire(token, "getWebhookInfo", &json!({})).await;
        (bot, Some((me, webhook)))
    });
    for (bot, answers) in asked.buffered(AT_ONCE).collect::<Vec<_>>().await {
        let Some((me, webhook)) = answers else {
            findings.push(Finding::fault("bot", &bot.name, "has no token here", "give it where `token` points"));
            continue;
        };
        offset = offset.or_else(|| Some(me.date? - chrono::Utc::now().timestamp()));
        findings.push(of_token(bot, &me, &mut known));
        findings.extend(of_webhook(bot, &webhook));
    }
    findings.extend(offset.map(of_clock));
    let pairs: usize = plan.chats.iter().map(|chat| chat.bots.len()).sum();
    progress(&format!("Telegram: {pairs} memberships in {} chats", plan.chats.len()));
    for chat in &plan.chats {
        findings.extend(of_chat(client, manifest, chat, &known).await);
    }
    findings
}

fn of_token(bot: &BotSpec, me: &Inquiry, known: &mut BTreeMap<String, Known>) -> Finding {
    let answer = match &me.result {
        Ok(answer) => answer,
        Err(error) => return Finding::fault("bot", &bot.name, error.to_string(), token_remedy(error)),
    };
    let says = |key: &str| answer.get(key).and_then(Value::as_bool).unwrap_or(false);
    let (hears_all, may_join) = (says("can_read_all_group_messages"), says("can_join_groups"));
    known.insert(bot.name.clone(), Known { hears_all, may_join });
    let username = answer.get("username").and_then(Value::as_str).unwrap_or("?");
    if !may_join {
        let what = format!("is @{username}, and may not be added to groups");
        return Finding::warning("bot", &bot.name, what, "allow it with /setjoingroups at @BotFather");
    }
    let privacy =
        if hears_all { "hears everything" } else { "privacy mode is on: it hears commands and replies to it" };
    Finding::sound("bot", &bot.name, format!("is @{username}; {privacy}"))
}

fn token_remedy(error: &TelegramError) -> &'static str {
    match error {
        TelegramError::Unauthorized(_) => "the token was revoked or mistyped: take a new one from @BotFather (/token)",
        TelegramError::Unreachable(_) => "check telegram.api_url, telegram.proxy and the way to the internet",
        TelegramError::RateLimited { .. } => "wait for as long as Telegram asks, then check again",
        _ => "check telegram.api_url: it names the Bot API's server, without /bot and token",
    }
}

fn of_webhook(bot: &BotSpec, webhook: &Inquiry) -> Option<Finding> {
    let info = webhook.result.as_ref().ok()?;
    let url = info.get("url").and_then(Value::as_str).filter(|url| !url.is_empty());
    let host = url.and_then(|url| url.split_once("://")?.1.split('/').next().map(str::to_owned));
    if bot.delivery == DeliveryMode::Polling
        && let Some(host) = host
    {
        let what = format!("a webhook at {host} takes its updates, and the manifest says polling");
        let remedy = "end what runs there; a start of the fleet removes only webhooks of its own";
        return Some(Finding::warning("bot", &bot.name, what, remedy));
    }
    let error = info.get("last_error_message").and_then(Value::as_str)?;
    let what = format!("Telegram's last delivery to its webhook failed: {error}");
    Some(Finding::warning(
        "bot",
        &bot.name,
        what,
        "check that webhooks.public_url leads here, with a valid certificate",
    ))
}

fn of_clock(offset: i64) -> Finding {
    let what = match offset {
        0 => "agrees with Telegram's".to_owned(),
        ahead if ahead < 0 => format!("is {} s ahead of Telegram's", -ahead),
        behind => format!("is {behind} s behind Telegram's"),
    };
    if offset.abs() > OFFSET_MAX_S {
        let remedy = "turn on time synchronisation (NTP); freshness, quiet hours and budgets go by this clock";
        return Finding::warning("clock", "this machine", what, remedy);
    }
    Finding::sound("clock", "this machine", what)
}

async fn of_chat(
    client: &TelegramClient,
    manifest: &LoadedManifest,
    chat: &ChatSpec,
    known: &BTreeMap<String, Known>,
) -> Vec<Finding> {
    let members = manifest.plan.bots.iter().filter(|bot| chat.bots.contains(&bot.name));
    let asked = futures::stream::iter(members).map(|bot| async move {
        let token = manifest.tokens.get(&bot.name)?;
        Some((bot, membership(client, token, chat, bot).await))
    });
    let answers: Vec<_> = asked.buffered(AT_ONCE).filter_map(std::future::ready).collect().await;
    let mut findings = Vec::new();
    let mut ears = 0;
    for (bot, (described, member)) in &answers {
        let know = known.get(&bot.name).copied().unwrap_or_default();
        let place = format!("{} in {}", bot.name, chat.name);
        let finding = of_member(place, described, member, know);
        if finding.verdict != Verdict::Fault && (know.hears_all || is_admin(member)) {
            ears += 1;
        }
        findings.push(finding);
    }
    let described = answers.iter().find_map(|(_, (described, _))| described.result.as_ref().ok());
    findings.push(match described.and_then(|chat| chat.get("type")).and_then(Value::as_str) {
        None => Finding::fault(
            "chat",
            &chat.name,
            "none of its bots can see it",
            "check telegram_id (a supergroup's begins with -100), and add the bots to the chat",
        ),
        Some("supergroup") if ears == 0 => Finding::fault(
            "chat",
            &chat.name,
            "nobody there hears everything, so messages of people reach no bot",
            "turn off privacy mode of one bot (/setprivacy at @BotFather, then add it anew), or make one an administrator",
        ),
        Some("supergroup") if ears == 1 && chat.bots.len() > 1 => Finding::warning(
            "chat",
            &chat.name,
            "one bot alone hears everything; when it is away the chat is deaf",
            "give a second one ears: privacy mode off, or administrator",
        ),
        Some("supergroup") => Finding::sound("chat", &chat.name, format!("is a supergroup; {ears} bots hear everything")),
        Some(kind) => Finding::fault(
            "chat",
            &chat.name,
            format!("is a {kind}, and only supergroups are served"),
            "make it a supergroup (for example: show its history to new members), and write its new id",
        ),
    });
    findings
}

async fn membership(
    client: &TelegramClient,
    token: &SecretString,
    chat: &ChatSpec,
    bot: &BotSpec,
) -> (Inquiry, Inquiry) {
    let id = chat.telegram_id.0;
    let described = client.inquire(token, "getChat", &json!({ "chat_id": id })).await;
    let asked = json!({ "chat_id": id, "user_id": bot.telegram_id.0 });
    (described, client.inquire(token, "getChatMember", &asked).await)
}

fn status_of(member: &Inquiry) -> &str {
    member.result.as_ref().ok().and_then(|member| member.get("status")).and_then(Value::as_str).unwrap_or("")
}

fn is_admin(member: &Inquiry) -> bool {
    matches!(status_of(member), "administrator" | "creator")
}

fn of_member(place: String, described: &Inquiry, member: &Inquiry, known: Known) -> Finding {
    for inquiry in [described, member] {
        if let Err(error) = &inquiry.result {
            let remedy = match error {
                TelegramError::Migrated(to) => format!("the group became a supergroup: write telegram_id = {to}"),
                TelegramError::RateLimited { .. } => "wait for as long as Telegram asks, then check again".to_owned(),
                TelegramError::Unauthorized(_) => "see the bot's own line".to_owned(),
                _ => "add the bot to the chat, and check telegram_id".to_owned(),
            };
            return Finding::fault("member", place, error.to_string(), remedy);
        }
    }
    let may = |of: Option<&Value>, key: &str| of.and_then(|of| of.get(key)).and_then(Value::as_bool);
    let member_says = member.result.as_ref().ok();
    let everybody = described.result.as_ref().ok().and_then(|chat| chat.get("permissions"));
    let closed = "the chat is closed for members";
    let open_it = "let members send text messages there, or make the bot an administrator";
    match status_of(member) {
        "administrator" | "creator" => Finding::sound("member", place, "administrator: hears everything, may write"),
        "member" if may(everybody, "can_send_messages") == Some(false) => {
            Finding::fault("member", place, closed, open_it)
        }
        "member" if known.hears_all => Finding::sound("member", place, "member: hears everything, may write"),
        "member" => Finding::sound("member", place, "member: hears commands and replies to it, may write"),
        "restricted" if may(member_says, "is_member") == Some(false) => {
            Finding::fault("member", place, "is not in the chat", "add it")
        }
        "restricted" if may(member_says, "can_send_messages") == Some(false) => {
            Finding::fault("member", place, "is in the chat, and may not write there", "lift its restriction")
        }
        "restricted" => Finding::sound("member", place, "restricted member: may write"),
        "left" if !known.may_join => {
            let remedy = "allow it with /setjoingroups at @BotFather, then add it";
            Finding::fault("member", place, "is not in the chat, and may not join groups", remedy)
        }
        "left" => Finding::fault("member", place, "is not in the chat", "add it"),
        "kicked" => {
            Finding::fault("member", place, "was removed from the chat and is banned", "lift the ban, then add it")
        }
        other => {
            Finding::warning("member", place, format!("has the unknown status {other:?}"), "look at the chat's members")
        }
    }
}
