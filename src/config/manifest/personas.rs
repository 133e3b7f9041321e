//! Reads the personas of the manifest. Part of `config`.

use std::collections::BTreeMap;
use std::time::Duration;

use botfleet_actors::domain::roster::Persona;
use botfleet_actors::domain::stance::Stance;
use toml::{Table, Value};

use super::raw::{RawPersona, RawStance};
use super::reactions::reactions;
use crate::config::manifest::checks::Checks;

/// Talkativeness of a persona that sets none: how readily its bot speaks unasked.
const TALKATIVENESS: f64 = 0.3;

/// Confidence of a stance that sets none; `STANCE_COOL_DOWN` is the time for which the persona then leaves the topic
/// alone.
const CONFIDENCE: f64 = 0.7;
const STANCE_COOL_DOWN: Duration = Duration::from_mins(30);

/// Personas by name; `None` for one with faults, so that a bot that names it is no fault of its own.
pub(super) type Personas = BTreeMap<String, Option<Persona>>;

/// Checks `[personas.NAME]`.
pub(super) fn check(tables: Table, checks: &mut Checks<'_>) -> Personas {
    let mut personas = Personas::new();
    for (name, value) in tables {
        let place = format!("personas.{name}");
        let persona = if let Value::Table(table) = value {
            checks.read::<RawPersona>(table, &place).and_then(|raw| persona(raw, &name, &place, checks))
        } else {
            checks.fault(&place, "is no table", format!("write [personas.{name}]"));
            None
        };
        personas.insert(name, persona);
    }
    personas
}

fn persona(raw: RawPersona, name: &str, place: &str, checks: &mut Checks<'_>) -> Option<Persona> {
    let remedy = "tell in a few sentences who it is, as in \"You are Ada, a retired engineer ...\"";
    let voice = checks.required(&format!("{place}.voice"), raw.voice, remedy);
    let key = format!("{place}.talkativeness");
    let talkativeness = raw.talkativeness.unwrap_or(TALKATIVENESS);
    let talkativeness = checks.within(&key, talkativeness, 0.0..=1.0, TALKATIVENESS);
    let stances = raw.stances.into_iter().enumerate();
    let stances =
        stances.filter_map(|(index, raw)| stance(raw, &format!("{place}.stances[{index}]"), checks)).collect();
    let active_hours = raw.active_hours.and_then(|hours| checks.hours(format!("{place}.active_hours"), &hours));
    let speed = raw.chars_per_second;
    let speed = speed.map(|speed| checks.within(&format!("{place}.chars_per_second"), speed, 1.0..=1_000.0, 1.0));
    let reactions = reactions(&raw.reactions, &format!("{place}.reactions"), checks);
    Some(Persona {
        name: name.to_owned(),
        language: raw.language.unwrap_or_default(),
        voice: voice?,
        style: raw.style.filter(|style| !style.trim().is_empty()),
        interests: not_blank(raw.interests),
        examples: not_blank(raw.examples),
        talkativeness,
        nicknames: not_blank(raw.nicknames),
        stances,
        active_hours,
        reactions,
        chars_per_second: speed,
    })
}

fn stance(raw: RawStance, place: &str, checks: &mut Checks<'_>) -> Option<Stance> {
    let topic = checks.required(&format!("{place}.topic"), raw.topic, "say in a few words what it is about");
    let remedy = "say in one sentence what the persona holds";
    let position = checks.required(&format!("{place}.position"), raw.position, remedy);
    let confidence = raw.confidence.unwrap_or(CONFIDENCE);
    let confidence = checks.within(&format!("{place}.confidence"), confidence, 0.0..=1.0, CONFIDENCE);
    let version = checks.within(&format!("{place}.version"), raw.version.unwrap_or(1), 1..=u32::MAX, 1);
    Some(Stance {
        topic: topic?,
        keywords: not_blank(raw.keywords),
        position: position?,
        confidence,
        reasons: not_blank(raw.reasons),
        denials: not_blank(raw.denials),
        version,
        cool_down: raw.cool_down.unwrap_or(STANCE_COOL_DOWN),
    })
}

/// Returns the texts that are not blank.
pub(super) fn not_blank(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().filter(|text| !text.trim().is_empty()).collect()
}
