//! Meaning of each key of a record, in words. Layer `behaviour`; pure.

/// Words of a factor of at least 1 (or without a weight), and of one below 1.
struct Factor {
    key: &'static str,
    more: &'static str,
    less: &'static str,
}

const fn factor(key: &'static str, more: &'static str, less: &'static str) -> Factor {
    Factor { key, more, less }
}

const FACTORS: &[Factor] = &[
    factor("mention", "was mentioned", "was mentioned"),
    factor("reply", "was replied to", "was replied to"),
    factor("name", "was named", "was named"),
    factor("named", "was named", "was named"),
    factor("addressed", "was addressed", "was addressed"),
    factor("link", "the message answers its own", "the message answers another's"),
    factor("linked", "the message answers its own", "the message answers another's"),
    factor("implicit", "the message answers its own", "the message answers another's"),
    factor("question", "the question went to the room", "it is no question"),
    factor("remark", "it is a remark", "it is a remark"),
    factor("thread", "spoke in that thread", "is not in that thread"),
    factor("in_thread", "spoke in that thread", "is not in that thread"),
    factor("interested", "is interested", "is not interested"),
    factor("interest", "is interested", "is not interested"),
    factor("disagrees", "disagrees", "agrees anyhow"),
    factor("close", "is close to the author", "is at odds with the author"),
    factor("relationship", "is close to the author", "is at odds with the author"),
    factor("talkative", "is talkative", "talks little"),
    factor("talkativeness", "is talkative", "talks little"),
    factor("fresh", "has been silent for long", "spoke lately"),
    factor("freshness", "has been silent for long", "spoke lately"),
    factor("just_spoke", "has been silent for long", "just spoke"),
    factor("partner", "goes on with that person", "somebody else goes on with that person"),
    factor("follow_up", "goes on with that person", "somebody else goes on with that person"),
    factor("goes_on", "goes on with that person", "somebody else goes on with that person"),
    factor("talked_about", "was rather called than talked about", "was rather talked about than called"),
    factor("between_people", "the message is not for another person", "people talk to one another"),
    factor("energy", "the room is lively", "the room is tired"),
    factor("chain", "the chain is short", "the chain of bots grows long"),
    factor("chain_decay", "the chain is short", "the chain of bots grows long"),
    factor("decay", "the chain is short", "the chain of bots grows long"),
    factor("joins", "joins in", "rather does not join in"),
    factor("joins_bot", "joins in", "rather does not join in"),
    factor("topic", "the topic suits it", "the topic does not suit it"),
    factor("by_hour", "the chat is talkative at this hour", "the chat talks little at this hour"),
    factor("active_hours", "is awake", "is hardly awake"),
    factor("second", "would be the second", "would be the second"),
    factor("busy", "is free", "is about to say something else"),
    factor("waiting", "is free", "somebody is about to speak"),
    factor("cap", "has much of its hour left", "has used most of its hour"),
];

/// Filters, and the reasons why they rule a bot out.
const FILTERS: &[(&str, &str)] = &[
    ("author", "wrote it"),
    ("absent", "cannot post there"),
    ("asleep", "asleep at this hour"),
    ("quiet_hours", "quiet hours"),
    ("cap", "hourly cap used up"),
    ("cool_down", "spoke too lately, cooling down"),
    ("busy", "about to say something else"),
    ("open", "somebody is about to speak"),
    ("waits", "somebody is about to speak"),
    ("calm", "the chat calms down"),
    ("stopped", "stopped"),
    ("chain", "the chain of bots is too long"),
    ("depth", "the chain of bots is too long"),
    ("pair", "this pair of bots has talked enough"),
    ("pair_rate", "this pair of bots has talked enough"),
    ("chat_rate", "the chat's messages of this minute are used up"),
    ("unheard", "no person has spoken for too long"),
    ("stagnation", "the talk goes in circles"),
    ("silent", "never speaks unasked"),
    ("quiet", "never speaks unasked"),
    ("enough", "enough others answer"),
    ("most", "enough others answer"),
    ("not_addressed", "was not called"),
    ("let_be", "lets it rest"),
];

/// Keys of the inputs that the explanation tells in its own way, or that only the record itself needs.
const INPUTS: &[&str] = &[
    "from",
    "question",
    "to_person",
    "energy",
    "chain_depth",
    "addressed",
    "link",
    "hour",
    "minute",
    "openings_unanswered",
    "heard_by",
    "unheard",
    "open",
    "calm",
    "calm_until",
    "limit",
    "physics",
    "stagnation",
    "topic",
    "thread",
    "stopped",
    "quiet_hours",
    "partner",
    "implicit",
    "language",
    "chat_minute",
    "stance",
    "about",
    "command",
    "reaction",
    "share",
    "chance",
    "roll",
    "gate",
    "age_s",
];

/// Gates, and the reasons why they keep a whole chat silent.
const GATES: &[(&str, &str)] = &[
    ("too_old", "it was too old to be a call"),
    ("superseded", "its author called again since"),
    ("stopped", "a stop is in force"),
    ("quiet_hours", "quiet hours"),
    ("calm", "the chat calms down after a limit"),
    ("chain_depth", "the chain of bot messages is as long as it may be"),
    ("unheard", "the fleet has talked long enough without a person"),
    ("person_share", "this person has had their share of answers"),
    ("chat_rate", "the chat's messages of this minute are used up"),
    ("stagnation", "the last messages of bots say much the same"),
];

/// Keys of a bot's score that are no factors.
pub(super) const SCORE_KEYS: &[&str] =
    &["wish", "chance", "share", "weight", "roll", "factors", "filtered", "addressed", "drawn", "acts"];

/// Keys of the scores that are the room's, not a bot's.
pub(super) const ROOM_KEYS: &[&str] =
    &["share", "chance", "roll", "wishes", "bots", "second", "count", "reaction", "reaction_roll"];

/// Returns the words of a factor, and whether the factor is known.
pub(super) fn factor_words(key: &str, value: f64) -> (String, bool) {
    match FACTORS.iter().find(|factor| factor.key == key) {
        Some(factor) if value >= 1.0 => (factor.more.to_owned(), true),
        Some(factor) => (factor.less.to_owned(), true),
        None => (spelled(key), false),
    }
}

/// Returns the words of a filter, and whether the filter is known.
pub(super) fn filter_words(key: &str) -> (String, bool) {
    match FILTERS.iter().find(|(known, _)| *known == key) {
        Some((_, words)) => ((*words).to_owned(), true),
        None => (spelled(key), false),
    }
}

/// Returns the words of a gate, and whether the gate is known.
pub(super) fn gate_words(key: &str) -> (String, bool) {
    match GATES.iter().find(|(known, _)| *known == key) {
        Some((_, words)) => ((*words).to_owned(), true),
        None => (spelled(key), false),
    }
}

/// Returns whether the explanation knows an input.
pub(super) fn is_known_input(key: &str) -> bool {
    INPUTS.contains(&key)
}

/// Returns the verb of a way to address a bot.
pub(super) fn address_words(how: &str) -> &'static str {
    match how {
        "mention" => "mentions",
        "reply" => "replies to",
        "name" => "names",
        "link" | "implicit" | "thread" => "answers",
        _ => "addresses",
    }
}

/// Returns the passive of that verb, for the bot.
pub(super) fn addressed_words(how: &str) -> &'static str {
    match how {
        "mention" => "was mentioned",
        "reply" => "was replied to",
        "name" => "was named",
        "link" | "implicit" | "thread" => "the message answers its own",
        _ => "was addressed",
    }
}

/// Returns why a turn came to nothing, in a word or two; `None` when the error is nothing special.
pub(super) fn ending_words(error: &str) -> Option<&'static str> {
    let error = error.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| error.contains(word));
    Some(match () {
        () if has(&["novel", "repeat", "near-duplicate", "said before", "too like"]) => "nothing new",
        () if has(&["stance", "contradict"]) => "against its stance",
        () if has(&["answered meanwhile", "interrupt", "overtaken", "meanwhile"]) => "interrupted",
        () if has(&["stop"]) => "stopped",
        () if has(&["shed"]) => "too much at once",
        () if has(&["stale", "too late", "expired"]) => "too late",
        () if has(&["chain", "window", "limit", "cap"]) => "a limit",
        () if has(&["budget", "allowance"]) => "no budget left",
        () if has(&["model", "provider"]) => "no model answered",
        () => return None,
    })
}

fn spelled(key: &str) -> String {
    key.replace('_', " ")
}
