//! Measures parts of the engine alone: no store, no actors.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use botfleet::telegram::decode::TelegramDecoder;
use botfleet_actors::behaviour::director::direct;
use botfleet_actors::behaviour::generator::{Generator, Stage};
use botfleet_actors::behaviour::links::resolver::Resolver;
use botfleet_actors::behaviour::note::Note;
use botfleet_actors::behaviour::scene::{CastMember, Occasion, Scene};
use botfleet_actors::domain::decision::Standing;
use botfleet_actors::domain::ids::{BotId, ChatId, TelegramUserId};
use botfleet_actors::domain::incoming::AuthorKind;
use botfleet_actors::domain::roster::{BotProfile, ChatPolicy, ChatProfile};
use botfleet_actors::domain::turn::Act;
use botfleet_actors::ports::telegram::UpdateDecoder;
use botfleet_actors::testkit::rows::{at, entry, plan};

use super::words::sentence;

const BOTS: i64 = 20;
const WINDOW: i64 = 200;
const PEOPLE: i64 = 6;

/// Updates as Telegram writes them.
const UPDATES: [&str; 4] = [
    r#"{"update_id":1,"message":{"message_id":5,"from":{"id":42,"is_bot":false,"first_name":"Selin","username":"selin","language_code":"tr"},"chat":{"id":-1001,"title":"Bahçe","type":"supergroup"},"date":1790000000,"text":"@ada_bot bence de öyle, ama akşam yağmur yağacakmış diyorlar","entities":[{"offset":0,"length":8,"type":"mention"}]}}"#,
    r#"{"update_id":2,"message":{"message_id":6,"from":{"id":43,"is_bot":false,"first_name":"Tom"},"chat":{"id":-1001,"title":"Bahçe","type":"supergroup"},"date":1790000010,"reply_to_message":{"message_id":5,"from":{"id":42,"is_bot":false,"first_name":"Selin"},"chat":{"id":-1001,"title":"Bahçe","type":"supergroup"},"date":1790000000,"text":"@ada_bot bence de öyle"},"text":"has anybody been to the new place by the harbour yet?"}}"#,
    r#"{"update_id":3,"edited_message":{"message_id":6,"from":{"id":43,"is_bot":false,"first_name":"Tom"},"chat":{"id":-1001,"title":"Bahçe","type":"supergroup"},"date":1790000010,"edit_date":1790000020,"text":"has anybody been to the old place?"}}"#,
    r#"{"update_id":4,"message_reaction":{"chat":{"id":-1001,"title":"Bahçe","type":"supergroup"},"message_id":6,"user":{"id":42,"is_bot":false,"first_name":"Selin"},"date":1790000030,"old_reaction":[],"new_reaction":[{"type":"emoji","emoji":"👍"}]}}"#,
];

/// A chat with twenty bots and a full window.
struct Room {
    cast: Vec<CastMember>,
    chat: ChatProfile,
    window: VecDeque<Arc<Note>>,
}

impl Room {
    fn new() -> Self {
        let plan = plan(BOTS, 1);
        let member = |(id, spec): (i64, &botfleet_actors::domain::roster::BotSpec)| {
            let profile = BotProfile::new(BotId(id), spec.clone());
            CastMember { profile: Arc::new(profile), username: Some(format!("bot_{id}")) }
        };
        let cast: Vec<CastMember> = (1..).zip(&plan.bots).map(member).collect();
        let mut spec = plan.chats[0].clone();
        spec.policy = ChatPolicy::Natural;
        spec.quiet_hours = None;
        let members = cast.iter().map(|member| member.profile.id).collect();
        let chat = ChatProfile { id: ChatId(1), spec, members };
        let mut room = Self { cast, chat, window: VecDeque::new() };
        for number in 1..=WINDOW {
            room.say(number);
        }
        room
    }

    /// Puts the message of that number at the end of the window; each third message is a bot's.
    fn say(&mut self, number: i64) {
        let mut said = entry(self.chat.id, number, number);
        said.text = Some(sentence(number as u64, 10));
        said.entities.clear();
        said.reply_to = None;
        said.thread = None;
        said.media = None;
        said.date = at(number as u64 * 30);
        if number % 3 == 1 {
            let bot = &self.cast[number as usize % self.cast.len()].profile;
            said.author.id = bot.spec.telegram_id;
            said.author.name.clone_from(&bot.spec.name);
            said.author.kind = AuthorKind::Bot;
            said.fleet_bot = Some(bot.id);
            said.chain_depth = 1;
        } else {
            let person = number % PEOPLE;
            said.author.id = TelegramUserId(person + 1);
            said.author.name = format!("Person {person}");
            said.author.kind = AuthorKind::Person;
            said.fleet_bot = None;
            said.chain_depth = 0;
        }
        if self.window.len() as i64 == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(Arc::new(Note::new(Arc::new(said))));
    }
}

/// Measures a message in the director: the note, its link and the decision.
pub(super) fn director(units: u64) {
    let mut room = Room::new();
    let standing = Standing::default();
    for unit in 1..=units {
        room.say(WINDOW + unit as i64);
        let now = at((WINDOW as u64 + unit) * 30);
        let scene = Scene {
            chat: &room.chat,
            cast: &room.cast,
            window: &room.window,
            whole: &room.window,
            standing: &standing,
            now,
        };
        let entry = &room.window[room.window.len() - 1];
        black_box(direct(&scene, Occasion::Entry { entry, heard_by: None }, unit));
    }
}

/// Measures linking a message to one of those before it.
pub(super) fn link(units: u64) {
    let mut room = Room::new();
    for unit in 1..=units {
        room.say(WINDOW + unit as i64);
        let read: Vec<_> = room.window.iter().map(|note| note.utterance()).collect();
        let (now, earlier) = read.split_last().unwrap();
        black_box(Resolver::standard().resolve(earlier, now));
    }
}

/// Measures building the request to a model.
pub(super) fn prompt(units: u64) {
    let room = Room::new();
    let generator = Generator::new().unwrap();
    let window: Vec<Arc<Note>> = room.window.iter().cloned().collect();
    let names: Vec<String> = room.cast.iter().map(|member| member.profile.spec.name.clone()).collect();
    for unit in 0..units {
        let member = &room.cast[unit as usize % 3];
        let target = &window[window.len() - 1 - unit as usize % 20];
        let stage = Stage {
            bot: &member.profile,
            username: member.username.as_deref(),
            chat: &room.chat,
            cast_names: &names,
            window: &window,
            target: Some(&target.entry),
            target_bot: None,
            act: &Act::Answer,
            objections: &[],
            now: at(WINDOW as u64 * 30),
        };
        black_box(generator.request(&stage, "small").unwrap());
    }
}

/// Measures reading updates.
pub(super) fn decode(units: u64) {
    for unit in 0..units {
        black_box(TelegramDecoder.decode(black_box(UPDATES[unit as usize % UPDATES.len()])));
    }
}
