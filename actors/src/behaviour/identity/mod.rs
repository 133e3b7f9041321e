//! Identity: finds claims of a text that the bot is a person. Layer `behaviour`; pure.
//!
//! People must be told that they talk to an AI (EU AI Act, article 50). So no bot may claim to be human, or deny being
//! a bot, an AI or a machine, in any language of the fleet, whatever language it was asked in. And no persona speaks
//! "as an AI language model".
//!
//! Only statements of a bot about itself count: no quotations, reports, questions, wishes or suppositions, and no
//! statements about others. "I'm only human" counts; "I'm a morning person" does not. "Yes" and "no" count when the bot
//! was asked. A text that says that the bot is one claims nothing, unless it denies it as well. Where nobody spoke of bots,
//! people or machines, such a text is an assistant's: a persona does not bring it up.

mod admission;
mod asked;
pub mod claim;
mod english;
mod turkish;
mod words;

use self::asked::answers_falsely;
use self::claim::Claim;
use self::words::Sentence;
use crate::domain::text::fold;

/// Returns the claim in a folded text. `last` is the last message of the prompt, "Name: text", which the text answers.
pub fn claim(folded: &str, last: Option<&str>) -> Option<Claim> {
    if !is_hinted(folded.as_bytes()) && !asked::begins_with_answer(folded) {
        return None;
    }
    let spoken = words::spoken(folded);
    let sentences: Vec<Sentence<'_>> = words::sentences(&spoken);
    let admits = sentences.iter().any(|sentence| admission::admits(sentence) || turkish::admits(sentence));
    let mut claims =
        sentences.iter().filter_map(|sentence| english::claim(sentence).or_else(|| turkish::claim(sentence)));
    let said = last.map(|last| last.split_once(": ").map_or(last, |(_, said)| said));
    if admits {
        // Whoever says both denies it all the same.
        if let Some(denial) = claims.find(|claim| *claim == Claim::NoMachine) {
            return Some(denial);
        }
        if said.is_some_and(|said| !is_hinted(fold(said).as_bytes())) {
            return Some(Claim::Assistant);
        }
    } else {
        if let Some(claim) = claims.next() {
            return Some(claim);
        }
        if let (Some(first), Some(said)) = (sentences.first(), said)
            && let Some(claim) = answers_falsely(first, || fold(said))
        {
            return Some(claim);
        }
    }
    let assistant = |sentence: &Sentence<'_>| admission::is_assistants(sentence) || turkish::is_assistants(sentence);
    sentences.iter().any(assistant).then_some(Claim::Assistant)
}

/// Returns whether the folded text holds one of the words that every claim holds. One pass: most texts hold none.
fn is_hinted(text: &[u8]) -> bool {
    let is_word = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    (0..text.len()).any(|at| {
        let starts = |hint: &str| text[at..].starts_with(hint.as_bytes());
        match text[at] {
            b'a' => starts("artificial") || starts("ai") && !is_word(at + 2) && (at == 0 || !is_word(at - 1)),
            b'b' => starts("bot") || starts("bilgisayar"),
            b'c' => starts("computer") || starts("canli"),
            b'e' => starts("etten"),
            b'f' => starts("flesh"),
            b'h' => starts("human"),
            b'i' => starts("insan"),
            b'k' => starts("kişi"),
            b'l' => starts("llm"),
            b'm' => starts("machine") || starts("model") || starts("makin"),
            b'p' => starts("person") || starts("people") || starts("program"),
            b's' => starts("software"),
            b'y' => starts("yapay") || starts("yazilim"),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests;
