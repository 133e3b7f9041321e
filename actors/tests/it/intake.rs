//! From Telegram to the transcript: I1, I2, I3.

use botfleet_actors::domain::ids::Number;
use botfleet_actors::domain::inbox::OutcomeKind;
use botfleet_actors::ports::outcomes::OutcomeRecord;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::stage::Scenery;

fn of_kind(outcomes: &[OutcomeRecord], kind: OutcomeKind) -> usize {
    outcomes.iter().filter(|record| record.outcome == kind.as_str()).count()
}

#[tokio::test(start_paused = true)]
async fn i1_an_offset_is_confirmed_only_after_its_rows_are_committed() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.fail("ingest", 3);
    stage.person_says(0, "is anybody there?", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    let committed = stage.journal().first(|h| *h == Happening::Committed("ingest")).unwrap();
    let confirmed = stage.journal().first(|h| matches!(h, Happening::Polled { offset: Some(_), .. })).unwrap();
    assert!(committed < confirmed, "{:#?}", stage.journal().all());
    assert_eq!(stage.journal().count(|h| *h == Happening::Failed("ingest")), 3);
    assert_eq!(stage.journal().sent_texts().len(), 1, "handled once");
    assert_eq!(stage.transcript(0).await.len(), 2, "what was asked and what was answered");
}

#[tokio::test(start_paused = true)]
async fn i1_next_offset_is_last_seen_plus_one_not_the_maximum() {
    let stage = Scenery::new(1, 1).raise().await;
    let telegram = stage.telegram(0);
    for (update, text) in [(900, "before the quiet week"), (5, "after it")] {
        let incoming = stage.spoken(0, botfleet_actors::domain::ids::MessageId(update), text);
        telegram.receive(update, incoming);
    }
    stage.until_at_rest().await;
    assert!(telegram.offsets().contains(&Some(6)), "{:?}", telegram.offsets());
    assert_eq!(stage.store.rows.next_offset(stage.bots[0]).await.unwrap(), Some(6));
    stage.until_sent(2).await;
}

#[tokio::test(start_paused = true)]
async fn i1_a_restarted_bot_polls_from_the_offset_in_the_store() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.person_says(0, "first", &[0]);
    stage.until_at_rest().await;
    let offset = stage.store.rows.next_offset(stage.bots[0]).await.unwrap();
    let polls = stage.telegram(0).offsets().len();
    let stage = stage.killed().await.raise().await;
    stage.until("the new process polls", async |stage| stage.telegram(0).offsets().len() > polls).await;
    assert_eq!(stage.telegram(0).offsets()[polls], offset);
}

#[tokio::test(start_paused = true)]
async fn i2_a_message_seen_by_three_bots_is_one_entry_and_every_copy_has_an_outcome() {
    let mut stage = Scenery::new(3, 1).raise().await;
    stage.person_says(0, "good morning", &[0, 1, 2]);
    stage.until_sent(3).await;
    stage.until_at_rest().await;
    let transcript = stage.transcript(0).await;
    let heard: Vec<_> = transcript.iter().filter(|entry| entry.author.kind.is_person()).collect();
    assert_eq!(heard.len(), 1);
    let outcomes = stage.outcomes().await;
    assert_eq!(of_kind(&outcomes, OutcomeKind::Appended), 4, "the message and three answers");
    assert_eq!(of_kind(&outcomes, OutcomeKind::Duplicate), 2);
    assert_eq!(outcomes.len(), 6, "{outcomes:#?}");
    let copies: Vec<_> = outcomes.iter().filter(|record| record.source == "update").collect();
    assert!(copies.iter().all(|record| record.number == Some(heard[0].number)), "{copies:#?}");
}

#[tokio::test(start_paused = true)]
async fn i2_an_update_is_handled_once_when_the_stores_answer_was_lost() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.lose_answer("ingest");
    stage.person_says(0, "only once, please", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    stage.let_time_pass().await;
    assert_eq!(stage.journal().count(|h| *h == Happening::Failed("ingest")), 1);
    assert_eq!(stage.journal().sent_texts().len(), 1);
    assert_eq!(stage.outcomes().await.len(), 2, "one update and one answer");
}

#[tokio::test(start_paused = true)]
async fn i3_numbers_have_no_gaps() {
    let mut stage = Scenery::new(3, 2).raise().await;
    for round in 0..8 {
        stage.node.committer.hurry();
        stage.store.fail("advance", 1);
        for chat in 0..2 {
            stage.person_says(chat, &format!("line {round}"), &[0, 1, 2]);
        }
        stage.until_at_rest().await;
    }
    assert!(stage.journal().count(|h| *h == Happening::Failed("advance")) >= 8, "commits did fail");
    for chat in 0..2 {
        let numbers: Vec<_> = stage.transcript(chat).await.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, (1..=32).map(Number).collect::<Vec<_>>(), "8 lines and 24 answers");
    }
    let outcomes = stage.outcomes().await;
    assert_eq!(of_kind(&outcomes, OutcomeKind::Appended), 64);
    assert_eq!(of_kind(&outcomes, OutcomeKind::Duplicate), 32);
}
