//! A page of a transcript with its marks. Part of `cli`.

use std::fmt::Write as _;

use botfleet_actors::domain::time::Timestamp;
use chrono::DateTime;
use serde_json::{Value, json};

use super::marks::Marked;

/// Texts on a page.
const TEXTS: usize = 40;

fn time(at: Timestamp) -> String {
    let millis = at.as_millis();
    DateTime::from_timestamp_millis(millis)
        .map_or_else(|| millis.to_string(), |at| at.format("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// Returns the number of pages.
pub(super) fn pages(texts: &[Marked]) -> usize {
    texts.len().div_ceil(TEXTS)
}

/// Returns the texts of a page, oldest first; page 1 is the latest.
pub(super) fn page(texts: &[Marked], number: usize) -> Option<&[Marked]> {
    let to = texts.len().checked_sub((number - 1) * TEXTS).filter(|to| *to > 0)?;
    Some(&texts[to.saturating_sub(TEXTS)..to])
}

/// Shows a page as text: time, speaker, whom the text answers, the text, its marks.
pub(super) fn as_text(texts: &[Marked]) -> String {
    let mut shown = String::new();
    for text in texts {
        let time = time(text.date);
        let speaker = if text.is_bot { format!("{} (bot)", text.author) } else { text.author.clone() };
        let to = text.answers.as_ref().map_or_else(String::new, |(author, _)| format!(" > {author}"));
        let marks: String = text.marks().into_iter().fold(String::new(), |marks, mark| marks + " [" + mark + "]");
        let said = text.text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Writing to a String cannot fail.
        let _ = writeln!(shown, "{time}  {speaker}{to}: {said}{marks}");
    }
    shown.truncate(shown.trim_end().len());
    shown
}

/// Shows a page as JSON.
pub(super) fn as_json(texts: &[Marked]) -> String {
    let one = |text: &Marked| {
        json!({
            "at": time(text.date),
            "author": text.author,
            "bot": text.is_bot,
            "answers": text.answers.as_ref().map(|(author, _)| author),
            "text": text.text,
            "marks": text.marks(),
        })
    };
    json!({ "texts": texts.iter().map(one).collect::<Vec<Value>>() }).to_string()
}
