//! Tests the intake alone: a store and a Telegram of a few lines answer as a run of choices says, and hold it to I1.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::intake::Intake;
use crate::actors::bot::intake::messages::{DeliveryError, IntakeMsg};
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::snapshot::BotHealth;
use crate::actors::bot::surroundings::{Desk, Step};
use crate::actors::bot::tests::{OUR_WEBHOOK, Site, paused_clock};
use crate::actors::bot::ticket::Ticket;
use crate::actors::node::committer::{CommitError, CommitResult};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::{TelegramUserId, UpdateId};
use crate::domain::incoming::{ChatKind, Event, Incoming};
use crate::domain::roster::DeliveryMode;
use crate::ports::telegram::{Me, ReceivedUpdate, TelegramError, WebhookStatus};

/// A store and a Telegram; what they answer is a run of choices, and good answers once the run is over.
struct World {
    site: Site,
    outbox: Outbox,
    intake: Intake,
    coming: Vec<(Instant, IntakeMsg)>,
    choices: std::vec::IntoIter<u8>,
    /// Updates that Telegram holds, and how many there were.
    held: BTreeSet<i64>,
    updates: i64,
    stored: BTreeSet<i64>,
    webhook: Option<String>,
    /// The poll that is open at Telegram.
    open: Option<Ticket>,
    replies: Vec<tokio::sync::oneshot::Receiver<Result<(), DeliveryError>>>,
}

impl World {
    fn new(choices: Vec<u8>) -> Self {
        let site = Site::new(|_| {});
        Self {
            outbox: Outbox::new(&site.settings),
            intake: Intake::new(&site.profile),
            site,
            coming: Vec::new(),
            choices: choices.into_iter(),
            held: BTreeSet::new(),
            updates: 100,
            stored: BTreeSet::new(),
            webhook: None,
            open: None,
            replies: Vec::new(),
        }
    }

    fn choose(&mut self, of: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % of)
    }

    fn step(&mut self, act: impl FnOnce(&mut Intake, &mut Desk<'_, '_>)) {
        let mut effects = Vec::new();
        let mut step = Step { site: &self.site, effects: &mut effects };
        act(&mut self.intake, &mut Desk { outbox: &mut self.outbox, step: &mut step });
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn comes_after(&mut self, wait: Duration, message: IntakeMsg) {
        self.coming.push((Instant::now() + wait, message));
    }

    fn comes(&mut self, message: IntakeMsg) {
        let wait = Duration::from_millis(u64::from(self.choose(250)));
        self.comes_after(wait, message);
    }

    /// Returns an error of Telegram, for most choices none.
    fn trouble(&mut self) -> Result<(), TelegramError> {
        match self.choose(12) {
            8 => Err(TelegramError::Unreachable("refused".to_owned())),
            9 => Err(TelegramError::RateLimited { retry_after: Duration::from_secs(2) }),
            10 => Err(TelegramError::Unauthorized("401".to_owned())),
            11 => Err(TelegramError::Unknown("reset".to_owned())),
            _ => Ok(()),
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::After(wait, BotMsg::Intake(message)) => self.comes_after(wait, message),
            Effect::Identify { .. } => {
                let me = Me {
                    id: TelegramUserId(1001),
                    username: "bot_1_bot".to_owned(),
                    first_name: "Bot".to_owned(),
                    can_read_all_group_messages: true,
                };
                let answer = self.trouble().map(|()| me);
                self.comes(IntakeMsg::Identified(answer));
            }
            Effect::Poll { ticket, offset } => self.poll(ticket, offset),
            Effect::CancelPoll => {
                let ticket = self.open.take();
                if let Some(ticket) = ticket {
                    self.coming.retain(|(_, message)| !matches!(message, IntakeMsg::Polled(of, _) if *of == ticket));
                    self.coming.retain(|(_, message)| !matches!(message, IntakeMsg::PollClosed));
                    self.comes_after(Duration::from_millis(5), IntakeMsg::PollClosed);
                }
            }
            Effect::Ingest { ticket, updates, next_offset, .. } => {
                let ids: Vec<i64> = updates.iter().map(|update| update.update_id.0).collect();
                let result = self.commit(|world| world.stored.extend(ids));
                self.comes(IntakeMsg::Ingested(ticket, next_offset, result));
            }
            Effect::Commit(_, Then::DeliveryChanged(choice, reply)) => {
                let result = self.commit(|_| {});
                self.comes(IntakeMsg::DeliveryChanged(choice, result, reply));
            }
            Effect::SetWebhook(ticket, target) => {
                let answer = self.trouble();
                if answer.is_ok() {
                    self.webhook = Some(target.url);
                    // Telegram delivers what waits, and each update is stored before it is confirmed.
                    let held = std::mem::take(&mut self.held);
                    self.stored.extend(held);
                }
                self.comes(IntakeMsg::WebhookSet(ticket, answer));
            }
            Effect::DeleteWebhook(ticket) => {
                let answer = self.trouble();
                if answer.is_ok() {
                    self.webhook = None;
                }
                self.comes(IntakeMsg::WebhookDeleted(ticket, answer));
            }
            Effect::LookAtWebhook(ticket) => {
                let status = WebhookStatus { url: self.webhook.clone(), ..WebhookStatus::default() };
                let answer = self.trouble().map(|()| status);
                self.comes(IntakeMsg::WebhookSeen(ticket, answer));
            }
            _ => {}
        }
    }

    fn poll(&mut self, ticket: Ticket, offset: Option<i64>) {
        assert!(self.open.is_none(), "two polls are open: Telegram answers 409");
        if let Some(offset) = offset {
            let confirmed = self.held.iter().copied().filter(|update| *update < offset);
            for update in confirmed.collect::<Vec<_>>() {
                assert!(self.stored.contains(&update), "update {update} is confirmed and not stored");
                self.held.remove(&update);
            }
        }
        let answer = match &self.webhook {
            Some(_) => Err(TelegramError::WebhookSet("can't use getUpdates method while webhook is active".to_owned())),
            None => self.trouble().map(|()| {
                let received = |update: &i64| ReceivedUpdate {
                    update_id: UpdateId(*update),
                    raw: "{}".to_owned(),
                    incoming: Incoming {
                        chat: None,
                        chat_kind: ChatKind::Private,
                        event: Event::Other { name: "poll".to_owned() },
                    },
                };
                self.held.iter().take(2).map(received).collect()
            }),
        };
        self.open = Some(ticket);
        let wait = Duration::from_millis(u64::from(self.choose(250)));
        self.comes_after(wait, IntakeMsg::PollClosed);
        self.comes_after(wait, IntakeMsg::Polled(ticket, answer));
    }

    /// Commits, refuses, or does not answer: then the operation may be committed all the same.
    fn commit(&mut self, act: impl FnOnce(&mut Self)) -> CommitResult {
        match self.choose(10) {
            7 => return Err(CommitError::Unavailable("gone".to_owned())),
            8 => return Err(CommitError::Refused(Refusal::Conflict("odd row".to_owned()))),
            9 => {
                act(self);
                return Err(CommitError::Unavailable("answer lost".to_owned()));
            }
            _ => act(self),
        }
        Ok(Applied::Done)
    }

    fn update(&mut self) {
        self.updates += 1;
        match self.webhook {
            Some(_) => self.stored.insert(self.updates),
            None => self.held.insert(self.updates),
        };
    }

    fn want(&mut self, mode: DeliveryMode) {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.replies.push(answer);
        self.step(|intake, desk| intake.handle(IntakeMsg::SetDelivery(mode, None, reply.into()), desk));
    }

    async fn next(&mut self) {
        let Some(first) = (0..self.coming.len()).min_by_key(|place| self.coming[*place].0) else {
            return;
        };
        let (due, message) = self.coming.remove(first);
        tokio::time::sleep_until(due).await;
        if matches!(message, IntakeMsg::PollClosed) {
            self.open = None;
        }
        self.step(|intake, desk| intake.handle(message, desk));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever store and Telegram answer, and however often the delivery mode changes: at most one poll is open, no
    /// update is confirmed before it is stored, and all are stored in the end.
    #[test]
    fn i1_nothing_is_confirmed_before_it_is_stored(choices in prop::collection::vec(any::<u8>(), 0..400)) {
        paused_clock().block_on(async {
            let mut world = World::new(choices);
            world.step(Intake::identify);
            for round in 0..60 {
                world.update();
                match world.choose(14) {
                    9 => world.want(DeliveryMode::Webhook),
                    10 => world.want(DeliveryMode::Polling),
                    11 => world.site.may_act.set(round % 2 == 0),
                    12 => world.step(Intake::suspend),
                    13 => world.step(Intake::poll),
                    _ => {}
                }
                for _ in 0..3 {
                    world.next().await;
                }
            }
            world.site.may_act.set(true);
            for _ in 0..600 {
                world.next().await;
            }
            let all: BTreeSet<i64> = (101..=world.updates).collect();
            assert_eq!(world.stored, all, "{:?} {:?}", world.intake.mode(), world.intake.health());
            let well = match world.intake.mode() {
                DeliveryMode::Polling => matches!(world.intake.health(), BotHealth::Polling),
                DeliveryMode::Webhook => matches!(world.intake.health(), BotHealth::Receiving),
            };
            assert!(well, "{:?} {:?}", world.intake.mode(), world.intake.health());
            for reply in world.replies {
                assert!(reply.await.is_ok(), "a person who asked for a change hears nothing");
            }
        });
    }
}

#[test]
fn a_webhook_of_another_program_is_left_alone_and_named() {
    paused_clock().block_on(async {
        let mut world = World::new(Vec::new());
        world.webhook = Some("https://other.example/hook".to_owned());
        world.step(Intake::identify);
        for _ in 0..20 {
            world.next().await;
        }
        assert_eq!(world.webhook.as_deref(), Some("https://other.example/hook"));
        let BotHealth::Degraded(reason) = world.intake.health() else { panic!("{:?}", world.intake.health()) };
        assert!(reason.contains("other.example") && !reason.contains("/hook"), "{reason}");
        world.webhook = Some(OUR_WEBHOOK.to_owned());
        for _ in 0..20 {
            world.next().await;
        }
        assert_eq!(world.webhook, None, "our own is deleted");
        assert!(matches!(world.intake.health(), BotHealth::Polling));
    });
}

#[test]
fn i5_no_poll_begins_after_a_fence() {
    paused_clock().block_on(async {
        let mut world = World::new(Vec::new());
        world.update();
        world.step(Intake::identify);
        let mut ingested = None;
        while ingested.is_none() {
            world.next().await;
            let place = world.coming.iter().position(|(_, message)| matches!(message, IntakeMsg::Ingested(..)));
            ingested = place.map(|place| world.coming.remove(place).1);
        }
        world.step(Intake::suspend);
        let Some(IntakeMsg::Ingested(ticket, offset, _)) = ingested else { panic!("nothing was stored") };
        let fenced = Err(CommitError::Refused(Refusal::Fenced));
        let mut effects = Vec::new();
        let mut step = Step { site: &world.site, effects: &mut effects };
        let mut desk = Desk { outbox: &mut world.outbox, step: &mut step };
        world.intake.handle(IntakeMsg::Ingested(ticket, offset, fenced), &mut desk);
        assert!(matches!(effects.as_slice(), [Effect::Fenced]), "{} effects", effects.len());
    });
}
