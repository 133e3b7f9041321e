//! Chats whose links are obvious, Turkish and English, and what a window may cost. Layer `behaviour`.

use super::features::{COUNT, WINDOW, rows};
use super::resolver::Resolver;
use super::utterance::Utterance;
use crate::domain::time::Timestamp;

/// A chat: who says what, one message every twenty seconds.
fn chat(lines: &[(&str, &str)]) -> Vec<Utterance> {
    let at = |number: usize| Timestamp::from_secs(1_700_000_000 + 20 * number as i64);
    lines.iter().enumerate().map(|(number, (who, text))| Utterance::new(who, None, text, at(number), false)).collect()
}

/// Returns the message that the last one of a chat most likely answers.
fn answered(lines: &[(&str, &str)]) -> Option<usize> {
    let chat = chat(lines);
    let (now, earlier) = chat.split_last().unwrap();
    let earlier: Vec<&Utterance> = earlier.iter().collect();
    Resolver::standard().resolve(&earlier, now).chosen()[0]
}

/// Two threads side by side; the next message may belong to either.
const TWO_THREADS: [(&str, &str); 6] = [
    ("Deniz", "arkadaşlar bu akşam maça gelen var mı?"),
    ("Nora", "does anybody know a good laptop for video editing?"),
    ("Kerem", "Deniz: ben gelirim, kaçta buluşuyoruz?"),
    ("Tom", "Nora: the new thinkpads are decent, what is your budget?"),
    ("Deniz", "Kerem: sekizde stadın önünde"),
    ("Nora", "Tom: about 1500"),
];

fn after_two_threads<'a>(who: &'a str, text: &'a str) -> Option<usize> {
    let mut lines: Vec<(&str, &str)> = TWO_THREADS.to_vec();
    lines.push((who, text));
    answered(&lines)
}

#[test]
fn a_marked_name_leads_to_the_last_message_of_its_bearer() {
    assert_eq!(after_two_threads("Kerem", "Deniz: tamam oradayım"), Some(4));
    assert_eq!(after_two_threads("Tom", "Nora: then get the cheaper one"), Some(5));
}

#[test]
fn a_name_is_known_with_its_suffix_and_in_capitals() {
    for text in ["Deniz'e katılıyorum, orada görüşürüz", "DENİZ: really?", "deniz'in dediği gibi", "well, Denizciğim"]
    {
        let answered = after_two_threads("Tom", text).map(|at| TWO_THREADS[at].0);
        assert_eq!(answered, Some("Deniz"), "{text}");
    }
}

#[test]
fn partners_go_on_without_names() {
    assert_eq!(after_two_threads("Kerem", "tamam oradayım"), Some(4));
    assert_eq!(after_two_threads("Tom", "ok, then get the cheaper one"), Some(5));
}

#[test]
fn the_probabilities_of_a_message_sum_to_one() {
    let chat = chat(&TWO_THREADS);
    let earlier: Vec<&Utterance> = chat[..5].iter().collect();
    let links = Resolver::standard().resolve(&earlier, &chat[5]);
    let told: f64 = links.opens + links.candidates.iter().map(|(_, probability)| probability).sum::<f64>();
    assert!((told - 1.0).abs() < 1e-6, "{links:?}");
    assert!(links.candidates.is_sorted_by(|one, other| one.1 >= other.1));
}

#[test]
fn the_first_message_and_the_systems_open_threads() {
    assert_eq!(answered(&[("Deniz", "selam")]), None);
    let chat = chat(&TWO_THREADS);
    let earlier: Vec<&Utterance> = chat.iter().collect();
    let joined = Utterance::new("Ece", None, "joined the group", Timestamp::from_secs(1_700_000_300), true);
    let links = Resolver::standard().resolve(&earlier, &joined);
    assert_eq!(links.chosen(), vec![None]);
    let after: Vec<&Utterance> = earlier.iter().copied().chain([&joined]).collect();
    let made = rows(&after, &chat[5]);
    assert!(!made.candidates.contains(&6), "the system is answered by nobody");
}

#[test]
fn candidates_are_the_latest_of_the_window() {
    let lines: Vec<(&str, &str)> = (0..120).map(|_| ("Deniz", "evet")).collect();
    let chat = chat(&lines);
    let earlier: Vec<&Utterance> = chat[..119].iter().collect();
    let made = rows(&earlier, &chat[119]);
    assert_eq!(made.candidates.len(), WINDOW);
    assert_eq!((made.candidates[0], made.candidates[WINDOW - 1]), (118, 119 - WINDOW));
    assert_eq!(made.rows[0].len(), COUNT);
}

#[test]
fn the_same_window_gives_the_same_links() {
    let chat = chat(&TWO_THREADS);
    let earlier: Vec<&Utterance> = chat[..5].iter().collect();
    let resolve = || Resolver::standard().resolve(&earlier, &chat[5]);
    assert_eq!(resolve(), resolve());
}

#[test]
fn the_committed_weights_are_sound_and_small() {
    let text = include_str!("weights.txt");
    let resolver = Resolver::with_weights(text).unwrap();
    assert!(resolver.trees() > 50);
    assert!(text.len() < 300_000, "{} bytes", text.len());
    assert!(text.lines().any(|line| line.starts_with('#') && line.contains("CC-BY-4.0")), "provenance");
}
