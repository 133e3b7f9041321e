//! A thousand decisions of a seeded conversation, each explained on one screen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::explanation::{Case, Explanation, explain};
use super::screen::{COLUMNS, LINES};
use crate::behaviour::director::direct;
use crate::behaviour::director::direction::Direction;
use crate::behaviour::note::Note;
use crate::behaviour::samples::{bot, chat, says};
use crate::behaviour::scene::{CastMember, Occasion, Scene};
use crate::domain::decision::{Cause, Decision, OpenTurn, Standing, Verdict};
use crate::domain::hours::Hours;
use crate::domain::ids::{
    BotId, ChatId, ConfigSeq, DecisionNumber, MessageId, Number, OutboxId, TelegramChatId, TurnId,
};
use crate::domain::outbox::{OnUnknown, OutboxMessage, OutboxState, SendProgress};
use crate::domain::roster::{ChatPolicy, ChatProfile};
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{Act, Turn, TurnProgress, TurnState};

const NAMES: [&str; 20] = [
    "Deniz", "Işıl", "Kerem", "Nora", "Mert", "Zeynep", "Tolga", "Bora", "Elif", "Ruby", "Sena", "Umut", "Derya",
    "Ozan", "Pelin", "Ruzgar", "Selim", "Tuna", "Ufuk", "Yasemin",
];

/// A room whose decisions are recorded.
struct Room {
    chat: ChatProfile,
    cast: Vec<CastMember>,
    window: VecDeque<Arc<Note>>,
    now: Timestamp,
    rng: fastrand::Rng,
    recorded: Vec<Recorded>,
}

/// A decision as a store would hold it.
struct Recorded {
    decision: Decision,
    turns: Vec<(Turn, Vec<OutboxMessage>)>,
    cause: Option<Arc<Note>>,
}

impl Room {
    fn of(policy: ChatPolicy, seed: u64) -> Self {
        let mut cast: Vec<CastMember> = NAMES.iter().zip(1..).map(|(name, id)| bot(id, name)).collect();
        for (at, member) in cast.iter_mut().enumerate() {
            let spec = &mut Arc::make_mut(&mut member.profile).spec;
            spec.persona.talkativeness = [0.0, 0.2, 0.6, 0.9][at % 4];
            spec.persona.reactions = vec!["👍".to_owned()];
            spec.persona.active_hours = (at % 5 == 0).then(|| Hours::new(9 * 60, 10 * 60)).flatten();
            spec.hourly_cap = (at % 7 == 0).then_some(2);
        }
        let mut chat = chat(policy, &cast);
        chat.spec.pacing.enabled = true;
        chat.spec.physics.cool_down = Duration::from_mins(5);
        chat.spec.physics.unheard_max = Some(8);
        chat.spec.physics.stagnation_turns = Some(3);
        let now = Timestamp::from_millis(1_790_000_000_000);
        Self { chat, cast, window: VecDeque::new(), now, rng: fastrand::Rng::with_seed(seed), recorded: Vec::new() }
    }

    fn standing(&mut self) -> Standing {
        let open = OpenTurn {
            bot: BotId(3),
            turn: None,
            target: None,
            thread: None,
            until: self.now + Duration::from_secs(9),
        };
        Standing {
            first: self.window.front().map_or(Number(0), |note| note.number),
            last: self.window.back().map_or(Number(0), |note| note.number),
            absent: if self.rng.u32(..4) == 0 { vec![BotId(2), BotId(19)] } else { Vec::new() },
            silent: Vec::new(),
            open: if self.rng.u32(..4) == 0 { vec![open] } else { Vec::new() },
            calm_until: (self.rng.u32(..6) == 0).then(|| self.now + Duration::from_secs(200)),
            stopped: self.rng.u32(..25) == 0,
            ahead_ms: Some(0),
            superseded: false,
            ..Standing::default()
        }
    }

    fn hears(&mut self, mut entry: TranscriptEntry) -> Arc<Note> {
        entry.date = self.now;
        let note = Arc::new(Note::new(Arc::new(entry)));
        self.window.push_back(Arc::clone(&note));
        if self.window.len() > 200 {
            self.window.pop_front();
        }
        note
    }

    fn decide(&mut self, cause: Option<&Arc<Note>>) -> Option<Direction> {
        let standing = self.standing();
        let cast: Vec<CastMember> =
            self.cast.iter().filter(|member| !standing.absent.contains(&member.profile.id)).cloned().collect();
        let scene = Scene {
            chat: &self.chat,
            cast: &cast,
            window: &self.window,
            whole: &self.window,
            standing: &standing,
            now: self.now,
        };
        let heard_by = Some(BotId(1));
        let occasion = cause.map_or(Occasion::Tick, |entry| Occasion::Entry { entry, heard_by });
        let seed = self.rng.u64(..);
        let direction = direct(&scene, occasion, seed)?;
        let number = DecisionNumber(self.recorded.len() as i64 + 1);
        let decision = Decision {
            chat: ChatId(1),
            number,
            cause: cause.map_or(Cause::Tick, |entry| Cause::Entry(entry.number)),
            seed,
            at: self.now,
            config_seq: ConfigSeq(1),
            policy: self.chat.spec.policy.as_str().to_owned(),
            verdict: direction.verdict,
            reason: direction.reason.clone(),
            standing,
            inputs: direction.inputs.clone(),
            scores: direction.scores.clone(),
            root: direction.root,
            chain_depth: direction.chain_depth,
        };
        let turns = direction.speakers.iter().enumerate().map(|(ordinal, speaker)| {
            let turn = Turn {
                id: TurnId(number.0 * 10 + ordinal as i64),
                chat: ChatId(1),
                decision: number,
                bot: speaker.bot,
                ordinal: ordinal as u32,
                act: speaker.act.clone(),
                target: speaker.target,
                answers_bot: speaker.answers_bot,
                chain_depth: direction.chain_depth,
                root: direction.root,
                priority: speaker.priority,
                due_at: self.now + speaker.delay,
                expires_at: self.now + speaker.delay + Duration::from_mins(1),
                created_at: self.now,
                progress: ended(number.0 as usize + ordinal),
            };
            let messages = if turn.progress.state == TurnState::Done { vec![sent(&turn)] } else { Vec::new() };
            (turn, messages)
        });
        let recorded = Recorded { decision, turns: turns.collect(), cause: cause.cloned() };
        self.recorded.push(recorded);
        Some(direction)
    }

    /// Records a conversation of people and bots.
    fn converse(&mut self, slots: usize) {
        let mut number = 0;
        for slot in 0..slots {
            self.now = self.now + Duration::from_secs(self.rng.u64(5..400));
            let name = NAMES[self.rng.usize(..NAMES.len())];
            let text = match slot % 6 {
                0 => format!("{name}, sence bugün çay mı kahve mi?"),
                1 => "bugün hava çok güzel".to_owned(),
                2 => format!("@{}_bot buna ne diyorsun", name.to_lowercase()),
                3 => "akşam ne yapıyorsunuz?".to_owned(),
                4 => "@somebody sen gelecek misin?".to_owned(),
                _ => {
                    let direction = self.decide(None);
                    self.speak(direction, &mut number, None);
                    continue;
                }
            };
            number += 1;
            let entry = self.hears(says(number, None, &text, 0));
            let mut direction = self.decide(Some(&entry));
            let mut about = entry;
            while direction.as_ref().is_some_and(|direction| !direction.speakers.is_empty()) {
                let Some(last) = self.speak(direction, &mut number, Some(&about)) else { break };
                direction = self.decide(Some(&last));
                about = last;
            }
        }
    }

    fn speak(&mut self, direction: Option<Direction>, number: &mut i64, to: Option<&Arc<Note>>) -> Option<Arc<Note>> {
        let direction = direction?;
        let speaker = direction.speakers.first().filter(|speaker| !matches!(speaker.act, Act::React { .. }))?;
        *number += 1;
        self.now = self.now + speaker.delay + Duration::from_secs(2);
        let member = self.cast.iter().find(|member| member.profile.id == speaker.bot)?.clone();
        let other = NAMES[self.rng.usize(..NAMES.len())];
        let text = if self.rng.bool() { format!("bence olur, {other} ne der?") } else { "bence de öyle".to_owned() };
        let mut entry = says(*number, Some(&member), &text, direction.chain_depth);
        entry.root = direction.root.unwrap_or(Number(*number));
        entry.reply_to = to.map(|to| to.message_id);
        Some(self.hears(entry))
    }
}

fn ended(at: usize) -> TurnProgress {
    let end = |state, error: &str| TurnProgress { state, error: Some(error.to_owned()), ..TurnProgress::queued() };
    match at % 7 {
        0 => end(TurnState::Dropped, "novelty: 0.71 like \"gizli sözler burada\""),
        1 => end(TurnState::Dropped, "stance: contradicts tea"),
        2 => end(TurnState::Expired, "stale"),
        3 => TurnProgress::queued(),
        _ => TurnProgress { state: TurnState::Done, ..TurnProgress::queued() },
    }
}

fn sent(turn: &Turn) -> OutboxMessage {
    let mut progress = SendProgress::queued(turn.due_at);
    (progress.state, progress.message_id) = (OutboxState::Sent, Some(MessageId(900)));
    OutboxMessage {
        id: OutboxId(turn.id.0),
        turn: turn.id,
        part: 0,
        parts: 1,
        bot: turn.bot,
        chat: turn.chat,
        telegram_chat: TelegramChatId(-1),
        thread: None,
        reply_to: None,
        text: "gizli cevap".to_owned(),
        marks: Vec::new(),
        answers_bot: turn.answers_bot,
        chain_depth: turn.chain_depth,
        root: turn.root,
        expires_at: turn.expires_at,
        created_at: turn.created_at,
        on_unknown: OnUnknown::Report,
        by_operator: false,
        progress,
    }
}

fn names() -> BTreeMap<BotId, String> {
    NAMES.iter().zip(1..).map(|(name, id)| (BotId(id), (*name).to_owned())).collect()
}

fn explained(recorded: &Recorded, text: bool) -> Explanation {
    let cause = recorded.cause.as_ref().map(|note| &*note.entry);
    explain(&Case { decision: &recorded.decision, turns: &recorded.turns, names: &names(), cause, text })
}

fn thousand() -> Vec<Recorded> {
    let rooms = [(ChatPolicy::Natural, 1_100), (ChatPolicy::Mention, 120), (ChatPolicy::Every, 60)];
    rooms
        .into_iter()
        .flat_map(|(policy, slots)| {
            let mut room = Room::of(policy, slots as u64);
            room.converse(slots);
            room.recorded
        })
        .collect()
}

#[test]
fn a_thousand_decisions_are_explained_each_on_one_screen() {
    let recorded = thousand();
    assert!(recorded.len() >= 1_000, "{} decisions", recorded.len());
    let verdicts = |verdict| recorded.iter().filter(|one| one.decision.verdict == verdict).count();
    assert!(verdicts(Verdict::Speak) > 100 && verdicts(Verdict::Silent) > 100);
    for one in &recorded {
        let Explanation { lines, unknown } = explained(one, false);
        let text = lines.join("\n");
        assert!((2..=LINES).contains(&lines.len()), "{} lines:\n{text}", lines.len());
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "too wide:\n{text}");
        assert!(lines.iter().all(|line| !line.trim().is_empty()), "an empty line:\n{text}");
        for raw in ["null", "{", "}", "\":", "[\"", "NaN", "gizli"] {
            assert!(!text.contains(raw), "{raw:?} in:\n{text}");
        }
        assert!(unknown.is_empty(), "{unknown:?} has no words in:\n{text}");
    }
}

#[test]
fn whoever_speaks_is_named_with_a_reason_and_whoever_does_not_is_too() {
    for one in thousand().iter().filter(|one| one.decision.policy == "natural") {
        let text = explained(one, false).lines.join("\n");
        for (turn, _) in &one.turns {
            assert!(text.contains(&names()[&turn.bot]), "{text}");
        }
        let scored = one.decision.scores.as_object().is_some_and(|scores| !scores.is_empty());
        if scored && one.turns.is_empty() {
            assert!(text.contains("Why nobody"), "{text}");
        }
    }
}

#[test]
fn a_message_is_shown_only_where_it_is_asked_for() {
    let recorded = thousand();
    let one = recorded.iter().find(|one| one.cause.is_some()).unwrap();
    let said: String = one.cause.as_ref().unwrap().text.clone().unwrap();
    assert!(!explained(one, false).lines.join(" ").contains(&said));
    assert!(explained(one, true).lines.join(" ").contains(&said));
}

fn record(inputs: Value, scores: Value) -> Recorded {
    let mut room = Room::of(ChatPolicy::Natural, 3);
    room.converse(1);
    let mut one = room.recorded.remove(0);
    (one.decision.inputs, one.decision.scores) = (inputs, scores);
    one.turns.clear();
    one.decision.verdict = Verdict::Silent;
    one
}

#[test]
fn filters_are_grouped_and_rolls_are_told() {
    let scores = json!({
        "Deniz": { "filtered": "asleep" }, "Nora": { "filtered": "asleep" }, "Mert": { "filtered": "cap" },
        "Kerem": { "chance": 0.4, "roll": 0.71, "factors": { "interested": 2.5, "close": 0.6 } },
    });
    let inputs = json!({ "from": "person", "question": true, "energy": 0.5, "link": [38, 0.71] });
    let Explanation { lines, unknown } = explained(&record(inputs, scores), false);
    let text = lines.join("\n");
    assert!(unknown.is_empty(), "{unknown:?}");
    for part in ["asleep at this hour: Deniz, Nora", "hourly cap used up: Mert", "rolled 71 % over 40 %", "entry 38"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn a_gate_and_the_rooms_own_roll_are_told() {
    let gated = json!({ "gate": "quiet_hours", "hour": "02:15", "chain_depth": 0 });
    let Explanation { lines, unknown } = explained(&record(gated, json!(null)), false);
    assert!(unknown.is_empty() && lines.join(" ").contains("02:15 there; quiet hours"), "{lines:?}");
    let scores = json!({ "Deniz": { "wish": 0.6, "factors": { "fresh": 1.3 } }, "Nora": { "wish": 0.0 } });
    let rolled = json!({ "from": "person", "share": 0.4, "roll": 0.8 });
    let Explanation { lines, unknown } = explained(&record(rolled, scores), false);
    let text = lines.join(" ");
    assert!(unknown.is_empty() && text.contains("joins in was 40 %, rolled 80 %"), "{text}");
    assert!(text.contains("Deniz 0.6") && text.contains("never speaks unasked: Nora"), "{text}");
}

#[test]
fn an_unknown_key_is_told_by_its_name_and_counted() {
    let scores = json!({ "Deniz": { "wish": 1.0, "filtered": "moon_phase", "factors": { "tide": 2.0 } } });
    let Explanation { lines, unknown } = explained(&record(json!({ "weather": 3 }), scores), false);
    assert_eq!(unknown, ["filter moon_phase", "factor tide", "input weather"]);
    assert!(lines.join(" ").contains("moon phase"));
}

#[test]
fn records_of_older_versions_and_empty_ones_are_explained() {
    let old = json!({ "share": 0.4, "roll": 0.8, "wishes": { "Deniz": 0.4, "Nora": 0.9 } });
    for (inputs, scores) in [(json!(null), json!(null)), (json!([1]), json!([[1, 0.9]])), (json!({}), old)] {
        let Explanation { lines, unknown } = explained(&record(inputs, scores), false);
        assert!(lines.len() >= 3 && unknown.is_empty(), "{lines:?} {unknown:?}");
    }
}
