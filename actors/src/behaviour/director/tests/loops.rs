//! Loop physics: two bots that always answer one another, rooms without people, and restarts.

use super::*;
use crate::domain::ids::Number;

/// Two bots whose strategy knows no rest.
fn tireless() -> Room {
    let mut room = Room::with(ChatPolicy::Natural, &["Deniz", "Nora"]);
    let strategy = &mut room.chat.spec.strategy;
    strategy.addressed_by_bot = 1.0;
    strategy.joins_bot = 1.0;
    strategy.chain_decay = 1.0;
    strategy.energy_decay = 1.0;
    strategy.cool_down = Duration::ZERO;
    for member in &mut room.cast {
        Arc::make_mut(&mut member.profile).spec.persona.talkativeness = 1.0;
    }
    let physics = &mut room.chat.spec.physics;
    (physics.cool_down, physics.unheard_max) = (Duration::from_mins(10), Some(24));
    (physics.stagnation_turns, physics.chat_per_minute) = (Some(4), Some(20));
    room
}

/// The chat's owner in the tests: its bots speak at once, and calm is remembered.
struct Owner {
    room: Room,
    now: Timestamp,
    number: i64,
    seed: u64,
}

impl Owner {
    fn new(room: Room) -> Self {
        Self { room, now: Timestamp::from_secs(100_000), number: 0, seed: 0 }
    }

    fn hears(&mut self, author: Option<BotId>, text: &str, depth: u32, root: Option<Number>) -> Arc<Note> {
        self.number += 1;
        let member = author.map(|bot| self.room.cast[bot.0 as usize - 1].clone());
        let mut entry = says(self.number, member.as_ref(), text, depth);
        entry.date = self.now;
        entry.root = root.unwrap_or(entry.number);
        let note = self.room.hears(entry);
        if self.room.window.len() > 200 {
            self.room.window.pop_front();
        }
        note
    }

    fn decides(&mut self, note: Option<&Note>) -> Direction {
        self.seed += 1;
        let scene = Scene { now: self.now, ..self.room.scene() };
        let occasion = note.map_or(Occasion::Tick, |entry| Occasion::Entry { entry, heard_by: None });
        let direction = direct(&scene, occasion, self.seed).unwrap();
        self.room.standing.calm_until = direction.calm_until.or(self.room.standing.calm_until);
        direction
    }

    /// Lets the bots talk until nobody answers any more; returns what the fleet said.
    fn talks(&mut self, mut direction: Direction, text: impl Fn(i64) -> String) -> usize {
        let mut said = 0;
        while let Some(speaker) = direction.speakers.first().cloned() {
            self.now = self.now + Duration::from_secs(20);
            said += 1;
            let text = text(self.number);
            let note = self.hears(Some(speaker.bot), &text, direction.chain_depth, direction.root);
            direction = self.decides(Some(&note));
            assert!(said < 500, "they never end");
        }
        said
    }

    /// Restarts the owner of the chat: from here on it knows only what another process could load.
    fn restarts(&mut self) {
        let entries: Vec<_> = self.room.window.iter().map(|note| (*note.entry).clone()).collect();
        self.room.window = entries.iter().map(|entry| Arc::new(noted(entry))).collect();
    }
}

/// Names that make each bot answer the other, and never the same words twice.
fn calls_on(number: i64) -> String {
    format!("Deniz, Nora: söz{number} ile taş{} ve su{}?", number * 7, number * 13)
}

proptest! {
    #[test]
    fn two_bots_that_always_answer_one_another_end_within_the_longest_chain(seed: u64, most in 1u32..12) {
        let mut owner = Owner::new(tireless());
        owner.seed = seed % 1_000_000;
        owner.room.chat.spec.physics.chain_depth_max = Some(most);
        let note = owner.hears(None, "Deniz, Nora: hadi konuşun", 0, None);
        let direction = owner.decides(Some(&note));
        let said = owner.talks(direction, calls_on);
        prop_assert!(said <= most as usize, "{said} of {most}");
    }

    #[test]
    fn hours_of_ticks_without_people_end_in_silence_also_across_restarts(seed in 0u64..1_000_000, restart_every in 1usize..20) {
        let mut owner = Owner::new(tireless());
        owner.seed = seed;
        let mut said = 0;
        for tick in 0..200 {
            owner.now = owner.now + Duration::from_mins(5);
            if tick % restart_every == 0 {
                owner.restarts();
            }
            let direction = owner.decides(None);
            said += owner.talks(direction, calls_on);
        }
        prop_assert!((1..=24 + 6).contains(&said), "{said} messages nobody heard");
    }

    #[test]
    fn a_restart_changes_nothing(seed in 0u64..1_000_000, depth in 1u32..6) {
        let mut owner = Owner::new(tireless());
        for number in 0..30 {
            let bot = (number % 3 > 0).then_some(BotId(number % 2 + 1));
            owner.now = owner.now + Duration::from_secs(15);
            owner.hears(bot, &calls_on(number), u32::from(bot.is_some()), None);
        }
        let note = owner.hears(Some(BotId(1)), "Nora, sence?", depth, None);
        owner.seed = seed;
        let before = owner.decides(Some(&note));
        owner.restarts();
        owner.seed = seed;
        prop_assert_eq!(owner.decides(Some(&note)), before);
    }
}

#[test]
fn a_limit_calms_the_chat_and_people_shorten_the_calm() {
    let mut owner = Owner::new(tireless());
    let physics = &mut owner.room.chat.spec.physics;
    (physics.chain_depth_max, physics.unheard_max) = (None, Some(6));
    owner.hears(None, "Deniz, Nora: hadi konuşun", 0, None);
    let said = (1..=6).map(|number| owner.hears(Some(BotId(number % 2 + 1)), &calls_on(number), number as u32, None));
    let last = said.last().unwrap();
    owner.decides(Some(&last));
    let left = |owner: &Owner| owner.room.standing.calm_until.unwrap().since(owner.now);
    assert_eq!(left(&owner), Duration::from_mins(10));
    let tick = owner.decides(None);
    assert!(tick.speakers.is_empty() && tick.reason.contains("calms down"), "{}", tick.reason);
    let remark = owner.hears(None, "ne güzel konuştunuz", 0, None);
    owner.decides(Some(&remark));
    assert_eq!(left(&owner), Duration::from_secs(400), "a third less");
    let call = owner.hears(None, "@nora_bot bir şey daha söyle", 0, None);
    let answered = owner.decides(Some(&call));
    assert_eq!(answered.speakers[0].bot, BotId(2), "people are answered all the same");
    assert_eq!(left(&owner), Duration::ZERO);
}

#[test]
fn a_chain_at_its_end_ends_alone_and_the_room_goes_on() {
    let mut owner = Owner::new(tireless());
    owner.hears(None, "Deniz, Nora: hadi konuşun", 0, None);
    let last = owner.hears(Some(BotId(1)), "Nora, sence?", 6, None);
    assert!(owner.decides(Some(&last)).reason.contains("chain of bot messages"));
    assert_eq!(owner.room.standing.calm_until, None, "nobody has to calm down");
}

#[test]
fn bots_that_say_the_same_are_stopped_before_the_chain_is_full() {
    let mut owner = Owner::new(tireless());
    owner.room.chat.spec.physics.chain_depth_max = None;
    let note = owner.hears(None, "Deniz, Nora: hadi konuşun", 0, None);
    let direction = owner.decides(Some(&note));
    let said = owner.talks(direction, |_| "Deniz, Nora: bence de çok haklısın, aynen öyle".to_owned());
    assert!((4..=5).contains(&said), "{said}");
    let last = owner.room.window.back().cloned().unwrap();
    owner.room.standing.calm_until = None;
    assert!(owner.decides(Some(&last)).reason.contains("the same"));
}

#[test]
fn a_pair_of_bots_rests_after_its_share_of_ten_minutes() {
    let mut owner = Owner::new(tireless());
    let physics = &mut owner.room.chat.spec.physics;
    (physics.chain_depth_max, physics.unheard_max) = (None, None);
    physics.pair_per_ten_minutes = Some(5);
    let note = owner.hears(None, "Deniz, Nora: hadi konuşun", 0, None);
    let direction = owner.decides(Some(&note));
    let said = owner.talks(direction, calls_on);
    assert!((2..=6).contains(&said), "{said}");
    assert_eq!(owner.room.standing.calm_until, None, "others may talk");
}

#[test]
fn what_was_kept_back_counts_to_a_persons_share() {
    let mut room = Room::with(ChatPolicy::Mention, &["Deniz", "Nora"]);
    room.chat.spec.physics.person_per_ten_minutes = Some(3);
    let mut owner = Owner::new(room);
    let mut ask = |author: i64, turns: u32| {
        owner.number += 1;
        let mut entry = says(owner.number, None, "@deniz_bot and?", 0);
        entry.author.id = crate::domain::ids::TelegramUserId(author);
        (entry.date, entry.root) = (owner.now, entry.number);
        owner.room.standing.turns_for_author = turns;
        let note = owner.room.hears(entry);
        owner.decides(Some(&note)).speakers.len()
    };
    assert_eq!(ask(501, 3), 1, "alone with the fleet, a person may ask on");
    assert_eq!(ask(502, 0), 1);
    assert_eq!((ask(501, 2), ask(501, 3)), (1, 0));
}

#[test]
fn nobody_alone_uses_up_a_chat_where_others_are() {
    let mut room = Room::with(ChatPolicy::Mention, &["Deniz", "Nora"]);
    room.chat.spec.physics.person_per_ten_minutes = Some(3);
    let mut owner = Owner::new(room);
    let ask = |owner: &mut Owner, author: i64| {
        owner.number += 1;
        let mut entry = says(owner.number, None, "@deniz_bot and?", 0);
        entry.author.id = crate::domain::ids::TelegramUserId(author);
        (entry.date, entry.root) = (owner.now, entry.number);
        let note = owner.room.hears(entry);
        let direction = owner.decides(Some(&note));
        if let Some(speaker) = direction.speakers.first() {
            owner.hears(Some(speaker.bot), "so it is", 1, Some(note.number));
        }
        direction
    };
    for _ in 0..5 {
        assert_eq!(ask(&mut owner, 501).speakers.len(), 1, "alone with the fleet, a person may ask on");
    }
    assert_eq!(ask(&mut owner, 502).speakers.len(), 1);
    let spent = ask(&mut owner, 501);
    assert_eq!((spent.speakers.len(), spent.inputs["gate"].as_str()), (0, Some("person_share")));
    assert_eq!(spent.calm_until, None, "the others are answered");
    assert_eq!(ask(&mut owner, 502).speakers.len(), 1);
    owner.now = owner.now + Duration::from_mins(11);
    assert_eq!(ask(&mut owner, 501).speakers.len(), 1, "ten minutes later");
}
