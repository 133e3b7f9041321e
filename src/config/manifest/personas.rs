//! Reads the personas of the manifest. Part of `config`.

use std::collections::BTreeMap;

use botfleet_actors::domain::roster::Persona;
use toml::Table;

use super::reactions::reactions;
use crate::config::manifest::checks::Checks;

/// Personas by name. A faulty one is kept as far as it could be read, so that a bot that names it is no fault of its own.
pub(super) type Personas = BTreeMap<String, Persona>;

/// Checks `[personas.NAME]`.
pub(super) fn check(mut tables: Table, checks: &mut Checks<'_>) -> Personas {
    let names: Vec<String> = tables.keys().cloned().collect();
    let mut personas = Personas::new();
    for name in names {
        let place = format!("personas.{name}");
        let table = checks.file().table_of(&mut tables, &name, &place);
        let (mut persona, _) = checks.file().take::<Persona>(table, &place, None);
        persona.reactions = reactions(&persona.reactions, &format!("{place}.reactions"), checks);
        persona.name.clone_from(&name);
        personas.insert(name, persona);
    }
    personas
}
