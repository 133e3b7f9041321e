//! Twelve bots and two people in virtual time: an hour of talk, delays and chains included.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::*;
use crate::domain::ids::Number;

const NAMES: [&str; 12] =
    ["Deniz", "Işıl", "Kerem", "Nora", "Mert", "Zeynep", "Tolga", "Bora", "Elif", "Ruby", "Sena", "Umut"];

/// Milliseconds from the start.
type Millis = i64;

/// A message that will be posted: when, in which order among equals, and which.
type Coming = Reverse<(Millis, usize)>;

#[derive(Default)]
struct Tally {
    people: usize,
    answered: usize,
    called: usize,
    called_answered: usize,
    fleet: usize,
    deepest: u32,
    spoke: BTreeMap<BotId, usize>,
}

struct Drafted {
    author: Option<usize>,
    text: String,
    depth: u32,
    root: Option<Number>,
    reply_to: Option<MessageId>,
    /// The bot that a person calls.
    calls: Option<usize>,
}

fn an_hour(seed: u64) -> Tally {
    let mut room = Room::with(ChatPolicy::Natural, &NAMES);
    room.chat.spec.pacing.enabled = true;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut drafts: Vec<Drafted> = Vec::new();
    let mut coming: BinaryHeap<Coming> = BinaryHeap::new();
    for slot in 0..180 {
        let bot = rng.usize(..NAMES.len());
        let (text, calls) = match slot % 3 {
            0 => (format!("{}, sence bugün çay mı kahve mi?", NAMES[bot]), Some(bot)),
            1 => ("bugün hava çok güzel".to_owned(), None),
            _ => ("akşam ne yapıyorsunuz?".to_owned(), None),
        };
        coming.push(Reverse((slot * 20_000, drafts.len())));
        drafts.push(Drafted { author: None, text, depth: 0, root: None, reply_to: None, calls });
    }
    let mut tally = Tally::default();
    let mut number = 0;
    while let Some(Reverse((at, draft))) = coming.pop() {
        number += 1;
        let draft = &drafts[draft];
        let member = draft.author.map(|bot| room.cast[bot].clone());
        let mut entry = says(number, member.as_ref(), &draft.text, draft.depth);
        entry.date = Timestamp::from_millis(at);
        entry.reply_to = draft.reply_to;
        entry.root = draft.root.unwrap_or(entry.number);
        let calls = draft.calls;
        let entry = room.hears(entry);
        if room.window.len() > 200 {
            room.window.pop_front();
        }
        let scene = Scene { now: Timestamp::from_millis(at), ..room.scene() };
        let direction = direct(&scene, Occasion::Entry { entry: &entry, heard_by: None }, rng.u64(..)).unwrap();
        if entry.fleet_bot.is_none() {
            tally.people += 1;
            tally.answered += usize::from(!direction.speakers.is_empty());
            tally.called += usize::from(calls.is_some());
            let by_called = |bot: usize| direction.speakers.iter().any(|speaker| speaker.bot.0 as usize == bot + 1);
            tally.called_answered += usize::from(calls.is_some_and(by_called));
        } else {
            tally.fleet += 1;
            tally.deepest = tally.deepest.max(entry.chain_depth);
        }
        for speaker in direction.speakers {
            assert_ne!(Some(speaker.bot), entry.fleet_bot, "a bot answers itself");
            assert!(speaker.delay < Duration::from_secs(15), "{:?}", speaker.delay);
            *tally.spoke.entry(speaker.bot).or_default() += 1;
            let author = Some(speaker.bot.0 as usize - 1);
            // Every third message of a bot calls another one by name.
            let text = match rng.usize(..3) {
                0 => format!("bence olur, {} ne der?", NAMES[rng.usize(..NAMES.len())]),
                _ => "bence de öyle".to_owned(),
            };
            let said = at + speaker.delay.as_millis() as i64 + rng.i64(1_000..6_000);
            coming.push(Reverse((said, drafts.len())));
            let reply_to = rng.bool().then_some(entry.message_id);
            drafts.push(Drafted {
                author,
                text,
                depth: direction.chain_depth,
                root: direction.root,
                reply_to,
                calls: None,
            });
        }
    }
    tally
}

#[test]
fn in_an_hour_people_are_answered_chains_end_and_each_bot_speaks() {
    for seed in 0..8 {
        let tally = an_hour(seed);
        assert_eq!(tally.people, 180);
        let answered = tally.answered as f64 / tally.people as f64;
        assert!((0.6..=1.0).contains(&answered), "seed {seed}: {answered} of people's messages answered");
        let called = tally.called_answered as f64 / tally.called as f64;
        assert!(called >= 0.85, "seed {seed}: {called} of calls answered by the bot that was called");
        assert!(tally.deepest <= 6, "seed {seed}: a chain of {}", tally.deepest);
        assert!(tally.fleet < tally.people * 4, "seed {seed}: {} messages drown the people", tally.fleet);
        assert_eq!(tally.spoke.len(), NAMES.len(), "seed {seed}: {:?}", tally.spoke);
    }
}

#[test]
fn chains_end_by_themselves_where_no_depth_is_set() {
    let mut room = Room::with(ChatPolicy::Natural, &NAMES);
    room.chat.spec.physics.chain_depth_max = None;
    let mut lengths = Vec::new();
    for seed in 0..200 {
        room.window.clear();
        let mut entry = room.hears(says(1, None, "Deniz, ne dersin?", 0));
        while let Some(speaker) = room.direct(&entry, seed + 1_000 * u64::from(entry.chain_depth)).speakers.first() {
            let member = room.cast[speaker.bot.0 as usize - 1].clone();
            let next = NAMES[(entry.number.0 as usize + seed as usize) % NAMES.len()];
            let text = format!("bence olur, {next} ne der?");
            entry = room.hears(says(entry.number.0 + 1, Some(&member), &text, entry.chain_depth + 1));
            assert!(entry.chain_depth < 40, "a chain goes on and on");
        }
        lengths.push(entry.chain_depth);
    }
    let mean = f64::from(lengths.iter().sum::<u32>()) / lengths.len() as f64;
    assert!((1.0..8.0).contains(&mean), "chains of {mean} messages");
}
