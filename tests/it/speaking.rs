//! Tests operators who speak as bots through the operators' layer, on a running fleet in this process: who may, who is told what,
//! and what stands in the audit.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use botfleet::operate::audit::EntriesAsked;
use botfleet::operate::context::Context;
use botfleet::operate::failure::Code;
use botfleet::operate::operations::Operations;
use botfleet::operate::permission::{DeleteMessages, ReadAudit, ReadFleet, SeizeTakeover, Speak};
use botfleet::operate::principal::{Identity, Principal, Reach, Role};
use botfleet::operate::speaking::{Begun, Came};
use botfleet::runtime::speaking::{Deletion, Fate, Utterance};
use botfleet_actors::domain::ids::Number;
use botfleet_actors::domain::time::Timestamp;

use crate::operate::Stage;

/// Words that nobody else says.
const MARKER: &str = "bergamot";

fn operator(name: &str, role: Role, reach: Reach) -> Arc<Principal> {
    let mut identity = Identity::local();
    name.clone_into(&mut identity.name);
    (identity.grants.role, identity.grants.reach, identity.grants.reads_texts) = (role, reach, false);
    Arc::new(Principal::new(Arc::new(identity), Context::default()))
}

async fn say(
    operations: &Operations,
    by: &Arc<Principal>,
    text: &str,
    reply_to: Option<i64>,
) -> Result<Utterance, Code> {
    let granted = by.grant::<Speak>().unwrap();
    match operations.say(&granted, ("lounge", "Ada"), text, reply_to.map(Number)).await {
        Ok(Came::To(said)) => Ok(said),
        Ok(Came::UnderWay(order)) => panic!("under way: {order:?}"),
        Err(failure) => Err(failure.code),
    }
}

async fn take_over(operations: &Operations, by: &Arc<Principal>, take: bool) -> Result<Begun, (Code, String)> {
    let granted = by.grant::<Speak>().unwrap();
    let seize = take.then(|| by.grant::<SeizeTakeover>().unwrap());
    match operations.take_over(&granted, seize.as_ref(), ("lounge", "Ada"), Some(10)).await {
        Ok(Came::To(begun)) => Ok(begun),
        Ok(Came::UnderWay(order)) => panic!("under way: {order:?}"),
        Err(failure) => Err((failure.code, failure.detail)),
    }
}

async fn end(operations: &Operations, by: &Arc<Principal>) -> Result<(), Code> {
    let any = by.grant::<SeizeTakeover>().ok();
    let ended = operations.end_takeover(&by.grant().unwrap(), any.as_ref(), ("lounge", "Ada")).await;
    ended.map_err(|failure| failure.code)
}

#[tokio::test]
async fn two_operators_and_an_admin_hold_a_bot_one_after_the_other_and_each_is_told() {
    let fleet = Stage::start().await;
    let operations = fleet.operations();
    let [ayse, bora] = ["ayse", "bora"].map(|name| operator(name, Role::Operator, Reach::Everything));
    let cem = operator("cem", Role::Admin, Reach::Everything);
    let begun = take_over(&operations, &ayse, false).await.unwrap();
    assert_eq!((begun.takeover.holder.as_str(), begun.takeover.bot.as_str(), begun.turns), ("ayse", "Ada", 0));
    let (code, detail) = take_over(&operations, &bora, false).await.unwrap_err();
    assert!(code == Code::TakenOver && detail.contains("ayse"), "{detail}");
    assert_eq!(say(&operations, &bora, "hello", None).await, Err(Code::TakenOver));
    assert_eq!(end(&operations, &bora).await, Err(Code::TakenOver));
    assert!(bora.grant::<SeizeTakeover>().is_err(), "an operator takes nothing by force");
    let said = say(&operations, &ayse, "I am a person.", None).await.unwrap();
    assert_eq!((said.fate, said.reason.as_deref()), (Fate::Sent, None));
    let taken = take_over(&operations, &cem, true).await.unwrap();
    assert_eq!(taken.takeover.holder, "cem");
    assert_eq!(say(&operations, &ayse, "and now?", None).await, Err(Code::TakenOver));
    let shown = operations.takeovers(&bora.grant::<ReadFleet>().unwrap(), "lounge").await.unwrap();
    assert_eq!(shown, [taken.takeover]);
    assert_eq!(end(&operations, &cem).await, Ok(()));
    assert_eq!(end(&operations, &cem).await, Err(Code::Conflict));
    assert!(say(&operations, &bora, "hello at last", None).await.is_ok());
    let acts = acts(&operations).await;
    for act in ["take_over", "say", "end_takeover"] {
        assert!(acts.contains(act), "{act} is not in the audit: {acts}");
    }
    assert!(!acts.contains("person") && !acts.contains("hello"), "the audit holds no words: {acts}");
    fleet.end().await;
}

/// Returns the entries of the audit as text, once they are sealed.
async fn acts(operations: &Operations) -> String {
    let admin = operator("cem", Role::Admin, Reach::Everything);
    let granted = admin.grant::<ReadAudit>().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let page = operations.audit_entries(&granted, EntriesAsked::default()).await.unwrap();
        let entries: Vec<_> = page.entries.into_iter().filter_map(|sealed| sealed.entry).collect();
        let text = serde_json::to_string(&entries).unwrap();
        let sealed = text.contains("end_takeover") || text.contains("delete_messages");
        if sealed || Instant::now() > until {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn speaking_and_deleting_need_reach_of_the_bot_and_of_the_chat() {
    let fleet = Stage::start().await;
    let operations = fleet.operations();
    let (ada, lounge) = (fleet.fleet.bot_named("Ada").unwrap(), fleet.fleet.chat_named("lounge").unwrap());
    let within = |bots: &[_], chats: &[_]| Reach::Within {
        bots: bots.iter().copied().collect::<BTreeSet<_>>(),
        chats: chats.iter().copied().collect::<BTreeSet<_>>(),
    };
    let everybody = operator("cem", Role::Admin, Reach::Everything);
    let said = say(&operations, &everybody, &format!("I take {MARKER} tea"), None).await.unwrap();
    assert_eq!(said.fate, Fate::Sent);
    let number = said.entry.unwrap();
    for (reach, reached) in [
        (within(&[ada], &[lounge]), true),
        (within(&[ada], &[]), false),
        (within(&[], &[lounge]), false),
        (within(&[], &[]), false),
    ] {
        let by = operator("ayse", Role::Operator, reach);
        let code = say(&operations, &by, "hello", None).await.err();
        assert_eq!(code, (!reached).then_some(Code::OutOfReach), "{by:?}");
        let granted = by.grant::<DeleteMessages>().unwrap();
        let counted = operations.retract(&granted, "lounge", None, Timestamp::from_millis(0), true).await;
        assert_eq!(counted.err().map(|failure| failure.code), (!reached).then_some(Code::OutOfReach));
        if !reached {
            let deleted = operations.delete_message(&granted, "lounge", number).await;
            assert_eq!(deleted.err().map(|failure| failure.code), Some(Code::OutOfReach));
        }
    }
    for text in ["", "   ", &"a".repeat(4_097)] {
        assert_eq!(say(&operations, &everybody, text, None).await, Err(Code::BadRequest));
    }
    assert_eq!(say(&operations, &everybody, "to nobody", Some(4_711)).await, Err(Code::UnknownMessage));
    let granted = everybody.grant::<DeleteMessages>().unwrap();
    let Came::To(deletion) = operations.delete_message(&granted, "lounge", number).await.unwrap() else {
        panic!("it is done at once")
    };
    assert_eq!(
        (deletion.state, deletion.bot.as_str(), Some(deletion.message)),
        (Deletion::Deleted, "Ada", said.message)
    );
    let again = operations.delete_message(&granted, "lounge", number).await;
    assert_eq!(again.err().map(|failure| failure.code), Some(Code::UnknownMessage));
    assert_eq!(operations.retractions(&granted, "lounge").await.unwrap().len(), 1);
    assert!(!acts(&operations).await.contains(MARKER), "the audit holds no words");
    fleet.end().await;
}
