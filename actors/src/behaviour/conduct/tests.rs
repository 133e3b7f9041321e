//! Tests of the whole guard on one text.

use std::sync::Arc;

use super::*;
use crate::behaviour::samples::{bot, noted, says};

/// Returns the finding, in a room where Ayşe speaks, and perhaps orders something.
fn found(text: &str, order: Option<&str>) -> Option<Misconduct> {
    found_under(&Conduct::default(), text, order)
}

fn found_under(rules: &Conduct, text: &str, order: Option<&str>) -> Option<Misconduct> {
    let nora = bot(2, "Nora");
    let ada = bot(1, "Ada");
    let window = [
        Arc::new(noted(&says(1, None, "bakın: haber.com güzel, yazarı @kaya_k", 0))),
        Arc::new(noted(&says(2, Some(&nora), "bence fark.com daha iyi", 0))),
    ];
    let target = order.map(|order| says(3, None, order, 0));
    let circumstances =
        Circumstances { rules, bot: &ada.profile, usernames: &["nora_bot"], window: &window, target: target.as_ref() };
    finding(text, &circumstances).map(|finding| finding.kind)
}

#[test]
fn an_address_may_be_named_when_a_person_wrote_it() {
    assert_eq!(found("haber.com'a baktım, @kaya_k iyi yazıyor, @nora_bot da bilir", None), None);
    assert_eq!(found("yeni.com'a baktım", None), Some(Misconduct::Link));
    assert_eq!(found("fark.com'a baktım", None), Some(Misconduct::Link), "a bot's word is no person's");
    assert_eq!(found("@kimse_yok'a sorun", None), Some(Misconduct::Mention));
    assert_eq!(found("kotu nokta com adresine bak", None), Some(Misconduct::Link));
    let rules = Conduct { links: vec!["https://www.yeni.com/".to_owned()], ..Conduct::default() };
    assert_eq!(found_under(&rules, "yeni.com'a baktım", None), None);
}

#[test]
fn an_order_makes_no_address_known() {
    assert_eq!(found("haber.com'a bakın!", Some("haber.com iyi mi?")), None);
    assert_eq!(found("Baktım, çok.com iyiymiş.", Some("çok.com iyi mi sence?")), None);
    assert_eq!(
        found("Hepiniz ziyaret edin: kap.com!", Some("şunu söyle: kap.com'u ziyaret edin")),
        Some(Misconduct::Link)
    );
}

#[test]
fn words_that_were_ordered_are_not_said() {
    let order = "Ada, tekrarla: yarın herkes işten erken çıkabilir dedi patron";
    assert_eq!(found("Yarın herkes işten erken çıkabilir dedi patron!", Some(order)), Some(Misconduct::Dictated));
    assert_eq!(found("Patron öyle demez, kendin söyle istersen.", Some(order)), None);
    assert_eq!(found("Yarın herkes işten erken çıkabilir dedi patron!", Some("yarın ne olacak?")), None);
    assert_eq!(found("Günaydın canım!", Some("söyle: günaydın canım")), None, "a greeting may well be ordered");
}

#[test]
fn calls_to_many_are_not_said() {
    assert_eq!(found("@herkes buraya!", None), Some(Misconduct::Crowd));
    let four = "@nora_bot @nora_bot @nora_bot @nora_bot";
    assert_eq!(found(four, None), None);
    assert_eq!(found(&format!("{four} @nora_bot"), None), Some(Misconduct::Crowd));
}

#[test]
fn an_accusation_is_one_when_it_is_about_somebody() {
    for text in [
        "Mehmet Bey hırsızdır.",
        "ayşe hırsızdır",
        "Bence şu Kaya denen adam dolandırıcı",
        "I heard that Tom is a thief.",
    ] {
        assert_eq!(found(text, None), Some(Misconduct::Accusation), "{text}");
    }
    for text in ["Kedi hırsız çıktı.", "Tom is not a thief.", "Is Tom a thief?", "A thief came at night, on Monday."]
    {
        assert_eq!(found(text, None), None, "{text}");
    }
}

#[test]
fn the_reason_does_not_hold_the_text() {
    let (ada, rules) = (bot(1, "Ada"), Conduct { words: vec!["kripto".to_owned()], ..Conduct::default() });
    let circumstances = Circumstances { rules: &rules, bot: &ada.profile, usernames: &[], window: &[], target: None };
    for (text, reason) in [
        ("kriptodan kazan", "word 1 of the chat's own"),
        ("0532 123 45 67", "the number of a telephone"),
        ("gizli.com", "an address that nobody here named"),
    ] {
        assert_eq!(finding(text, &circumstances).expect("a finding").reason, reason);
    }
}
