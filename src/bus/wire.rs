//! Converts messages to the form in which they cross Redis: merged, bounded, told from garbage. Layer: adapter.

use std::collections::{BTreeMap, HashSet};

use botfleet_actors::domain::ids::{ChatId, ConfigSeq, Number};
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::ports::bus::{Audience, BusMessage, Hint};

/// The largest message that is sent or read, in bytes; real ones stay far below it.
pub(super) const MESSAGE_MAX_BYTES: usize = 256 * 1024;

/// The most hints in one message.
const HINTS_MAX: usize = 1000;

/// The names of channels under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    prefix: String,
}

impl Channels {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// Returns the channel that every node hears.
    pub(super) fn all(&self) -> String {
        format!("{}:all", self.prefix)
    }

    /// Returns the channel that one node hears.
    pub(super) fn node(&self, node: Incarnation) -> String {
        format!("{}:node:{node}", self.prefix)
    }

    /// Returns the channel on which one process hears its own probes.
    pub(super) fn probe(&self, process: u64) -> String {
        format!("{}:probe:{process:016x}", self.prefix)
    }

    pub(super) fn of(&self, to: Audience) -> String {
        match to {
            Audience::Node(node) => self.node(node),
            Audience::Everybody => self.all(),
        }
    }

    /// Returns the audience of a channel; `None` for a channel that is not of this bus.
    pub(super) fn audience(&self, channel: &str) -> Option<Audience> {
        let rest = channel.strip_prefix(&self.prefix)?.strip_prefix(':')?;
        match rest.strip_prefix("node:") {
            Some(node) => node.parse().ok().map(|node| Audience::Node(Incarnation(node))),
            None => (rest == "all").then_some(Audience::Everybody),
        }
    }
}

/// The messages for one audience.
#[derive(Default)]
struct Bundle {
    hints: Vec<Hint>,
    seen: HashSet<Hint>,
    configuration: Option<ConfigSeq>,
    appended: BTreeMap<ChatId, Number>,
    others: Vec<BusMessage>,
}

/// Merges messages: for each audience the hints, each once, in as few messages as possible, the latest configuration, and
/// the last number of each chat.
pub(super) fn merge(messages: impl IntoIterator<Item = (Audience, BusMessage)>) -> Vec<(Audience, BusMessage)> {
    let mut bundles: BTreeMap<Option<Incarnation>, Bundle> = BTreeMap::new();
    for (to, message) in messages {
        let key = match to {
            Audience::Node(node) => Some(node),
            Audience::Everybody => None,
        };
        let bundle = bundles.entry(key).or_default();
        match message {
            BusMessage::Hints(hints) => {
                for hint in hints {
                    if bundle.seen.insert(hint) {
                        bundle.hints.push(hint);
                    }
                }
            }
            BusMessage::ConfigurationChanged(seq) => bundle.configuration = bundle.configuration.max(Some(seq)),
            BusMessage::Appended(chats) => {
                for (chat, number) in chats {
                    let last = bundle.appended.entry(chat).or_insert(number);
                    *last = number.max(*last);
                }
            }
            BusMessage::Event(_) | BusMessage::Watching(_) => bundle.others.push(message),
        }
    }
    let mut merged = Vec::new();
    for (key, bundle) in bundles {
        let to = key.map_or(Audience::Everybody, Audience::Node);
        merged.extend(bundle.configuration.map(|seq| (to, BusMessage::ConfigurationChanged(seq))));
        merged.extend(bundle.hints.chunks(HINTS_MAX).map(|hints| (to, BusMessage::Hints(hints.to_vec()))));
        let appended: Vec<(ChatId, Number)> = bundle.appended.into_iter().collect();
        merged.extend(appended.chunks(HINTS_MAX).map(|chats| (to, BusMessage::Appended(chats.to_vec()))));
        merged.extend(bundle.others.into_iter().map(|other| (to, other)));
    }
    merged
}

/// Encodes a message; `None` when it is too large.
pub(super) fn encode(message: &BusMessage) -> Option<String> {
    serde_json::to_string(message).ok().filter(|text| text.len() <= MESSAGE_MAX_BYTES)
}

/// Decodes a message; `None` when it is no message of this version, or too large.
pub(super) fn decode(bytes: &[u8]) -> Option<BusMessage> {
    if bytes.len() > MESSAGE_MAX_BYTES {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use botfleet_actors::domain::ids::{BotId, ChatId};

    use super::*;

    #[test]
    fn what_gathers_for_one_node_crosses_as_one_message_with_each_hint_once() {
        let one = Audience::Node(Incarnation(1));
        let hints = |ids: &[i64]| BusMessage::Hints(ids.iter().map(|id| Hint::Bot(BotId(*id))).collect());
        let merged = merge([
            (one, hints(&[1, 2])),
            (Audience::Everybody, BusMessage::ConfigurationChanged(ConfigSeq(9))),
            (one, hints(&[2, 3])),
            (Audience::Everybody, BusMessage::ConfigurationChanged(ConfigSeq(8))),
        ]);
        assert_eq!(
            merged,
            [(Audience::Everybody, BusMessage::ConfigurationChanged(ConfigSeq(9))), (one, hints(&[1, 2, 3]))]
        );
    }

    #[test]
    fn of_a_chat_that_grew_twice_the_last_number_crosses() {
        let grew = |chat, number| (Audience::Everybody, BusMessage::Appended(vec![(ChatId(chat), Number(number))]));
        let merged = merge([grew(1, 5), grew(2, 8), grew(1, 6), grew(1, 4)]);
        let last = BusMessage::Appended(vec![(ChatId(1), Number(6)), (ChatId(2), Number(8))]);
        assert_eq!(merged, [(Audience::Everybody, last)]);
    }

    #[test]
    fn many_hints_are_split_so_that_every_reader_takes_them() {
        let hints: Vec<Hint> = (0..2500).map(|id| Hint::Chat(ChatId(i64::MAX - id))).collect();
        let merged = merge([(Audience::Everybody, BusMessage::Hints(hints))]);
        assert_eq!(merged.len(), 3);
        assert!(merged.iter().all(|(_, message)| decode(encode(message).unwrap().as_bytes()).is_some()));
    }

    #[test]
    fn garbage_is_no_message() {
        let large = format!("{{\"hints\":[{}]}}", " ".repeat(MESSAGE_MAX_BYTES));
        for bytes in [&b""[..], b"\xff\xfe", b"{}", b"[1]", b"{\"hints\":[{\"weather\":1}]}", large.as_bytes()] {
            assert_eq!(decode(bytes), None);
        }
    }

    #[test]
    fn channels_of_other_prefixes_mean_nobody() {
        let channels = Channels::new("botfleet");
        for to in [Audience::Everybody, Audience::Node(Incarnation(42))] {
            assert_eq!(channels.audience(&channels.of(to)), Some(to));
        }
        for channel in ["botfleet", "botfleet:", "botfleet2:all", "botfleet:node:x", "other:all"] {
            assert_eq!(channels.audience(channel), None, "{channel}");
        }
    }
}
