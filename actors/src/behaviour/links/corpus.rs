//! Reads the text format of labelled chats. Layer `behaviour`; pure: text in, messages and links out.
//!
//! Messages: one a line, counted from 0: `[hh:mm] <nick> text`, `[hh:mm]  * nick does something`, or `=== ...` for
//! messages of the system. Links: `A B -` says that one of A and B answers the other, the later the earlier; `B B -`
//! opens a thread.
//!
//! # Source
//! Kummerfeld et al., "A Large-Scale Corpus for Conversation Disentanglement", ACL 2019: README of its data.

use std::collections::{BTreeSet, HashMap};

use thiserror::Error;

use super::score::Link;
use super::utterance::Utterance;
use crate::domain::time::Timestamp;

/// Most lines in a hundred that may be of no known form; such lines count as said by the system.
const STRANGE_PERCENT_MAX: usize = 5;
/// Words between the old nick and the new one.
const RENAMED: &str = " is now known as ";
const MINUTES_A_DAY: i64 = 24 * 60;

/// A line that is not in the format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct CorpusError {
    /// Line number, from 1.
    pub line: usize,
    /// Description of the fault, and the expected form.
    pub fault: String,
}

/// Reads the messages of a file.
///
/// # Errors
/// When more than a few lines are of no known form.
pub fn messages(text: &str) -> Result<Vec<Utterance>, CorpusError> {
    let mut read = Vec::new();
    let mut strange = Vec::new();
    let mut minute = 0;
    let mut first_nicks: HashMap<&str, &str> = HashMap::new();
    for (at, line) in text.lines().enumerate() {
        let said = said(line);
        if let Some((clock, _)) = said {
            minute = clock_after(minute, clock);
        } else if !line.starts_with("===") {
            strange.push(at + 1);
        } else if let Some((old, new)) = line.trim_start_matches('=').trim().split_once(RENAMED) {
            let first = first_nicks.remove(old).unwrap_or(old);
            first_nicks.insert(new.trim(), first);
        }
        let at = Timestamp::from_secs(minute * 60);
        read.push(match said {
            Some((_, Some((nick, text)))) => {
                let first = first_nicks.get(nick).copied().unwrap_or(nick);
                Utterance::new(nick, None, text, at, false).spoken_by(first)
            }
            _ => Utterance::new("", None, "", at, true),
        });
    }
    match strange.first() {
        Some(line) if strange.len() * 100 > read.len() * STRANGE_PERCENT_MAX => Err(CorpusError {
            line: *line,
            fault: format!("no message, as {} others; expected `[hh:mm] <nick> text` or `=== ...`", strange.len() - 1),
        }),
        _ => Ok(read),
    }
}

/// Reads the links of a file with `messages` messages.
///
/// # Errors
/// When a line is no link, or names a message that is not there.
pub fn links(text: &str, messages: usize) -> Result<BTreeSet<Link>, CorpusError> {
    let mut read = BTreeSet::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut words = line.split_whitespace().map(str::parse::<usize>);
        let (Some(Ok(one)), Some(Ok(other))) = (words.next(), words.next()) else {
            let fault = format!("no link: {line:?}; expected `A B -` with the numbers of two messages");
            return Err(CorpusError { line: at + 1, fault });
        };
        let link = (one.min(other), one.max(other));
        if link.1 >= messages {
            let fault = format!("message {} does not exist; the last one is {}", link.1, messages.saturating_sub(1));
            return Err(CorpusError { line: at + 1, fault });
        }
        read.insert(link);
    }
    Ok(read)
}

/// Returns the minute of the day, and nick and text where somebody speaks.
fn said(line: &str) -> Option<(i64, Option<(&str, &str)>)> {
    let (clock, rest) = line.strip_prefix('[')?.split_once(']')?;
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let minute = parts.next()??.checked_mul(60)? + parts.next()??;
    let rest = rest.trim_start();
    let spoken = if let Some((nick, text)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((nick.trim_start_matches(['+', '@', '%', ' ']), text.trim_start()))
    } else {
        rest.strip_prefix("* ").map(|action| (action.split(' ').next().unwrap_or(action), rest))
    };
    Some((minute, spoken.filter(|(nick, _)| !nick.is_empty())))
}

/// Returns the minute since the beginning of the file: a clock that goes back is the next day's.
fn clock_after(minute: i64, clock: i64) -> i64 {
    let day = minute.div_euclid(MINUTES_A_DAY) * MINUTES_A_DAY;
    if day + clock + MINUTES_A_DAY / 2 < minute { day + MINUTES_A_DAY + clock } else { day + clock }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_actions_and_the_system_are_told_apart() {
        let read =
            messages("[23:59] <@ada> hi\n=== tom has joined #x\n[00:01]  * ada waves\n[00:02] <tom> hi ada\n").unwrap();
        assert_eq!(read.iter().map(Utterance::is_system).collect::<Vec<_>>(), [false, true, false, false]);
        assert_eq!(read[0].speaker, read[2].speaker);
        assert_eq!(read[3].minute - read[0].minute, 3, "midnight lies between");
    }

    #[test]
    fn who_changes_the_nick_stays_the_same_speaker() {
        let read = messages("[10:00] <ada> hi\n=== ada is now known as ada|away\n[10:01] <ada|away> bye\n").unwrap();
        assert_eq!(read[0].speaker, read[2].speaker);
    }

    #[test]
    fn few_strange_lines_are_the_systems_and_many_are_a_fault() {
        let mut text = "[10:00] <ada> hi\n".repeat(30);
        text.push_str("-services- the server restarts\n");
        assert!(messages(&text).unwrap()[30].is_system());
        let fault = messages("hello\nyou\n").unwrap_err();
        assert_eq!(fault.line, 1);
    }

    #[test]
    fn links_are_read_in_either_order() {
        assert_eq!(links("0 1 -\n2 1 -\n2 2 -\n", 3).unwrap(), BTreeSet::from([(0, 1), (1, 2), (2, 2)]));
        assert_eq!(links("0 0 -\n0 3 -\n", 3).unwrap_err().line, 2);
        assert_eq!(links("0 -\n", 3).unwrap_err().line, 1);
    }
}
