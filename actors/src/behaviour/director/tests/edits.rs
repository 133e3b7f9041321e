//! Claims about what an edit calls, and what code and guests do not.

use super::*;
use crate::domain::decision::OpenTurn;
use crate::domain::ids::Number;

/// A message of a person at a second, and its edit half a minute later.
fn edited(before: &str, after: &str) -> (TranscriptEntry, TranscriptEntry) {
    let mut post = says(1, None, before, 0);
    post.date = Timestamp::from_secs(950);
    let mut edit =
        TranscriptEntry { number: Number(9), root: Number(9), kind: EntryKind::Edit, revision: 980, ..post.clone() };
    (edit.text, edit.date) = (Some(after.to_owned()), Timestamp::from_secs(980));
    (post, edit)
}

fn answers(room: &Room, edit: &TranscriptEntry) -> Vec<BotId> {
    let occasion = |entry| Occasion::Entry { entry, heard_by: Some(BotId(1)) };
    let note = noted(edit);
    let speakers = |seed| direct(&room.scene(), occasion(&note), seed).map(|direction| direction.speakers);
    let mut bots: Vec<BotId> = (0..50).filter_map(speakers).flatten().map(|speaker| speaker.bot).collect();
    bots.sort_unstable();
    bots.dedup();
    bots
}

#[test]
fn an_edit_that_adds_a_call_is_answered() {
    for (policy, after) in [(ChatPolicy::Mention, "what is it @kerem_bot"), (ChatPolicy::Natural, "Kerem, ne bu?")] {
        let mut room = Room::new(policy);
        let (post, edit) = edited("what is it", after);
        room.hears(post);
        room.hears(edit.clone());
        assert_eq!(answers(&room, &edit), [BotId(3)], "{after}");
    }
}

#[test]
fn an_edit_of_what_called_or_was_answered_before_asks_for_nothing() {
    let edit_after = |before: &str, prepare: &dyn Fn(&mut Room, &TranscriptEntry)| {
        let mut room = Room::new(ChatPolicy::Natural);
        let (post, edit) = edited(before, "@kerem_bot ne bu?");
        room.hears(post.clone());
        prepare(&mut room, &post);
        room.hears(edit.clone());
        answers(&room, &edit)
    };
    assert_eq!(edit_after("ne bu", &|_, _| {}), [BotId(3)]);
    assert!(edit_after("Kerem ne bu", &|_, _| {}).is_empty(), "it called before");
    assert!(edit_after("Nora ne bu", &|_, _| {}).is_empty(), "it called somebody before");
    let answered = edit_after("ne bu", &|room, post| {
        let mut answer = says(3, Some(&room.cast[0].clone()), "çay", 1);
        answer.reply_to = Some(post.message_id);
        room.hears(answer);
    });
    assert!(answered.is_empty(), "it was answered");
    let awaited = edit_after("ne bu", &|room, post| {
        let until = Timestamp::from_secs(2000);
        room.standing.open.push(OpenTurn { bot: BotId(1), turn: None, target: Some(post.number), thread: None, until });
    });
    assert!(awaited.is_empty(), "somebody is about to answer it");
    let called_meanwhile = edit_after("ne bu", &|room, post| {
        let text = Some("Kerem?".to_owned());
        room.hears(TranscriptEntry { number: Number(1), kind: EntryKind::Edit, revision: 960, text, ..post.clone() });
    });
    assert!(called_meanwhile.is_empty(), "an earlier edit called");
}

#[test]
fn an_edit_that_is_old_or_of_a_forgotten_post_asks_for_nothing() {
    let mut room = Room::new(ChatPolicy::Natural);
    let (post, mut edit) = edited("ne bu", "@kerem_bot ne bu?");
    assert!(answers(&room, &edit).is_empty(), "nobody knows what it said before");
    room.hears(post);
    edit.date = Timestamp::from_secs(1000 - 61);
    assert!(answers(&room, &edit).is_empty(), "it is stale");
}

#[test]
fn names_within_code_call_nobody() {
    let room = Room::new(ChatPolicy::Mention);
    let mut entry = says(1, None, "🌞 write @kerem_bot, @nora_bot", 0);
    entry.entities = vec![Entity { kind: EntityKind::Other("code".to_owned()), offset: 9, length: 10 }];
    assert_eq!(room.direct(&entry, 1).speakers.iter().map(|speaker| speaker.bot).collect::<Vec<_>>(), [BotId(4)]);
    entry.entities[0] = Entity { kind: EntityKind::Other("pre".to_owned()), offset: 0, length: usize::MAX };
    assert!(room.direct(&entry, 1).speakers.is_empty());
}

#[test]
fn a_guest_wakes_a_bot_by_its_name_and_by_nothing_else() {
    let mut room = Room::new(ChatPolicy::Natural);
    room.hears(says(1, Some(&room.cast[2].clone()), "merhaba", 1));
    let mut entry = says(2, None, "selam, kim var?", 1);
    (entry.author.kind, entry.reply_to) = (AuthorKind::Guest, Some(MessageId(1)));
    assert!(answers(&room, &entry).is_empty(), "a reply and a question");
    entry.text = Some("Nora bilir".to_owned());
    assert_eq!(answers(&room, &entry), [BotId(4)]);
    entry.chain_depth = 6;
    assert!(answers(&room, &entry).is_empty(), "physics count it");
}

#[test]
fn a_text_that_shows_nothing_asks_for_nothing() {
    let room = Room::new(ChatPolicy::Natural);
    for blank in ["\u{e0068}\u{e0069}", "\u{200b}\u{200d}"] {
        let entry = noted(&says(1, None, blank, 0));
        assert!(direct(&room.scene(), Occasion::Entry { entry: &entry, heard_by: Some(BotId(1)) }, 1).is_none());
    }
}
