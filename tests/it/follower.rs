//! Follows the stream of events as a client does: over cuts, by the id of the last event.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use botfleet::api::events::{StreamFilter, Watch};
use botfleet::api::route::{Call, Nothing};
use botfleet::client::{Client, Following, Received};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

/// The longest wait for what must come.
const WITHIN: Duration = Duration::from_secs(30);

/// A reader of the stream, and everything that it got.
pub(crate) struct Follower {
    pub(crate) client: Client,
    filter: StreamFilter,
    /// The id of the last event with one.
    pub(crate) last: Option<String>,
    stream: Option<Following>,
    /// Numbers of entries, by chat, as they came.
    pub(crate) entries: BTreeMap<String, Vec<i64>>,
    /// Numbers of decisions, by chat, as they came.
    pub(crate) decisions: BTreeMap<String, Vec<i64>>,
    /// Names of all events.
    pub(crate) names: Vec<String>,
    /// The data of all events.
    pub(crate) told: String,
}

impl Follower {
    pub(crate) fn new(client: Client, chats: Option<&str>, text: bool) -> Self {
        let filter = StreamFilter { chats: chats.map(str::to_owned), after: None, text };
        let (entries, decisions) = (BTreeMap::new(), BTreeMap::new());
        Self { client, filter, last: None, stream: None, entries, decisions, names: Vec::new(), told: String::new() }
    }

    /// Opens the stream, from the last id on, and waits for its beginning.
    pub(crate) async fn open(&mut self) {
        let call = Call::<Watch>::new(Nothing {}, self.filter.clone(), Nothing {}).after_event(self.last.clone());
        self.stream = Some(self.client.follow(call).await.unwrap());
        let starts = self.count("start") + 1;
        self.until("the stream begins", |follower| follower.count("start") >= starts).await;
    }

    /// Closes the connection.
    pub(crate) fn cut(&mut self) {
        self.stream = None;
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.names.iter().filter(|known| *known == name).count()
    }

    /// Reads until a condition holds.
    pub(crate) async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let until = Instant::now() + WITHIN;
        while !condition(self) {
            let Some(stream) = &mut self.stream else { panic!("{what}: the stream is closed") };
            let next = timeout_at(until, stream.next()).await;
            let Ok(next) = next else { panic!("{what}: {:?} {:?} {:?}", self.entries, self.decisions, self.names) };
            match next.unwrap() {
                Some(event) => self.take(event),
                None => panic!("{what}: the stream ended"),
            }
        }
    }

    /// Reads until the stream ends.
    pub(crate) async fn until_over(&mut self) {
        let until = Instant::now() + WITHIN;
        while let Some(stream) = &mut self.stream {
            match timeout_at(until, stream.next()).await.unwrap_or_else(|_| panic!("the stream does not end")).unwrap()
            {
                Some(event) => self.take(event),
                None => self.stream = None,
            }
        }
    }

    fn take(&mut self, event: Received) {
        let data: Value = serde_json::from_str(&event.data).unwrap();
        let chat = data["chat"].as_str().unwrap_or_default().to_owned();
        match event.name.as_str() {
            "entry" => self.entries.entry(chat).or_default().push(data["number"].as_i64().unwrap()),
            "decision" => self.decisions.entry(chat).or_default().push(data["decision"].as_i64().unwrap()),
            _ => {}
        }
        assert_eq!(event.id.is_some(), is_history(&event.name), "{}", event.name);
        self.last = event.id.or(self.last.take());
        self.names.push(event.name);
        self.told.push_str(&event.data);
        self.told.push('\n');
    }

    /// Returns whether each chat that is named got everything up to these numbers of entries.
    pub(crate) fn has(&self, entries: &BTreeMap<String, i64>) -> bool {
        let last = |chat: &String| self.entries.get(chat).and_then(|numbers| numbers.last()).copied().unwrap_or(0);
        entries.iter().all(|(chat, number)| last(chat) >= *number)
    }

    /// Returns whether each chat that is named got everything up to these numbers of decisions.
    pub(crate) fn has_decided(&self, decisions: &BTreeMap<String, i64>) -> bool {
        let last = |chat: &String| self.decisions.get(chat).and_then(|numbers| numbers.last()).copied().unwrap_or(0);
        decisions.iter().all(|(chat, number)| last(chat) >= *number)
    }

    /// Requires that every number came once, in order, without a gap.
    pub(crate) fn assert_whole(&self) {
        assert_eq!(self.count("reset") + self.count("dropped"), 0, "{}", self.told);
        for (chat, numbers) in self.entries.iter().chain(&self.decisions) {
            let whole = numbers.windows(2).all(|two| two[1] == two[0] + 1);
            assert!(whole, "{chat}: a gap or a double: {numbers:?}");
        }
    }
}

fn is_history(name: &str) -> bool {
    ["entry", "decision", "audit", "start", "reset", "dropped"].contains(&name)
}
