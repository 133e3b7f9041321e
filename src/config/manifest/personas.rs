//! Personas of the manifest. Part of `config`.

use std::collections::BTreeMap;

use botfleet_actors::domain::roster::Persona;
use toml::{Table, Value};

use super::Checks;
use super::raw::RawPersona;

/// How readily a bot speaks unasked when its persona does not say.
const TALKATIVENESS: f64 = 0.3;

/// Personas by name; `None` for one with faults, so that a bot that names it is not told of as well.
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
    Some(Persona {
        name: name.to_owned(),
        language: raw.language.unwrap_or_default(),
        voice: voice?,
        style: raw.style.filter(|style| !style.trim().is_empty()),
        interests: not_blank(raw.interests),
        examples: not_blank(raw.examples),
        talkativeness,
        nicknames: not_blank(raw.nicknames),
        stances: Vec::new(),
        active_hours: None,
        reactions: Vec::new(),
        chars_per_second: None,
    })
}

/// The texts without blank ones.
pub(super) fn not_blank(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().filter(|text| !text.trim().is_empty()).collect()
}
