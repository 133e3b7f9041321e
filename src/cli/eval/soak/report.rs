//! Formats the outcome of a soak. Part of `cli`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::args::SoakArgs;
use super::ledger::Judgement;
use super::sim::Soak;
use crate::cli::eval::coherence::Coherence;
use crate::cli::output::say;

/// Least share of calls that must be answered, in percent; `COHERENT_MIN` is that of coherent replies.
const ANSWERED_MIN: f64 = 95.0;
const COHERENT_MIN: f64 = 80.0;

/// The result of a soak.
pub(super) struct Report<'a> {
    pub(super) args: &'a SoakArgs,
    pub(super) judgement: Judgement,
    pub(super) coherence: Coherence,
    pub(super) ended: BTreeMap<String, u64>,
    pub(super) decisions: u64,
    pub(super) steps: u64,
    pub(super) fingerprint: u64,
    pub(super) took: Duration,
}

/// Returns a hash of everything that was said, when and in reply to what: the same seed gives the same hash.
pub(super) fn fingerprint(soak: &Soak) -> u64 {
    let mut hasher = DefaultHasher::new();
    for room in &soak.rooms {
        for entry in &room.transcript {
            (entry.number, entry.date, entry.author.id, entry.reply_to, &entry.text).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Writes all messages, one a line.
pub(super) fn write_transcript(path: &Path, soak: &Soak) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    let mut out = BufWriter::new(file);
    for room in &soak.rooms {
        for entry in &room.transcript {
            let line = json!({
                "chat": room.profile.spec.name,
                "number": entry.number,
                "at": entry.date,
                "author": entry.author.name,
                "bot": entry.fleet_bot,
                "reply_to": entry.reply_to,
                "chain_depth": entry.chain_depth,
                "text": entry.text,
            });
            serde_json::to_writer(&mut out, &line)?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(())
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 100.0 } else { (part as f64 * 10_000.0 / whole as f64).round() / 100.0 }
}

impl Report<'_> {
    fn is_sound(&self) -> bool {
        self.judgement.violations.is_empty()
            && percent(self.judgement.answered, self.judgement.calls) >= ANSWERED_MIN
            && self.coherence.percent() >= COHERENT_MIN
    }

    /// Prints the report; the exit code is a failure when a limit was violated or a share was too low.
    pub(super) fn print(&self) -> anyhow::Result<ExitCode> {
        if self.args.json {
            say(&self.json().to_string())?;
        } else {
            say(&self.table())?;
        }
        Ok(if self.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn json(&self) -> serde_json::Value {
        let of = &self.judgement;
        let violations: BTreeMap<&str, _> = of
            .violations
            .iter()
            .map(|(what, (count, example))| (*what, json!({ "count": count, "example": example })))
            .collect();
        json!({
            "sound": self.is_sound(),
            "seed": self.args.seed,
            "days": self.args.days,
            "bots": self.args.bots,
            "chats": self.args.chats,
            "people_messages": of.people,
            "bot_messages": of.said,
            "reactions": of.reactions,
            "decisions": self.decisions,
            "calls": of.calls,
            "calls_answered": of.answered,
            "calls_answered_percent": percent(of.answered, of.calls),
            "calls_exempt": of.exempt,
            "coherence_percent": self.coherence.percent(),
            "coherence_replies": self.coherence.replies,
            "strategy": self.args.strategy,
            "bot_messages_per_person_message": of.said as f64 / of.people.max(1) as f64,
            "longest_silence_by_day_s": of.longest_silence.as_secs(),
            "deepest_chain": of.deepest,
            "longest_run_without_people": of.longest_run,
            "likest_pair": of.likest,
            "violations": violations,
            "turns": self.ended,
            "bot_messages_by_hour": of.by_hour,
            "people_messages_by_hour": of.people_by_hour,
            "fingerprint": format!("{:016x}", self.fingerprint),
            "seconds": self.took.as_secs_f64(),
            "micros_per_step": self.took.as_micros() as f64 / self.steps.max(1) as f64,
        })
    }

    fn table(&self) -> String {
        let of = &self.judgement;
        let SoakArgs { days, bots, chats, seed, strategy, .. } = self.args;
        let mut text = format!("{days} days, {bots} bots in {chats} chats, strategy {strategy}, seed {seed}\n\n");
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<34} {value}");
        };
        row("messages of people", of.people.to_string());
        row("messages of bots", of.said.to_string());
        row("reactions of bots", of.reactions.to_string());
        row("decisions", self.decisions.to_string());
        let answered = percent(of.answered, of.calls);
        row("calls answered, linked", format!("{answered} % of {} (at least {ANSWERED_MIN} %)", of.calls));
        for (why, count) in &of.exempt {
            row(&format!("  calls not counted: {why}"), count.to_string());
        }
        let coherent = self.coherence.percent();
        row("replies whose target is evident", format!("{coherent} % (at least {COHERENT_MIN} %)"));
        row("messages of bots per person's", format!("{:.2}", of.said as f64 / of.people.max(1) as f64));
        row("longest silence by day", format!("{} min", of.longest_silence.as_secs() / 60));
        row("deepest chain of bots", of.deepest.to_string());
        row("longest run without people", of.longest_run.to_string());
        row("likest two messages of a bot", format!("{:.2}", of.likest));
        row("fingerprint", format!("{:016x}", self.fingerprint));
        row("took", format!("{:.1} s", self.took.as_secs_f64()));
        let _ = writeln!(text, "\nhour of the day  0     3     6     9     12    15    18    21");
        let _ = writeln!(text, "people           {}", bars(&of.people_by_hour));
        let _ = writeln!(text, "bots             {}", bars(&of.by_hour));
        let _ = writeln!(text, "\nturns ended by");
        for (why, count) in &self.ended {
            let _ = writeln!(text, "  {why:<32} {count}");
        }
        if of.violations.is_empty() {
            text.push_str("\nno limit was exceeded");
        } else {
            text.push_str("\nVIOLATED");
            for (what, (count, example)) in &of.violations {
                let _ = write!(text, "\n  {what}: {count} times, first {example}");
            }
        }
        text
    }
}

/// Draws a bar for each hour, two columns wide.
fn bars(counts: &[u64; 24]) -> String {
    const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| LEVELS[(count * 8).div_ceil(most) as usize];
    counts.iter().flat_map(|count| [bar(count), bar(count)]).collect()
}
