//! Claims about the roster. Part of the testkit.

use super::{Home, Scene};
use crate::domain::commit::operations::{Migrate, Operation};
use crate::domain::commit::outcome::Applied;
use crate::domain::ids::{ChatId, TelegramChatId, TelegramUserId};
use crate::domain::roster::{Roster, RosterPlan};
use crate::ports::store::StoreError;
use crate::testkit::rows::{at, bot_spec, chat_spec, ingest, plan, update};

claims! {
    $ __claims_of_roster of roster:
    a_roster_applied_twice_is_the_same
    a_bot_renamed_is_the_same_bot
    two_bots_may_exchange_names
    a_name_with_another_bots_token_is_refused
    a_refused_roster_changes_nothing
    a_new_credential_raises_the_token_generation
    a_changed_persona_gets_a_revision
    a_bot_left_out_comes_back_as_itself
    a_chat_is_known_by_its_telegram_id
    newcomers_during_a_tenure_can_act_at_once
    a_plan_that_names_something_twice_is_refused
    a_chat_with_odd_words_migrates
}

async fn refused(scene: &Scene, plan: &RosterPlan, word: &str) {
    match scene.store.apply_roster(plan, at(1)).await {
        Err(StoreError::RosterRefused(why)) => assert!(why.contains(word), "{why}"),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn applied(scene: &Scene, plan: &RosterPlan) -> Roster {
    scene.store.apply_roster(plan, at(1)).await.expect("the plan is sound")
}

/// The number of the configuration rises only with a change.
pub async fn a_roster_applied_twice_is_the_same(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let first = &scene.roster;
    assert_eq!(first.bots.values().map(|bot| bot.spec.clone()).collect::<Vec<_>>(), plan(2, 2).bots);
    assert_eq!(first.chats.values().map(|chat| chat.spec.clone()).collect::<Vec<_>>(), plan(2, 2).chats);
    assert!(first.chats.values().all(|chat| chat.members == scene.bots));
    assert_eq!(first.aliases.get(&TelegramChatId(-2001)), Some(&scene.chats[0]));
    assert!(first.bots.values().all(|bot| (bot.persona_revision, bot.token_generation) == (1, 1)));
    assert_eq!(&applied(&scene, &plan(2, 2)).await, first);
    let mut changed = plan(2, 2);
    changed.chats[0].topics.push("trains".to_owned());
    let after = applied(&scene, &changed).await;
    assert_eq!(after.config_seq.0, first.config_seq.0 + 1);
    assert_eq!(after.chats[&scene.chats[0]].spec, changed.chats[0]);
}

/// A bot is identified by its Telegram id.
pub async fn a_bot_renamed_is_the_same_bot(home: &dyn Home) {
    let scene = Scene::open(home).await;
    scene.commit_all(vec![ingest(scene.bots[0], scene.epoch, vec![update(1, scene.bots[0], scene.chats[0], 1)])]).await;
    let mut renamed = plan(2, 2);
    renamed.bots[0].name = "another".into();
    for chat in &mut renamed.chats {
        chat.bots[0] = "another".into();
    }
    let roster = applied(&scene, &renamed).await;
    let bot = &roster.bots[&scene.bots[0]];
    assert_eq!((bot.spec.name.as_str(), bot.next_offset, bot.token_generation), ("another", Some(2), 1));
    assert_eq!(roster.bots.len(), 2);
}

/// Names must be unique at the end, not at every moment in between.
pub async fn two_bots_may_exchange_names(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let mut exchanged = plan(2, 2);
    for (bot, name) in exchanged.bots.iter_mut().zip(["bot-2", "bot-1"]) {
        name.clone_into(&mut bot.name);
    }
    for (chat, name) in exchanged.chats.iter_mut().zip(["chat-2", "chat-1"]) {
        name.clone_into(&mut chat.name);
    }
    let roster = applied(&scene, &exchanged).await;
    assert_eq!(roster.bots[&scene.bots[0]].spec.name, "bot-2");
    assert_eq!(roster.chats[&scene.chats[0]].spec.name, "chat-2");
    assert_eq!(roster.chats[&scene.chats[0]].members, [scene.bots[1], scene.bots[0]]);
}

/// A token in the wrong place would let one bot speak as another.
pub async fn a_name_with_another_bots_token_is_refused(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let mut mixed = plan(2, 2);
    mixed.bots[0].telegram_id = TelegramUserId(5555);
    refused(&scene, &mixed, "bot-1").await;
    let mut mixed = plan(2, 2);
    mixed.chats[1].telegram_id = TelegramChatId(-5555);
    refused(&scene, &mixed, "chat-2").await;
}

/// A plan is applied as a whole or not at all.
pub async fn a_refused_roster_changes_nothing(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let mut mixed = plan(3, 2);
    mixed.bots[1].persona.voice = "another".into();
    mixed.chats[0].bots.push("nobody".to_owned());
    refused(&scene, &mixed, "nobody").await;
    let scene = scene.reopen(home).await;
    assert_eq!((scene.roster.bots.len(), scene.roster.config_seq.0), (2, 1));
    assert_eq!(scene.roster.bots[&scene.bots[1]].persona_revision, 1);
}

/// Holders of the old token learn from the generation that it was replaced.
pub async fn a_new_credential_raises_the_token_generation(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let mut replaced = plan(2, 2);
    replaced.bots[0].credential = "file:/run/secrets/bot-1".into();
    let roster = applied(&scene, &replaced).await;
    assert_eq!(roster.bots[&scene.bots[0]].token_generation, 2);
    assert_eq!(roster.bots[&scene.bots[1]].token_generation, 1);
}

/// Old revisions stay, so that decisions can be made again with the persona of their time.
pub async fn a_changed_persona_gets_a_revision(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let mut changed = plan(2, 2);
    changed.bots[0].persona.talkativeness = 0.9;
    let roster = applied(&scene, &changed).await;
    assert_eq!(roster.bots[&scene.bots[0]].persona_revision, 2);
    assert_eq!(roster.bots[&scene.bots[0]].spec.persona, changed.bots[0].persona);
    assert_eq!(roster.bots[&scene.bots[1]].persona_revision, 1);
    let scene = scene.reopen(home).await;
    assert_eq!(scene.roster.bots[&scene.bots[0]].persona_revision, 3, "the plan went back to the old words");
}

/// Bots and chats that the plan leaves out stay stored, unused.
pub async fn a_bot_left_out_comes_back_as_itself(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let mut fewer = plan(2, 2);
    fewer.bots.truncate(1);
    fewer.chats.truncate(1);
    fewer.chats[0].bots.truncate(1);
    let roster = applied(&scene, &fewer).await;
    assert_eq!(roster.bots.keys().copied().collect::<Vec<_>>(), scene.bots[..1]);
    assert_eq!(roster.chats.keys().copied().collect::<Vec<_>>(), scene.chats[..1]);
    assert_eq!(roster.aliases.len(), 1);
    let mut usurper = fewer.clone();
    usurper.bots.push(crate::domain::roster::BotSpec { telegram_id: TelegramUserId(5555), ..bot_spec(2) });
    refused(&scene, &usurper, "bot-2").await;
    let roster = applied(&scene, &plan(2, 2)).await;
    assert_eq!(roster.bots.keys().copied().collect::<Vec<_>>(), scene.bots);
    assert_eq!(roster.chats.keys().copied().collect::<Vec<_>>(), scene.chats);
    assert_eq!(roster.config_seq.0, 3);
}

/// A chat under a new name keeps its memory.
pub async fn a_chat_is_known_by_its_telegram_id(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let mut renamed = plan(2, 2);
    renamed.chats[0].name = "lounge".into();
    let roster = applied(&scene, &renamed).await;
    assert_eq!(roster.chats[&scene.chats[0]].spec.name, "lounge");
    assert_eq!(roster.chats.len(), 2);
}

/// The roster can grow while a process runs.
pub async fn newcomers_during_a_tenure_can_act_at_once(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let roster = applied(&scene, &plan(3, 3)).await;
    let bot = *roster.bots.keys().next_back().unwrap();
    let chat: ChatId = *roster.chats.keys().next_back().unwrap();
    let done = scene.commit_one(ingest(bot, scene.epoch, vec![update(1, bot, chat, 1)])).await;
    assert_eq!(done, Ok(Applied::Ingested { already_there: 0 }));
    let advance = crate::testkit::rows::advance(chat, scene.epoch, 0, 1);
    scene.commit_all(vec![crate::domain::commit::operations::Operation::Advance(advance)]).await;
}

/// Names, tokens, personas and chats may be named once only.
pub async fn a_plan_that_names_something_twice_is_refused(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let twice = |change: &dyn Fn(&mut RosterPlan)| {
        let mut plan = plan(2, 2);
        change(&mut plan);
        plan
    };
    refused(
        &scene,
        &twice(&|plan| plan.bots.push(crate::domain::roster::BotSpec { name: "bot-9".into(), ..bot_spec(2) })),
        "bot-9",
    )
    .await;
    refused(&scene, &twice(&|plan| plan.bots[1].name = "bot-1".into()), "bot-1").await;
    refused(&scene, &twice(&|plan| plan.bots[1].persona.name = "persona-1".into()), "persona-1").await;
    refused(&scene, &twice(&|plan| plan.chats[1].telegram_id = plan.chats[0].telegram_id), "chat-2").await;
    let stranger = |name: &str| crate::domain::roster::ChatSpec {
        name: name.to_owned(),
        telegram_id: TelegramChatId(-9),
        ..chat_spec(9, &[])
    };
    refused(&scene, &twice(&|plan| plan.chats.extend([stranger("a"), stranger("b")])), "b").await;
}

/// A group becomes a supergroup whatever words its manifest holds: text that looks like its id is kept.
pub async fn a_chat_with_odd_words_migrates(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let chat = scene.chats[0];
    let mut plan = plan(2, 2);
    plan.chats[0].topics = vec!["odd\u{1b} \"telegram_id\":5".to_owned()];
    scene.store.apply_roster(&plan, at(1)).await.unwrap();
    let to = TelegramChatId(-1_009);
    let migrate = Migrate { chat, epoch: scene.epoch, to, at: at(2) };
    scene.commit_all(vec![Operation::Migrate(migrate)]).await;
    let roster = scene.store.roster().await.unwrap();
    assert_eq!((roster.chats[&chat].spec.telegram_id, &roster.chats[&chat].spec.topics), (to, &plan.chats[0].topics));
}
