//! Commits what a fleet's messages leave in its store: the operations of intake, decision, answer and send. Part of `cli`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use botfleet_actors::domain::commit::operations::{
    Advance, Begin, Claim, Finish, Ingest, Operation, Settle, TurnEnding,
};
use botfleet_actors::domain::commit::start::{SendRules, Start};
use botfleet_actors::domain::decision::{Cause, Decision, Standing, Verdict};
use botfleet_actors::domain::ids::{
    AttemptId, BotId, ChatId, ConfigSeq, DecisionNumber, Epoch, IdSource, InboxId, MessageId, Number, OutboxId,
    TelegramChatId, TelegramUserId, TurnId, UpdateId,
};
use botfleet_actors::domain::inbox::{Handled, InboxRow, Outcome, OutcomeKind, SentEvent, Source};
use botfleet_actors::domain::incoming::{Author, AuthorKind};
use botfleet_actors::domain::outbox::{OnUnknown, OutboxMessage, SendProgress, SendResult};
use botfleet_actors::domain::people::{Right, SetRight};
use botfleet_actors::domain::roster::{BotSpec, ChatSpec, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::transcript::{EntryKind, TranscriptEntry};
use botfleet_actors::domain::turn::{Act, Turn, TurnProgress, Usage};
use serde_json::json;

use crate::store::sizes::Measured;

/// The number of people in a chat.
const PEOPLE: i64 = 20;

/// A chat of the fleet.
pub(super) struct Room {
    pub(super) chat: ChatId,
    pub(super) telegram: TelegramChatId,
    pub(super) bots: Vec<BotId>,
    pub(super) number: i64,
    decision: i64,
    pub(super) message: i64,
}

/// The size of a fleet that lives on a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fleet {
    /// The number of bots.
    pub(super) bots: u64,
    /// The number of bots in each chat.
    pub(super) members: usize,
    /// Messages of people in each chat and hour.
    pub(super) rate: f64,
    /// One message in so many is answered.
    pub(super) answered: u32,
    /// One answer in so many is of unknown fate, and one in so many makes a dead turn; 0 for none.
    pub(super) unlucky: u32,
    /// The seed of the dice.
    pub(super) seed: u64,
}

/// A fleet that lives on a store.
pub(super) struct Life {
    store: Arc<dyn Measured>,
    ids: IdSource,
    dice: fastrand::Rng,
    epoch: Epoch,
    updates: BTreeMap<BotId, i64>,
    fleet: Fleet,
    an_hour: f64,
    owed: f64,
    pub(super) rooms: Vec<Room>,
    pub(super) now: Timestamp,
    /// The messages of people so far.
    pub(super) messages: u64,
}

impl Life {
    pub(super) async fn begin(store: Arc<dyn Measured>, fleet: Fleet) -> anyhow::Result<Self> {
        let now = Timestamp::from_secs(1_790_000_000);
        let bot = |n: u64| BotSpec {
            name: format!("bot-{n}"),
            telegram_id: TelegramUserId(1_000_000 + n as i64),
            credential: format!("env:BOT_{n}"),
            ..BotSpec::default()
        };
        let bots: Vec<BotSpec> = (0..fleet.bots).map(bot).collect();
        let chat = |(n, bots): (usize, &[BotSpec])| ChatSpec {
            name: format!("chat-{n}"),
            telegram_id: TelegramChatId(-1_001_000_000_000 - n as i64),
            bots: bots.iter().map(|bot| bot.name.clone()).collect(),
            ..ChatSpec::default()
        };
        let chats: Vec<ChatSpec> = bots.chunks(fleet.members).enumerate().map(chat).collect();
        let roster = store.apply_roster(&RosterPlan { bots, chats }, now).await?;
        let epoch = store.begin_tenure("age", now).await?.epoch;
        let room = |chat: &botfleet_actors::domain::roster::ChatProfile| Room {
            chat: chat.id,
            telegram: chat.spec.telegram_id,
            bots: chat.members.clone(),
            number: 0,
            decision: 0,
            message: 0,
        };
        let rooms: Vec<Room> = roster.chats.values().map(room).collect();
        Ok(Self {
            ids: IdSource::new(now, 1),
            dice: fastrand::Rng::with_seed(fleet.seed),
            epoch,
            updates: BTreeMap::new(),
            an_hour: fleet.rate * rooms.len() as f64,
            fleet,
            owed: 0.0,
            rooms,
            now,
            messages: 0,
            store,
        })
    }

    /// Lives an hour: the messages of people, what became of them, and a right that somebody exercises now and then.
    pub(super) async fn hour(&mut self) -> anyhow::Result<()> {
        self.now = self.now + Duration::from_hours(1);
        self.owed += self.an_hour;
        let mut batch = Vec::new();
        while self.owed >= 1.0 {
            self.owed -= 1.0;
            let room = self.dice.usize(..self.rooms.len());
            self.message(room, &mut batch);
        }
        if self.dice.u32(..240) == 0 {
            let right = [Right::OptOut, Right::OptIn, Right::Forget][self.dice.usize(..3)];
            let person = TelegramUserId(900_000_000 + self.dice.i64(..40));
            batch.push(Operation::SetRight(SetRight { person, right, by: "person".to_owned(), at: self.now }));
        }
        self.commit(batch).await
    }

    /// Returns what one message leaves in the store, in the order of its way.
    pub(super) fn one(&mut self, place: usize) -> Vec<Operation> {
        let mut batch = Vec::new();
        self.message(place, &mut batch);
        batch
    }

    pub(super) async fn commit(&self, batch: Vec<Operation>) -> anyhow::Result<()> {
        match self.store.commit(batch).await?.into_iter().find_map(Result::err) {
            Some(refused) => bail!("the store refused a step: {refused:?}"),
            None => Ok(()),
        }
    }

    fn id(&self) -> i64 {
        self.ids.next(self.now)
    }

    /// A person says something: each bot of the chat hears it, and one of them may answer.
    fn message(&mut self, place: usize, batch: &mut Vec<Operation>) {
        self.messages += 1;
        let answered = self.dice.u32(..self.fleet.answered) == 0;
        let unlucky = if self.fleet.unlucky == 0 { u32::MAX } else { self.dice.u32(..self.fleet.unlucky) };
        let speaker = self.dice.usize(..self.rooms[place].bots.len());
        let person = 500_000_000 + self.rooms[place].chat.0 * 1_000 + self.dice.i64(..PEOPLE);
        self.rooms[place].message += 1;
        let (message, chat) = (self.rooms[place].message, self.rooms[place].chat);
        let rows: Vec<InboxRow> =
            self.rooms[place].bots.clone().into_iter().map(|bot| self.heard(bot, place, person)).collect();
        let first = rows[0].id;
        let copies: Vec<Handled> =
            rows[1..].iter().map(|row| handled(row.id, OutcomeKind::Duplicate, None, None)).collect();
        for row in rows {
            let next_offset = self.updates.get(&row.bot).copied().unwrap_or(1);
            batch.push(Operation::Ingest(Ingest { bot: row.bot, epoch: self.epoch, next_offset, rows: vec![row] }));
        }
        let (base, number) = (self.rooms[place].number, Number(self.rooms[place].number + 1));
        let decision = self.decide(place, number, answered);
        let turn = answered.then(|| self.turn(place, speaker, &decision, number));
        let mut step = self.step(chat, base);
        step.entries.push(self.entry(place, (number, message), (author(person), None), first));
        step.handled.push(handled(first, OutcomeKind::Appended, Some(number), Some(decision.number)));
        step.handled.extend(copies);
        step.decisions.push(decision);
        step.turns.extend(turn.clone());
        batch.push(Operation::Advance(step));
        self.rooms[place].number += 1;
        if let Some(turn) = turn {
            self.answer(place, &turn, unlucky, batch);
        }
    }

    fn heard(&mut self, bot: BotId, place: usize, person: i64) -> InboxRow {
        let update = self.updates.entry(bot).or_insert(1);
        *update += 1;
        let (update, room) = (*update - 1, &self.rooms[place]);
        let payload = json!({
            "update_id": update,
            "message": {
                "message_id": room.message,
                "from": { "id": person, "is_bot": false, "first_name": "Ayşe", "username": "ayse_of_the_garden", "language_code": "tr" },
                "chat": { "id": room.telegram.0, "title": "The garden", "type": "supergroup" },
                "date": self.now.as_millis() / 1000,
                "text": TEXT,
            }
        });
        InboxRow {
            id: InboxId(self.id()),
            chat: Some(room.chat),
            bot,
            source: Source::Update(UpdateId(update)),
            payload: payload.to_string(),
            received_at: self.now,
            outcome: None,
            author: None,
        }
    }

    fn step(&self, chat: ChatId, base: i64) -> Advance {
        Advance {
            chat,
            epoch: self.epoch,
            base: Number(base),
            entries: Vec::new(),
            handled: Vec::new(),
            decisions: Vec::new(),
            turns: Vec::new(),
            superseded: Vec::new(),
            next_tick_at: None,
            absences: Vec::new(),
            calm_until: None,
            disclosed: true,
        }
    }

    fn decide(&mut self, place: usize, number: Number, speak: bool) -> Decision {
        self.rooms[place].decision += 1;
        let room = &self.rooms[place];
        Decision {
            chat: room.chat,
            number: DecisionNumber(room.decision),
            cause: Cause::Entry(number),
            seed: self.dice.u64(..),
            at: self.now,
            config_seq: ConfigSeq(1),
            policy: "natural".to_owned(),
            verdict: if speak { Verdict::Speak } else { Verdict::Silent },
            reason: "asked a question, and nobody else answered".to_owned(),
            standing: Standing { first: Number(1), last: number, ..Standing::default() },
            inputs: json!({ "mentions": [], "reply_to": null, "question": true, "quiet_for_s": 91.5, "people": 3 }),
            scores: json!(room.bots.iter().map(|bot| (bot.0, 0.25)).collect::<Vec<_>>()),
            root: Some(number),
            chain_depth: 0,
        }
    }

    fn turn(&self, place: usize, speaker: usize, decision: &Decision, target: Number) -> Turn {
        Turn {
            id: TurnId(self.id()),
            chat: decision.chat,
            decision: decision.number,
            bot: self.rooms[place].bots[speaker],
            ordinal: 0,
            act: Act::Answer,
            target: Some(target),
            answers_bot: None,
            chain_depth: 1,
            root: Some(target),
            priority: 0,
            due_at: self.now,
            expires_at: self.now + Duration::from_mins(10),
            created_at: self.now,
            progress: TurnProgress::queued(),
        }
    }

    fn entry(
        &self,
        place: usize,
        (number, message): (Number, i64),
        (author, fleet_bot): (Author, Option<BotId>),
        inbox: InboxId,
    ) -> TranscriptEntry {
        TranscriptEntry {
            chat: self.rooms[place].chat,
            number,
            kind: EntryKind::Message,
            revision: 0,
            telegram_chat: self.rooms[place].telegram,
            message_id: MessageId(message),
            thread: None,
            reply_to: None,
            author,
            fleet_bot,
            text: Some(TEXT.to_owned()),
            entities: Vec::new(),
            media: None,
            date: self.now,
            inbox,
            chain_depth: 0,
            root: number,
            by_operator: false,
            deleted_at: None,
        }
    }

    /// A bot answers, and its message comes back to the chat; a few are of unknown fate, and a few turns are dead.
    fn answer(&mut self, place: usize, turn: &Turn, unlucky: u32, batch: &mut Vec<Operation>) {
        let (bot, epoch, chat) = (turn.bot, self.epoch, turn.chat);
        let claim = |batch: &mut Vec<Operation>| {
            batch.push(Operation::Claim(Claim {
                bot,
                epoch,
                turn: turn.id,
                chat,
                yields: turn.yields(),
                now: turn.created_at,
            }));
        };
        let usage = Some(Usage {
            provider: "sim".to_owned(),
            model: "small".to_owned(),
            prompt_tokens: 900,
            completion_tokens: 40,
            cached_tokens: 0,
        });
        let end = |ending, usage| Operation::Finish(Finish { bot, epoch, turn: turn.id, ending, usage });
        claim(batch);
        if unlucky == 1 {
            let failed = || TurnEnding::Failed("the model refused".to_owned());
            batch.push(end(failed(), None));
            for _ in 0..2 {
                claim(batch);
                batch.push(end(failed(), None));
            }
            return;
        }
        let message = self.said(place, turn);
        batch.push(end(TurnEnding::Said { messages: vec![message.clone()], begin: None }, usage));
        let attempt = AttemptId(self.id());
        let start = Start { attempt, rules: SendRules::default(), now: self.now };
        batch.push(Operation::Begin(Begin { bot, epoch, outbox: message.id, start }));
        let settle = |result, event| {
            Operation::Settle(Settle { outbox: message.id, attempt, result, event, pauses: Vec::new(), unsent: None })
        };
        if unlucky == 0 {
            batch.push(settle(SendResult::Unknown("reset".to_owned()), None));
            return;
        }
        self.rooms[place].message += 1;
        let told = MessageId(self.rooms[place].message);
        let event = SentEvent::of(&message, told, self.now);
        let row = InboxRow::of_sent(InboxId(self.id()), &message, &event, self.now);
        let inbox = row.id;
        batch.push(settle(SendResult::Sent(told), Some(row)));
        let (base, number) = (self.rooms[place].number, Number(self.rooms[place].number + 1));
        let name = Author {
            id: TelegramUserId(1_000_000 + bot.0),
            name: "Bot".to_owned(),
            username: None,
            kind: AuthorKind::Bot,
        };
        let mut step = self.step(chat, base);
        step.entries.push(self.entry(place, (number, told.0), (name, Some(bot)), inbox));
        step.handled.push(handled(inbox, OutcomeKind::Appended, Some(number), None));
        batch.push(Operation::Advance(step));
        self.rooms[place].number += 1;
    }

    fn said(&self, place: usize, turn: &Turn) -> OutboxMessage {
        OutboxMessage {
            id: OutboxId(self.id()),
            turn: turn.id,
            part: 0,
            parts: 1,
            bot: turn.bot,
            chat: turn.chat,
            telegram_chat: self.rooms[place].telegram,
            thread: None,
            reply_to: None,
            text: TEXT.to_owned(),
            marks: Vec::new(),
            answers_bot: None,
            chain_depth: 1,
            root: turn.root,
            expires_at: turn.expires_at,
            created_at: turn.created_at,
            on_unknown: OnUnknown::Report,
            by_operator: false,
            progress: SendProgress::queued(turn.created_at),
        }
    }
}

/// A message of middle length.
const TEXT: &str =
    "Dün bahçede üç saat çalıştım, domatesler sonunda kızardı 🍅 and the basil is taller than I am. Who wants some?";

fn author(person: i64) -> Author {
    Author { id: TelegramUserId(person), name: "Ayşe".to_owned(), username: None, kind: AuthorKind::Person }
}

fn handled(inbox: InboxId, kind: OutcomeKind, number: Option<Number>, decision: Option<DecisionNumber>) -> Handled {
    Handled { inbox, outcome: Outcome::plain(kind), number, decision }
}
