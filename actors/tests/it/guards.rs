//! Guards check a model's text before it is sent: novelty, stances, interruptions, staleness.

use std::time::Duration;

use botfleet_actors::domain::ids::{MessageId, Number, TelegramUserId, TurnId};
use botfleet_actors::domain::incoming::{EntityKind, Event, Incoming};
use botfleet_actors::domain::outbox::OutboxState;
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::domain::stance::Stance;
use botfleet_actors::domain::strategy::Consistency;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::llm::{LlmError, Role};
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

use crate::decree::bid;

const TEA: &str = "Demli bir çay, akşam yemeğinden sonra her şeye iyi gelir bence.";
const TEA_AGAIN: &str = "Bence akşam yemeğinden sonra demli bir çay her şeye iyi gelir!";
const TRAINS: &str = "Yarınki tren yolculuğu için erkenden kalkıp yer ayırtmam lazım.";

/// A guarded chat in which bots speak only when a turn is stored for them.
fn guarded(bots: i64) -> Scenery {
    let mut scenery = Scenery::new(bots, 1);
    let chat = &mut scenery.plan.chats[0];
    chat.policy = ChatPolicy::Mention;
    (chat.novelty.enabled, chat.novelty.limit) = (true, 0.6);
    for bot in &mut scenery.plan.bots {
        (bot.persona.nicknames, bot.persona.stances) = (Vec::new(), Vec::new());
    }
    scenery
}

/// Lets a person ask something, and stores a turn of the bot that answers.
async fn asked(stage: &mut Stage, text: &str) -> TurnId {
    let before = stage.transcript(0).await.len();
    stage.person_says(0, text, &[0]);
    stage.until("it is heard", async |stage| stage.transcript(0).await.len() > before).await;
    let number = stage.transcript(0).await.last().unwrap().number;
    bid(stage, |turn| turn.target = Some(number)).await
}

async fn ended(stage: &Stage, turn: TurnId) -> (TurnState, String, Vec<OutboxState>) {
    stage
        .until("the turn ends", async |stage| {
            stage.store.rows.turn(turn).await.unwrap().is_some_and(|(turn, _)| turn.progress.state.is_final())
        })
        .await;
    stage.until_at_rest().await;
    let (turn, messages) = stage.store.rows.turn(turn).await.unwrap().unwrap();
    let states = messages.into_iter().map(|message| message.progress.state).collect();
    (turn.progress.state, turn.progress.error.unwrap_or_default(), states)
}

fn thinks(stage: &Stage, texts: &[&str]) {
    for text in texts {
        stage.llm(0).next(Thought::Say((*text).to_owned()));
    }
}

/// Returns the instructions of the model's last call.
fn heard_last(stage: &Stage) -> String {
    let (_, request) = stage.llm(0).calls().pop().unwrap();
    let instructions = request.messages.into_iter().filter(|message| message.role == Role::System);
    instructions.map(|message| message.content).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_asked_for_again_and_then_dropped() {
    let mut stage = guarded(1).raise().await;
    thinks(&stage, &[TEA, TEA_AGAIN, TRAINS, TEA_AGAIN, TEA]);
    let first = asked(&mut stage, "ne içelim?").await;
    assert_eq!(ended(&stage, first).await.0, TurnState::Done);
    let second = asked(&mut stage, "başka?").await;
    assert_eq!(ended(&stage, second).await.0, TurnState::Done);
    assert_eq!(stage.journal().sent_texts(), [TEA, TRAINS], "it was asked again, and had another thought");
    assert!(heard_last(&stage).contains(TEA_AGAIN), "the model hears what it repeats: {}", heard_last(&stage));
    let third = asked(&mut stage, "sonra?").await;
    let (how, reason, _) = ended(&stage, third).await;
    assert!(how == TurnState::Dropped && reason.starts_with("novelty"), "{how:?}: {reason}");
    assert_eq!((stage.journal().sent_texts().len(), stage.llm(0).asked()), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn what_a_bot_said_before_a_restart_is_not_said_again() {
    let mut stage = guarded(1).raise().await;
    thinks(&stage, &[TEA]);
    let turn = asked(&mut stage, "ne içelim?").await;
    ended(&stage, turn).await;
    stage.scenery.plan.chats[0].novelty.chat = 0;
    let mut stage = stage.killed().await.raise().await;
    thinks(&stage, &[TEA_AGAIN, TEA]);
    let turn = asked(&mut stage, "ne içelim bu akşam?").await;
    let (how, reason, _) = ended(&stage, turn).await;
    assert!(how == TurnState::Dropped && reason.contains("own"), "{how:?}: {reason}");
}

#[tokio::test(start_paused = true)]
async fn i15_turns_that_could_not_be_stored_are_of_nobodys_share() {
    let mut scenery = guarded(1);
    scenery.plan.chats[0].physics.person_per_ten_minutes = Some(3);
    let mut stage = scenery.raise().await;
    thinks(&stage, &[TEA, TRAINS]);
    let mut other = stage.spoken(0, MessageId(9_000), "good evening");
    let Event::Message(message) = &mut other.event else { panic!("{other:?}") };
    message.author.id = TelegramUserId(502);
    stage.telegram(0).receive(90_000, other);
    stage.until_at_rest().await;
    stage.node.committer.hurry();
    stage.store.fail("advance", 8);
    let bot = format!("@bot_{}_bot", stage.scenery.plan.bots[0].telegram_id);
    stage.person_says(0, &format!("{bot} tea or coffee?"), &[0]);
    stage.until_sent(1).await;
    assert_eq!(stage.journal().count(|h| *h == Happening::Failed("advance")), 8);
}

#[tokio::test(start_paused = true)]
async fn own_texts_that_could_not_be_read_are_read_before_the_next_turn() {
    let mut scenery = guarded(1);
    scenery.plan.chats[0].novelty.chat = 0;
    let mut stage = scenery.raise().await;
    thinks(&stage, &[TEA]);
    let turn = asked(&mut stage, "ne içelim?").await;
    ended(&stage, turn).await;
    stage.store.fail("said_lately", 1);
    let mut wish = stage.spoken(0, MessageId(9_000), "/forgetme");
    let Event::Message(message) = &mut wish.event else { panic!("{wish:?}") };
    message.author.id = TelegramUserId(502);
    stage.telegram(0).receive(90_000, wish);
    let failed = |h: &Happening| *h == Happening::Failed("said_lately");
    stage.until("the texts cannot be read", async |stage| stage.journal().count(failed) == 1).await;
    stage.until_at_rest().await;
    thinks(&stage, &[TEA_AGAIN, TEA]);
    let turn = asked(&mut stage, "ne içelim bu akşam?").await;
    let (how, reason, _) = ended(&stage, turn).await;
    assert!(how == TurnState::Dropped && reason.contains("own"), "{how:?}: {reason}");
}

#[tokio::test(start_paused = true)]
async fn a_short_answer_may_be_given_again() {
    let mut stage = guarded(1).raise().await;
    thinks(&stage, &["Teşekkürler!", "teşekkürler", TRAINS]);
    for text in ["çok güzel", "harika"] {
        let turn = asked(&mut stage, text).await;
        assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
    }
    assert_eq!(stage.journal().sent_texts().len(), 2);
}

/// A bot with the stance that tea is better than coffee.
fn opinionated(consistency: Consistency) -> Scenery {
    let mut scenery = guarded(1);
    scenery.plan.chats[0].consistency = consistency;
    scenery.plan.bots[0].persona.stances = vec![Stance {
        topic: "tea".to_owned(),
        keywords: vec!["coffee".to_owned()],
        position: "Tea is better than coffee.".to_owned(),
        confidence: 0.9,
        reasons: vec!["it calms".to_owned()],
        denials: vec!["coffee is better".to_owned()],
        cool_down: Duration::from_secs(60),
        ..Stance::default()
    }];
    scenery
}

#[tokio::test(start_paused = true)]
async fn a_contradiction_is_asked_for_again_and_then_dropped() {
    let mut stage = opinionated(Consistency::Lexical).raise().await;
    thinks(&stage, &["Honestly, coffee is so much better.", "Tea, always, and a biscuit along with it."]);
    let turn = asked(&mut stage, "tea or coffee?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
    assert!(heard_last(&stage).contains("contradicts what you hold: Tea is better than coffee."));
    thinks(&stage, &["Coffee is better, everybody knows it by now.", "Well, coffee is better. That is all I say."]);
    let turn = asked(&mut stage, "are you sure of it?").await;
    let (how, reason, _) = ended(&stage, turn).await;
    assert!(how == TurnState::Dropped && reason.starts_with("stance"), "{how:?}: {reason}");
    assert_eq!(stage.journal().sent_texts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_the_guard_a_contradiction_is_said() {
    let mut stage = opinionated(Consistency::Off).raise().await;
    thinks(&stage, &["Honestly, coffee is so much better."]);
    let turn = asked(&mut stage, "tea or coffee?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
}

#[tokio::test(start_paused = true)]
async fn a_model_finds_contradictions_that_words_do_not_show() {
    let mut stage = opinionated(Consistency::Model).raise().await;
    let judged = r#"{"contradicts": true, "which": 1}"#;
    let fine = r#"{"contradicts": false, "which": 0}"#;
    thinks(
        &stage,
        &["Nobody should be made to drink tea leaves.", judged, "A pot of tea, and the evening is saved.", fine],
    );
    let turn = asked(&mut stage, "tea?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
    assert_eq!(stage.journal().sent_texts(), ["A pot of tea, and the evening is saved."]);
    let calls = stage.llm(0).calls();
    let with_schema: Vec<bool> = calls.iter().map(|(_, request)| request.schema.is_some()).collect();
    assert_eq!(with_schema, [false, true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_lets_the_text_go() {
    let mut stage = opinionated(Consistency::Model).raise().await;
    thinks(&stage, &["A pot of tea, and the evening is saved.", "no JSON", "still no JSON"]);
    let turn = asked(&mut stage, "tea?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
}

/// A chat with pacing.
fn paced() -> Scenery {
    let mut scenery = guarded(2);
    scenery.plan.chats[0].pacing.enabled = true;
    scenery.plan.bots[0].persona.chars_per_second = Some(9.0);
    scenery
}

/// Lets another person (0: the same one) say something, perhaps in reply.
async fn another_says(stage: &Stage, person: i64, text: &str, reply_to: Option<MessageId>) {
    let before = stage.transcript(0).await.len();
    let spoken = |id| {
        let mut incoming: Incoming = stage.spoken(0, id, text);
        if let Event::Message(message) = &mut incoming.event {
            message.reply_to = reply_to;
            if person != 0 {
                message.author.id = TelegramUserId(90_000 + person);
            }
        }
        incoming
    };
    let id = 5_000 + i64::try_from(before).unwrap();
    stage.telegram(1).receive(id, spoken(MessageId(id)));
    stage.until("it is heard", async |stage| stage.transcript(0).await.len() > before).await;
}

async fn thinking(stage: &mut Stage, text: &str) -> (TurnId, MessageId) {
    stage.llm(0).hold(true);
    let turn = asked(stage, text).await;
    stage.until("the bot thinks", async |stage| stage.llm(0).asked() == 1).await;
    let asked = stage.transcript(0).await.last().unwrap().message_id;
    (turn, asked)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_person_gave_meanwhile_is_not_given_again() {
    let mut stage = paced().raise().await;
    let (turn, question) = thinking(&mut stage, "yarın hava nasıl olacak?").await;
    another_says(&stage, 1, "yağmurlu diyorlar", Some(question)).await;
    stage.llm(0).hold(false);
    let (how, reason, _) = ended(&stage, turn).await;
    assert!(how == TurnState::Dropped && reason == "interruption: a person answered", "{how:?}: {reason}");
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_was_asked_itself_thinks_again_with_what_came_meanwhile() {
    let mut stage = paced().raise().await;
    let (turn, question) = thinking(&mut stage, "bot-1, yarın hava nasıl olacak?").await;
    another_says(&stage, 1, "yağmurlu diyorlar", Some(question)).await;
    thinks(&stage, &["Güneşli olacak gibi görünüyor, tişört yeter.", "O zaman şemsiyeyi unutma derim ben de."]);
    stage.llm(0).hold(false);
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
    assert_eq!(stage.journal().sent_texts(), ["O zaman şemsiyeyi unutma derim ben de."]);
    let last = stage.llm(0).calls().last().unwrap().1.clone();
    assert!(last.messages.iter().any(|message| message.content.contains("yağmurlu diyorlar")), "{last:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_typed_answer_is_given_up_when_the_question_is_taken_back() {
    let mut stage = paced().raise().await;
    thinks(&stage, &[TRAINS]);
    let turn = asked(&mut stage, "anahtarı gören oldu mu?").await;
    stage
        .until("it is being typed", async |stage| {
            stage.store.rows.turn(turn).await.unwrap().is_some_and(|(_, messages)| messages.len() == 1)
        })
        .await;
    another_says(&stage, 0, "neyse buldum", None).await;
    let (how, _, messages) = ended(&stage, turn).await;
    assert_eq!((how, messages), (TurnState::Done, vec![OutboxState::Cancelled]));
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
    thinks(&stage, &[TRAINS]);
    let turn = asked(&mut stage, "yarın ne yapıyorsun?").await;
    ended(&stage, turn).await;
    assert_eq!(stage.journal().sent_texts(), [TRAINS], "nobody has seen it: it is no repeat");
}

#[tokio::test(start_paused = true)]
async fn a_typed_answer_goes_when_nothing_came_meanwhile() {
    let mut stage = paced().raise().await;
    thinks(&stage, &[TRAINS]);
    let before = tokio::time::Instant::now();
    let turn = asked(&mut stage, "ne var ne yok?").await;
    let (_, _, messages) = ended(&stage, turn).await;
    assert_eq!((messages, stage.journal().sent_texts().len()), (vec![OutboxState::Sent], 1));
    assert!(before.elapsed() > Duration::from_secs(4), "it takes its time to type: {:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stale_reply_is_dropped_however_slowly_it_was_typed() {
    let mut stage = paced().raise().await;
    thinks(&stage, &[TRAINS]);
    let wait = Duration::from_secs(40);
    stage.telegram(0).next_send(Step::Fail(TelegramError::RateLimited { retry_after: wait }));
    let turn = asked(&mut stage, "ne var ne yok?").await;
    let (_, _, messages) = ended(&stage, turn).await;
    assert_eq!(messages, [OutboxState::Cancelled], "its turn was stale after twenty seconds");
    assert_eq!(stage.journal().sent_texts().len(), 1, "the refused one");
}

#[tokio::test(start_paused = true)]
async fn typing_ends_before_the_reply_is_stale() {
    let mut stage = paced().raise().await;
    thinks(&stage, &[TRAINS]);
    stage.person_says(0, "çabuk!", &[0]);
    stage.until("it is heard", async |stage| stage.transcript(0).await.len() == 1).await;
    let now = stage.node.clock.now();
    let turn = bid(&stage, |turn| {
        turn.target = Some(Number(1));
        turn.expires_at = now + Duration::from_secs(4);
    })
    .await;
    let (_, _, messages) = ended(&stage, turn).await;
    assert_eq!(messages, [OutboxState::Sent], "it is typed in the time that is left");
}

#[tokio::test(start_paused = true)]
async fn a_claim_to_be_human_is_asked_for_again_with_the_reason_and_then_dropped() {
    let mut stage = guarded(1).raise().await;
    thinks(&stage, &["Saçmalama, ben insanım.", TEA, "I am not a bot.", "I'm human, honestly."]);
    let first = asked(&mut stage, "sen nesin?").await;
    assert_eq!(ended(&stage, first).await.0, TurnState::Done);
    assert!(heard_last(&stage).contains("you are human, or no bot"), "the model hears why: {}", heard_last(&stage));
    let second = asked(&mut stage, "emin misin?").await;
    let (how, reason, _) = ended(&stage, second).await;
    assert!(how == TurnState::Dropped && reason.starts_with("claim"), "{how:?}: {reason}");
    assert_eq!((stage.journal().sent_texts(), stage.llm(0).asked()), (vec![TEA.to_owned()], 4));
}

#[tokio::test(start_paused = true)]
async fn no_policy_lets_a_bot_claim_to_be_human() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Every;
    let mut stage = scenery.raise().await;
    thinks(&stage, &["No.", TEA]);
    stage.person_says(0, "are you a bot?", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    assert_eq!((stage.journal().sent_texts(), stage.llm(0).asked()), (vec![TEA.to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn who_speaks_as_an_assistant_is_asked_again_once_and_then_let_go() {
    const OPINION: &str = "As an AI language model I have no preference.";
    let mut stage = guarded(1).raise().await;
    thinks(&stage, &[OPINION, "As a chatbot, I like both."]);
    let turn = asked(&mut stage, "çay mı kahve mi?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
    assert_eq!((stage.journal().sent_texts().len(), stage.llm(0).asked()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_text_against_the_chats_conduct_is_asked_for_again_with_the_reason_and_then_dropped() {
    let mut stage = guarded(1).raise().await;
    thinks(&stage, &["Write to @crypto_boss_official today!", TEA, "Call +90 532 123 45 67", "Orospu çocuğu."]);
    let first = asked(&mut stage, "ne içelim?").await;
    assert_eq!(ended(&stage, first).await.0, TurnState::Done);
    let heard = heard_last(&stage);
    assert!(heard.contains("about to write a username of nobody here"), "the model hears why: {heard}");
    assert!(!heard.contains("crypto_boss"), "and does not hear it again: {heard}");
    let second = asked(&mut stage, "kimi arayalım?").await;
    let (how, reason, _) = ended(&stage, second).await;
    assert!(how == TurnState::Dropped && reason.starts_with("conduct: slur, line "), "{how:?}: {reason}");
    assert_eq!((stage.journal().sent_texts(), stage.llm(0).asked()), (vec![TEA.to_owned()], 4));
}

#[tokio::test(start_paused = true)]
async fn what_people_wrote_and_the_manifest_names_may_be_named() {
    let mut scenery = guarded(1);
    scenery.plan.chats[0].conduct.links = vec!["ours.example".to_owned(), "@our_channel".to_owned()];
    let username = format!("@bot_{}_bot", scenery.plan.bots[0].telegram_id);
    let mut stage = scenery.raise().await;
    let known = format!("cay.com is fine, so are shop.ours.example/tea, t.me/our_channel and {username}.");
    thinks(&stage, &[&known]);
    let turn = asked(&mut stage, "is cay.com any good?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
    assert_eq!(stage.journal().sent_texts(), [known]);
    thinks(&stage, &["Everybody should look at kahve.com!", "Have a look at kahve.com, then decide."]);
    let turn = asked(&mut stage, "repeat after me: kahve.com is the best").await;
    let (how, reason, _) = ended(&stage, turn).await;
    assert!(how == TurnState::Dropped && reason.starts_with("conduct: an address"), "{how:?}: {reason}");
}

#[tokio::test(start_paused = true)]
async fn without_the_guard_on_conduct_a_link_is_said() {
    let mut scenery = guarded(1);
    scenery.plan.chats[0].conduct.enabled = false;
    let mut stage = scenery.raise().await;
    thinks(&stage, &["Look at kahve.com for once."]);
    let turn = asked(&mut stage, "any idea?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
}

#[tokio::test(start_paused = true)]
async fn a_claim_to_be_human_is_heard_before_what_else_is_wrong_with_a_text() {
    let mut stage = guarded(1).raise().await;
    thinks(&stage, &["I'm human, @everyone!", "Listen, @everyone!", TEA]);
    let turn = asked(&mut stage, "sen nesin?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
    let heard = heard_last(&stage);
    assert!(heard.contains("you are human, or no bot") && heard.contains("a call to everybody"), "{heard}");
    assert_eq!((stage.journal().sent_texts(), stage.llm(0).asked()), (vec![TEA.to_owned()], 3));
}

/// A bot whose texts another model judges.
fn moderated() -> Scenery {
    let mut scenery = guarded(1).with_provider("judge");
    scenery.plan.chats[0].conduct.model = Some("judge/small".to_owned());
    scenery
}

#[tokio::test(start_paused = true)]
async fn a_model_judges_what_lists_do_not_show() {
    let mut stage = moderated().raise().await;
    thinks(&stage, &[TRAINS, TEA]);
    for harmful in [true, false] {
        stage.llm(1).next(Thought::Say(format!("{{\"harmful\": {harmful}}}")));
    }
    let turn = asked(&mut stage, "ne var ne yok?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
    assert_eq!(stage.journal().sent_texts(), [TEA]);
    assert_eq!((stage.llm(0).asked(), stage.llm(1).asked()), (2, 2));
    assert!(heard_last(&stage).contains("may hurt somebody"), "{}", heard_last(&stage));
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_fails_lets_the_text_go() {
    let mut stage = moderated().raise().await;
    thinks(&stage, &[TEA]);
    stage.llm(1).every(Some(Thought::Fail(LlmError::Unavailable("away".to_owned()))));
    let turn = asked(&mut stage, "ne var ne yok?").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
    assert_eq!(stage.journal().sent_texts(), [TEA]);
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_kept_back_is_bought_anew_once_and_no_more() {
    let mut stage = guarded(1).raise().await;
    let laughter = "ha ha ha ".repeat(60);
    stage.llm(0).every(Some(Thought::Say(laughter)));
    let turn = asked(&mut stage, "laugh two hundred times").await;
    let (how, reason, _) = ended(&stage, turn).await;
    assert!(how == TurnState::Dropped && reason == "kept back: loop", "{how:?}: {reason}");
    assert_eq!(stage.llm(0).asked(), 2, "and the turn is not taken up again");
}

#[tokio::test(start_paused = true)]
async fn a_long_chain_of_models_is_not_gone_through_for_one_provoked_text() {
    let mut scenery = guarded(1);
    for name in ["second", "third", "fourth"] {
        scenery = scenery.with_provider(name);
    }
    let mut stage = scenery.raise().await;
    for at in 0..4 {
        stage.llm(at).every(Some(Thought::Say("<think>so be it".to_owned())));
    }
    let turn = asked(&mut stage, "think aloud").await;
    assert_eq!(ended(&stage, turn).await.0, TurnState::Dropped);
    let asked: Vec<usize> = (0..4).map(|at| stage.llm(at).asked()).collect();
    assert_eq!(asked, [1, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn i15_what_is_kept_back_is_of_the_share_of_who_provoked_it() {
    let mut scenery = guarded(1);
    scenery.plan.chats[0].physics.person_per_ten_minutes = Some(3);
    let mut stage = scenery.raise().await;
    stage.llm(0).every(Some(Thought::Say("ha ha ha ".repeat(60))));
    let bot = format!("@bot_{}_bot", stage.scenery.plan.bots[0].telegram_id);
    let says = async |stage: &mut Stage, author: i64, text: &str| {
        let before = stage.transcript(0).await.len();
        let id = MessageId(9_000 + before as i64);
        let mut incoming = stage.spoken(0, id, text);
        let Event::Message(message) = &mut incoming.event else { panic!("{incoming:?}") };
        message.author.id = TelegramUserId(author);
        stage.telegram(0).receive(90_000 + before as i64, incoming);
        stage.until("it is heard", async |stage| stage.transcript(0).await.len() > before).await;
        stage.until_at_rest().await;
    };
    says(&mut stage, 502, "good evening").await;
    for _ in 0..5 {
        says(&mut stage, 501, &format!("{bot} laugh two hundred times")).await;
    }
    assert_eq!(stage.llm(0).asked(), 3 * 2, "three turns of two texts each");
    says(&mut stage, 501, "/forgetme").await;
    stage
        .until("the wish is fulfilled", async |stage| {
            let rights = stage.store.rows.rights(0).await.unwrap();
            rights
                .is_some_and(|rights| rights.pending.is_empty() && rights.forgotten.contains_key(&TelegramUserId(501)))
        })
        .await;
    stage.let_time_pass_briefly().await;
    says(&mut stage, 501, &format!("{bot} laugh two hundred times")).await;
    assert_eq!(stage.llm(0).asked(), 3 * 2, "whose words were removed has had their share all the same");
    stage.llm(0).every(Some(Thought::Say(TEA.to_owned())));
    says(&mut stage, 502, &format!("{bot} tea or coffee?")).await;
    assert_eq!(stage.journal().sent_texts().last().map(String::as_str), Some(TEA), "the others are answered");
}

#[tokio::test(start_paused = true)]
async fn words_are_bold_only_where_a_persona_may_mark_them() {
    for markup in [false, true] {
        let mut scenery = guarded(1);
        scenery.plan.bots[0].persona.markup = markup;
        let mut stage = scenery.raise().await;
        thinks(&stage, &["🫖 **demli** olsun, _lütfen_"]);
        let turn = asked(&mut stage, "çay nasıl olsun?").await;
        assert_eq!(ended(&stage, turn).await.0, TurnState::Done);
        assert_eq!(stage.journal().sent_texts(), ["🫖 demli olsun, lütfen"]);
        let (_, messages) = stage.store.rows.turn(turn).await.unwrap().unwrap();
        let marks: Vec<_> =
            messages[0].marks.iter().map(|mark| (mark.kind.clone(), mark.offset, mark.length)).collect();
        let kind = |kind: &str| EntityKind::Other(kind.to_owned());
        let wanted = if markup { vec![(kind("bold"), 3, 5), (kind("italic"), 16, 6)] } else { Vec::new() };
        assert_eq!(marks, wanted, "{markup}");
    }
}
