//! Records calls and answers without anything personal, for the simulated world to replay. Part of `online`.
//!
//! One JSON object a line: `bot` (1, 2, ...), `method`, `parameters`, `status`, `body`. Chats and users get small
//! numbers, and dates count from the first one. Of texts only those remain that the trial itself wrote or that
//! Telegram's server says of a call. Every other text is replaced by the name of its key.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::telegram::inquiry::Inquiry;

/// Keys whose texts hold nothing personal: names of kinds, words of the server, and the trial's own texts.
const PLAIN_TEXTS: [&str; 8] = ["type", "description", "text", "status", "emoji", "action", "quote", "language"];

/// Keys that hold dates, in seconds since 1970.
const DATES: [&str; 3] = ["date", "edit_date", "until_date"];

/// The calls and answers recorded so far.
#[derive(Debug, Default)]
pub struct Recording {
    lines: Vec<Value>,
    ids: BTreeMap<i64, i64>,
    first_date: Option<i64>,
}

impl Recording {
    /// Notes a call and its answer.
    pub(super) fn note(&mut self, bot: i64, method: &str, parameters: &Value, inquiry: &Inquiry) {
        let line = json!({
            "bot": self.small(bot),
            "method": method,
            "parameters": self.scrubbed("", parameters),
            "status": inquiry.status,
            "body": self.scrubbed("", &inquiry.body),
        });
        self.lines.push(line);
    }

    /// Returns the recording as lines of JSON.
    pub fn to_lines(&self) -> String {
        self.lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect()
    }

    /// Returns a small number for an id, the same for the same id. Ids of chats stay negative, and so apart from users.
    fn small(&mut self, id: i64) -> i64 {
        let next = self.ids.len() as i64 + 1;
        *self.ids.entry(id).or_insert(if id < 0 { -next } else { next })
    }

    fn scrubbed(&mut self, key: &str, value: &Value) -> Value {
        match value {
            Value::Object(object) => {
                let one = |(key, value): (&String, &Value)| (key.clone(), self.scrubbed(key, value));
                Value::Object(object.iter().map(one).collect::<Map<_, _>>())
            }
            Value::Array(items) => Value::Array(items.iter().map(|item| self.scrubbed(key, item)).collect()),
            Value::String(text) if PLAIN_TEXTS.contains(&key) => Value::String(text.clone()),
            Value::String(_) => Value::String(format!("<{key}>")),
            Value::Number(number) => match number.as_i64() {
                Some(date) if DATES.contains(&key) => json!(date - *self.first_date.get_or_insert(date)),
                Some(id) if key == "id" || key.ends_with("chat_id") || key == "user_id" => json!(self.small(id)),
                _ => value.clone(),
            },
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_holds_nothing_of_anybody() {
        let body = json!({ "ok": true, "result": {
            "message_id": 7, "date": 1_700_000_100,
            "from": { "id": 123_456_789, "first_name": "Ada", "username": "ada_bot", "is_bot": true },
            "chat": { "id": -1_001_234_567_890_i64, "title": "Family", "type": "supergroup" },
            "text": "botfleet: a reply", "pinned_message": { "caption": "private words", "date": 1_700_000_000 },
        }});
        let inquiry = Inquiry { result: Ok(body["result"].clone()), status: 200, body, date: None };
        let mut recording = Recording::default();
        let parameters = json!({ "chat_id": -1_001_234_567_890_i64, "text": "botfleet: a reply" });
        recording.note(123_456_789, "sendMessage", &parameters, &inquiry);
        let lines = recording.to_lines();
        for secret in ["123456789", "1234567890", "Ada", "ada_bot", "Family", "private words", "1700000"] {
            assert!(!lines.contains(secret), "{secret} is in {lines}");
        }
        let line: Value = serde_json::from_str(lines.trim()).unwrap_or_default();
        assert_eq!(line["body"]["result"]["from"]["id"], line["bot"], "the same id has the same number");
        assert_eq!(line["body"]["result"]["chat"]["id"], line["parameters"]["chat_id"]);
        assert_eq!(line["body"]["result"]["text"], "botfleet: a reply");
    }
}
