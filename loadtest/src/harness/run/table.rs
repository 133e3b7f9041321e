//! Prints a report as a table. Layer: harness; pure.

use std::fmt;

use super::figure::{named, shown};
use super::report::{Report, date};
use super::scenario::{LoopKind, PolicyPart};

impl Report {
    /// Describes the fleet and the traffic in a few words.
    pub fn described(&self) -> String {
        let (scenario, arrivals) = (&self.scenario, &self.scenario.arrivals);
        let policy = match scenario.product.policy {
            PolicyPart::Defaults => "the manifest's defaults",
            PolicyPart::Every => "policy every",
        };
        let store = match scenario.product.nodes {
            None => "one node on SQLite".to_owned(),
            Some(1) => "one node on PostgreSQL and Redis".to_owned(),
            Some(nodes) => format!("{nodes} nodes on PostgreSQL and Redis"),
        };
        let rates: Vec<String> = arrivals
            .phases
            .iter()
            .map(|phase| format!("{}/s for {} s", shown(phase.rate), shown(phase.seconds)))
            .collect();
        let traffic = match arrivals.shape {
            LoopKind::Open => format!("open loop, {}", rates.join(", then ")),
            LoopKind::Closed => format!("closed loop, {} outstanding", arrivals.outstanding.unwrap_or(1)),
            LoopKind::Ramp => "ramp".to_owned(),
        };
        format!(
            "{} bots, {} chats, {store}, {policy}; {traffic}; LLM median {} ms, sigma {}; seed {}",
            scenario.world.bots, scenario.world.chats, scenario.llm.median_ms, scenario.llm.sigma, scenario.seed
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.scenario.name, self.described())?;
        writeln!(
            f,
            "run {} of {}, commit {}, {} ({} cores)\n",
            self.run,
            date(self.at_unix_s),
            self.commit,
            self.machine.processor,
            self.machine.cores
        )?;
        for figure in &self.figures {
            let (unit, says) = named(&figure.name).map_or(("", ""), |kind| (kind.unit, kind.says));
            writeln!(f, "{:<22}{:>14} {unit:<4} {says}", figure.name, shown(figure.value))?;
        }
        writeln!(f, "\n{:<20}{:>8}{:>10}{:>10}{:>10}  from, to", "stage", "count", "p50 ms", "p99 ms", "max ms")?;
        for stage in &self.stages {
            match &stage.took {
                Some(took) => writeln!(
                    f,
                    "{:<20}{:>8}{:>10}{:>10}{:>10}  {}",
                    stage.name,
                    took.count,
                    shown(took.p50_ms),
                    shown(took.p99_ms),
                    shown(took.max_ms),
                    stage.says
                )?,
                None => writeln!(f, "{:<20}{:>38}  {}", stage.name, "not measured", stage.says)?,
            }
        }
        if let Some(reason) = &self.stages_missing {
            writeln!(f, "stages inside the product: not measured, {reason}")?;
        }
        for step in &self.steps {
            let verdict = if step.kept { "kept".to_owned() } else { format!("BROKE {}", step.broke.join(", ")) };
            let rate = shown(step.rate);
            writeln!(f, "step {rate:>8}/s  p99 {:>9} ms  {verdict}", shown(step.latency_p99_ms))?;
        }
        writeln!(f, "\n{}\n", self.checker)?;
        for judged in &self.objectives {
            let value = judged.value.map_or_else(|| "not measured".to_owned(), shown);
            let verdict = if judged.kept { "kept" } else { "BROKEN" };
            writeln!(f, "objective {:<36}{value:>14}  {verdict}", judged.objective.to_string())?;
        }
        if !self.at_rest {
            writeln!(f, "NOT AT REST after {} s", self.scenario.settle_seconds)?;
        }
        write!(f, "{}", if self.is_clean() { "clean" } else { "NOT CLEAN" })?;
        if self.is_clean() { Ok(()) } else { write!(f, "\nleft for a look: {}", self.dir.display()) }
    }
}
