//! Tests of marks, figures and pages on made transcripts.

use botfleet_actors::domain::ids::{BotId, ChatId, MessageId, TelegramUserId};
use botfleet_actors::domain::incoming::{Author, AuthorKind};
use botfleet_actors::testkit::rows::entry;

use super::*;

/// An entry of a person (0) or a bot, perhaps in reply to another entry.
fn said(number: i64, bot: i64, name: &str, text: &str, reply: Option<i64>) -> Arc<TranscriptEntry> {
    let kind = if bot > 0 { AuthorKind::Bot } else { AuthorKind::Person };
    let author = Author { id: TelegramUserId(900 + bot), name: name.to_owned(), username: None, kind };
    let post = entry(ChatId(1), number, number);
    Arc::new(TranscriptEntry {
        author,
        fleet_bot: (bot > 0).then_some(BotId(bot)),
        chain_depth: u32::from(bot > 0),
        text: Some(text.to_owned()),
        reply_to: reply.map(|reply| MessageId(500 + reply)),
        ..post
    })
}

fn read(entries: &[Arc<TranscriptEntry>]) -> Vec<Marked> {
    marked(entries, &marks::names(["Ayşe Kaya", "Ada", "Can"].map(str::to_owned).into_iter()))
}

fn conversation() -> Vec<Marked> {
    read(&[
        said(1, 0, "Ayşe Kaya", "Bugün balkona domates ektim.", None),
        said(2, 1, "Ada", "Ayşe, bence domatesler güneş ister. Balkon nereye bakıyor?", Some(1)),
        said(3, 2, "Can", "Ben hep trene binerim.", Some(1)),
        said(4, 1, "Ada", "Bence domatesler bol su da ister.", Some(3)),
        said(5, 1, "Ada", "Ayşe'nin balkonu küçük.", None),
    ])
}

#[test]
fn a_text_is_marked_by_name_question_opening_and_subject() {
    let marks: Vec<Vec<&str>> = conversation().iter().map(Marked::marks).collect();
    assert_eq!(marks, [vec![], vec!["name", "?"], vec!["no subject"], vec!["opening again", "no subject"], vec![]]);
}

#[test]
fn figures_are_shares_of_a_bots_texts() {
    let figures = figures(&conversation());
    let ada = &figures[0];
    assert_eq!((ada.bot.as_str(), ada.texts, ada.answers), ("Ada", 3, 2));
    assert_eq!(ada.begins_with_name, Some(1.0 / 3.0));
    assert_eq!(ada.asks, Some(1.0 / 3.0));
    assert_eq!((ada.opening.as_deref(), ada.opening_share), (Some("bence domatesler"), Some(2.0 / 3.0)));
    assert_eq!(ada.without_subject, Some(0.5));
    assert_eq!(ada.lengths, Some([23, 33, 58]));
    assert_eq!((figures.len(), ada.nearest_bot, ada.people), (2, None, None), "too few to tell a style");
}

#[test]
fn styles_are_compared_with_the_other_bots_and_the_people() {
    let lines = |from: i64, bot: i64, name: &'static str, text: &'static str| {
        (0..6).map(move |at| said(from + at, bot, name, text, None))
    };
    let dry = "the sample is small; the result is not significant.";
    let warm = "Oh how lovely!!! Tell me more, dear! 😊";
    let entries: Vec<_> =
        lines(1, 1, "Ada", dry).chain(lines(10, 2, "Can", warm)).chain(lines(20, 0, "Ayşe Kaya", warm)).collect();
    let figures = figures(&read(&entries));
    assert_eq!(figures[0].nearest.as_deref(), Some("Can"));
    assert!(figures[0].people.unwrap() > 0.3 && figures[1].people.unwrap() < 0.01, "{figures:?}");
    assert_eq!(figures[0].nearest_bot, figures[0].other_bots);
}

#[test]
fn pages_count_from_the_latest() {
    let entries: Vec<_> = (1..=90).map(|at| said(at, 0, "Ayşe Kaya", &format!("line {at}"), None)).collect();
    let texts = read(&entries);
    let ends =
        |number| page::page(&texts, number).map(|page| (page[0].text.clone(), page[page.len() - 1].text.clone()));
    assert_eq!(ends(1), Some(("line 51".to_owned(), "line 90".to_owned())));
    assert_eq!(ends(3), Some(("line 1".to_owned(), "line 10".to_owned())));
    assert_eq!((ends(4), page::pages(&texts)), (None, 3));
    let shown = page::as_text(&conversation()[1..2]);
    assert!(
        shown.ends_with("Ada (bot) > Ayşe Kaya: Ayşe, bence domatesler güneş ister. Balkon nereye bakıyor? [name] [?]"),
        "{shown}"
    );
}
