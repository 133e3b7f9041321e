//! The list of routes. Layer `api`.

use super::route::Route;
use super::{
    account, audit, bots, budgets, chats, cluster, config, control, dead_letters, events, fleet, messages, orders,
    outcomes, people, personas, provider_trial, providers, retracting, roster, secrets, session, speaking, strategies,
    style, user_access, users,
};

/// Does something with each route of the list.
pub trait Visitor {
    /// Takes a route.
    fn visit<R: Route>(&mut self);
}

/// Shows a visitor every route of the API, by resource.
#[allow(clippy::too_many_lines, reason = "a line for each route")]
pub fn each(visitor: &mut impl Visitor) {
    visitor.visit::<fleet::Get>();
    visitor.visit::<events::Watch>();
    visitor.visit::<events::Dashboard>();
    visitor.visit::<outcomes::List>();
    visitor.visit::<style::Get>();
    visitor.visit::<roster::Replace>();
    visitor.visit::<bots::List>();
    visitor.visit::<bots::Get>();
    visitor.visit::<bots::Create>();
    visitor.visit::<bots::Change>();
    visitor.visit::<bots::Remove>();
    visitor.visit::<bots::GiveBack>();
    visitor.visit::<chats::List>();
    visitor.visit::<chats::Get>();
    visitor.visit::<chats::Create>();
    visitor.visit::<chats::Change>();
    visitor.visit::<chats::Remove>();
    visitor.visit::<chats::GiveBack>();
    visitor.visit::<personas::List>();
    visitor.visit::<personas::Get>();
    visitor.visit::<personas::Create>();
    visitor.visit::<personas::Change>();
    visitor.visit::<personas::Remove>();
    visitor.visit::<personas::GiveBack>();
    visitor.visit::<personas::Versions>();
    visitor.visit::<personas::Restore>();
    visitor.visit::<strategies::List>();
    visitor.visit::<strategies::Get>();
    visitor.visit::<strategies::Create>();
    visitor.visit::<strategies::Change>();
    visitor.visit::<strategies::Remove>();
    visitor.visit::<strategies::GiveBack>();
    visitor.visit::<providers::List>();
    visitor.visit::<providers::Get>();
    visitor.visit::<providers::Create>();
    visitor.visit::<providers::Change>();
    visitor.visit::<providers::Remove>();
    visitor.visit::<providers::GiveBack>();
    visitor.visit::<budgets::List>();
    visitor.visit::<budgets::Get>();
    visitor.visit::<budgets::Create>();
    visitor.visit::<budgets::Change>();
    visitor.visit::<budgets::Remove>();
    visitor.visit::<budgets::GiveBack>();
    visitor.visit::<config::Get>();
    visitor.visit::<config::List>();
    visitor.visit::<config::One>();
    visitor.visit::<config::GoBack>();
    visitor.visit::<control::Stop>();
    visitor.visit::<control::Start>();
    visitor.visit::<control::Release>();
    visitor.visit::<control::LiftPauses>();
    visitor.visit::<bots::SetDelivery>();
    visitor.visit::<chats::Decisions>();
    visitor.visit::<messages::List>();
    visitor.visit::<messages::Get>();
    visitor.visit::<speaking::Say>();
    visitor.visit::<speaking::TakeOver>();
    visitor.visit::<speaking::ListTakeovers>();
    visitor.visit::<speaking::EndTakeover>();
    visitor.visit::<retracting::DeleteMessage>();
    visitor.visit::<retracting::Retract>();
    visitor.visit::<retracting::List>();
    visitor.visit::<people::Get>();
    visitor.visit::<people::Forget>();
    visitor.visit::<people::OptOut>();
    visitor.visit::<people::OptIn>();
    visitor.visit::<dead_letters::List>();
    visitor.visit::<dead_letters::Redeliver>();
    visitor.visit::<orders::List>();
    visitor.visit::<orders::Get>();
    visitor.visit::<cluster::Get>();
    visitor.visit::<cluster::Drain>();
    visitor.visit::<cluster::Rebalance>();
    visitor.visit::<secrets::List>();
    visitor.visit::<secrets::SetToken>();
    visitor.visit::<secrets::RemoveToken>();
    visitor.visit::<secrets::SetProviderKey>();
    visitor.visit::<secrets::RemoveProviderKey>();
    visitor.visit::<secrets::Rotate>();
    visitor.visit::<secrets::Retire>();
    visitor.visit::<secrets::Reset>();
    visitor.visit::<provider_trial::Try>();
    visitor.visit::<audit::List>();
    visitor.visit::<audit::Head>();
    visitor.visit::<audit::Verify>();
    visitor.visit::<audit::Export>();
    visitor.visit::<session::Open>();
    visitor.visit::<session::Get>();
    visitor.visit::<session::End>();
    visitor.visit::<session::Confirm>();
    visitor.visit::<account::ListSessions>();
    visitor.visit::<account::EndSession>();
    visitor.visit::<account::ChangePassword>();
    visitor.visit::<account::BeginFactor>();
    visitor.visit::<account::TakeFactor>();
    visitor.visit::<account::ListKeys>();
    visitor.visit::<account::AddKey>();
    visitor.visit::<account::RotateKey>();
    visitor.visit::<account::EndKey>();
    visitor.visit::<users::List>();
    visitor.visit::<users::Add>();
    visitor.visit::<users::Get>();
    visitor.visit::<users::Change>();
    visitor.visit::<users::Remove>();
    visitor.visit::<user_access::ListSessions>();
    visitor.visit::<user_access::EndSession>();
    visitor.visit::<user_access::ListKeys>();
    visitor.visit::<user_access::AddKey>();
    visitor.visit::<user_access::EndKey>();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::NaiveDate;
    use serde_json::Value;

    use super::super::address::address;
    use super::super::route::{Method, Need};
    use super::*;
    use crate::api::deprecation::tests::Old;
    use crate::api::deprecation::{Day, Deprecation, Part};
    use crate::api::route::Body;

    /// Checks each route's example against its types.
    #[derive(Default)]
    struct Examples {
        names: BTreeSet<&'static str>,
        places: BTreeSet<(&'static str, &'static str)>,
    }

    impl Visitor for Examples {
        fn visit<R: Route>(&mut self) {
            let name = R::NAME;
            assert!(self.names.insert(name), "{name} stands twice");
            assert!(self.places.insert((R::METHOD.as_str(), R::PATH)), "{name}: its place is taken");
            assert!(R::PATH.starts_with("/api/v1/"), "{name}");
            assert!(R::SUMMARY.ends_with('.') && R::SUMMARY.len() < 100, "{name}: {}", R::SUMMARY);
            let need = <R::Body as Body>::NEED;
            assert!(R::METHOD != Method::Get || need == Need::Absent, "{name}: nothing is sent with a GET");
            let body = if R::EXAMPLE.body.is_empty() { "{}" } else { R::EXAMPLE.body };
            let parsed: Result<R::Body, _> = serde_json::from_str(body);
            assert!(
                parsed.is_ok() || need == Need::Required && R::EXAMPLE.body.is_empty(),
                "{name}: {:?}",
                parsed.err()
            );
            assert_eq!(R::EXAMPLE.body.is_empty(), need == Need::Absent, "{name} has a body, or none");
            let answer: Result<Value, _> = serde_json::from_str(R::EXAMPLE.answer);
            assert!(answer.is_ok(), "{name}: {:?}", answer.err());
            let (path, filters) = R::EXAMPLE.address.split_once('?').unwrap_or((R::EXAMPLE.address, ""));
            let names = |template: &str| template.split('/').map(str::to_owned).collect::<Vec<_>>();
            let (template, path) = (names(R::PATH), names(path));
            assert_eq!(template.len(), path.len(), "{name}");
            let mut given = Vec::new();
            for (part, value) in template.iter().zip(&path) {
                match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                    Some(key) => given.push(format!("{key}={value}")),
                    None => assert_eq!(part, value, "{name}"),
                }
            }
            let given: R::Path = read(&given.join("&"));
            let query: R::Query = read(filters);
            assert_eq!(address::<R>(&given, &query).as_deref(), Ok(R::EXAMPLE.address), "{name}");
        }
    }

    /// Reads names or filters as the edge does.
    fn read<T: serde::de::DeserializeOwned>(filters: &str) -> T {
        let uri = format!("/?{filters}").parse().expect("an address");
        axum::extract::Query::try_from_uri(&uri).expect("they are read").0
    }

    #[test]
    fn each_route_has_a_name_a_place_and_an_example_that_its_types_read() {
        let mut examples = Examples::default();
        each(&mut examples);
        assert!(examples.names.len() >= 20);
    }

    #[test]
    fn what_goes_goes_half_a_year_after_it_was_told_and_a_route_names_its_successor() {
        struct Goes;
        impl Visitor for Goes {
            fn visit<R: Route>(&mut self) {
                for Deprecation { part, since, sunset, instead } in R::DEPRECATED {
                    let days =
                        |day: &Day| day.0.parse::<NaiveDate>().unwrap_or_else(|_| panic!("{}: {day:?}", R::NAME));
                    let left = days(sunset) - days(since);
                    assert!(left.num_days() >= 180, "{}: {left}", R::NAME);
                    assert!(*part != Part::Route || instead.starts_with("/api/v1/"), "{}: {instead}", R::NAME);
                }
            }
        }
        each(&mut Goes);
        Goes.visit::<Old>();
    }
}
