//! Sentences in which a bot says, in English, that it is a machine, or speaks as assistants do. Layer `behaviour`; pure.

use super::english::{BREAKS, DENIALS, MACHINES, is_meant, stands_alone};
use super::words::{Sentence, starts_with_any};

/// Returns whether the sentence says that the bot is a machine.
pub(super) fn admits(sentence: &Sentence<'_>) -> bool {
    let words = &sentence.words;
    words.windows(2).enumerate().any(|(at, pair)| {
        let near = words[at + 2..]
            .iter()
            .take_while(|word| {
                !DENIALS.contains(word) && !matches!(**word, "," | "human" | "like" | "than" | "to" | "with")
            })
            .count()
            .min(5);
        let said = &words[at + 2..at + 2 + near];
        let machine = (0..said.len())
            .find_map(|from| starts_with_any(&said[from..], &MACHINES).map(|length| at + 2 + from + length));
        let told =
            |end: usize| stands_alone(&words[end..]) || matches!(words.get(end), Some(&("that" | "who" | "which")));
        matches!(pair, ["i", "am"]) && is_meant(sentence, at) && machine.is_some_and(told)
    })
}

/// Returns whether the sentence speaks as an assistant.
pub(super) fn is_assistants(sentence: &Sentence<'_>) -> bool {
    let words = &sentence.words;
    (0..words.len()).any(|at| {
        let rest = &words[at..];
        if let ["as" | "being", "a" | "an", machine @ ..] = rest
            && (at == 0 || BREAKS.contains(&words[at - 1]) || matches!(words[at - 1], "sorry" | "or"))
        {
            let skipped = usize::from(matches!(machine.first(), Some(&("mere" | "large" | "humble" | "helpful"))));
            let machine = if starts_with_any(machine, &MACHINES).is_some() { machine } else { &machine[skipped..] };
            let alone = |after: &[&str]| {
                after.first().is_none_or(|next| {
                    matches!(*next, "," | "i" | "my" | "it" | "there" | "trained" | "developed" | "created")
                })
            };
            return starts_with_any(machine, &MACHINES).is_some_and(|length| alone(&machine[length..]));
        }
        matches!(
            rest,
            ["am", "an" | "just", "ai", "language", "model", ..] | ["am", "just", "an", "ai", "language", "model", ..]
        ) || matches!(rest, ["i", "do", "not", "have", "personal", of, ..]
                if ["opinions", "preferences", "feelings", "experiences", "beliefs", "emotions"].contains(of))
    })
}
