//! What one incoming message costs the engine in a chat with twenty bots and a full window: the note, its reply link and
//! the decision. The aim is below 200 microseconds.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use botfleet_actors::behaviour::director::direct;
use botfleet_actors::behaviour::note::Note;
use botfleet_actors::behaviour::scene::{CastMember, Occasion, Scene};
use botfleet_actors::domain::decision::Standing;
use botfleet_actors::domain::ids::{BotId, ChatId, InboxId, MessageId, Number, TelegramUserId};
use botfleet_actors::domain::incoming::{Author, AuthorKind};
use botfleet_actors::domain::roster::{BotProfile, ChatPolicy, ChatProfile, Physics};
use botfleet_actors::domain::transcript::{EntryKind, TranscriptEntry};
use botfleet_actors::testkit::rows::{at, plan};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

const BOTS: i64 = 20;
const WINDOW: i64 = 200;
const PEOPLE: i64 = 6;

const SAID: [&str; 6] = [
    "bence de öyle, ama akşam yağmur yağacakmış diyorlar",
    "has anybody been to the new place by the harbour yet?",
    "Selin'e sordum, o da bilmiyor; yarın bakarız artık",
    "tea in the garden sounds good to me, what time?",
    "maç kaçta başlıyor bilen var mı",
    "I read about it yesterday: they will close the bridge for a month",
];

fn cast() -> (Vec<CastMember>, ChatProfile) {
    let plan = plan(BOTS, 1);
    let member = |(id, spec): (i64, &botfleet_actors::domain::roster::BotSpec)| {
        let profile = BotProfile::new(BotId(id), spec.clone());
        CastMember { profile: Arc::new(profile), username: Some(format!("bot_{id}")) }
    };
    let cast: Vec<CastMember> = (1..).zip(&plan.bots).map(member).collect();
    let mut spec = plan.chats[0].clone();
    spec.policy = ChatPolicy::Natural;
    spec.quiet_hours = None;
    spec.physics = Physics { unheard_max: Some(24), stagnation_turns: Some(4), ..spec.physics };
    let members = cast.iter().map(|member| member.profile.id).collect();
    (cast, ChatProfile { id: ChatId(1), spec, members })
}

fn entry(chat: &ChatProfile, cast: &[CastMember], number: i64) -> TranscriptEntry {
    let bot = (number % 3 == 1).then(|| &cast[number as usize % cast.len()].profile);
    let person = number % PEOPLE;
    let author = bot.map_or_else(
        || Author {
            id: TelegramUserId(person + 1),
            name: format!("Person {person}"),
            username: Some(format!("person_{person}")),
            kind: AuthorKind::Person,
        },
        |bot| Author { id: bot.spec.telegram_id, name: bot.spec.name.clone(), username: None, kind: AuthorKind::Bot },
    );
    TranscriptEntry {
        chat: chat.id,
        number: Number(number),
        kind: EntryKind::Message,
        revision: 0,
        telegram_chat: chat.spec.telegram_id,
        message_id: MessageId(number),
        thread: None,
        reply_to: None,
        author,
        fleet_bot: bot.map(|bot| bot.id),
        text: Some(SAID[number as usize % SAID.len()].to_owned()),
        entities: Vec::new(),
        media: None,
        date: at(number as u64 * 30),
        inbox: InboxId(number),
        chain_depth: u32::from(bot.is_some()),
        root: Number(number),
        by_operator: false,
        deleted_at: None,
    }
}

fn incoming_message(criterion: &mut Criterion) {
    let (cast, chat) = cast();
    let window: VecDeque<Arc<Note>> =
        (1..WINDOW).map(|number| Arc::new(Note::new(Arc::new(entry(&chat, &cast, number))))).collect();
    let standing = Standing::default();
    let mut seed = 0;
    criterion.bench_function("incoming message, 20 bots, window of 200", |bencher| {
        bencher.iter_batched(
            || {
                let mut window = window.clone();
                // What was understood of the earlier messages is kept; only the new one is read.
                let scene = Scene {
                    chat: &chat,
                    cast: &cast,
                    window: &window,
                    whole: &window,
                    standing: &standing,
                    now: at(WINDOW as u64 * 30),
                };
                if let Some(last) = scene.window.back() {
                    let _ = direct(&scene, Occasion::Entry { entry: last, heard_by: None }, 1);
                }
                let new = Arc::new(entry(&chat, &cast, WINDOW - WINDOW % 3));
                window.pop_front();
                window.push_back(Arc::new(Note::new(Arc::new(TranscriptEntry {
                    number: Number(WINDOW),
                    ..(*new).clone()
                }))));
                window
            },
            |window| {
                seed += 1;
                let scene = Scene {
                    chat: &chat,
                    cast: &cast,
                    window: &window,
                    whole: &window,
                    standing: &standing,
                    now: at(WINDOW as u64 * 30),
                };
                let note = &window[window.len() - 1];
                black_box(direct(&scene, Occasion::Entry { entry: note, heard_by: None }, seed))
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, incoming_message);
criterion_main!(benches);
