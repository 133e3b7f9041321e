//! Makes recorded decisions again one by one, compares and counts. Layer `runtime`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use botfleet_actors::actors::provider::settings::ProviderSettings;
use botfleet_actors::behaviour::note::Note;
use botfleet_actors::behaviour::replay::{
    Gap, Part, Reel, Rerun, differences, directed_parts, is_forgotten, recorded_parts,
};
use botfleet_actors::domain::decision::{Cause, Decision, Standing};
use botfleet_actors::domain::ids::{DecisionNumber, Number};
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::domain::turn::{Act, Turn};
use botfleet_actors::ports::archive::{Archive, DECISIONS_MAX, DecisionQuery};

use super::calls::Models;
use super::estimate::Estimator;
use super::report::{BotCount, Differing, NewText, Report, Spent};
use super::set::{Set, Sets};

/// Number of entries read at once.
const ENTRIES: usize = 500;
/// Number of entries kept before the oldest needed: a chat that read the store again remembers a little more.
const KEPT: i64 = 400;

/// Selects the decisions and the dice of a replay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// The first decision.
    pub from: Option<i64>,
    /// The last decision.
    pub to: Option<i64>,
    /// Number mixed into every recorded seed; 0 leaves the seeds as they are.
    pub seed: u64,
}

/// Replays a chat.
///
/// # Errors
/// When the store does not answer, or a prompt cannot be built.
pub async fn replay(
    archive: &dyn Archive,
    sets: &Sets,
    providers: BTreeMap<String, ProviderSettings>,
    asked: Asked,
    models: Option<&mut Models>,
) -> anyhow::Result<Report> {
    let estimator = Estimator::new(providers)?;
    let chat = sets.given.chat.spec.name.clone();
    let report = Report { chat, teacher_forced: true, ..Report::default() };
    let mut replay = Replay {
        archive,
        sets,
        asked,
        models,
        estimator,
        report,
        reel: Reel::default(),
        answered: HashSet::new(),
        begun: None,
    };
    replay.run().await?;
    let Replay { mut report, models, .. } = replay;
    report.calls = models.map_or(0, |models| models.made());
    Ok(report)
}

struct Replay<'a> {
    archive: &'a dyn Archive,
    sets: &'a Sets,
    asked: Asked,
    models: Option<&'a mut Models>,
    estimator: Estimator,
    report: Report,
    reel: Reel,
    /// Entries that a decision was made on.
    answered: HashSet<Number>,
    /// Time of the chat's first entry, in ms, once it was asked for; `i64::MAX` when there is none.
    begun: Option<i64>,
}

impl Replay<'_> {
    async fn run(&mut self) -> anyhow::Result<()> {
        let chat = self.sets.stored.chat.id;
        let mut after = DecisionNumber(self.asked.from.unwrap_or(1).saturating_sub(1));
        let before = self.asked.to.map(|to| DecisionNumber(to.saturating_add(1)));
        loop {
            let query = DecisionQuery { after: Some(after), before, entry: None, limit: DECISIONS_MAX };
            let page = self.archive.decisions(chat, &query).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            let numbers: Vec<_> = page.iter().map(|decision| decision.number).collect();
            let mut turns: HashMap<DecisionNumber, Vec<Turn>> = HashMap::new();
            for (turn, _) in self.archive.turns_of(chat, &numbers).await? {
                self.estimator.answers.note(&turn);
                turns.entry(turn.decision).or_default().push(turn);
            }
            for decision in page {
                let turns = turns.remove(&decision.number).unwrap_or_default();
                self.report.decisions += 1;
                if let Err(gap) = self.one(&decision, &turns).await? {
                    *self.report.not_replayed.entry(gap.as_str()).or_default() += 1;
                }
            }
        }
    }

    /// Makes one decision again.
    async fn one(&mut self, decision: &Decision, turns: &[Turn]) -> anyhow::Result<Result<(), Gap>> {
        if !self.is_whole(decision).await? {
            return Ok(Err(Gap::NoStanding));
        }
        self.wind(decision).await?;
        let window = match self.reel.window(&decision.standing) {
            Ok(window) => window,
            Err(gap) => return Ok(Err(gap)),
        };
        let (cause, copy) = match decision.cause {
            Cause::Tick => (None, false),
            Cause::Entry(number) => (self.cause(number).await?, !self.answered.insert(number)),
        };
        let Set { chat, cast, .. } = &self.sets.given;
        let rerun = Rerun { chat, cast, seed: self.asked.seed };
        let again = match rerun.again(decision, &window, cause.as_ref(), copy) {
            Ok(again) => again,
            Err(gap) => return Ok(Err(gap)),
        };
        self.report.replayed += 1;
        self.report.with_forgotten += u64::from(window.iter().any(|note| is_forgotten(note)));
        let (before, after) = (recorded_parts(turns), directed_parts(again.as_ref()));
        for part in &before {
            let spent = self.estimator.spent(&self.sets.stored, &window, part, decision.at)?;
            self.count(part, |count| (&mut count.acts.before, &mut count.spent.before), spent);
        }
        for part in &after {
            let spent = self.estimator.spent(&self.sets.given, &window, part, decision.at)?;
            self.count(part, |count| (&mut count.acts.after, &mut count.spent.after), spent);
        }
        let differences = differences(decision, turns, again.as_ref());
        if differences.is_empty() {
            self.report.same += 1;
            return Ok(Ok(()));
        }
        for difference in &differences {
            *self.report.aspects.entry(difference.aspect).or_default() += 1;
        }
        let mut differing = Differing {
            decision: decision.number,
            at: decision.at,
            entry: match decision.cause {
                Cause::Entry(number) => Some(number),
                Cause::Tick => None,
            },
            recorded: self.told(&before),
            replayed: self.told(&after),
            differences,
            texts: Vec::new(),
        };
        if differing.is_of_deeds() {
            for part in after.iter().filter(|part| !before.contains(part)) {
                let request = self.estimator.request(&self.sets.given, &window, part, decision.at)?;
                let member = self.sets.given.member(part.bot);
                let model = member.and_then(|member| member.profile.spec.generation.models.first());
                if let (Some(models), Some(request), Some(model)) = (&mut self.models, request, model) {
                    let text: Option<NewText> = models.text(self.sets.name(part.bot), &model.provider, request).await;
                    differing.texts.extend(text);
                }
            }
        }
        self.report.differing.push(differing);
        Ok(Ok(()))
    }

    /// Returns whether the record holds what the decision depended on. A tick before the first entry depended on
    /// nothing.
    async fn is_whole(&mut self, decision: &Decision) -> anyhow::Result<bool> {
        if decision.standing.last != Number(0) || decision.standing != Standing::default() {
            return Ok(true);
        }
        if let Cause::Entry(_) = decision.cause {
            return Ok(false);
        }
        let begun = if let Some(known) = self.begun {
            known
        } else {
            let first = self.archive.entries(self.sets.stored.chat.id, Number(1), 1).await?;
            // Below the low-water mark nobody knows.
            let date = |entry: &Arc<TranscriptEntry>| match entry.number {
                Number(1) => entry.date.as_millis(),
                _ => i64::MIN,
            };
            *self.begun.insert(first.first().map_or(i64::MAX, date))
        };
        Ok(begun > decision.at.as_millis())
    }

    /// Winds the reel to the entries that the decision saw.
    async fn wind(&mut self, decision: &Decision) -> anyhow::Result<()> {
        let Standing { first, last, .. } = decision.standing;
        if last == Number(0) {
            return Ok(());
        }
        if self.reel.note(first).is_none() {
            self.reel = Reel::default();
        }
        while self.reel.last().is_none_or(|reached| reached < last) {
            let from = self.reel.last().map_or(first, |reached| Number(reached.0 + 1));
            let entries = self.archive.entries(self.sets.stored.chat.id, from, ENTRIES).await?;
            if entries.is_empty() {
                break;
            }
            self.reel.append(entries);
        }
        self.reel.forget_before(Number(first.0 - KEPT));
        Ok(())
    }

    /// Returns the entry that asked; that of a late copy may have left the window.
    async fn cause(&mut self, number: Number) -> anyhow::Result<Option<Arc<Note>>> {
        if let Some(note) = self.reel.note(number) {
            return Ok(Some(Arc::clone(note)));
        }
        let mut alone = Reel::default();
        alone.append(self.archive.entries(self.sets.stored.chat.id, number, 1).await?);
        Ok(alone.note(number).cloned())
    }

    fn count(&mut self, part: &Part, of: fn(&mut BotCount) -> (&mut u64, &mut Spent), spent: Spent) {
        let bot = self.report.bots.entry(self.sets.name(part.bot)).or_default();
        for count in [bot, &mut self.report.total] {
            let (acts, sum) = of(count);
            *acts += 1;
            sum.add(spent);
        }
    }

    fn told(&self, parts: &[Part]) -> String {
        if parts.is_empty() {
            return "nobody".to_owned();
        }
        let one = |part: &Part| {
            let name = self.sets.name(part.bot);
            let target = part.target.map(|target| format!(" {target}")).unwrap_or_default();
            let does = match &part.act {
                Act::Answer => format!("answers{target}"),
                Act::Open { recalls: Some(entry), .. } => format!("comes back to entry {entry}"),
                Act::Open { topic: Some(topic), .. } => format!("brings up {topic}"),
                Act::Open { topic: None, .. } => "brings something up".to_owned(),
                Act::Say { .. } => "says a set text".to_owned(),
                Act::React { emoji } => format!("reacts to{target} with {emoji}"),
            };
            format!("{name} {does} after {:.1} s", part.delay_ms as f64 / 1_000.0)
        };
        parts.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}
