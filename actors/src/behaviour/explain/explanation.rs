//! Writes the whole explanation of one decision. Layer `behaviour`; pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scores::{Score, Scores, percent, short};
use super::screen::{Screen, cut, some};
use super::words::{address_words, addressed_words, ending_words, gate_words, is_known_input};
use crate::domain::decision::{Cause, Decision, Verdict};
use crate::domain::ids::BotId;
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{Act, Turn, TurnState};

/// Characters of a message's text, where it is asked for.
const TEXT_CHARS: usize = 80;
/// Most names on a line of bots that did not speak.
const NAMES: usize = 8;
/// Most speakers, and ends of turns, that have a line of their own.
const SPEAKERS: usize = 3;
/// Most reasons not to speak that have a line of their own.
const GROUPS: usize = 7;

/// A decision and the facts around it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The decision.
    pub decision: &'a Decision,
    /// Turns of the decision with their messages.
    pub turns: &'a [(Turn, Vec<OutboxMessage>)],
    /// Names of the bots.
    pub names: &'a BTreeMap<BotId, String>,
    /// The entry that caused the decision, if it is still known.
    pub cause: Option<&'a TranscriptEntry>,
    /// The beginning of the message may be shown.
    pub text: bool,
}

/// A decision in plain words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// At most [`LINES`](super::screen::LINES) of at most [`COLUMNS`](super::screen::COLUMNS) characters.
    pub lines: Vec<String>,
    /// Recorded keys that this version has no words for.
    pub unknown: Vec<String>,
}

/// Explains a decision.
pub fn explain(case: &Case<'_>) -> Explanation {
    let scores = Scores::of(case.decision);
    let mut screen = Screen::default();
    screen.say(&headline(case));
    screen.say(&what_happened(case));
    if let Some(sentence) = called(case) {
        screen.say(&sentence);
    }
    screen.say(&verdict(case));
    for sentence in speakers(case, &scores) {
        screen.point(&sentence);
    }
    let others = others(case, &scores);
    if !others.is_empty() {
        screen.say(if case.turns.is_empty() { "Why nobody:" } else { "Why not the others:" });
        for sentence in others {
            screen.point(&sentence);
        }
    }
    if let Some(sentence) = circumstances(case) {
        screen.say(&sentence);
    }
    if !case.turns.is_empty() {
        screen.say("What came of it:");
        for (turn, messages) in case.turns.iter().take(SPEAKERS + 1) {
            screen.point(&ending(case, turn, messages));
        }
    }
    let mut unknown = scores.unknown;
    if let Value::Object(inputs) = &case.decision.inputs {
        let gate = inputs.get("gate").and_then(Value::as_str).filter(|gate| !gate_words(gate).1);
        unknown.extend(gate.map(|gate| format!("gate {gate}")));
        unknown.extend(inputs.keys().filter(|key| !is_known_input(key)).map(|key| format!("input {key}")));
    }
    Explanation { lines: screen.lines(), unknown }
}

fn headline(case: &Case<'_>) -> String {
    let Decision { number, at, policy, .. } = case.decision;
    format!("Decision {number}, {}, policy {policy}.", date(*at))
}

fn date(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at.as_millis())
        .map_or_else(|| at.as_millis().to_string(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn name(case: &Case<'_>, bot: BotId) -> String {
    case.names.get(&bot).map_or_else(|| format!("bot {bot}"), |name| cut(name, 32))
}

/// Tells the cause of the decision.
fn what_happened(case: &Case<'_>) -> String {
    let Cause::Entry(number) = case.decision.cause else {
        let unanswered = case.decision.inputs["openings_unanswered"].as_u64().unwrap_or(0);
        return match unanswered {
            0 => "The chat was quiet until its tick.".to_owned(),
            1 => "The chat was quiet until its tick; one opening before found no person's answer.".to_owned(),
            more => format!("The chat was quiet until its tick; {more} openings before found no person's answer."),
        };
    };
    let from = case.decision.inputs["from"].as_str();
    let author = match (case.cause, from) {
        (Some(TranscriptEntry { fleet_bot: Some(bot), .. }), _) => format!("{} of the fleet", name(case, *bot)),
        (Some(entry), _) if entry.author.kind.is_person() => "A person".to_owned(),
        (Some(_), _) | (None, Some("foreign_bot")) => "A bot of somebody else".to_owned(),
        (None, Some("person")) => "A person".to_owned(),
        (None, Some("bot")) => "A bot of the fleet".to_owned(),
        (None, _) => "Somebody".to_owned(),
    };
    let message = case.cause.map(|entry| format!(" (message {})", entry.message_id)).unwrap_or_default();
    let mut sentence = format!("{author} wrote entry {number}{message}");
    if case.decision.inputs["question"] == true {
        sentence.push_str(", a question");
    }
    if case.decision.inputs["to_person"] == true {
        sentence.push_str(", to another person");
    }
    match case.cause.and_then(|entry| entry.text.as_deref()).filter(|_| case.text) {
        Some(text) => format!("{sentence}: \"{}\"", cut(text.trim(), TEXT_CHARS)),
        None => format!("{sentence}."),
    }
}

/// Tells whom the message called, and the message that it answers.
fn called(case: &Case<'_>) -> Option<String> {
    let inputs = &case.decision.inputs;
    let mut parts = Vec::new();
    match &inputs["addressed"] {
        Value::Object(bots) => {
            for (bot, how) in bots.iter().take(NAMES) {
                parts.push(format!("{} {}", address_words(how.as_str().unwrap_or_default()), cut(bot, 32)));
            }
        }
        Value::Array(bots) if !bots.is_empty() => {
            let names: Vec<String> = bots.iter().filter_map(Value::as_str).map(|name| cut(name, 32)).collect();
            parts.push(format!("mentions or replies to {}", some(&names, NAMES)));
        }
        _ => {}
    }
    let link = match &inputs["link"] {
        Value::Array(pair) => pair.first().and_then(Value::as_i64).zip(pair.get(1).and_then(Value::as_f64)),
        Value::Object(link) => {
            let to = ["to", "number", "entry"].iter().find_map(|key| link.get(*key)).and_then(Value::as_i64);
            to.zip(["probability", "p"].iter().find_map(|key| link.get(*key)).and_then(Value::as_f64))
        }
        _ => None,
    };
    if let Some((entry, probability)) = link {
        parts.push(format!("answers entry {entry} with a probability of {}", percent(probability)));
    }
    (!parts.is_empty()).then(|| format!("It {}.", parts.join(", ")))
}

fn verdict(case: &Case<'_>) -> String {
    let reason = cut(&unquoted(&case.decision.reason), 220);
    if case.decision.verdict == Verdict::Silent {
        return format!("Nobody speaks: {reason}.");
    }
    let names: Vec<String> = case.turns.iter().map(|(turn, _)| name(case, turn.bot)).collect();
    let only_reacts = case.turns.iter().all(|(turn, _)| matches!(turn.act, Act::React { .. }));
    let does = match (names.len(), only_reacts && !names.is_empty()) {
        (0, _) => "Somebody speaks".to_owned(),
        (_, true) => format!("{} reacts", some(&names, NAMES)),
        (1, _) => format!("{} speaks", names[0]),
        _ => format!("{} speak, in this order", some(&names, NAMES)),
    };
    format!("{does}: {reason}.")
}

/// Tells why each speaker speaks.
fn speakers(case: &Case<'_>, scores: &Scores) -> Vec<String> {
    let mut lines = Vec::new();
    for (turn, _) in case.turns.iter().take(SPEAKERS) {
        let name = name(case, turn.bot);
        let does = match (&turn.act, turn.target) {
            (Act::Answer, Some(target)) => format!("answers entry {target}"),
            (Act::Open { recalls: Some(entry), .. }, _) => format!("comes back to entry {entry}"),
            (Act::Answer, None) | (Act::Open { topic: None, .. }, _) => "brings something up".to_owned(),
            (Act::Open { topic: Some(topic), .. }, _) => format!("brings up {}", cut(topic, 60)),
            (Act::Say { .. }, _) => "says a set text".to_owned(),
            (Act::React { emoji }, _) => format!("reacts with {}", cut(emoji, 16)),
        };
        let waits = turn.due_at.since(turn.created_at);
        let waits = if waits.is_zero() { String::new() } else { format!(" after {} s", short(waits.as_secs_f64())) };
        let score = scores.bots.iter().find(|score| score.name == name);
        let why = score.map(why_of).filter(|why| !why.is_empty()).map(|why| format!(": {why}")).unwrap_or_default();
        lines.push(format!("{name} {does}{waits}{why}."));
    }
    if case.turns.len() > SPEAKERS {
        lines.push(format!("{} more do.", case.turns.len() - SPEAKERS));
    }
    lines
}

fn why_of(score: &Score) -> String {
    let mut parts = Vec::new();
    if let Some(how) = &score.addressed {
        parts.push(addressed_words(how).to_owned());
    }
    parts.extend(score.factors.iter().filter(|words| !parts.contains(words)).cloned().collect::<Vec<_>>());
    if let Some(wish) = score.wish {
        parts.push(format!("wish {}", short(wish)));
    }
    match (score.chance, score.roll) {
        (Some(chance), Some(roll)) => parts.push(format!("chance {}, rolled {}", percent(chance), percent(roll))),
        (Some(chance), None) => parts.push(format!("chance {}", percent(chance))),
        _ => {}
    }
    parts.join(", ")
}

/// Tells why the rest of the cast does not speak, grouped by the reason.
fn others(case: &Case<'_>, scores: &Scores) -> Vec<String> {
    let speaking: Vec<String> = case.turns.iter().map(|(turn, _)| name(case, turn.bot)).collect();
    let taken = scores.room.is_none_or(|(share, roll)| roll < share);
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for score in scores.bots.iter().filter(|score| !speaking.contains(&score.name)) {
        let shown = cut(&score.name, 32);
        let (reason, entry) = match (&score.filtered, score.chance.zip(score.roll), score.wish) {
            (Some(filter), ..) => (filter.clone(), shown),
            (None, Some((chance, roll)), _) if roll >= chance => {
                let rolls = format!("{shown} (rolled {} over {})", percent(roll), percent(chance));
                ("left it to chance, which said no".to_owned(), rolls)
            }
            (None, Some(_), _) => ("enough others answer".to_owned(), shown),
            (None, None, Some(wish)) if wish <= 0.0 => ("never speaks unasked".to_owned(), shown),
            (None, None, Some(wish)) if !taken => {
                ("would have, had anybody joined in, by their wish".to_owned(), format!("{shown} {}", short(wish)))
            }
            (None, None, Some(wish)) => {
                ("wished to as well, another was drawn".to_owned(), format!("{shown} {}", short(wish)))
            }
            (None, None, None) => ("nothing moved them".to_owned(), shown),
        };
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(entry),
            None => groups.push((reason, vec![entry])),
        }
    }
    let mut lines = Vec::new();
    if let Some((share, roll)) = scores.room.filter(|_| !scores.bots.is_empty() && !taken) {
        lines.push(format!("the chance that anybody joins in was {}, rolled {}", percent(share), percent(roll)));
    }
    let more = groups.len().saturating_sub(GROUPS);
    lines.extend(groups.iter().take(GROUPS).map(|(reason, names)| format!("{reason}: {}", some(names, NAMES))));
    if more > 0 {
        lines.push(format!("{more} more reasons"));
    }
    lines
}

/// Tells the state of the room.
fn circumstances(case: &Case<'_>) -> Option<String> {
    let inputs = &case.decision.inputs;
    let mut parts = Vec::new();
    if let Some(energy) = inputs["energy"].as_f64() {
        parts.push(format!("energy {}", percent(energy)));
    }
    if case.decision.chain_depth > 1 {
        parts.push(format!("the chain of bot messages would be {} long", case.decision.chain_depth));
    }
    match &inputs["hour"] {
        Value::String(clock) => parts.push(format!("{} there", cut(clock, 8))),
        Value::Number(hour) => parts.push(format!("{hour} o'clock there")),
        _ => {}
    }
    if let Some(gate) = inputs["gate"].as_str() {
        parts.push(gate_words(gate).0);
    }
    if let Some(chance) = inputs["reaction"].as_f64() {
        parts.push(format!("the chance of an emoji where nobody answers was {}", percent(chance)));
    }
    if let Some(unheard) = inputs["unheard"].as_u64().filter(|unheard| *unheard > 0) {
        parts.push(format!("{unheard} messages of the fleet since a person spoke"));
    }
    if let Some(topic) = inputs["topic"].as_str() {
        parts.push(format!("topic {}", cut(topic, 40)));
    }
    let limit = inputs["limit"].as_str().or_else(|| inputs["physics"].as_str());
    if let Some(limit) = limit {
        parts.push(format!("limit reached: {}", cut(&limit.replace('_', " "), 60)));
    }
    let standing = &case.decision.standing;
    if let Some(until) = standing.calm_until.filter(|until| *until > case.decision.at) {
        parts.push(format!("calming down for another {} s", until.since(case.decision.at).as_secs()));
    }
    if !standing.open.is_empty() {
        let mut names: Vec<String> = standing.open.iter().map(|open| name(case, open.bot)).collect();
        names.dedup();
        parts.push(format!("about to speak: {}", some(&names, NAMES)));
    }
    let told = |bot: &BotId| standing.silent.iter().any(|(silent, _)| silent == bot);
    let absent: Vec<&BotId> = standing.absent.iter().filter(|bot| !told(bot)).collect();
    for (bot, why) in standing.silent.iter().take(NAMES) {
        parts.push(format!("{} could not speak: {why}", name(case, *bot)));
    }
    if !absent.is_empty() {
        let names: Vec<String> = absent.into_iter().map(|bot| name(case, *bot)).collect();
        parts.push(format!("cannot post there: {}", some(&names, NAMES)));
    }
    if standing.stopped {
        parts.push("a stop holds".to_owned());
    }
    (!parts.is_empty()).then(|| format!("Room: {}.", parts.join("; ")))
}

/// Tells how one turn ended.
fn ending(case: &Case<'_>, turn: &Turn, messages: &[OutboxMessage]) -> String {
    let name = name(case, turn.bot);
    let why = turn.progress.error.as_deref().map(because).unwrap_or_default();
    match turn.progress.state {
        TurnState::Queued => format!("{name} has yet to begin"),
        TurnState::Claimed => format!("{name} is at it"),
        TurnState::Dropped => format!("{name} dropped it{why}"),
        TurnState::Expired => format!("{name} came too late{why}"),
        TurnState::Dead => format!("{name} failed for good{why}"),
        TurnState::Done if messages.is_empty() => format!("{name} did it{why}"),
        TurnState::Done => {
            let parts: Vec<String> = messages.iter().map(part).collect();
            format!("{name}: {}", some(&parts, 3))
        }
    }
}

fn part(message: &OutboxMessage) -> String {
    let why = message.progress.error.as_deref().map(because).unwrap_or_default();
    match (message.progress.state, message.progress.message_id) {
        (OutboxState::Sent, Some(id)) => format!("sent as message {id}"),
        (state, _) => format!("a message that is {}{why}", state.as_str().replace('_', " ")),
    }
}

fn because(error: &str) -> String {
    let error = cut(&unquoted(error), 110);
    match ending_words(&error) {
        Some(words) => format!(" ({words}: {error})"),
        None => format!(" ({error})"),
    }
}

/// Returns the text without quotations: they may be somebody's words.
fn unquoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut open = None;
    for c in text.chars() {
        match (open, c) {
            (None, '"') => open = Some('"'),
            (None, '“') => open = Some('”'),
            (None, _) => {
                shown.push(c);
                continue;
            }
            (Some(end), c) if c == end => open = None,
            (Some(_), _) => continue,
        }
        if open.is_none() {
            shown.push('…');
        }
    }
    shown
}
