//! Goes back to the configuration of an earlier number. Layer `runtime`. Pure.

use std::collections::BTreeMap;

use botfleet_actors::domain::configuration::{ConfigStep, Configuration, Resource, ResourceChange, ResourceId};

/// Returns the changes that make the configuration as it was under a number; `None` when the steps do not reach back so far.
/// The steps are all that are kept, the newest first.
pub(in crate::runtime) fn back(now: &Configuration, steps: &[ConfigStep], number: i64) -> Option<Vec<ResourceChange>> {
    let oldest = steps.last().map(|step| step.number);
    // Under the number before the oldest step nobody knows whether another was made.
    let reaches = number == now.number || oldest.is_some_and(|oldest| number >= oldest);
    if !reaches || number > now.number {
        return None;
    }
    let mut then: BTreeMap<ResourceId, Option<Resource>> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.number > number) {
        for change in &step.changes {
            then.insert(change.id.clone(), change.before.clone());
        }
    }
    let changes = then.into_iter().filter_map(|(id, after)| {
        let before = now.resources.get(&id).cloned();
        Some(ResourceChange { id, before, after }).filter(|change| !change.is_none())
    });
    Some(changes.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use botfleet_actors::domain::configuration::{Keys, ResourceKind};
    use botfleet_actors::domain::time::Timestamp;
    use serde_json::json;

    use super::super::merge::after;
    use super::*;

    fn thing(value: i64, version: i64) -> Resource {
        Resource { keys: Keys::from([("limit".to_owned(), json!(value))]), version, ..Resource::default() }
    }

    /// Makes one change a number: a thing made, changed twice, and another one made.
    fn made() -> (Configuration, Vec<ConfigStep>) {
        let [a, b] = ["a", "b"].map(|name| ResourceId::new(ResourceKind::Budget, name));
        let steps = [
            (2, &a, None, thing(1, 2)),
            (3, &a, Some(thing(1, 2)), thing(2, 3)),
            (5, &b, None, thing(9, 5)),
            (6, &a, Some(thing(2, 3)), thing(3, 6)),
        ];
        let mut now = Configuration::default();
        let mut all = Vec::new();
        for (number, id, before, then) in steps {
            let changes = vec![ResourceChange { id: id.clone(), before, after: Some(then) }];
            now = Configuration { number, ..after(&now, &changes) };
            all.insert(0, ConfigStep { number, at: Timestamp::default(), by: "ayse".to_owned(), changes });
        }
        (now, all)
    }

    #[test]
    fn an_earlier_number_is_reached_and_left_again() {
        let (now, steps) = made();
        let values = |configuration: &Configuration| -> Vec<(String, i64)> {
            let value = |thing: &Resource| thing.keys["limit"].as_i64().unwrap();
            configuration.resources.iter().map(|(id, thing)| (id.name.clone(), value(thing))).collect()
        };
        let at = |number| back(&now, &steps, number).map(|changes| values(&after(&now, &changes)));
        let named =
            |pairs: &[(&str, i64)]| Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect());
        assert_eq!(at(6), named(&[("a", 3), ("b", 9)]));
        assert_eq!(at(5), named(&[("a", 2), ("b", 9)]));
        assert_eq!(at(4), named(&[("a", 2)]), "a number between two steps");
        assert_eq!(at(2), named(&[("a", 1)]));
        assert_eq!((at(1), at(7)), (None, None));
        let changes = back(&now, &steps, 2).unwrap();
        let then = Configuration { number: 7, ..after(&now, &changes) };
        let step = ConfigStep { number: 7, at: Timestamp::default(), by: "bela".to_owned(), changes };
        let steps: Vec<ConfigStep> = std::iter::once(step).chain(steps).collect();
        let forth = back(&then, &steps, 6).unwrap();
        assert_eq!(Some(values(&after(&then, &forth))), named(&[("a", 3), ("b", 9)]));
    }
}
