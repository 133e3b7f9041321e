//! Reads the strategies of the manifest: `[strategies.NAME]` over the built-in `natural`. Part of `config`.

use std::collections::BTreeMap;

use botfleet_actors::domain::strategy::Strategy;
use toml::Table;

use crate::config::manifest::checks::Checks;

/// The manifest's own strategies. A faulty one is kept as far as it could be read, so that a chat that names it is not
/// reported as well.
pub(super) struct Strategies(BTreeMap<String, Strategy>);

impl Strategies {
    /// Returns the strategy of that name, the manifest's own before the built-in ones; `natural` without a name.
    pub(super) fn named(&self, name: Option<&str>, key: &str, checks: &mut Checks<'_>) -> Strategy {
        let Some(name) = name else {
            return self.0.get(Strategy::BUILT_IN[0]).cloned().unwrap_or_default();
        };
        if let Some(strategy) = self.0.get(name).cloned().or_else(|| Strategy::built_in(name)) {
            return strategy;
        }
        let own = self.0.keys().map(String::as_str).filter(|own| !Strategy::BUILT_IN.contains(own));
        let known: Vec<&str> = Strategy::BUILT_IN.into_iter().chain(own).collect();
        let remedy = format!("strategies: {}; or add [strategies.{name}]", known.join(", "));
        checks.fault(key, format!("the strategy {name:?} is unknown"), remedy);
        Strategy::default()
    }
}

/// Returns a strategy's name for people: a built-in name, or "own".
pub fn label(strategy: &Strategy) -> &'static str {
    let is_it = |name: &&'static str| Strategy::built_in(name).as_ref() == Some(strategy);
    Strategy::BUILT_IN.into_iter().find(is_it).unwrap_or("own")
}

/// Checks `[strategies.NAME]`.
pub(super) fn check(mut tables: Table, checks: &mut Checks<'_>) -> Strategies {
    let names: Vec<String> = tables.keys().cloned().collect();
    let mut strategies = BTreeMap::new();
    for name in names {
        let place = format!("strategies.{name}");
        let table = checks.file().table_of(&mut tables, &name, &place);
        let (strategy, _) = checks.file().take::<Strategy>(table, &place, None);
        strategies.insert(name, strategy);
    }
    Strategies(strategies)
}
