//! Bursts: lines that one person writes within moments are one thing said. Layer `behaviour`; pure.
//!
//! A bot that is to answer a person waits for the chat's quiet window. A line that comes within it takes the place of the
//! line before: it is decided with the calls of all lines, and the turns that wait for the earlier lines are dropped. A
//! forward and its comment are two such lines.

use std::time::Duration;

use crate::behaviour::note::Note;
use crate::behaviour::scene::Scene;
use crate::domain::decision::{OpenTurn, Standing};
use crate::domain::transcript::EntryKind;

/// Longest burst: a person who writes on and on is answered meanwhile.
const LONGEST: Duration = Duration::from_secs(5);

/// Telegram tells whole seconds.
const ROUNDING: Duration = Duration::from_millis(500);

/// Returns the earlier lines of the burst that the person's `entry` goes on with, newest first.
pub(super) fn earlier<'a>(scene: &Scene<'a>, entry: &Note) -> Vec<&'a Note> {
    let pacing = &scene.chat.spec.pacing;
    if !pacing.enabled || pacing.burst.is_zero() || !entry.author.kind.is_person() {
        return Vec::new();
    }
    let mut lines: Vec<&Note> = Vec::new();
    let mut last = entry.date;
    for note in scene.window.iter().rev().filter(|note| note.number < entry.number) {
        if entry.date.since(note.date) > LONGEST {
            break;
        }
        if note.kind != EntryKind::Message || note.author.id != entry.author.id || note.is_notice() {
            continue;
        }
        if last.since(note.date) > pacing.burst + ROUNDING {
            break;
        }
        last = note.date;
        lines.push(note);
    }
    lines
}

/// Returns whether the turn answers one of these lines.
pub(super) fn answers(turn: &OpenTurn, lines: &[&Note]) -> bool {
    turn.target.is_some_and(|target| lines.iter().any(|line| line.number == target))
}

/// Returns the standing without the turns that answer these lines.
pub(super) fn without(standing: &Standing, lines: &[&Note]) -> Standing {
    let mut standing = standing.clone();
    standing.open.retain(|turn| !answers(turn, lines));
    standing
}
