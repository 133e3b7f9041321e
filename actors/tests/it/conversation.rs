//! The conversation of a chat over its actors: bots that are about to speak, albums, topics.

use std::time::Duration;

use botfleet_actors::domain::ids::{MessageId, ThreadId};
use botfleet_actors::domain::incoming::{Event, Incoming, Media, Quoted};
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::ports::llm::CompletionRequest;
use botfleet_actors::testkit::stage::{Scenery, Stage};

/// Two talkative bots that answer every remark.
fn talkative() -> Scenery {
    let mut scenery = Scenery::new(2, 1);
    for bot in &mut scenery.plan.bots {
        (bot.persona.talkativeness, bot.persona.active_hours) = (1.0, None);
    }
    let chat = &mut scenery.plan.chats[0];
    chat.policy = ChatPolicy::Natural;
    chat.pacing.stale_after = Duration::from_secs(600);
    chat.strategy.remark = 1.0;
    chat.strategy.named_by_person = 1.0;
    chat.strategy.reaction = 0.0;
    chat.strategy.joins_bot = 0.0;
    chat.strategy.cool_down = Duration::ZERO;
    scenery
}

async fn reasons(stage: &Stage) -> Vec<String> {
    stage.outcomes().await.into_iter().filter_map(|outcome| outcome.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn unasked_talk_waits_while_somebody_is_about_to_speak() {
    let mut stage = talkative().raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "bot-1, hello there", &[0, 1]);
    stage.until("the called bot thinks", async |stage| stage.llm(0).asked() == 1).await;
    stage.person_says(0, "what a day it was", &[0, 1]);
    stage.until("the remark is kept", async |stage| stage.transcript(0).await.len() == 2).await;
    stage.let_time_pass_briefly().await;
    assert_eq!(stage.llm(0).asked(), 1, "nobody else begins: {:?}", reasons(&stage).await);
    stage.llm(0).hold(false);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    let before = stage.llm(0).asked();
    stage.person_says(0, "and what a night it will be", &[0, 1]);
    stage.until("somebody takes it up", async |stage| stage.llm(0).asked() > before).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_about_to_speak_and_never_does_is_not_waited_for_for_ever() {
    let mut stage = talkative().raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "bot-1, hello there", &[0, 1]);
    stage.until("the called bot thinks", async |stage| stage.llm(0).asked() == 1).await;
    tokio::time::sleep(Duration::from_secs(45)).await;
    stage.person_says(0, "what a day it was", &[0, 1]);
    stage.until("somebody takes it up", async |stage| stage.llm(0).asked() > 1).await;
}

/// Builds one picture of an album, in reply to the first bot.
fn picture(stage: &Stage, id: i64, caption: Option<&str>) -> Incoming {
    let mut spoken = stage.spoken(0, MessageId(id), "");
    let Event::Message(message) = &mut spoken.event else { unreachable!() };
    message.text = caption.map(str::to_owned);
    message.media = Some(Media { kind: "photo".to_owned(), reference: None, album: Some("album".to_owned()) });
    message.reply_to = Some(MessageId(5));
    let author = Some(stage.scenery.plan.bots[0].telegram_id);
    message.quoted = Some(Quoted { author, text: Some("show me".to_owned()), ..Quoted::default() });
    spoken
}

#[tokio::test(start_paused = true)]
async fn an_album_in_reply_to_a_bot_gets_one_answer() {
    for captions in [[Some("look"), None, None], [None, Some("look"), None], [None, None, None]] {
        let mut scenery = talkative();
        scenery.plan.chats[0].strategy.addressed_by_person = 1.0;
        scenery.plan.chats[0].strategy.joins_bot = 0.0;
        let mut stage = scenery.raise().await;
        for (id, caption) in (901..).zip(captions) {
            for bot in [0, 1] {
                stage.telegram(bot).receive(7_000 + id, picture(&stage, id, caption));
            }
            if id == 902 {
                // The rest comes later, to another process.
                stage.until("two pictures are kept", async |stage| stage.transcript(0).await.len() >= 2).await;
                stage.until_at_rest().await;
                stage = stage.killed().await.raise().await;
            }
        }
        stage.until_at_rest().await;
        let transcript = stage.transcript(0).await;
        let of_people: Vec<_> = transcript.iter().filter(|entry| entry.fleet_bot.is_none()).collect();
        assert_eq!(of_people.len(), 3, "all of it is kept");
        let answers: Vec<_> = transcript.iter().filter_map(|entry| entry.fleet_bot).collect();
        assert_eq!(answers, [stage.bots[0]], "{captions:?}");
        assert_eq!(stage.llm(0).asked(), 1);
    }
}

fn in_topic(stage: &Stage, id: i64, thread: Option<i64>, text: &str) -> Incoming {
    let mut spoken = stage.spoken(0, MessageId(id), text);
    let Event::Message(message) = &mut spoken.event else { unreachable!() };
    message.thread = thread.map(ThreadId);
    spoken
}

#[tokio::test(start_paused = true)]
async fn what_was_said_in_one_forum_topic_stands_in_no_prompt_of_another() {
    let mut scenery = talkative();
    scenery.plan.chats[0].strategy.addressed_by_person = 1.0;
    let stage = scenery.raise().await;
    let said = [(Some(7), "the pike is in the boat"), (Some(8), "the tea is on the table"), (None, "the sun is up")];
    for (id, (thread, text)) in (901..).zip(said) {
        stage.telegram(0).receive(7_000 + id, in_topic(&stage, id, thread, &format!("bot-1, {text}")));
        stage.until_at_rest().await;
    }
    stage.telegram(0).receive(7_950, in_topic(&stage, 950, Some(7), "bot-1, how big is it?"));
    stage.until_at_rest().await;
    let prompts: Vec<String> = stage.llm(0).calls().iter().map(|(_, request)| prompt(request)).collect();
    let holds = |text: &str| prompts.iter().map(|prompt| prompt.contains(text)).collect::<Vec<_>>();
    assert_eq!(holds("pike"), [true, false, false, true]);
    assert_eq!(holds("tea is"), [false, true, false, false]);
    assert_eq!(holds("sun is"), [false, false, true, false]);
    let transcript = stage.transcript(0).await;
    assert!(transcript.iter().zip(1..).all(|(entry, number)| entry.number.0 == number), "one transcript");
    let threads: Vec<_> =
        transcript.iter().filter(|entry| entry.fleet_bot.is_some()).map(|entry| entry.thread).collect();
    assert_eq!(threads, [Some(ThreadId(7)), Some(ThreadId(8)), None, Some(ThreadId(7))]);
}

fn prompt(request: &CompletionRequest) -> String {
    request.messages[1..].iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_thinks_in_one_topic_keeps_nobody_silent_in_another() {
    let stage = talkative().raise().await;
    stage.llm(0).hold(true);
    stage.telegram(0).receive(1, in_topic(&stage, 901, Some(7), "bot-1, hello there"));
    stage.until("the called bot thinks", async |stage| stage.llm(0).asked() == 1).await;
    stage.telegram(0).receive(2, in_topic(&stage, 902, Some(8), "what a day it was"));
    stage.until("somebody takes it up", async |stage| stage.llm(0).asked() > 1).await;
}
