//! Describes the keys of manifest and settings, for schemas, examples and tables. Part of `config`.

use botfleet_actors::domain::keys::describe::{Described, Description, Holds};
use botfleet_actors::domain::keys::rule::Facts;
use botfleet_actors::domain::roster::{BotSpec, ChatSpec, Persona};
use botfleet_actors::domain::strategy::Strategy;

use super::manifest::budgets::Budget;
use super::manifest::entry::ProviderEntry;
use super::settings::Config;

/// Describes the settings, section by section.
pub fn settings() -> Description {
    Description::of::<Config>()
}

/// Describes the manifest, table by table.
pub fn manifest() -> Description {
    let mut shared = Description::of::<BotSpec>().shared();
    shared.keys.extend(Description::of::<ChatSpec>().shared().keys);
    "Values for all bots and chats that do not say otherwise.".clone_into(&mut shared.doc);
    let keys = vec![
        table("defaults", Holds::Table(shared)),
        table("providers", Holds::List(Description::of::<ProviderEntry>())),
        table("personas", Holds::Named(Description::of::<Persona>())),
        table("strategies", Holds::Named(Description::of::<Strategy>())),
        table("bots", Holds::List(Description::of::<BotSpec>())),
        table("chats", Holds::List(Description::of::<ChatSpec>())),
        table("budgets", Holds::List(Description::of::<Budget>())),
    ];
    Description { doc: "Bots, personas, chats, providers and budgets of a fleet.".to_owned(), keys }
}

fn table(name: &'static str, holds: Holds) -> Described {
    let doc = match &holds {
        Holds::Table(inner) | Holds::List(inner) | Holds::Named(inner) => inner.doc.clone(),
        Holds::Value { .. } => String::new(),
    };
    Described { name, doc, facts: Facts::default(), holds }
}
