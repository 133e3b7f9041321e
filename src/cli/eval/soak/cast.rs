//! Makes the cast of a soak: bots, personas and chats by seed. Part of `cli`.

use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::behaviour::scene::CastMember;
use botfleet_actors::domain::hours::Hours;
use botfleet_actors::domain::ids::{BotId, ChatId, TelegramChatId, TelegramUserId};
use botfleet_actors::domain::roster::{
    BotProfile, BotSpec, ChatProfile, ChatSpec, Generation, Language, ModelRef, Pacing, Persona, Physics,
};
use botfleet_actors::domain::stance::{Relationship, Stance};
use botfleet_actors::domain::strategy::Strategy;
use botfleet_world::people::spec::{PeopleBot, PeopleChat, PeoplePerson};

use super::args::SoakArgs;

/// Hours in which no bot speaks: those in which people sleep.
pub(super) const QUIET: (u16, u16) = (23 * 60, 8 * 60);

/// Time zone of every chat.
pub(super) const TIME_ZONE: &str = "Europe/Istanbul";

const INTERESTS_TR: [&str; 8] = ["çay", "futbol", "yıldızlar", "kahve", "yemek", "dağ", "şiir", "müzik"];
const INTERESTS_EN: [&str; 8] = ["tea", "football", "stars", "coffee", "cooking", "mountains", "books", "music"];
const WAYS_TR: [&str; 4] = ["Meraklısın, soru sorarsın.", "Neşelisin.", "Az konuşursun.", "Her şeye itiraz edersin."];
const WAYS_EN: [&str; 4] = ["You are curious.", "You are cheerful.", "You use few words.", "You like to disagree."];

/// All chats, bots and people of a soak.
pub(super) struct Cast {
    pub(super) chats: Vec<(ChatProfile, Vec<CastMember>)>,
    pub(super) people: Vec<PeopleChat>,
}

/// Casts the chats; every bot is in two of them, or in one where both draws give the same chat.
pub(super) fn cast(args: &SoakArgs) -> Cast {
    let mut rng = fastrand::Rng::with_seed(args.seed ^ 0x0063_6173_7400);
    let names = names(args.bots, &mut rng);
    let places: Vec<Vec<usize>> = (0..args.chats)
        .map(|chat| {
            let first = (0..args.bots).filter(move |bot| bot % args.chats == chat);
            let second = (0..args.bots).filter(move |bot| {
                let other = (bot % args.chats + 1 + bot / args.chats) % args.chats;
                other == chat && other != bot % args.chats
            });
            first.chain(second).collect()
        })
        .collect();
    let bots: Vec<CastMember> = (0..args.bots)
        .map(|bot| {
            let home = bot % args.chats;
            member(bot, &names, language(home), &places[home], &mut rng)
        })
        .collect();
    let chats = places
        .iter()
        .enumerate()
        .map(|(chat, places)| {
            let members: Vec<CastMember> = places.iter().map(|bot| bots[*bot].clone()).collect();
            (profile(chat, args, &members), members)
        })
        .collect();
    let people = places.iter().enumerate().map(|(chat, places)| people(chat, places, &bots)).collect();
    Cast { chats, people }
}

fn language(chat: usize) -> Language {
    if chat.is_multiple_of(2) { Language::Tr } else { Language::En }
}

/// Makes names that can be pronounced, no two alike.
fn names(count: usize, rng: &mut fastrand::Rng) -> Vec<String> {
    const HEADS: [&str; 16] =
        ["Be", "De", "Ka", "Lo", "Mi", "No", "Pe", "Ra", "Se", "Ta", "Vo", "Yu", "Ze", "Fi", "Gö", "Hü"];
    const TAILS: [&str; 16] = [
        "lvin", "ndor", "mira", "rsun", "stel", "zgan", "klom", "vrit", "dnaz", "pten", "gmur", "bril", "ltaç", "rdiş",
        "nfer", "mkıl",
    ];
    let mut all: Vec<String> =
        HEADS.iter().flat_map(|head| TAILS.iter().map(move |tail| format!("{head}{tail}"))).collect();
    rng.shuffle(&mut all);
    all.into_iter().cycle().take(count).collect()
}

fn member(bot: usize, names: &[String], language: Language, place: &[usize], rng: &mut fastrand::Rng) -> CastMember {
    let id = bot as i64 + 1;
    let name = names[bot].clone();
    let (interests, ways, voice) = match language {
        Language::Tr => (&INTERESTS_TR, &WAYS_TR, format!("Sen {name}'sin. {}", WAYS_TR[bot % WAYS_TR.len()])),
        Language::En => (&INTERESTS_EN, &WAYS_EN, format!("You are {name}. {}", WAYS_EN[bot % WAYS_EN.len()])),
    };
    let stance = |topic: &str, position: &str, denial: &str| Stance {
        topic: topic.to_owned(),
        position: position.to_owned(),
        confidence: 0.8,
        denials: vec![denial.to_owned()],
        cool_down: Duration::from_hours(1),
        ..Stance::default()
    };
    let persona = Persona {
        name: name.to_lowercase(),
        language,
        voice,
        style: Some(ways[(bot / 4) % ways.len()].to_owned()),
        interests: (0..3).map(|_| interests[rng.usize(..interests.len())].to_owned()).collect(),
        talkativeness: 0.2 + 0.6 * rng.f64(),
        stances: match language {
            Language::Tr => vec![stance("çay", "Çay kahveden iyidir.", "çay kötü")],
            Language::En => vec![stance("tea", "Tea is better than coffee.", "tea is bad")],
        },
        active_hours: if bot.is_multiple_of(5) { Hours::new(9 * 60, 22 * 60) } else { None },
        reactions: vec!["👍".to_owned(), "😁".to_owned()],
        chars_per_second: Some(10.0 + 10.0 * rng.f64()),
        ..Persona::default()
    };
    let friend = &names[place[rng.usize(..place.len())]];
    let affinity = 2.0 * rng.f64() - 1.0;
    let relationships = if *friend == name { Vec::new() } else { vec![Relationship::with(friend, affinity)] };
    let username = format!("{}_bot", name.to_lowercase());
    let spec = BotSpec {
        name,
        telegram_id: TelegramUserId(7_000_000 + id),
        credential: "env:NONE".to_owned(),
        persona,
        generation: Generation {
            models: vec![ModelRef { provider: "simulated".to_owned(), model: "small-talk".to_owned() }],
            temperature: 0.7,
            max_tokens: 200,
            context_messages: 20,
            ..Generation::default()
        },
        relationships,
        ..BotSpec::default()
    };
    let profile = BotProfile { username: Some(username.clone()), ..BotProfile::new(BotId(id), spec) };
    CastMember { profile: Arc::new(profile), username: Some(username) }
}

fn profile(chat: usize, args: &SoakArgs, members: &[CastMember]) -> ChatProfile {
    let topics: &[&str] = match language(chat) {
        Language::Tr => &["hafta sonu planları", "iyi bir film", "pazar alışverişi", "yeni bir şarkı"],
        Language::En => &["weekend plans", "a good film", "the market", "a new song"],
    };
    ChatProfile {
        // The director's chance comes from the chat's id: with another seed, another id.
        id: ChatId((args.seed as i64).wrapping_mul(1_000) + chat as i64 + 1),
        spec: ChatSpec {
            name: format!("room-{}", chat + 1),
            telegram_id: TelegramChatId(telegram_id(chat)),
            bots: members.iter().map(|member| member.profile.spec.name.clone()).collect(),
            language: language(chat),
            time_zone: TIME_ZONE.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            physics: Physics { person_per_ten_minutes: None, ..Physics::default() },
            pacing: Pacing { quiet_tick: Some(Duration::from_mins(30)), ..Pacing::default() },
            strategy: Strategy::built_in(&args.strategy).unwrap_or_default(),
            quiet_hours: Hours::new(QUIET.0, QUIET.1),
            ..ChatSpec::default()
        },
        members: members.iter().map(|member| member.profile.id).collect(),
    }
}

fn telegram_id(chat: usize) -> i64 {
    -1_000_000_000_000 - chat as i64
}

fn people(chat: usize, places: &[usize], bots: &[CastMember]) -> PeopleChat {
    let (language_code, names) = match language(chat) {
        Language::Tr => ("tr", ["Ayşe", "Mehmet", "Selin", "Burak", "Ebru", "Tolga"]),
        Language::En => ("en", ["Tom", "Alice", "Henry", "Grace", "Oscar", "Ivy"]),
    };
    let people = names.iter().enumerate();
    PeopleChat {
        chat: telegram_id(chat),
        language_code: language_code.to_owned(),
        people: people
            .map(|(at, name)| PeoplePerson { id: (chat * 10 + at + 1) as i64, first_name: (*name).to_owned() })
            .collect(),
        bots: places
            .iter()
            .map(|bot| {
                let member = &bots[*bot];
                let username = member.username.clone().unwrap_or_default();
                PeopleBot { username, first_name: member.profile.spec.name.clone() }
            })
            .collect(),
    }
}
