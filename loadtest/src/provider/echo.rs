//! Answers that name their call and the message they answer, for machines to match. Layer: load test.

/// What stands between the call's number and the marker; a reader sees that the texts differ.
const WORDS: [&str; 12] = [
    "noted, thank you",
    "that sounds right",
    "I see it the same way",
    "good point there",
    "let me think about it",
    "that is news to me",
    "fair enough",
    "I would not have guessed",
    "anlaştık o zaman",
    "bence de öyle",
    "güzel fikir",
    "bunu bilmiyordum",
];

/// Writes `#c<call> <a few words> #m<n>`; without a marker, none is said.
pub(super) fn text(call: u64, marker: Option<&str>) -> String {
    let index = usize::try_from(call % WORDS.len() as u64).unwrap_or(0);
    let words = WORDS[index];
    match marker {
        Some(marker) => format!("#c{call} {words} {marker}"),
        None => format!("#c{call} {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_opens_with_the_call_and_ends_with_the_marker() {
        let text = text(12, Some("#m5"));
        assert!(text.starts_with("#c12 ") && text.ends_with(" #m5"), "{text}");
        assert!(!super::text(12, None).contains("#m"));
    }
}
