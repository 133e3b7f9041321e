//! Counts what happens in the demo. Layer `cli`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use botfleet_world::checker::report::Report;
use botfleet_world::provider::calls::CallRecord;
use botfleet_world::world::event::WorldEvent;
use botfleet_world::world::spec::WorldSpec;
use serde_json::{Value, json};

/// Commands that a newcomer may try next.
const NEXT: &str = "\
what next
  why a bot spoke, or did not  in another terminal while a demo runs; its first lines name the SOCKET:
                               botfleet why --api unix:SOCKET --chat corner-table --text
  other settings, same words   botfleet demo --data ./demo, then, with the tokens of config/demo.env set,
                               botfleet replay --store ./demo/botfleet.sqlite --chat corner-table --with FILE
  a real model                 botfleet demo --llm-base-url http://127.0.0.1:8090/v1 --llm-model NAME
  real tokens                  README.md, \"Real tokens in five lines\"
";

/// Counts of one chat.
#[derive(Default)]
struct Room {
    title: String,
    messages: u64,
    people: u64,
    replies: u64,
    bot_to_bot: u64,
    speakers: BTreeSet<String>,
    /// Maps each message to whether a bot wrote it.
    authors: BTreeMap<i64, bool>,
}

/// Counts of the demo so far.
pub(super) struct Story {
    rooms: BTreeMap<i64, Room>,
    order: Vec<i64>,
    bots: BTreeMap<i64, (String, u64)>,
    llm_calls: u64,
    llm_tokens: u64,
    mute: Option<String>,
}

impl Story {
    pub(super) fn new(spec: &WorldSpec) -> Self {
        let rooms = spec.chats.iter().map(|chat| (chat.id, Room { title: chat.title.clone(), ..Room::default() }));
        Self {
            rooms: rooms.collect(),
            order: spec.chats.iter().map(|chat| chat.id).collect(),
            bots: spec.bots.iter().map(|bot| (bot.id, (bot.first_name.clone(), 0))).collect(),
            llm_calls: 0,
            llm_tokens: 0,
            mute: None,
        }
    }

    pub(super) fn note(&mut self, event: &WorldEvent) {
        let WorldEvent::Message { chat, message_id, author, reply_to, .. } = event else {
            return;
        };
        let Some(room) = self.rooms.get_mut(chat) else {
            return;
        };
        if room.authors.insert(*message_id, author.is_bot).is_some() {
            return;
        }
        room.messages += 1;
        if author.is_bot {
            room.speakers.insert(author.name.clone());
            room.replies += u64::from(reply_to.is_some());
            let to_bot = reply_to.and_then(|message| room.authors.get(&message)).copied().unwrap_or(false);
            room.bot_to_bot += u64::from(to_bot);
            if let Some((_, spoke)) = self.bots.get_mut(&author.id) {
                *spoke += 1;
            }
        } else {
            room.people += 1;
        }
    }

    /// Notes the calls that the fleet made, and the tokens that the simulated provider counted.
    pub(super) fn llm(&mut self, asked: u64, calls: &[CallRecord]) {
        self.llm_calls = asked;
        self.llm_tokens =
            calls.iter().map(|call| u64::from(call.prompt_tokens) + u64::from(call.completion_tokens)).sum();
    }

    /// Notes the reason why nobody could speak, if there is one.
    pub(super) fn mute(&mut self, reason: Option<String>) {
        self.mute = reason;
    }

    /// Returns whether nobody could speak.
    pub(super) fn is_mute(&self) -> bool {
        self.mute.is_some()
    }

    /// Returns one line for the bottom of the screen.
    pub(super) fn status(&self, llm_calls: u64) -> String {
        let messages: u64 = self.rooms.values().map(|room| room.messages).sum();
        let people: u64 = self.rooms.values().map(|room| room.people).sum();
        let spoke = self.bots.values().filter(|(_, spoke)| *spoke > 0).count();
        format!(
            "{messages} messages, {people} of people, {spoke} of {} bots spoke, {llm_calls} LLM calls",
            self.bots.len()
        )
    }

    pub(super) fn to_json(&self, report: &Report) -> Value {
        let chats = self.order.iter().filter_map(|id| self.rooms.get(id)).map(|room| {
            json!({
                "title": room.title,
                "messages": room.messages,
                "speakers": room.speakers,
                "people": room.people,
                "replies": room.replies,
                "bot_to_bot_replies": room.bot_to_bot,
            })
        });
        let bots: BTreeMap<&str, u64> = self.bots.values().map(|(name, spoke)| (name.as_str(), *spoke)).collect();
        json!({
            "chats": chats.collect::<Vec<_>>(),
            "bots": bots,
            "llm_calls": self.llm_calls,
            "llm_tokens": self.llm_tokens,
            "nobody_spoke_because": self.mute,
            "checker": report,
        })
    }

    pub(super) fn to_table(&self, report: &Report) -> String {
        let mut text = String::from("\n");
        let _ = writeln!(
            text,
            "{:<28} {:>8} {:>7} {:>8} {:>11}  speakers",
            "chat", "messages", "people", "replies", "bot to bot"
        );
        for room in self.order.iter().filter_map(|id| self.rooms.get(id)) {
            let speakers: Vec<&str> = room.speakers.iter().map(String::as_str).collect();
            let _ = writeln!(
                text,
                "{:<28} {:>8} {:>7} {:>8} {:>11}  {}",
                room.title,
                room.messages,
                room.people,
                room.replies,
                room.bot_to_bot,
                speakers.join(", ")
            );
        }
        let _ = writeln!(
            text,
            "\n{} LLM calls, {} tokens\n\nthe simulated Telegram's ledger against the fleet's outcomes:\n{report}",
            self.llm_calls, self.llm_tokens
        );
        if let Some(reason) = &self.mute {
            let _ = writeln!(text, "nobody could speak: {reason}");
        }
        let _ = write!(text, "\n{NEXT}");
        text
    }
}
