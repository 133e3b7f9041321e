//! Records what happened in a soak, beside the engine, and judges it. Part of `cli`.
//!
//! Nothing here asks the engine: limits are counted over the messages said, calls are those that the people's script
//! meant.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use botfleet_actors::domain::ids::{BotId, Number, TelegramUserId};
use botfleet_actors::domain::roster::ChatProfile;
use botfleet_actors::domain::time::Timestamp;

use super::cast::QUIET;
use super::likeness::Trigrams;

/// Time within which the next lines of the same person belong to a call: an answer to one of them answers the call.
const SAME_BREATH: Duration = Duration::from_secs(5);

/// Longest time by day for which nobody of the fleet speaks to people.
const SILENCE_MAX: Duration = Duration::from_hours(1);

/// Fewest letters of a text that can repeat another one, and how often in a row a shorter one may be said.
const REPEAT_LETTERS: usize = 16;
const SHORT_IN_A_ROW: usize = 2;

/// A person's message that calls a bot.
pub(super) struct Call {
    pub(super) number: Number,
    pub(super) at: Timestamp,
    pub(super) author: TelegramUserId,
    /// The called bot.
    pub(super) bot: BotId,
}

/// A message of a bot.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) number: Number,
    pub(super) at: Timestamp,
    pub(super) bot: BotId,
    /// The message that this one is linked to.
    pub(super) target: Option<Number>,
    pub(super) answers_bot: Option<BotId>,
    pub(super) text: String,
}

/// Records of one chat.
#[derive(Default)]
pub(super) struct ChatLedger {
    pub(super) calls: Vec<Call>,
    pub(super) said: Vec<Said>,
    /// People's messages: number, time, author.
    pub(super) people: Vec<(Number, Timestamp, TelegramUserId)>,
    pub(super) reactions: u64,
}

/// The judgement of a soak.
#[derive(Default)]
pub(super) struct Judgement {
    pub(super) people: u64,
    pub(super) said: u64,
    pub(super) reactions: u64,
    /// Calls that count; `answered` are those that the called bot answered with a link to the call.
    pub(super) calls: u64,
    pub(super) answered: u64,
    /// Calls left out, by the reason.
    pub(super) exempt: BTreeMap<&'static str, u64>,
    /// Violations by kind, each with its count and first example.
    pub(super) violations: BTreeMap<&'static str, (u64, String)>,
    pub(super) deepest: u32,
    /// Longest time by day, with people in the chat, without a message of the fleet.
    pub(super) longest_silence: Duration,
    /// Longest run of messages of the fleet without one of a person.
    pub(super) longest_run: u32,
    /// Likeness of the two most alike messages of one bot among its last hundred.
    pub(super) likest: f64,
    pub(super) by_hour: [u64; 24],
    pub(super) people_by_hour: [u64; 24],
}

impl Judgement {
    fn violated(&mut self, what: &'static str, example: impl FnOnce() -> String) {
        self.violations.entry(what).or_insert_with(|| (0, example())).0 += 1;
    }
}

/// Returns the most times that lie within any span of `length`.
fn crowded(times: impl Iterator<Item = Timestamp>, length: Duration) -> usize {
    let mut window: VecDeque<Timestamp> = VecDeque::new();
    let mut most = 0;
    for at in times {
        while window.front().is_some_and(|first| at.since(*first) >= length) {
            window.pop_front();
        }
        window.push_back(at);
        most = most.max(window.len());
    }
    most
}

/// Function from a time to the minute of the local day.
pub(super) type Wall<'a> = &'a dyn Fn(Timestamp) -> u16;

/// Judges all chats.
pub(super) fn judge(chats: &[(ChatProfile, ChatLedger)], hourly_cap: usize, novelty: f64, wall: Wall<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let mut of_bots: BTreeMap<i64, Vec<&Said>> = BTreeMap::new();
    let mut of_fleet: Vec<Timestamp> = Vec::new();
    for (profile, ledger) in chats {
        for said in &ledger.said {
            of_bots.entry(said.bot.0).or_default().push(said);
            of_fleet.push(said.at);
        }
        judgement.people += ledger.people.len() as u64;
        judgement.said += ledger.said.len() as u64;
        judgement.reactions += ledger.reactions;
        limits(profile, ledger, &mut judgement);
        sleep(profile, ledger, wall, &mut judgement);
        silence(profile, ledger, wall, &mut judgement);
        chains(profile, ledger, &mut judgement);
    }
    of_fleet.sort_unstable();
    let minute = Duration::from_secs(60);
    for said in of_bots.values_mut() {
        said.sort_by_key(|said| said.at);
        if crowded(said.iter().map(|said| said.at), minute * 60) > hourly_cap {
            judgement.violated("hourly cap of a bot", || format!("bot {}", said[0].bot));
        }
        repeats(said, novelty, &mut judgement);
    }
    let fleet_cap = chats.first().and_then(|(profile, _)| profile.spec.physics.fleet_per_minute);
    if fleet_cap.is_some_and(|cap| crowded(of_fleet.iter().copied(), minute) > cap as usize) {
        judgement.violated("rate of the fleet", String::new);
    }
    for (profile, ledger) in chats {
        calls(profile, ledger, &of_bots, hourly_cap, wall, &mut judgement);
    }
    judgement
}

fn limits(profile: &ChatProfile, ledger: &ChatLedger, judgement: &mut Judgement) {
    let physics = &profile.spec.physics;
    let minute = Duration::from_secs(60);
    let times = || ledger.said.iter().map(|said| said.at);
    if physics.chat_per_minute.is_some_and(|cap| crowded(times(), minute) > cap as usize) {
        judgement.violated("rate of a chat", || profile.spec.name.clone());
    }
    let mut pairs: HashMap<(BotId, BotId), Vec<Timestamp>> = HashMap::new();
    for said in &ledger.said {
        if let Some(other) = said.answers_bot {
            pairs.entry((said.bot.min(other), said.bot.max(other))).or_default().push(said.at);
        }
    }
    for (pair, times) in pairs {
        if physics.pair_per_ten_minutes.is_some_and(|cap| crowded(times.into_iter(), minute * 10) > cap as usize) {
            judgement.violated("rate of a pair", || format!("{} bots {} and {}", profile.spec.name, pair.0, pair.1));
        }
    }
}

/// Checks that no bot speaks while people sleep; a message from just before may still be answered.
fn sleep(profile: &ChatProfile, ledger: &ChatLedger, wall: Wall<'_>, judgement: &mut Judgement) {
    let grace = profile.spec.pacing.stale_after.as_secs().div_ceil(60) as u16;
    for said in &ledger.said {
        let minute = wall(said.at);
        judgement.by_hour[usize::from(minute / 60).min(23)] += 1;
        let into = (minute + 24 * 60 - QUIET.0) % (24 * 60);
        let length = (QUIET.1 + 24 * 60 - QUIET.0) % (24 * 60);
        if into >= grace && into < length {
            judgement.violated("silence at night", || format!("{} message {}", profile.spec.name, said.number));
        }
    }
    for (_, at, _) in &ledger.people {
        judgement.people_by_hour[usize::from(wall(*at) / 60).min(23)] += 1;
    }
}

/// Checks that the fleet does not leave people alone for an hour of the day: from each message of a person on, somebody
/// of the fleet speaks within that time, unless quiet hours begin.
fn silence(profile: &ChatProfile, ledger: &ChatLedger, wall: Wall<'_>, judgement: &mut Judgement) {
    let mut said = ledger.said.iter().map(|said| said.at).collect::<Vec<_>>();
    said.sort_unstable();
    let mut waiting: Option<Timestamp> = None;
    let mut said = said.into_iter().peekable();
    let last = ledger.people.last().map(|(_, at, _)| *at);
    for (_, at, _) in &ledger.people {
        while let Some(heard) = said.next_if(|said| said <= at) {
            close(&mut waiting, heard, profile, wall, judgement);
        }
        waiting.get_or_insert(*at);
    }
    if let Some(heard) = said.next().or(last) {
        close(&mut waiting, heard, profile, wall, judgement);
    }
}

/// Returns whether a minute of the day is one of the quiet hours.
fn is_quiet(minute: u16) -> bool {
    let after = |from: u16| (minute + 24 * 60 - from) % (24 * 60);
    after(QUIET.0) < (QUIET.1 + 24 * 60 - QUIET.0) % (24 * 60)
}

/// Ends a wait for the fleet; one that ran into the night ended when the night began.
fn close(
    waiting: &mut Option<Timestamp>,
    heard: Timestamp,
    profile: &ChatProfile,
    wall: Wall<'_>,
    judgement: &mut Judgement,
) {
    let Some(since) = waiting.take().filter(|since| !is_quiet(wall(*since))) else { return };
    let day_left = (QUIET.0 + 24 * 60 - wall(since)) % (24 * 60);
    let waited = heard.since(since).min(Duration::from_secs(u64::from(day_left) * 60));
    judgement.longest_silence = judgement.longest_silence.max(waited);
    if waited > SILENCE_MAX {
        judgement.violated("silence by day", || format!("{} from minute {}", profile.spec.name, wall(since)));
    }
}

/// Measures chains of bots that answer bots, by the links of the messages, and the longest run without a person.
fn chains(profile: &ChatProfile, ledger: &ChatLedger, judgement: &mut Judgement) {
    let mut depths: HashMap<Number, u32> = HashMap::new();
    for said in &ledger.said {
        let before = said.target.and_then(|target| depths.get(&target).copied()).unwrap_or(0);
        depths.insert(said.number, before + 1);
        judgement.deepest = judgement.deepest.max(before + 1);
        if profile.spec.physics.chain_depth_max.is_some_and(|most| before + 1 > most) {
            judgement.violated("depth of a chain", || format!("{} message {}", profile.spec.name, said.number));
        }
    }
    let mut people = ledger.people.iter().peekable();
    let mut run = 0;
    for said in &ledger.said {
        while people.next_if(|(number, ..)| *number < said.number).is_some() {
            run = 0;
        }
        run += 1;
        judgement.longest_run = judgement.longest_run.max(run);
    }
}

/// Checks that no message of a bot is too like one of its hundred before it. The limit is that of the novelty guard;
/// the measure is plain trigrams, which share no code with the guard. A few letters ("thanks!") may be said every day.
fn repeats(said: &[&Said], novelty: f64, judgement: &mut Judgement) {
    let is_short = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count() < REPEAT_LETTERS;
    for row in said.windows(SHORT_IN_A_ROW + 1) {
        if is_short(&row[0].text) && row.iter().all(|said| said.text == row[0].text) {
            judgement.violated("a short text again and again", || format!("bot {}: {:?}", row[0].bot, row[0].text));
        }
    }
    // A short one is compared with nothing, and is one of the hundred.
    let mut last: VecDeque<Option<Trigrams>> = VecDeque::new();
    for said in said {
        let own = (!is_short(&said.text)).then(|| Trigrams::of(&said.text));
        for (own, other) in own.iter().flat_map(|own| last.iter().flatten().map(move |other| (own, other))) {
            let likeness = own.likeness(other);
            judgement.likest = judgement.likest.max(likeness);
            if likeness > novelty {
                judgement.violated("novelty", || format!("bot {}: {:?}", said.bot, said.text));
            }
        }
        last.push_back(own);
        if last.len() > 100 {
            last.pop_front();
        }
    }
}

/// Counts the calls of people, and those that the called bot answered with a link to the call.
fn calls(
    profile: &ChatProfile,
    ledger: &ChatLedger,
    of_bots: &BTreeMap<i64, Vec<&Said>>,
    hourly_cap: usize,
    wall: Wall<'_>,
    judgement: &mut Judgement,
) {
    let answered: HashMap<(Number, BotId), Timestamp> =
        ledger.said.iter().filter_map(|said| Some(((said.target?, said.bot), said.at))).collect();
    let stale = profile.spec.pacing.stale_after;
    let goes_on = |call: &Call| {
        let lines = ledger.people.iter().skip_while(|(number, ..)| *number < call.number);
        let lines = lines.take_while(|(_, at, _)| at.since(call.at) <= SAME_BREATH);
        lines.filter(|(.., author)| *author == call.author).map(|(number, ..)| *number).collect::<Vec<_>>()
    };
    for call in &ledger.calls {
        if goes_on(call).into_iter().any(|line| answered.contains_key(&(line, call.bot))) {
            judgement.calls += 1;
            judgement.answered += 1;
            continue;
        }
        let said = of_bots.get(&call.bot.0).map_or(&[][..], Vec::as_slice);
        let until = call.at + stale;
        let spoken = said.iter().filter(|said| said.at <= until && until.since(said.at) < Duration::from_secs(3660));
        let length = (QUIET.1 + 24 * 60 - QUIET.0) % (24 * 60);
        let into = (wall(until) + 24 * 60 - QUIET.0) % (24 * 60);
        let busy = ledger.said.iter().filter(|said| said.at <= until && until.since(said.at) < Duration::from_secs(60));
        let exempt = if into < length {
            Some("quiet hours")
        } else if spoken.count() >= hourly_cap {
            Some("hourly cap")
        } else if profile.spec.physics.chat_per_minute.is_some_and(|cap| busy.count() >= cap as usize) {
            Some("rate of the chat")
        } else {
            None
        };
        match exempt {
            Some(why) => *judgement.exempt.entry(why).or_default() += 1,
            None => judgement.calls += 1,
        }
    }
}
