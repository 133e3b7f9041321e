//! Writes answers that name their call and the message they answer, for machines to match. Layer: world.

/// The number of made-up words between the call's number and the marker. With so many, no two answers are alike: a
/// product may rightly refuse to say the same twice.
const WORDS: usize = 7;
/// The syllables of the words.
const SYLLABLES: [&str; 16] =
    ["ka", "ro", "mi", "tel", "sun", "ba", "vir", "lo", "ney", "pu", "da", "gos", "ze", "fin", "ha", "jul"];

/// Writes `#c<call> <a few words> #m<n>`; the last part is left out without a marker.
pub(super) fn text(call: u64, marker: Option<&str>) -> String {
    let mut random = fastrand::Rng::with_seed(call);
    let mut text = format!("#c{call}");
    for _ in 0..WORDS {
        text.push(' ');
        for _ in 0..random.usize(2..4) {
            text.push_str(SYLLABLES[random.usize(..SYLLABLES.len())]);
        }
    }
    if let Some(marker) = marker {
        text.push(' ');
        text.push_str(marker);
    }
    text
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

    #[test]
    fn no_two_calls_say_the_same_words() {
        let words = |call| text(call, None).split_once(' ').map(|(_, words)| words.to_owned());
        let all: std::collections::HashSet<_> = (1..=500).map(words).collect();
        assert_eq!(all.len(), 500);
    }
}
