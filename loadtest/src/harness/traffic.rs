//! Posts marked messages of people, in an open or a closed loop. Layer: harness.
//!
//! # Cancel safety
//! Dropping the future of [`Traffic::drive`] stops it between two messages; posted messages stay recorded.

use std::collections::HashMap;
use std::time::Duration;

use botfleet_world::ledger::LedgerEvent;
use botfleet_world::people::load_posts::{LoadPost, LoadPosts};
use botfleet_world::people::spec::PeopleSpec;
use botfleet_world::world::World;
use botfleet_world::world::event::Post;
use serde::Serialize;
use tokio::time::Instant;

use super::error::HarnessError;
use super::measure::marker_number;

/// How messages follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Posts at a fixed rate, without waiting for answers.
    Open {
        /// Messages a second, over all chats.
        rate: f64,
    },
    /// Keeps a fixed number of messages that still miss answers.
    Closed {
        /// Messages, over all chats.
        outstanding: usize,
    },
}

/// The people who post, and what they have posted.
#[derive(Debug)]
pub struct Traffic<'w> {
    world: &'w World,
    posts: LoadPosts,
    /// The number of bots of each chat, which is the number of answers due to a message there.
    bots: HashMap<i64, usize>,
    due_us: Vec<u64>,
    calls: Calls,
}

/// The share of messages that call a bot of their chat by its username; the bots of a chat take turns.
#[derive(Debug, Default)]
struct Calls {
    share: f64,
    owed: f64,
    usernames: HashMap<i64, Vec<String>>,
}

impl Calls {
    /// Returns the next username to call in a chat, if the next message there is to call one.
    fn next(&mut self, chat: i64) -> Option<String> {
        self.owed += self.share;
        if self.owed < 1.0 {
            return None;
        }
        let usernames = self.usernames.get_mut(&chat).filter(|names| !names.is_empty())?;
        self.owed -= 1.0;
        usernames.rotate_left(1);
        usernames.last().cloned()
    }
}

impl<'w> Traffic<'w> {
    /// Creates traffic from the people of a world; markers count from 1.
    pub fn new(world: &'w World) -> Self {
        let mut people = PeopleSpec::of_world(world.spec());
        people.chats.retain(|chat| !chat.bots.is_empty());
        let bots = world.spec().chats.iter().map(|chat| (chat.id, chat.bots.len())).collect();
        Self { world, posts: LoadPosts::of_people(&people), bots, due_us: Vec::new(), calls: Calls::default() }
    }

    /// Lets a share of the messages, 0 to 1, call a bot of their chat.
    #[must_use]
    pub fn calling(mut self, share: f64) -> Self {
        let spec = self.world.spec();
        let of_chat = |ids: &[i64]| {
            let bots = ids.iter().filter_map(|id| spec.bots.iter().find(|bot| bot.id == *id));
            bots.map(|bot| bot.username.clone()).collect()
        };
        let usernames = spec.chats.iter().map(|chat| (chat.id, of_chat(&chat.bots))).collect();
        self.calls = Calls { share, owed: 0.0, usernames };
        self
    }

    /// Returns when each message was due, from marker 1 on, on the ledger's clock.
    pub fn due_us(&self) -> &[u64] {
        &self.due_us
    }

    /// Posts without end; returns only on an error.
    ///
    /// # Errors
    /// Nobody can post.
    pub async fn drive(&mut self, shape: Shape) -> HarnessError {
        match shape {
            Shape::Open { rate } => self.open(rate).await,
            Shape::Closed { outstanding } => self.closed(outstanding).await,
        }
    }

    async fn open(&mut self, rate: f64) -> HarnessError {
        let every = 1.0 / rate.max(f64::MIN_POSITIVE);
        let endless = (0_u64..).map(|turn| Duration::from_secs_f64(turn as f64 * every));
        self.follow(endless).await.err().unwrap_or(HarnessError::NobodyPosts)
    }

    /// Posts a message at each instant of a schedule, counted from now, whatever became of the messages before. A
    /// message that is posted late stays due at its instant.
    ///
    /// # Errors
    /// Nobody can post.
    pub async fn follow(&mut self, schedule: impl Iterator<Item = Duration>) -> Result<(), HarnessError> {
        let (started, started_us) = (Instant::now(), self.world.ledger().now_us());
        for after in schedule {
            tokio::time::sleep_until(started + after).await;
            self.post(started_us + after.as_micros() as u64).ok_or(HarnessError::NobodyPosts)?;
        }
        Ok(())
    }

    async fn closed(&mut self, outstanding: usize) -> HarnessError {
        let mut missing: HashMap<u64, usize> = HashMap::new();
        let mut read = self.world.ledger().len();
        loop {
            let changed = self.world.next_change();
            let records = self.world.ledger().since(read);
            read += records.len();
            for record in records {
                let LedgerEvent::SendAccepted { marker: Some(marker), .. } = record.event else { continue };
                let Some(number) = marker_number(&marker) else { continue };
                if let Some(left) = missing.get_mut(&number) {
                    *left -= 1;
                    if *left == 0 {
                        missing.remove(&number);
                    }
                }
            }
            while missing.len() < outstanding {
                let Some((number, answers)) = self.post(self.world.ledger().now_us()) else {
                    return HarnessError::NobodyPosts;
                };
                missing.insert(number, answers);
            }
            changed.await;
        }
    }

    /// Posts one message in each chat at once; returns the messages.
    pub fn round(&mut self) -> Vec<LoadPost> {
        (0..self.posts.chats()).filter_map(|_| self.post_next(self.world.ledger().now_us())).collect()
    }

    /// Posts one message at once in a chat, or in a topic of the chat; `None` if no message can be posted there.
    pub fn call(&mut self, chat: i64, thread: Option<i64>) -> Option<LoadPost> {
        for _ in 0..self.posts.chats() {
            let post = self.posts.next()?;
            self.due_us.push(self.world.ledger().now_us());
            if post.chat == chat {
                self.publish(&post, thread);
                return Some(post);
            }
        }
        None
    }

    /// Posts the next message; returns the number in its marker and how many answers are due.
    fn post(&mut self, due_us: u64) -> Option<(u64, usize)> {
        let post = self.post_next(due_us)?;
        Some((post.number, self.bots.get(&post.chat).copied().unwrap_or(0)))
    }

    fn post_next(&mut self, due_us: u64) -> Option<LoadPost> {
        let mut post = self.posts.next()?;
        if let Some(called) = self.calls.next(post.chat) {
            post.text = format!("@{called} {}", post.text);
        }
        self.due_us.push(due_us);
        self.publish(&post, None);
        Some(post)
    }

    fn publish(&self, post: &LoadPost, thread: Option<i64>) {
        let words = Post::text(post.text.clone());
        let words = thread.into_iter().fold(words, Post::in_thread);
        if let Err(error) = self.world.post(post.chat, post.person, words) {
            // The people of a world are members of their chats: only an error of this harness leads here.
            tracing::error!(%error, "a message was refused");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use botfleet_world::ledger::PostedKind;
    use botfleet_world::world::spec::WorldSpec;

    fn posted(world: &World) -> usize {
        let is_post = |event: &LedgerEvent| matches!(event, LedgerEvent::Posted { kind: PostedKind::Post, .. });
        world.ledger().snapshot().iter().filter(|record| is_post(&record.event)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_loop_keeps_its_rate_without_any_answer() {
        let world = World::new(WorldSpec::fleet(1, 4, 2)).unwrap();
        let mut traffic = Traffic::new(&world);
        let drive = traffic.drive(Shape::Open { rate: 100.0 });
        let ended = tokio::time::timeout(Duration::from_millis(1005), drive).await;
        assert!(ended.is_err());
        assert_eq!((posted(&world), traffic.due_us().len()), (101, 101));
        let due = traffic.due_us();
        assert_eq!(due[100] - due[0], 1_000_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_waits_for_every_answer() {
        let world = World::new(WorldSpec::fleet(1, 2, 1)).unwrap();
        let mut traffic = Traffic::new(&world);
        let answer = |bot: i64, marker: &str| {
            let event = LedgerEvent::SendAccepted {
                send: 1,
                bot,
                chat: -1,
                message_id: 1,
                text: String::new(),
                marker: Some(marker.into()),
                reply_to: None,
                thread: None,
            };
            world.ledger().record(event);
            world.changed.notify_waiters();
        };
        let script = async {
            let pause = || tokio::time::sleep(Duration::from_millis(5));
            pause().await;
            assert_eq!(posted(&world), 3);
            answer(1, "#m2");
            pause().await;
            assert_eq!(posted(&world), 3, "one of two bots has answered");
            answer(2, "#m2");
            pause().await;
            assert_eq!(posted(&world), 4);
        };
        tokio::select! {
            biased;
            () = script => {}
            _ = traffic.drive(Shape::Closed { outstanding: 3 }) => {}
        }
    }

    #[test]
    fn calls_take_turns_over_the_bots_and_keep_their_share() {
        let world = World::new(WorldSpec::fleet(1, 2, 1)).unwrap();
        let mut traffic = Traffic::new(&world).calling(0.5);
        let texts: Vec<String> = (0..4).filter_map(|_| traffic.post_next(0)).map(|post| post.text).collect();
        let called: Vec<bool> = texts.iter().map(|text| text.starts_with('@')).collect();
        assert_eq!(called, [false, true, false, true], "{texts:?}");
        assert!(texts[1].starts_with("@fleet_1_bot ") && texts[3].starts_with("@fleet_2_bot "), "{texts:?}");
    }

    #[tokio::test]
    async fn a_world_without_chats_has_nobody_to_post() {
        let world = World::new(WorldSpec::default()).unwrap();
        let error = Traffic::new(&world).drive(Shape::Open { rate: 1.0 }).await;
        assert!(matches!(error, HarnessError::NobodyPosts));
    }
}
