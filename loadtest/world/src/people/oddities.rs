//! Generates odd messages: a family for each of the Bot API's odd corners. Layer: world; pure.
//!
//! # Source
//! Bot API 10.3, Message; the project's telegram.md lists the oddities that were seen.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::world::event::Post;

/// The ages of messages that waited while nobody listened, in seconds.
pub const AGES_S: [i64; 6] = [10 * 365 * 86_400, 86_400, 8 * 3600, 3 * 3600, 3700, 2 * 3600];

/// Characters that show no text: control characters, direction marks, tags, byte order marks, separators.
const INVISIBLE: [char; 10] =
    ['\0', '\u{1}', '\u{7f}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{e0041}', '\u{e007f}', '\u{2028}'];

/// Scatters invisible characters over a text, before one character in six.
fn strewn(rng: &mut Rng, text: &str) -> String {
    let mut strewn = String::new();
    for c in text.chars() {
        if rng.u8(0..6) == 0 {
            strewn.push(INVISIBLE[rng.usize(0..INVISIBLE.len())]);
        }
        strewn.push(c);
    }
    strewn
}

/// Draws a JSON value of any kind.
fn anything(rng: &mut Rng, depth: u32) -> Value {
    match rng.u8(0..if depth == 0 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!(-1),
        3 => json!(rng.i64(..)),
        4 => json!(1.5),
        5 => json!(""),
        6 => json!(strewn(rng, "words")),
        7 => json!([anything(rng, depth - 1), anything(rng, depth - 1)]),
        _ => json!({ "type": anything(rng, depth - 1), "new_field": anything(rng, depth - 1) }),
    }
}

/// Optional fields of a message.
const OPTIONAL: [&str; 16] = [
    "entities",
    "reply_markup",
    "quote",
    "external_reply",
    "forward_origin",
    "via_bot",
    "media_group_id",
    "edit_date",
    "author_signature",
    "link_preview_options",
    "effect_id",
    "sender_boost_count",
    "paid_star_count",
    "story",
    "venue",
    "giveaway",
];

fn entity(rng: &mut Rng) -> Value {
    const KINDS: [&str; 8] =
        ["mention", "bot_command", "code", "pre", "text_mention", "custom_emoji", "date_time", "kind_of_tomorrow"];
    const OFFSETS: [i64; 5] = [0, -1, 1, 5000, i32::MAX as i64];
    const LENGTHS: [i64; 5] = [0, -3, 1, 4, 9999];
    let (kind, offset, length) = (rng.usize(0..KINDS.len()), rng.usize(0..5), rng.usize(0..5));
    json!({ "type": KINDS[kind], "offset": OFFSETS[offset], "length": LENGTHS[length] })
}

/// Draws a quotation whose words are in another chat or are not stored here.
fn quotation(rng: &mut Rng) -> (&'static str, Value) {
    if rng.bool() {
        return (
            "quote",
            json!({ "text": strewn(rng, "what was said"), "position": rng.i32(-1..50), "is_manual": true }),
        );
    }
    let origin = json!({ "type": "hidden_user", "sender_user_name": strewn(rng, "somebody"), "date": rng.u32(..) });
    ("external_reply", json!({ "origin": origin, "message_id": rng.u32(..), "photo": [] }))
}

/// Draws a field that a message may carry beside its text.
fn carried(rng: &mut Rng) -> (&'static str, Value) {
    match rng.u8(0..6) {
        0 => (
            "poll",
            json!({ "id": "1", "question": "tea or coffee?", "options": [
            { "text": "tea", "voter_count": 0 }, { "text": "coffee", "voter_count": 3 } ], "is_closed": false }),
        ),
        1 => ("dice", json!({ "emoji": "🎲", "value": rng.u8(1..=6) })),
        2 => ("contact", json!({ "phone_number": "1", "first_name": strewn(rng, "Who") })),
        3 => (
            "rich_message",
            json!({ "text": "words in a rich message", "blocks": [{ "type": "paragraph",
            "text": "words in a rich message" }] }),
        ),
        4 => ("checklist", json!({ "title": "to do", "tasks": [{ "id": 1, "text": "tea" }] })),
        _ => ("medium_of_tomorrow", anything(rng, 2)),
    }
}

/// Draws an odd message; `text` ends with its marker, which stays whole.
pub fn odd(rng: &mut Rng, text: &str) -> Post {
    let (words, marker) = text.rsplit_once(' ').unwrap_or(("", text));
    let plain = Post::text(text);
    match rng.u8(0..9) {
        0 => Post::text(format!("{} {marker}", strewn(rng, words))),
        1 => {
            let field = OPTIONAL[rng.usize(0..OPTIONAL.len())];
            let value = anything(rng, 2);
            plain.with(field, value)
        }
        2 => {
            let marks: Vec<Value> = (0..rng.u8(1..4)).map(|_| entity(rng)).collect();
            plain.with("entities", json!(marks))
        }
        3 => {
            let (field, value) = quotation(rng);
            plain.with(field, value)
        }
        4 => {
            let (field, value) = carried(rng);
            plain.with(field, value)
        }
        5 => Post { unnumbered: true, ..plain },
        6 => {
            // An optional field; the chat and the message id always stay.
            let field = ["from", "entities", "sender_chat"][rng.usize(0..3)];
            Post { without: vec![field.to_owned()], ..plain }
        }
        7 => {
            let service = ["community_chat_added", "gift", "video_chat_ended", "checklist_tasks_done", "boost_added"];
            let field = service[rng.usize(0..service.len())];
            Post { text: String::new(), extra: Map::from_iter([(field.to_owned(), json!({}))]), ..Post::default() }
        }
        _ => plain.with("guest_bot_caller_user", json!({ "id": 77, "is_bot": false, "first_name": "Guest" })),
    }
}

/// Makes a message that is too old to be answered: its age is drawn from [`AGES_S`].
pub fn old(rng: &mut Rng, text: &str) -> Post {
    let age = AGES_S[rng.usize(0..AGES_S.len())];
    Post::text(text).dated(-age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_drawn_and_markers_stay_whole() {
        let mut rng = Rng::with_seed(1);
        let posts: Vec<Post> = (0..300).map(|_| odd(&mut rng, "what about tea? #m7")).collect();
        assert!(posts.iter().filter(|post| !post.text.is_empty()).all(|post| post.text.ends_with(" #m7")));
        assert!(posts.iter().any(|post| post.unnumbered));
        assert!(posts.iter().any(|post| !post.without.is_empty()));
        let fields: std::collections::BTreeSet<&String> = posts.iter().flat_map(|post| post.extra.keys()).collect();
        assert!(fields.len() > 20, "{fields:?}");
        assert!(old(&mut rng, "x").dated_s <= -3600);
    }
}
