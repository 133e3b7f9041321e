//! Records replayed: exactly the same under the same configuration, told apart under another.

use super::*;
use crate::behaviour::samples::{bot, chat, says};
use crate::domain::decision::Verdict;
use crate::domain::ids::{ChatId, ConfigSeq, DecisionNumber, ThreadId, TurnId};
use crate::domain::time::Timestamp;
use crate::domain::turn::TurnProgress;

/// Entries that a chat remembers.
const WINDOW: usize = 40;

struct Stage {
    chat: ChatProfile,
    cast: Vec<CastMember>,
    reel: Reel,
    /// Entries that the chat remembers.
    live: VecDeque<Arc<Note>>,
    /// The chat is a forum.
    topics: bool,
}

impl Stage {
    fn new() -> Self {
        let cast: Vec<CastMember> =
            ["Deniz", "Nora", "Kerem"].iter().zip(1..).map(|(name, id)| bot(id, name)).collect();
        let mut chat = chat(ChatPolicy::Natural, &cast);
        chat.spec.pacing.enabled = true;
        Self { chat, cast, reel: Reel::default(), live: VecDeque::new(), topics: false }
    }

    fn rerun(&self) -> Rerun<'_> {
        Rerun { chat: &self.chat, cast: &self.cast, seed: 0 }
    }

    /// Records what the director decides on a person's message, as a chat does: from a window of its own.
    fn record(&mut self, number: i64, text: &str) -> (Decision, Vec<Turn>) {
        // One of the topics is the bots' own.
        let by_bot = self.topics && number % 3 == 2;
        let mut entry = says(number, by_bot.then(|| &self.cast[0]), text, u32::from(by_bot));
        entry.thread = Some(ThreadId(number % 3)).filter(|_| self.topics);
        let thread = entry.thread;
        let entry = Arc::new(entry);
        self.reel.append([Arc::clone(&entry)]);
        self.live.push_back(Arc::new(Note::new(entry)));
        if self.live.len() > WINDOW {
            self.live.pop_front();
        }
        let standing = Standing {
            first: self.live[0].number,
            last: Number(number),
            thread,
            topics: self.topics,
            absent: if number % 5 == 0 { vec![BotId(2)] } else { Vec::new() },
            silent: Vec::new(),
            ..Standing::default()
        };
        let mut decision = Decision {
            chat: ChatId(1),
            number: DecisionNumber(number),
            cause: Cause::Entry(Number(number)),
            seed: number as u64 * 7_919,
            at: Timestamp::from_secs(1_790_000_000 + number * 60),
            config_seq: ConfigSeq(1),
            policy: "natural".to_owned(),
            verdict: Verdict::Silent,
            reason: String::new(),
            standing,
            inputs: Value::Null,
            scores: Value::Null,
            root: None,
            chain_depth: 0,
        };
        let cast: Vec<CastMember> =
            self.cast.iter().filter(|member| !decision.standing.absent.contains(&member.profile.id)).cloned().collect();
        let scene = Scene {
            chat: &self.chat,
            cast: &cast,
            window: &self.live,
            whole: &self.live,
            standing: &decision.standing,
            now: decision.at,
        };
        let entry = self.live.back().unwrap();
        let direction = direct(&scene, Occasion::Entry { entry, heard_by: Some(BotId(1)) }, decision.seed).unwrap();
        decision.verdict = direction.verdict;
        decision.reason = direction.reason.clone();
        (decision.inputs, decision.scores) = (stored(&direction.inputs), stored(&direction.scores));
        (decision.root, decision.chain_depth) = (direction.root, direction.chain_depth);
        let turn = |(ordinal, speaker): (usize, &crate::behaviour::director::direction::Speaker)| Turn {
            id: TurnId(number * 10 + ordinal as i64),
            chat: ChatId(1),
            decision: decision.number,
            bot: speaker.bot,
            ordinal: ordinal as u32,
            act: speaker.act.clone(),
            target: speaker.target,
            answers_bot: speaker.answers_bot,
            chain_depth: direction.chain_depth,
            root: direction.root,
            priority: speaker.priority,
            due_at: decision.at + speaker.delay,
            expires_at: decision.at + speaker.delay,
            created_at: decision.at,
            progress: TurnProgress::queued(),
        };
        let turns = direction.speakers.iter().enumerate().map(turn).collect();
        (decision, turns)
    }

    fn again(&self, decision: &Decision) -> Result<Option<Direction>, Gap> {
        let window = self.reel.window(&decision.standing)?;
        let Cause::Entry(number) = decision.cause else { panic!("made by an entry") };
        self.rerun().again(decision, &window, self.reel.note(number), false)
    }
}

const TEXTS: [&str; 4] = ["bugün çay içelim mi?", "Nora, ne dersin?", "hava güzel", "@kerem_bot merhaba"];

#[test]
fn the_same_configuration_decides_exactly_the_same() {
    let mut stage = Stage::new();
    let records: Vec<_> = (1..=300).map(|number| stage.record(number, TEXTS[number as usize % 4])).collect();
    let mut spoken = 0;
    for (decision, turns) in &records {
        let again = stage.again(decision).unwrap();
        assert_eq!(differences(decision, turns, again.as_ref()), []);
        spoken += turns.len();
    }
    assert!(spoken > 50, "{spoken}");
}

#[test]
fn decisions_in_forum_topics_are_made_again_exactly() {
    let mut stage = Stage::new();
    stage.topics = true;
    let records: Vec<_> = (1..=200).map(|number| stage.record(number, TEXTS[number as usize % 4])).collect();
    let mut spoken = 0;
    for (decision, turns) in &records {
        let again = stage.again(decision).unwrap();
        assert_eq!(differences(decision, turns, again.as_ref()), []);
        spoken += turns.len();
    }
    assert!(spoken > 20, "{spoken}");
    let differ = records.iter().filter(|(decision, turns)| {
        let mut mixed = decision.clone();
        mixed.standing.topics = false;
        !differences(decision, turns, stage.again(&mixed).unwrap().as_ref()).is_empty()
    });
    assert!(differ.count() > 0, "the topic is part of the record");
}

#[test]
fn another_strategy_or_seed_decides_otherwise_and_the_aspects_tell_how() {
    let mut stage = Stage::new();
    let records: Vec<_> = (1..=60).map(|number| stage.record(number, TEXTS[number as usize % 4])).collect();
    let aspects = |stage: &Stage, seed: u64| -> Vec<Aspect> {
        let differences = records.iter().flat_map(|(decision, turns)| {
            let window = stage.reel.window(&decision.standing).unwrap();
            let cause = stage.reel.note(decision.standing.last);
            let again = Rerun { seed, ..stage.rerun() }.again(decision, &window, cause, false).unwrap();
            differences(decision, turns, again.as_ref())
        });
        differences.map(|difference| difference.aspect).collect()
    };
    assert!(aspects(&stage, 0).is_empty());
    assert!(aspects(&stage, 5).contains(&Aspect::Speakers));
    stage.chat.spec.policy = ChatPolicy::Mention;
    assert!(aspects(&stage, 0).contains(&Aspect::Verdict));
}

#[test]
fn a_delay_an_act_or_a_target_of_another_kind_is_a_difference() {
    let mut stage = Stage::new();
    let (decision, turns) = stage.record(1, "Nora, ne dersin?");
    let again = stage.again(&decision).unwrap();
    let changed = |change: fn(&mut Turn)| {
        let mut turns = turns.clone();
        change(&mut turns[0]);
        differences(&decision, &turns, again.as_ref()).into_iter().map(|found| found.aspect).collect::<Vec<_>>()
    };
    assert_eq!(changed(|_| {}), []);
    assert_eq!(changed(|turn| turn.due_at = turn.due_at + Duration::from_millis(1)), [Aspect::Delays]);
    assert_eq!(changed(|turn| turn.act = Act::React { emoji: "👍".to_owned() }), [Aspect::Acts]);
    assert_eq!(changed(|turn| turn.target = None), [Aspect::Targets]);
    assert_eq!(changed(|turn| turn.bot = BotId(9)), [Aspect::Speakers]);
    assert_eq!(changed(|turn| turn.priority += 1), [Aspect::Priorities]);
}

#[test]
fn a_decision_whose_window_is_gone_says_so() {
    let mut stage = Stage::new();
    let records: Vec<_> = (1..=5).map(|number| stage.record(number, TEXTS[0])).collect();
    stage.reel.forget_before(Number(2));
    assert_eq!(stage.again(&records[4].0), Err(Gap::WindowGone));
    stage.reel.append([Arc::new(says(9, None, "a gap before it", 0))]);
    assert_eq!(stage.reel.note(Number(3)).map(|note| note.number), None);
    let mut silent = says(10, None, "", 0);
    silent.text = None;
    stage.reel.append([Arc::new(silent)]);
    let mut forgotten = records[4].0.clone();
    forgotten.cause = Cause::Entry(Number(10));
    (forgotten.standing.first, forgotten.standing.last) = (Number(9), Number(10));
    assert_eq!(stage.again(&forgotten), Err(Gap::CauseForgotten));
    forgotten.policy = "command".to_owned();
    assert_eq!(stage.again(&forgotten), Err(Gap::NotTheDirectors));
}
