//! Holds one bot's queue of updates: ids, wanted kinds, confirmation, retention.
//!
//! Layer: world; pure, time is an argument (milliseconds since 1970). Invariants: ids rise by one until the ids
//! restart, and an update leaves the queue only when it is confirmed, dropped or a day old.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// How long Telegram keeps an update (Bot API, "Getting updates").
const RETENTION_MS: i64 = 24 * 3600 * 1000;
/// How long a queue must get no updates before the ids restart at a random number (Bot API, Update).
const RESTART_AFTER_MS: i64 = 7 * 24 * 3600 * 1000;
/// An offset further ahead than this is taken for one from before a restart of the ids.
const AHEAD: i64 = 10;

/// The kinds of update that a bot gets only when it names them (Bot API, getUpdates).
const NOT_BY_DEFAULT: &[&str] = &["chat_member", "message_reaction", "message_reaction_count"];

#[derive(Debug)]
struct Queued {
    id: i64,
    at_ms: i64,
    /// The chat of a message. Updates without a chat share the lane `None`.
    lane: Option<i64>,
    /// The content, such as `"message":{...}`, shared by the bots of one chat.
    body: Arc<str>,
}

/// The updates of one answer.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) ids: Vec<i64>,
    bodies: Vec<Arc<str>>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Renders the JSON array of the answer.
    pub(crate) fn to_json(&self) -> String {
        let size: usize = self.bodies.iter().map(|body| body.len() + 32).sum();
        let mut out = String::with_capacity(size + 2);
        out.push('[');
        for (index, (id, body)) in self.ids.iter().zip(&self.bodies).enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str("{\"update_id\":");
            out.push_str(&id.to_string());
            out.push(',');
            out.push_str(body);
            out.push('}');
        }
        out.push(']');
        out
    }
}

/// The first update of a lane. Webhooks deliver the updates of a lane in order.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: i64,
    pub(crate) lane: Option<i64>,
    pub(crate) json: String,
}

#[derive(Debug)]
pub(crate) struct UpdateQueue {
    next_id: i64,
    last_at_ms: Option<i64>,
    allowed: Option<Vec<String>>,
    items: VecDeque<Queued>,
}

impl UpdateQueue {
    pub(crate) fn new(rng: &mut fastrand::Rng) -> Self {
        Self { next_id: first_id(rng), last_at_ms: None, allowed: None, items: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns the last `allowed_updates` that was set; `None` stands for the default kinds.
    pub(crate) fn allowed(&self) -> Option<&[String]> {
        self.allowed.as_deref()
    }

    /// Sets the wanted kinds; an empty list stands for the default kinds.
    pub(crate) fn allow(&mut self, kinds: Vec<String>) {
        self.allowed = (!kinds.is_empty()).then_some(kinds);
    }

    pub(crate) fn wants(&self, kind: &str) -> bool {
        match &self.allowed {
            Some(kinds) => kinds.iter().any(|wanted| wanted == kind),
            None => !NOT_BY_DEFAULT.contains(&kind),
        }
    }

    /// Appends an update and returns its id.
    pub(crate) fn push(&mut self, body: Arc<str>, lane: Option<i64>, at_ms: i64, rng: &mut fastrand::Rng) -> i64 {
        if self.items.is_empty() && self.last_at_ms.is_some_and(|last| at_ms - last > RESTART_AFTER_MS) {
            self.next_id = first_id(rng);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.last_at_ms = Some(at_ms);
        self.items.push_back(Queued { id, at_ms, lane, body });
        id
    }

    /// Deletes the updates that an offset confirms and returns their ids. Zero confirms nothing; a negative offset
    /// leaves that many of the last updates.
    pub(crate) fn confirm(&mut self, offset: i64) -> Vec<i64> {
        let below = self.resolve(offset);
        let count = self.items.partition_point(|item| item.id < below);
        self.items.drain(..count).map(|item| item.id).collect()
    }

    /// Returns the id below which an offset confirms updates.
    pub(crate) fn resolve(&self, offset: i64) -> i64 {
        let head = self.items.front().map_or(self.next_id, |item| item.id);
        if offset < 0 {
            (self.next_id + offset).max(head)
        } else if offset > self.next_id + AHEAD {
            head
        } else {
            offset
        }
    }

    /// Copies the first update of every lane for which `waits` is false, at most `limit` updates.
    pub(crate) fn heads(&self, limit: usize, waits: impl Fn(Option<i64>) -> bool) -> Vec<Pending> {
        let mut seen = HashSet::new();
        let mut heads = Vec::new();
        for item in &self.items {
            if heads.len() >= limit {
                break;
            }
            if seen.insert(item.lane) && !waits(item.lane) {
                let json = format!("{{\"update_id\":{},{}}}", item.id, item.body);
                heads.push(Pending { id: item.id, lane: item.lane, json });
            }
        }
        heads
    }

    /// Deletes one update; returns whether the queue held it.
    pub(crate) fn remove(&mut self, id: i64) -> bool {
        let place = self.items.iter().position(|item| item.id == id);
        place.and_then(|place| self.items.remove(place)).is_some()
    }

    /// Deletes updates that are more than a day old and returns their ids.
    pub(crate) fn expire(&mut self, now_ms: i64) -> Vec<i64> {
        let count = self.items.iter().take_while(|item| now_ms - item.at_ms > RETENTION_MS).count();
        self.items.drain(..count).map(|item| item.id).collect()
    }

    /// Deletes everything and returns the ids.
    pub(crate) fn clear(&mut self) -> Vec<i64> {
        self.items.drain(..).map(|item| item.id).collect()
    }

    /// Copies the first `limit` updates.
    pub(crate) fn batch(&self, limit: usize) -> Batch {
        let mut batch = Batch::default();
        for item in self.items.iter().take(limit) {
            batch.ids.push(item.id);
            batch.bodies.push(Arc::clone(&item.body));
        }
        batch
    }
}

fn first_id(rng: &mut fastrand::Rng) -> i64 {
    rng.i64(100_000_000..900_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn filled(count: usize) -> (UpdateQueue, fastrand::Rng, i64) {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut queue = UpdateQueue::new(&mut rng);
        let first = queue.next_id;
        for _ in 0..count {
            queue.push(Arc::from("\"message\":{}"), None, 0, &mut rng);
        }
        (queue, rng, first)
    }

    #[test]
    fn an_offset_confirms_everything_below_it_and_nothing_else() {
        let (mut queue, _, first) = filled(4);
        assert_eq!(queue.confirm(first + 2), vec![first, first + 1]);
        assert!(queue.confirm(0).is_empty());
        assert_eq!(queue.batch(1).ids, vec![first + 2]);
    }

    #[test]
    fn a_negative_offset_leaves_the_last_ones() {
        let (mut queue, _, first) = filled(4);
        assert_eq!(queue.confirm(-1).len(), 3);
        assert_eq!(queue.batch(9).ids, vec![first + 3]);
        assert!(queue.confirm(-100).is_empty());
    }

    #[test]
    fn an_offset_of_an_earlier_life_confirms_nothing() {
        let (mut queue, _, first) = filled(4);
        assert!(queue.confirm(first + 1000).is_empty());
        assert_eq!(queue.len(), 4);
    }

    #[test]
    fn updates_are_kept_for_a_day() {
        let (mut queue, mut rng, first) = filled(1);
        queue.push(Arc::from("\"message\":{}"), None, 2 * HOUR, &mut rng);
        assert!(queue.expire(24 * HOUR).is_empty());
        assert_eq!(queue.expire(25 * HOUR), vec![first]);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn ids_restart_after_a_quiet_week() {
        let (mut queue, mut rng, first) = filled(2);
        queue.confirm(first + 2);
        let next = queue.push(Arc::from("\"message\":{}"), None, 6 * 24 * HOUR, &mut rng);
        assert_eq!(next, first + 2);
        queue.confirm(first + 3);
        let restarted = queue.push(Arc::from("\"message\":{}"), None, 14 * 24 * HOUR, &mut rng);
        assert_ne!(restarted, first + 3);
    }

    #[test]
    fn every_lane_has_one_head_and_a_taken_one_makes_room_for_the_next() {
        let (mut queue, mut rng, first) = filled(0);
        for lane in [Some(-1), Some(-1), Some(-2), None] {
            queue.push(Arc::from("\"message\":{}"), lane, 0, &mut rng);
        }
        let ids = |queue: &UpdateQueue, limit| -> Vec<i64> {
            queue.heads(limit, |lane| lane == Some(-2)).iter().map(|head| head.id - first).collect()
        };
        assert_eq!(ids(&queue, 9), [0, 3]);
        assert_eq!(ids(&queue, 1), [0]);
        assert!(queue.remove(first) && !queue.remove(first));
        assert_eq!(ids(&queue, 9), [1, 3]);
    }

    #[test]
    fn reactions_come_only_when_asked_for() {
        let (mut queue, _, _) = filled(0);
        assert!(queue.wants("message") && !queue.wants("message_reaction"));
        queue.allow(vec!["message_reaction".into()]);
        assert!(!queue.wants("message") && queue.wants("message_reaction"));
        queue.allow(Vec::new());
        assert!(queue.wants("message"));
    }
}
