//! Reads the strategies of the manifest: `[strategies.NAME]` over the built-in `natural`. Part of `config`.

use std::collections::BTreeMap;
use std::time::Duration;

use botfleet_actors::domain::strategy::Strategy;
use toml::{Table, Value};

use crate::config::manifest::checks::Checks;

/// Largest factor: more would leave nothing to the others.
const FACTOR_MAX: f64 = 20.0;

/// Most bots that may answer one message.
const ADDRESSED_MAX: usize = 20;

/// Longest time between two messages that nobody asked a bot for.
const COOL_DOWN_MAX: Duration = Duration::from_hours(24);

/// The manifest's own strategies. A faulty one is kept as far as it could be read, so that a chat that names it is no
/// fault of its own.
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
pub(super) fn check(tables: Table, checks: &mut Checks<'_>) -> Strategies {
    let mut strategies = BTreeMap::new();
    for (name, value) in tables {
        let place = format!("strategies.{name}");
        let read = if let Value::Table(table) = value {
            checks.read::<Strategy>(table, &place)
        } else {
            checks.fault(&place, "is no table", format!("write [{place}]"));
            None
        };
        let mut strategy = read.unwrap_or_default();
        for (key, chance) in strategy.chances() {
            *chance = checks.within(&format!("{place}.{key}"), *chance, 0.0..=1.0, 0.0);
        }
        for (key, factor) in strategy.factors() {
            *factor = checks.within(&format!("{place}.{key}"), *factor, 0.0..=FACTOR_MAX, 1.0);
        }
        let most = strategy.addressed_max;
        strategy.addressed_max = checks.within(&format!("{place}.addressed_max"), most, 1..=ADDRESSED_MAX, 1);
        let wait = strategy.cool_down;
        strategy.cool_down =
            checks.within(&format!("{place}.cool_down"), wait, Duration::ZERO..=COOL_DOWN_MAX, Duration::ZERO);
        strategies.insert(name, strategy);
    }
    Strategies(strategies)
}
