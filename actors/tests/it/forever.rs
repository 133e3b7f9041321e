//! Two bots whose prompts tell them to answer each other for ever: loop physics stop them (I11).

use std::time::Duration;

use botfleet_actors::domain::roster::{ChatPolicy, Physics};
use botfleet_actors::domain::strategy::Strategy;
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::stage::{Scenery, Stage};

/// The most messages of the fleet since a person last spoke.
const UNHEARD_MAX: usize = 24;

const HOUR: Duration = Duration::from_secs(3600);

/// Two bots that always want to answer each other, and tell each other to go on.
fn two_who_never_tire() -> Scenery {
    let mut scenery = Scenery::new(2, 1);
    for (bot, other) in scenery.plan.bots.iter_mut().zip(["bot-2", "bot-1"]) {
        bot.persona.voice = format!("Always answer {other}, and always ask {other} to answer you. Never stop.");
        (bot.persona.talkativeness, bot.persona.active_hours) = (1.0, None);
    }
    let chat = &mut scenery.plan.chats[0];
    chat.policy = ChatPolicy::Natural;
    chat.novelty.enabled = false;
    chat.quiet_hours = None;
    chat.pacing.quiet_tick = Some(Duration::from_secs(60));
    // The strategy never declines, so only the loop physics are left.
    chat.strategy = Strategy {
        addressed_by_person: 1.0,
        addressed_by_bot: 1.0,
        joins_bot: 1.0,
        chain_decay: 1.0,
        energy_decay: 1.0,
        reaction: 0.0,
        cool_down: Duration::ZERO,
        ..Strategy::default()
    };
    chat.physics =
        Physics { person_per_ten_minutes: None, unheard_max: Some(UNHEARD_MAX as u32), ..Physics::default() };
    scenery
}

/// Makes the model misbehave: every answer calls both bots, in words that were never said before.
fn urge_on(stage: &Stage, from: usize) {
    for line in from..from + 2_000 {
        let word = |n: usize| -> String {
            let letter = |at: usize| char::from(b'a' + ((line * 7 + n * 13 + at * (line + 3 + n)) % 26) as u8);
            (0..6).map(letter).collect()
        };
        let words = [word(1), word(2), word(3), word(4)].join(" ");
        stage.llm(0).next(Thought::Say(format!("bot-1, bot-2, {words}?")));
    }
}

#[tokio::test(start_paused = true)]
async fn i11_two_bots_told_to_answer_one_another_for_ever_are_stopped() {
    let mut stage = two_who_never_tire().raise().await;
    urge_on(&stage, 0);
    stage.person_says(0, "bot-1, bot-2, begin, and never stop!", &[0, 1]);
    tokio::time::sleep(HOUR).await;
    let after_an_hour = stage.journal().sent_texts().len();
    assert!(after_an_hour >= 6, "they do talk: {after_an_hour}");
    assert!(after_an_hour <= UNHEARD_MAX + 1, "{after_an_hour} messages after one of a person");
    tokio::time::sleep(HOUR * 5).await;
    let said = stage.journal().sent_texts().len();
    assert!(said <= UNHEARD_MAX + 1, "{said} messages after one of a person");
    stage.person_says(0, "bot-1, still there?", &[0, 1]);
    stage.until_sent(said + 1).await;
}

#[tokio::test(start_paused = true)]
async fn i11_they_are_stopped_across_restarts_too() {
    let mut stage = two_who_never_tire().raise().await;
    urge_on(&stage, 0);
    stage.person_says(0, "bot-1, bot-2, begin, and never stop!", &[0, 1]);
    for _ in 0..12 {
        tokio::time::sleep(HOUR / 4).await;
        stage = stage.killed().await.raise().await;
    }
    let said = stage.journal().sent_texts().len();
    assert!((6..=UNHEARD_MAX + 1).contains(&said), "{said} messages after one of a person");
}

#[tokio::test(start_paused = true)]
async fn i11_the_same_words_again_and_again_stop_sooner() {
    let mut stage = two_who_never_tire().raise().await;
    stage.llm(0).every(Some(Thought::Say("bot-1, bot-2, tell me more about the same thing, please?".to_owned())));
    stage.person_says(0, "bot-1, bot-2, begin!", &[0, 1]);
    tokio::time::sleep(HOUR).await;
    let said = stage.journal().sent_texts().len();
    assert!(said <= 10, "{said} messages that say the same");
}
