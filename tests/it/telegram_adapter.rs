//! Tests the Telegram adapter: the meaning of each answer, the bytes on the wire, and that no token shows.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::time::Duration;

use botfleet::telegram::bot::TelegramBot;
use botfleet::telegram::client::TelegramClient;
use botfleet::telegram::settings::TelegramSettings;
use botfleet_actors::domain::ids::{MessageId, TelegramChatId, ThreadId};
use botfleet_actors::domain::incoming::{Entity, EntityKind, Event};
use botfleet_actors::domain::pause::PAUSE_MAX;
use botfleet_actors::ports::telegram::{BotApi as _, SendMessage, Shut, TelegramError};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::Post;
use botfleet_world::world::spec::WorldSpec;
use serde_json::json;

use crate::scripted_http::{Line, Scripted, answer, refusing};

const TOKEN: &str = "7100000001:AAH-secret_secret_secret_secret_sec";
const CHAT: TelegramChatId = TelegramChatId(-1_001_234_567_890);
const SENT: &str = r#"{"ok":true,"result":{"message_id":77,"date":1,"chat":{"id":-1,"type":"supergroup"}}}"#;

fn settings(api_url: String) -> TelegramSettings {
    TelegramSettings { api_url, request_timeout: Duration::from_millis(300), ..TelegramSettings::default() }
}

fn bot(settings: &TelegramSettings) -> TelegramBot {
    TelegramClient::new(settings).unwrap().bot(TOKEN.into())
}

fn hello() -> SendMessage {
    SendMessage { chat: CHAT, thread: None, reply_to: None, text: "Günaydın 🌞".to_owned(), marks: Vec::new() }
}

fn limited(secs: u64) -> TelegramError {
    TelegramError::RateLimited { retry_after: Duration::from_secs(secs) }
}

#[tokio::test]
async fn every_answer_is_classified_by_what_the_caller_must_do() {
    let text = str::to_owned;
    let head = "retry-after: 12\r\n";
    let html = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    let migrated = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1009}}"#;
    let rejected = |code, description: &str| TelegramError::Rejected { code, description: description.to_owned() };
    let refusal =
        |code: u16, why: &str| answer(code, json!({"ok": false, "error_code": code, "description": why}).to_string());
    let unknown = |what: &str| TelegramError::Unknown(what.to_owned());
    let foreign = |status: &str| unknown(&format!("status {status} with a body that is not the bot api's"));
    let table = [
        (
            answer(
                429,
                r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 34","parameters":{"retry_after":34}}"#,
            ),
            limited(34),
        ),
        (refusal(429, "Too Many Requests: retry after 21"), limited(21)),
        (refusal(429, "Too Many Requests"), limited(5)),
        (Line::Answer(429, head, r#"{"ok":false,"error_code":429,"description":"x"}"#.into()), limited(12)),
        (Line::Answer(429, head, html.into()), limited(12)),
        (refusal(401, "Unauthorized"), TelegramError::Unauthorized(text("Unauthorized"))),
        (refusal(404, "Not Found"), TelegramError::Unauthorized(text("Not Found"))),
        (refusal(404, "Not Found: method not found"), rejected(404, "Not Found: method not found")),
        (refusal(409, "Conflict: x"), TelegramError::Conflict(text("Conflict: x"))),
        (refusal(409, "Conflict: Webhook is active"), TelegramError::WebhookSet(text("Conflict: Webhook is active"))),
        (refusal(400, "Bad Request: message is too long"), rejected(400, "Bad Request: message is too long")),
        (answer(400, migrated), TelegramError::Migrated(TelegramChatId(-1009))),
        (refusal(500, "Internal Server Error"), unknown("500 Internal Server Error")),
        (answer(502, html), foreign("502 Bad Gateway")),
        (answer(404, html), foreign("404 Not Found")),
        (answer(200, r#"{"ok":true,"result":{"message"#), foreign("200 OK")),
        (answer(200, r#"{"ok":true}"#), unknown("status 200 OK without a result")),
        (answer(200, r#"{"ok":true,"result":{}}"#), unknown("unexpected result at column 2")),
        (Line::Answer(302, "location: http://127.0.0.1:1/\r\n", String::new()), foreign("302 Found")),
    ];
    for (line, expected) in table {
        let server = Scripted::start([line.clone()]).await;
        let error = bot(&settings(server.url())).send_message(&hello()).await.unwrap_err();
        assert_eq!(error, expected, "{line:?}");
        assert_eq!(server.seen().len(), 1, "one attempt: {line:?}");
    }
}

#[tokio::test]
async fn every_refusal_that_shuts_a_place_says_which() {
    let table = [
        (400, "Bad Request: not enough rights to send text messages to the chat", Shut::Muted),
        (400, "Bad Request: have no rights to send a message", Shut::Muted),
        (400, "Bad Request: need administrator rights in the channel chat", Shut::Muted),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN", Shut::Muted),
        (403, "Forbidden: CHAT_WRITE_FORBIDDEN", Shut::Muted),
        (400, "Bad Request: CHAT_RESTRICTED", Shut::Muted),
        (403, "Forbidden: CHAT_SEND_PLAIN_FORBIDDEN", Shut::Muted),
        (400, "Bad Request: USER_BANNED_IN_CHANNEL", Shut::Muted),
        (403, "Forbidden: words that nobody has seen yet", Shut::Muted),
        (400, "Bad Request: chat not found", Shut::Gone),
        (400, "Bad Request: PEER_ID_INVALID", Shut::Gone),
        (403, "Forbidden: the group chat was deleted", Shut::Gone),
        (400, "Bad Request: group chat was deleted", Shut::Gone),
        (403, "Forbidden: bot was kicked from the supergroup chat", Shut::Outside),
        (403, "Forbidden: bot is not a member of the supergroup chat", Shut::Outside),
        (403, "Forbidden: bot was blocked by the user", Shut::Outside),
        (403, "Forbidden: user is deactivated", Shut::Outside),
        (403, "Forbidden: bot can't initiate conversation with a user", Shut::Outside),
        (400, "Bad Request: TOPIC_CLOSED", Shut::Topic),
        (400, "Bad Request: TOPIC_DELETED", Shut::Topic),
        (400, "Bad Request: message thread not found", Shut::Topic),
    ];
    for (code, description, place) in table {
        let body = json!({"ok": false, "error_code": code, "description": description}).to_string();
        let server = Scripted::start([answer(code, body)]).await;
        let error = bot(&settings(server.url())).send_message(&hello()).await.unwrap_err();
        assert_eq!(error, TelegramError::CannotWrite { place, description: description.to_owned() });
    }
}

#[tokio::test]
async fn a_pause_is_believed_for_a_day_at_most_however_it_is_written() {
    let table = [
        (json!(34), Duration::from_secs(34)),
        (json!("34"), Duration::from_secs(34)),
        (json!(999_999_999), PAUSE_MAX),
        (json!(1e18), PAUSE_MAX),
        (json!(1e300), PAUSE_MAX),
        (json!("999999999999999999999999"), PAUSE_MAX),
        (json!(-7), Duration::from_secs(5)),
        (json!(null), Duration::from_secs(5)),
        (json!(["soon"]), Duration::from_secs(5)),
    ];
    for (written, expected) in table {
        let parameters = json!({"retry_after": written});
        let body = json!({"ok": false, "error_code": 429, "description": "x", "parameters": parameters}).to_string();
        let server = Scripted::start([answer(429, body)]).await;
        let error = bot(&settings(server.url())).send_message(&hello()).await.unwrap_err();
        assert_eq!(error, TelegramError::RateLimited { retry_after: expected }, "{written}");
    }
    let head = "retry-after: 18446744073709551615\r\n";
    let server = Scripted::start([Line::Answer(429, head, "busy".to_owned())]).await;
    let error = bot(&settings(server.url())).send_message(&hello()).await.unwrap_err();
    assert_eq!(error, TelegramError::RateLimited { retry_after: PAUSE_MAX });
}

#[tokio::test]
async fn a_written_request_without_answer_is_unknown_for_a_send_and_nothing_for_a_poll() {
    let cut = Line::Cut(r#"{"ok":true,"result":"#.to_owned());
    for line in [Line::Reset, Line::Stall, cut, answer(502, "{}")] {
        let server = Scripted::start([line.clone(), line.clone()]).await;
        let settings = TelegramSettings { poll_margin: Duration::from_millis(200), ..settings(server.url()) };
        let bot = bot(&settings);
        let sent = bot.send_message(&hello()).await.unwrap_err();
        assert!(matches!(sent, TelegramError::Unknown(_)), "{line:?}: {sent:?}");
        let polled = bot.get_updates(None, Duration::ZERO).await.unwrap_err();
        assert!(matches!(polled, TelegramError::Unreachable(_)), "{line:?}: {polled:?}");
        assert_eq!(server.seen().len(), 2, "{line:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_did_nothing() {
    let error = bot(&settings(refusing().await)).send_message(&hello()).await.unwrap_err();
    assert!(matches!(error, TelegramError::Unreachable(_)) && error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn the_token_shows_in_no_error_and_no_debug_output() {
    let echo = json!({"ok": false, "error_code": 400, "description": format!("Bad Request: /bot{TOKEN}/x")});
    let script = [answer(400, echo.to_string()), Line::Reset, Line::Stall, answer(502, TOKEN)];
    let server = Scripted::start(script.clone()).await;
    let reachable = bot(&settings(server.url()));
    let mut shown = format!("{reachable:?} {:?}", settings(server.url()));
    for _ in script {
        let error = reachable.send_message(&hello()).await.unwrap_err();
        writeln!(shown, "{error} {error:?}").unwrap();
    }
    for nowhere in [refusing().await, "https://no-such-host.invalid".to_owned()] {
        let error = bot(&settings(nowhere)).get_me().await.unwrap_err();
        writeln!(shown, "{error} {error:?}").unwrap();
    }
    let secret = TOKEN.split_once(':').unwrap().1;
    assert!(!shown.contains(secret), "{shown}");
    assert!(shown.contains("[token]"), "{shown}");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_at_start() {
    for url in ["", "api.telegram.org", "ftp://api.telegram.org"] {
        assert!(TelegramClient::new(&settings(url.to_owned())).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_send_goes_out_as_plain_text_that_survives_a_vanished_original() {
    let server = Scripted::start([answer(200, SENT)]).await;
    let sun = |kind: &str| Entity { kind: EntityKind::Other(kind.to_owned()), offset: 9, length: 2 };
    let marks = vec![sun("bold"), sun("blink")];
    let message = SendMessage { thread: Some(ThreadId(9)), reply_to: Some(MessageId(41)), marks, ..hello() };
    assert_eq!(bot(&settings(server.url())).send_message(&message).await, Ok(MessageId(77)));
    let seen = server.seen().remove(0);
    assert!(seen.head.starts_with(&format!("POST /bot{TOKEN}/SendMessage HTTP/1.1")), "{}", seen.head);
    let expected = json!({
        "chat_id": CHAT.0, "text": "Günaydın 🌞", "message_thread_id": 9,
        "entities": [{"type": "bold", "offset": 9, "length": 2}],
        "link_preview_options": {"is_disabled": true},
        "reply_parameters": {"message_id": 41, "allow_sending_without_reply": true},
    });
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn the_general_topic_is_left_out() {
    let server = Scripted::start([answer(200, SENT)]).await;
    let message = SendMessage { thread: Some(ThreadId(1)), ..hello() };
    bot(&settings(server.url())).send_message(&message).await.unwrap();
    assert_eq!(server.seen()[0].body.get("message_thread_id"), None);
}

#[tokio::test]
async fn a_poll_asks_for_what_the_fleet_uses_and_confirms_only_the_offset_given() {
    let empty = answer(200, r#"{"ok":true,"result":[]}"#);
    let server = Scripted::start([empty.clone(), empty]).await;
    let bot = bot(&settings(server.url()));
    bot.get_updates(None, Duration::from_secs(50)).await.unwrap();
    bot.get_updates(Some(7), Duration::from_secs(50)).await.unwrap();
    let kinds = ["message", "edited_message", "message_reaction", "my_chat_member"];
    let first = json!({"limit": 100, "timeout": 50, "allowed_updates": kinds});
    let second = json!({"offset": 7, "limit": 100, "timeout": 50, "allowed_updates": kinds});
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [first, second]);
}

#[tokio::test]
async fn a_bad_update_hides_no_other() {
    let body = r#"{"ok":true,"result":[
        {"update_id":1,"message":{"message_id":"five"}},
        {"message":{"message_id":6}},
        17,
        {"update_id":2,"quantum_poll":{"chat":{"id":-5,"type":"group","title":"G"}}},
        {"update_id":3,"message":{"message_id":7,"date":1,"chat":{"id":-5,"type":"supergroup"},"from":{"id":9,"is_bot":false,"first_name":"Ada"},"text":"hi"}}
    ]}"#;
    let server = Scripted::start([answer(200, body)]).await;
    let updates = bot(&settings(server.url())).get_updates(None, Duration::ZERO).await.unwrap();
    let ids: Vec<_> = updates.iter().map(|u| u.update_id.0).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert!(matches!(updates[0].incoming.event, Event::Undecodable { .. }));
    assert_eq!(updates[1].incoming.event, Event::Other { name: "quantum_poll".to_owned() });
    assert!(matches!(&updates[2].incoming.event, Event::Message(m) if m.text.as_deref() == Some("hi")));
    assert!(updates[2].raw.starts_with(r#"{"update_id":3,"#));
}

#[tokio::test]
async fn an_open_breaker_refuses_sends_and_an_answered_poll_closes_it() {
    let dead = [Line::Reset, Line::Reset];
    let alive = [answer(200, r#"{"ok":true,"result":[]}"#), answer(200, SENT)];
    let server = Scripted::start(dead.into_iter().chain(alive)).await;
    let settings = TelegramSettings { breaker_failures: NonZeroU32::new(2).unwrap(), ..settings(server.url()) };
    let client = TelegramClient::new(&settings).unwrap();
    let (one, other) = (client.bot(TOKEN.into()), client.bot("2:other".into()));
    one.send_message(&hello()).await.unwrap_err();
    assert!(client.sends_go());
    other.send_message(&hello()).await.unwrap_err();
    assert!(!client.sends_go());
    let refused = one.send_message(&hello()).await;
    assert_eq!(refused, Err(TelegramError::Unreachable("breaker open".to_owned())));
    assert_eq!(server.seen().len(), 2, "the refused send went nowhere");
    other.get_updates(None, Duration::ZERO).await.unwrap();
    assert_eq!(one.send_message(&hello()).await, Ok(MessageId(77)));
}

#[tokio::test]
async fn a_refusal_of_telegram_opens_no_breaker() {
    let refusal = || answer(403, r#"{"ok":false,"error_code":403,"description":"Forbidden: x"}"#);
    let server = Scripted::start([refusal(), refusal(), refusal()]).await;
    let settings = TelegramSettings { breaker_failures: NonZeroU32::MIN, ..settings(server.url()) };
    let client = TelegramClient::new(&settings).unwrap();
    for _ in 0..3 {
        client.bot(TOKEN.into()).send_message(&hello()).await.unwrap_err();
    }
    assert!(client.sends_go());
}

#[tokio::test]
async fn a_bot_hears_a_person_of_the_simulated_telegram_and_replies() {
    let world = WorldSpec::demo(7);
    let (spec, chat) = (world.bots[0].clone(), world.chats[0].clone());
    let simulation = Simulation::start(SimulationSpec::of(world)).await.unwrap();
    let settings = TelegramSettings { api_url: simulation.base_url(), ..TelegramSettings::default() };
    let bot = TelegramClient::new(&settings).unwrap().bot(spec.token.as_str().into());
    let me = bot.get_me().await.unwrap();
    assert_eq!((me.id.0, me.username, me.can_read_all_group_messages), (spec.id, spec.username, true));
    assert_eq!(bot.get_chat(TelegramChatId(chat.id)).await.unwrap().title, chat.title);

    let said = simulation.world.post(chat.id, chat.people[0], Post::text("Çay içer misiniz?")).unwrap();
    let updates = bot.get_updates(None, Duration::from_secs(10)).await.unwrap();
    let heard = updates.iter().find_map(|update| match &update.incoming.event {
        Event::Message(message) if message.message_id == MessageId(said) => Some(message),
        _ => None,
    });
    assert_eq!(heard.unwrap().text.as_deref(), Some("Çay içer misiniz?"));

    let reply = SendMessage {
        chat: TelegramChatId(chat.id),
        thread: None,
        reply_to: Some(MessageId(said)),
        text: "Olur, koyu olsun.".to_owned(),
        marks: vec![Entity { kind: EntityKind::Other("bold".to_owned()), offset: 6, length: 4 }],
    };
    bot.send_typing(reply.chat, None).await.unwrap();
    let sent = bot.send_message(&reply).await.unwrap();
    bot.set_reaction(reply.chat, MessageId(said), "👍").await.unwrap();
    let last = simulation.world.history(chat.id, 1).remove(0);
    assert_eq!((last.message_id, last.text.as_str()), (sent.0, "Olur, koyu olsun."));
    simulation.stop().await;
}
