//! Makes a provider's words on a failure fit to be shown. Layer `adapters`; pure. Keeps I12.
//!
//! Servers quote the key and the words of people that they were sent. Both are taken out before the text is cut, since
//! a part of them would not be found.

use botfleet_actors::ports::llm::PromptMessage;
use secrecy::{ExposeSecret, SecretString};

/// Most characters that are shown.
const TOLD_CHARS: usize = 200;

/// Number of characters that are searched; the rest is dropped.
const SEARCHED_CHARS: usize = 1_000;

/// Least length, in characters, of a run of the prompt that counts as a quotation.
const QUOTED_CHARS: usize = 16;

/// The secrets of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redaction<'a> {
    /// The key of the call.
    pub(super) key: &'a SecretString,
    /// The prompt.
    pub(super) prompt: &'a [PromptMessage],
}

impl Redaction<'_> {
    /// Returns the words without key and prompt, in one line, and no longer than `TOLD_CHARS`.
    pub(super) fn tell(&self, words: &str) -> String {
        let key = self.key.expose_secret();
        let words = if key.is_empty() { words.to_owned() } else { words.replace(key, "[key]") };
        let line = words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let line: String = line.collect::<Vec<_>>().join(" ").chars().take(SEARCHED_CHARS).collect();
        self.unquoted(&line).chars().take(TOLD_CHARS).collect()
    }

    fn unquoted(&self, line: &str) -> String {
        let starts: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
        let chars = starts.len() - 1;
        let stands = |from: usize, to: usize| {
            self.prompt.iter().any(|message| message.content.contains(&line[starts[from]..starts[to]]))
        };
        let (mut out, mut at) = (String::with_capacity(line.len()), 0);
        while at < chars {
            let mut to = at + QUOTED_CHARS;
            if to > chars || !stands(at, to) {
                out.push_str(&line[starts[at]..starts[at + 1]]);
                at += 1;
                continue;
            }
            while to < chars && stands(at, to + 1) {
                to += 1;
            }
            out.push_str("[text]");
            at = to;
        }
        out
    }
}

/// Returns the words of a page: its text without tags.
pub(super) fn words_of_page(body: &[u8]) -> String {
    let mut inside = false;
    let text = String::from_utf8_lossy(body);
    let shown = text.chars().take(4 * SEARCHED_CHARS).map(|c| match c {
        '<' => {
            inside = true;
            ' '
        }
        '>' if inside => {
            inside = false;
            ' '
        }
        _ if inside => ' ',
        other => other,
    });
    shown.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use botfleet_actors::ports::llm::Role;

    use super::*;

    #[test]
    fn neither_key_nor_prompt_is_told() {
        let key = SecretString::from("sk-secret-secret".to_owned());
        let prompt = [PromptMessage { role: Role::User, content: "Ayşe: my door code is 4711".to_owned() }];
        let redaction = Redaction { key: &key, prompt: &prompt };
        let told = redaction.tell("bad\n content 'my door code is 4711' for sk-secret-secret");
        assert_eq!(told, "bad content '[text]' for [key]");
        assert_eq!(redaction.tell(&"x".repeat(900)).len(), TOLD_CHARS);
        assert_eq!(words_of_page(b"<html><h1>404</h1>\n<p>Not found</p></html>"), "404 Not found");
    }
}
