//! Notices that the fleet posts about itself, and chats that nobody invited it to.

use std::time::Duration;

use botfleet_actors::actors::node::arrivals::receive;
use botfleet_actors::domain::commit::operations::{Operation, SetStop};
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::ids::{MessageId, TelegramChatId, UpdateId};
use botfleet_actors::domain::incoming::{ChatKind, Entity, EntityKind, Event, Incoming};
use botfleet_actors::domain::ownership::NodeRole;
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::{ChatDescription, ReceivedUpdate, Shut, TelegramError};
use botfleet_actors::testkit::cluster_stage::ClusterStage;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::rows::chat_spec;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

const TOLD: &str = "We are machines.";

/// A chat that answers nobody and posts its disclosure.
fn honest(bots: i64) -> Scenery {
    let mut scenery = Scenery::new(bots, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Mention;
    scenery.plan.chats[0].disclosure = Some(TOLD.to_owned());
    scenery
}

/// Returns the bots that tried to send the disclosure, by their places.
fn tellers(stage: &Stage) -> Vec<usize> {
    let place = |id| stage.scenery.plan.bots.iter().position(|bot| bot.telegram_id == id);
    let told = |happening: Happening| match happening {
        Happening::Sent { bot, text, .. } if text == TOLD => place(bot),
        _ => None,
    };
    stage.journal().all().into_iter().filter_map(told).collect()
}

async fn told(stage: &Stage) -> usize {
    stage.transcript(0).await.iter().filter(|entry| entry.text.as_deref() == Some(TOLD)).count()
}

async fn stop_bot(stage: &Stage, bot: usize) {
    let order = StopOrder::Set { until: None, rank: Rank::Operator };
    let stop = SetStop {
        scope: StopScope::Bot(stage.bots[bot]),
        order,
        by: "operator".to_owned(),
        at: stage.node.clock.now(),
    };
    stage.node.committer.commit(Operation::SetStop(stop)).await.unwrap();
    stage.until("the stop is known", async |stage| !stage.node.people.stops().0.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_disclosure_that_telegram_refused_is_made_again_by_another_bot() {
    let mut stage = honest(2).raise().await;
    let refused = TelegramError::Rejected { code: 400, description: "not enough rights".to_owned() };
    stage.telegram(0).next_send(Step::Fail(refused));
    stage.person_says(0, "good morning", &[0]);
    stage.until("the first bot tried", async |stage| tellers(stage) == [0]).await;
    stage.person_says(0, "is anybody there?", &[0]);
    stage.let_time_pass().await;
    assert_eq!(tellers(&stage), [0], "it is not tried with every message");
    for _ in 0..5 {
        stage.let_time_pass().await;
    }
    stage.person_says(0, "hello?", &[0]);
    stage.until("the chat is told", async |stage| told(stage).await == 1).await;
    assert_eq!(tellers(&stage), [0, 1]);
    for _ in 0..6 {
        stage.person_says(0, "well", &[0]);
        stage.let_time_pass().await;
    }
    assert_eq!(told(&stage).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_disclosure_that_waits_is_not_made_twice_after_a_restart() {
    let mut stage = honest(2).raise().await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::RateLimited { retry_after: Duration::from_secs(120) }));
    stage.person_says(0, "good morning", &[0]);
    stage.until("it was limited", async |stage| tellers(stage) == [0]).await;
    stage.let_time_pass_briefly().await;
    let mut stage = stage.killed().await.raise().await;
    stage.person_says(0, "anybody?", &[1]);
    for _ in 0..4 {
        stage.let_time_pass().await;
    }
    assert_eq!((tellers(&stage), told(&stage).await), (vec![0, 0], 1));
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_is_stopped_discloses_nothing_and_is_not_chosen() {
    let mut stage = honest(2).raise().await;
    stop_bot(&stage, 0).await;
    stage.person_says(0, "good morning", &[0]);
    stage.until("the chat is told", async |stage| told(stage).await == 1).await;
    assert_eq!(tellers(&stage), [1]);

    let mut scenery = Scenery::new(2, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Natural;
    let mut stage = scenery.raise().await;
    stop_bot(&stage, 0).await;
    let name = stage.scenery.plan.bots[0].name.clone();
    stage.person_says(0, &format!("{name}, are you there?"), &[0, 1]);
    stage.until("it is heard", async |stage| !stage.transcript(0).await.is_empty()).await;
    stage.let_time_pass().await;
    let outcomes = stage.outcomes().await;
    let turns = outcomes.iter().flat_map(|record| &record.turns);
    let dropped = turns.filter(|turn| turn.state == TurnState::Dropped).count();
    assert_eq!(dropped, 0, "no turn is made to be dropped");
}

#[tokio::test(start_paused = true)]
async fn a_command_is_answered_once_in_a_while_however_often_it_is_given() {
    let mut scenery = honest(1);
    scenery.plan.chats[0].disclosure = Some(String::new());
    let stage = scenery.raise().await;
    let give = |id: i64, text: &str| {
        let mut incoming = stage.spoken(0, MessageId(id), text);
        let Event::Message(message) = &mut incoming.event else { unreachable!() };
        message.entities = vec![Entity { kind: EntityKind::BotCommand, offset: 0, length: text.len() }];
        stage.telegram(0).receive(7000 + id, incoming);
    };
    let answers = || stage.journal().sent_texts().len();
    for id in 900..905 {
        give(id, "/ai");
    }
    give(905, "/privacy");
    stage.let_time_pass_briefly().await;
    stage.until_at_rest().await;
    assert_eq!(answers(), 2, "each command once");
    stage.let_time_pass().await;
    stage.let_time_pass().await;
    give(910, "/ai");
    stage.until("it is answered again", async |_| answers() == 3).await;
    give(911, "/optout");
    give(912, "/optin");
    give(913, "/optout");
    stage.let_time_pass_briefly().await;
    assert!(!stage.node.people.rights().opted_out.is_empty(), "rights are never spared");
}

#[tokio::test(start_paused = true)]
async fn what_the_fleet_says_of_itself_and_commands_stand_in_no_prompt_over_restarts() {
    let mut scenery = Scenery::new(2, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Natural;
    scenery.plan.chats[0].disclosure = Some(TOLD.to_owned());
    let mut stage = scenery.raise().await;
    let mut command = stage.spoken(0, MessageId(900), "/privacy");
    let Event::Message(message) = &mut command.event else { unreachable!() };
    message.entities = vec![Entity { kind: EntityKind::BotCommand, offset: 0, length: 8 }];
    stage.telegram(0).receive(7900, command);
    let notices = async |stage: &Stage| stage.transcript(0).await.iter().filter(|entry| entry.is_notice()).count();
    stage.until("both are told", async |stage| notices(stage).await == 2).await;
    stage.until_at_rest().await;
    assert_eq!(stage.llm(0).asked(), 0, "nobody answers a notice");
    let ask = async |stage: &mut Stage, text: &str| {
        let (asked, name) = (stage.llm(0).asked(), stage.scenery.plan.bots[1].name.clone());
        stage.person_says(0, &format!("{name}, {text}"), &[0, 1]);
        stage.until("the bot is asked", async |stage| stage.llm(0).asked() > asked).await;
        stage.until_at_rest().await;
        stage.llm(0).calls()
    };
    ask(&mut stage, "selam, nasılsın?").await;
    let mut stage = stage.killed().await.raise().await;
    let calls = ask(&mut stage, "peki ya sen?").await;
    assert!(notices(&stage).await == 2 && !calls.is_empty());
    for (_, request) in calls {
        let said: Vec<&str> = request.messages[1..].iter().map(|message| message.content.as_str()).collect();
        assert!(said.iter().any(|text| text.contains("selam, nasılsın?")), "{said:?}");
        assert!(!said.iter().any(|text| text.contains(TOLD) || text.contains('/')), "{said:?}");
    }
}

fn stranger(stage: &Scenery, chat: TelegramChatId) -> ReceivedUpdate {
    let mut incoming = stage.spoken(0, MessageId(900), "who are you?");
    incoming.chat = Some(chat);
    let raw = serde_json::to_string(&incoming).unwrap();
    ReceivedUpdate { update_id: UpdateId(900), raw, incoming }
}

fn left(happening: &Happening) -> bool {
    matches!(happening, Happening::Left { .. })
}

#[tokio::test(start_paused = true)]
async fn i10_a_chat_that_came_into_the_manifest_just_now_is_not_left() {
    let stage = Scenery::new(1, 1).raise().await;
    let (new, unknown) = (TelegramChatId(-1_000_000_000_771), TelegramChatId(-1_000_000_000_772));
    let mut plan = stage.scenery.plan.clone();
    let mut chat = chat_spec(9, &plan.bots);
    chat.telegram_id = new;
    plan.chats.push(chat);
    for (id, chat) in [(7001, new), (7002, unknown)] {
        stage.telegram(0).receive(id, stranger(&stage.scenery, chat).incoming);
    }
    stage.let_time_pass_briefly().await;
    stage.store.rows.apply_roster(&plan, stage.node.clock.now()).await.unwrap();
    stage.let_time_pass().await;
    let all = stage.journal().all();
    let chats: Vec<_> =
        all.iter().filter_map(|h| if let Happening::Left { chat, .. } = h { Some(*chat) } else { None }).collect();
    assert_eq!(chats, [unknown]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_chat_is_left_though_its_webhook_reached_a_node_without_the_bot() {
    let mut stage = ClusterStage::raise(Scenery::new(2, 1), 1).await;
    stage.join_as("door", NodeRole::Api).await;
    let door = std::sync::Arc::clone(&stage.node("door").node);
    stage.until("it may act", async |_| door.may_act()).await;
    let update = stranger(&stage.scenery, TelegramChatId(-1_000_000_000_772));
    receive(&door, stage.bots[0], update).await.unwrap();
    stage.until("the chat is left", async |stage| stage.scenery.journal.count(left) == 1).await;
    stage.until_at_rest().await;
}

/// Raises a fleet of one bot that hears of a strange chat, after `story` has set Telegram's descriptions of chats.
async fn in_a_strange_chat(unknown: TelegramChatId, story: impl FnOnce(&Stage)) -> Stage {
    let stage = Scenery::new(1, 1).raise().await;
    story(&stage);
    stage.telegram(0).receive(7002, stranger(&stage.scenery, unknown).incoming);
    stage.let_time_pass().await;
    stage
}

fn gone() -> TelegramError {
    TelegramError::CannotWrite { place: Shut::Gone, description: "Bad Request: chat not found".to_owned() }
}

const UNKNOWN: TelegramChatId = TelegramChatId(-1_000_000_000_772);

#[tokio::test(start_paused = true)]
async fn a_group_that_became_a_supergroup_while_nobody_listened_is_not_left() {
    let mut stage = in_a_strange_chat(UNKNOWN, |stage| {
        stage.telegram(0).describe(stage.telegram_chat(0), Err(TelegramError::Migrated(UNKNOWN)));
    })
    .await;
    assert_eq!(stage.journal().count(left), 0, "{:#?}", stage.journal().all());
    stage.scenery.plan.chats[0].telegram_id = UNKNOWN;
    stage.person_says(0, "and now?", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    assert_eq!(stage.store.rows.roster().await.unwrap().aliases.get(&UNKNOWN), Some(&stage.chats[0]), "it is stored");
}

#[tokio::test(start_paused = true)]
async fn a_supergroup_that_tells_what_it_was_is_the_same_chat() {
    let mut stage = Scenery::new(1, 1).raise().await;
    let event = Event::MigratedFrom { from: stage.telegram_chat(0) };
    stage.telegram(0).receive(7001, Incoming { chat: Some(UNKNOWN), chat_kind: ChatKind::Supergroup, event });
    stage.scenery.plan.chats[0].telegram_id = UNKNOWN;
    stage.person_says(0, "are you still here?", &[0]);
    stage.until_sent(1).await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().count(left), 0);
    assert_eq!(stage.store.rows.roster().await.unwrap().aliases.get(&UNKNOWN), Some(&stage.chats[0]), "it is stored");
}

#[tokio::test(start_paused = true)]
async fn what_a_mistake_in_the_manifest_explains_is_not_left_but_reported() {
    let titled = |title: &str| Ok(ChatDescription { kind: ChatKind::Supergroup, title: title.to_owned() });
    let no_such_chat = in_a_strange_chat(UNKNOWN, |stage| {
        stage.telegram(0).describe(stage.telegram_chat(0), Err(gone()));
    });
    let same_title = in_a_strange_chat(UNKNOWN, |stage| {
        stage.telegram(0).describe(stage.telegram_chat(0), titled("The harbour"));
        stage.telegram(0).describe(UNKNOWN, titled("the harbour "));
    });
    for stage in [no_such_chat.await, same_title.await] {
        assert_eq!(stage.journal().count(left), 0);
        let reported = stage.fleet().await.strange_chats;
        assert_eq!(reported.len(), 1);
        assert_eq!(reported[0].telegram_id, UNKNOWN.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_strange_chat_is_not_left_while_telegram_does_not_say_enough() {
    let unreachable = || Err(TelegramError::Unreachable("no route".to_owned()));
    let stage = in_a_strange_chat(UNKNOWN, |stage| {
        stage.telegram(0).describe(stage.telegram_chat(0), unreachable());
    })
    .await;
    assert_eq!(stage.journal().count(left), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_was_kicked_from_a_named_chat_leaves_strange_ones_all_the_same() {
    let kicked = TelegramError::CannotWrite { place: Shut::Outside, description: "bot was kicked".to_owned() };
    let stage = in_a_strange_chat(UNKNOWN, |stage| {
        stage.telegram(0).describe(stage.telegram_chat(0), Err(kicked));
    })
    .await;
    assert_eq!(stage.journal().count(left), 1);
}
