//! Reads a scenario file strictly: each error names the file, the field and the remedy. Layer: harness.

use std::path::Path;

use toml::{Table, Value};

use super::error::ReadingError;
use super::figure;
use super::objective::Objective;
use super::scenario::{LoadScenario, LoopKind, PolicyPart};
use crate::harness::files::lay_over;

/// A field that is wrong: name, reason, remedy.
type Wrong = (String, String, String);

const SEE: &str = "loadtest/scenarios/README.md lists the keys";

/// Reads a scenario; each of `set` is a line such as `world.bots = 2000` that is laid over the file.
///
/// # Errors
/// The file, the field and the remedy.
pub fn read(path: &Path, set: &[String]) -> Result<LoadScenario, ReadingError> {
    let text = std::fs::read_to_string(path).map_err(|source| ReadingError::File { path: path.to_owned(), source })?;
    parse(&text, path, set)
}

/// Reads the text of a scenario; errors name `path`.
///
/// # Errors
/// The field and the remedy.
pub fn parse(text: &str, path: &Path, set: &[String]) -> Result<LoadScenario, ReadingError> {
    let wrong = |(field, reason, remedy): Wrong| ReadingError::Field { path: path.to_owned(), field, reason, remedy };
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        let place = error.span().map_or(0, |span| span.start);
        let line = text.get(..place).unwrap_or(text).matches('\n').count() + 1;
        wrong((format!("line {line}"), error.message().to_owned(), "write TOML".to_owned()))
    })?;
    for line in set {
        let over: Table = line.parse().map_err(|error: toml::de::Error| {
            let remedy = "write `--set 'world.bots = 2000'`, and texts in quotes".to_owned();
            wrong((format!("--set {line}"), error.message().to_owned(), remedy))
        })?;
        lay_over(&mut table, over);
    }
    let scenario: LoadScenario = serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        wrong((error.path().to_string(), error.inner().message().trim().to_owned(), SEE.to_owned()))
    })?;
    check(&scenario).map_err(wrong)?;
    Ok(scenario)
}

/// Checks the ranges, and that the keys of the loop are those that the loop needs.
fn check(scenario: &LoadScenario) -> Result<(), Wrong> {
    let deny = |field: &str, reason: &str, remedy: &str| Err((field.to_owned(), reason.to_owned(), remedy.to_owned()));
    let within = |field: &str, value: f64, from: f64, upto: f64| {
        if (from..=upto).contains(&value) {
            return Ok(());
        }
        Err((field.to_owned(), format!("{value} is out of range"), format!("write a number from {from} to {upto}")))
    };
    if scenario.world.bots == 0 || scenario.world.chats == 0 || scenario.world.chats > scenario.world.bots {
        return deny("world.chats", "a chat would have no bot", "write at least one bot for each chat");
    }
    within("warmup_seconds", scenario.warmup_seconds, 0.0, 86_400.0)?;
    within("margin", scenario.margin, 0.0, 10.0)?;
    within("llm.sigma", scenario.llm.sigma, 0.0, 5.0)?;
    within("arrivals.calls", scenario.arrivals.calls, 0.0, 1.0)?;
    if scenario.product.nodes.is_some_and(|nodes| !(1..=16).contains(&nodes)) {
        return deny("product.nodes", "a cluster has 1 to 16 nodes", "leave the key out for one node on SQLite");
    }
    check_loop(scenario)?;
    for (name, limit) in &scenario.objectives {
        let field = || format!("objectives.{name}");
        if figure::named(name).is_none() {
            let names: Vec<&str> = figure::ALL.iter().map(|kind| kind.name).collect();
            return Err((field(), "there is no such figure".to_owned(), format!("write one of {}", names.join(", "))));
        }
        Objective::parse(name, limit)
            .map_err(|reason| (field(), reason, "write \"<= 5000\", \">= 20\" or \"= 0\"".to_owned()))?;
    }
    Ok(())
}

fn check_loop(scenario: &LoadScenario) -> Result<(), Wrong> {
    let arrivals = &scenario.arrivals;
    let is_set = [
        ("phases", !arrivals.phases.is_empty()),
        ("outstanding", arrivals.outstanding.is_some()),
        ("seconds", arrivals.seconds.is_some()),
        ("from", arrivals.from.is_some()),
        ("factor", arrivals.factor.is_some()),
        ("most", arrivals.most.is_some()),
    ];
    let (word, needed): (&str, &[&str]) = match arrivals.shape {
        LoopKind::Open => ("open", &["phases"]),
        LoopKind::Closed => ("closed", &["outstanding", "seconds"]),
        LoopKind::Ramp => ("ramp", &["from", "factor", "most", "seconds"]),
    };
    for (key, set) in is_set {
        let needs = needed.contains(&key);
        if set != needs {
            let field = format!("arrivals.{key}");
            let reason = format!("a loop {word:?} {}", if needs { "needs this key" } else { "has no such key" });
            let remedy = if needs { format!("add `{key} = ...` under [arrivals]") } else { "remove it".to_owned() };
            return Err((field, reason, remedy));
        }
    }
    let deny = |field: String, reason: &str, remedy: &str| Err((field, reason.to_owned(), remedy.to_owned()));
    for (index, phase) in arrivals.phases.iter().enumerate() {
        if !(0.0..=1e6).contains(&phase.rate) {
            return deny(format!("arrivals.phases[{index}].rate"), "out of range", "write messages a second, 0 to 1e6");
        }
        if !(phase.seconds > 0.0 && phase.seconds <= 604_800.0) {
            return deny(format!("arrivals.phases[{index}].seconds"), "out of range", "write seconds up to a week");
        }
    }
    if arrivals.seconds.is_some_and(|seconds| !(seconds > 0.0 && seconds <= 604_800.0)) {
        return deny("arrivals.seconds".to_owned(), "out of range", "write seconds up to a week");
    }
    if arrivals.shape == LoopKind::Closed && scenario.product.policy != PolicyPart::Every {
        return deny(
            "arrivals.loop".to_owned(),
            "a closed loop waits for the answers of all bots, and bots of other policies than `every` may be silent",
            "write loop = \"open\", or policy = \"every\" under [product]",
        );
    }
    if arrivals.shape == LoopKind::Ramp {
        let (from, most) = (arrivals.from.unwrap_or(0.0), arrivals.most.unwrap_or(0.0));
        if !(from > 0.0 && most >= from) {
            return deny("arrivals.from".to_owned(), "out of range", "write a rate above 0 and up to `most`");
        }
        if !arrivals.factor.is_some_and(|factor| (1.01..=10.0).contains(&factor)) {
            return deny("arrivals.factor".to_owned(), "out of range", "write a factor from 1.01 to 10");
        }
        if scenario.objectives.is_empty() {
            return deny("objectives".to_owned(), "a ramp ends when an objective breaks", "add one under [objectives]");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SOUND: &str = "name = \"x\"\nabout = \"y\"\n[world]\nbots = 2\nchats = 1\n[arrivals]\nloop = \"open\"\n\
                         phases = [{ rate = 1.0, seconds = 2.0 }]\n";

    fn fault(text: &str) -> String {
        parse(text, Path::new("x.toml"), &[]).unwrap_err().to_string()
    }

    #[test]
    fn a_short_scenario_runs_by_the_manifests_defaults() {
        let scenario = parse(SOUND, Path::new("x.toml"), &[]).unwrap();
        assert_eq!(scenario.product.policy, PolicyPart::Defaults);
        assert_eq!((scenario.seed, scenario.settle_seconds), (1, 60));
    }

    #[test]
    fn an_unknown_key_is_named_with_file_and_place() {
        let text = fault(&format!("{SOUND}burst = 3\n"));
        assert!(text.starts_with("x.toml: arrivals"), "{text}");
        assert!(text.contains("unknown field `burst`") && text.contains("README.md"), "{text}");
        let text = fault(&SOUND.replace("rate = 1.0", "rat = 1.0"));
        assert!(text.starts_with("x.toml: arrivals.phases[0]"), "{text}");
        let text = fault("name =\n");
        assert!(text.starts_with("x.toml: line 1: "), "{text}");
    }

    #[test]
    fn what_is_set_lies_over_the_file_and_is_as_strict() {
        let set = |line: &str| parse(SOUND, Path::new("x.toml"), &[line.to_owned()]);
        assert_eq!(set("world.bots = 2000").unwrap().world.bots, 2000);
        let text = set("world.robots = 3").unwrap_err().to_string();
        assert!(text.contains("unknown field `robots`"), "{text}");
        let text = set("world.bots is 3").unwrap_err().to_string();
        assert!(text.contains("--set world.bots is 3: "), "{text}");
    }

    #[test]
    fn an_objective_names_a_figure_and_a_limit() {
        let text = fault(&format!("{SOUND}[objectives]\nlatency_p98_ms = \"<= 3\"\n"));
        assert!(
            text.starts_with("x.toml: objectives.latency_p98_ms: there is no such figure; write one of "),
            "{text}"
        );
        let text = fault(&format!("{SOUND}[objectives]\nlost = \"none\"\n"));
        assert!(text.contains("objectives.lost: ") && text.contains("write \"<= 5000\""), "{text}");
    }

    #[test]
    fn a_loop_has_its_own_keys_and_no_others() {
        let text = fault(&SOUND.replace("phases = [{ rate = 1.0, seconds = 2.0 }]", ""));
        assert!(text.contains("arrivals.phases: a loop \"open\" needs this key; add `phases"), "{text}");
        let text = fault(&SOUND.replace("loop = \"open\"", "loop = \"open\"\noutstanding = 3"));
        assert!(text.contains("arrivals.outstanding: a loop \"open\" has no such key; remove it"), "{text}");
        let closed = "loop = \"closed\"\noutstanding = 3\nseconds = 1.0";
        let text = SOUND.replace("loop = \"open\"\nphases = [{ rate = 1.0, seconds = 2.0 }]", closed);
        assert!(fault(&text).contains("may be silent"), "{}", fault(&text));
        parse(&format!("{text}[product]\npolicy = \"every\"\n"), Path::new("x"), &[]).unwrap();
    }
}
