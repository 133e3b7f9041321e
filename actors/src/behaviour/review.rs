//! Reviews what a model wrote, before a bot says it. Layer `behaviour`; pure. Bots and the soak call it alike.
//!
//! | guard | where | its verdict |
//! |---|---|---|
//! | news: what came while the model thought | chats with pacing | drops the answer, or asks once with the news |
//! | claim: the bot is human, or no bot | every chat | asks again with the reason |
//! | claim: the bot speaks as an assistant | every chat | asks again once, then the text goes on |
//! | conduct: what no bot may write | unless the chat turns it off | asks again, naming the kind |
//! | conduct by a model | where the chat names one | a question for that model |
//! | salutation: no link is shown, and several talk at once | where the strategy wants it | puts the name in front |
//! | novelty: what the bot, chat and fleet said | where the chat wants it | asks again, quoting the rejected text |
//! | stances: the positions that the bot holds | unless the chat turns it off | asks again, naming the position |
//! | stances by a model | where the chat wants it and the text touches one | a question for the bot's own model |
//!
//! Each kind of objection asks the model again once in a turn; a second one of a kind drops the turn, unless the table
//! says otherwise. A chat whose policy is `every` is guarded against claims alone: to tell people what they talk to is a
//! duty under any policy. A guard that panics has no objection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::behaviour::conduct::question::question as conduct_question;
use crate::behaviour::conduct::{Circumstances, finding};
use crate::behaviour::identity::claim::Claim;
use crate::behaviour::interruption::{Pending, Reconsidered, reconsider};
use crate::behaviour::note::Note;
use crate::behaviour::novelty::guard::{Lately, NoveltyGuard, Repeat, Said};
use crate::behaviour::objection::Objection;
use crate::behaviour::salutation::salute;
use crate::behaviour::stances::contradiction::contradicts;
use crate::behaviour::stances::question::{Question, question};
use crate::domain::ids::BotId;
use crate::domain::roster::{BotProfile, ChatSpec};
use crate::domain::strategy::Consistency;
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;

/// The guards, in the order in which a text meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    News,
    Claim,
    Conduct,
    Salutation,
    Novelty,
    Stances,
}

/// News come first: whatever else is wrong with a text, an answer that nobody needs any more is not asked for again, and
/// the model hears of the news before it writes another. Conduct comes before the name that a salutation adds.
const GUARDS: [Guard; 6] =
    [Guard::News, Guard::Claim, Guard::Conduct, Guard::Salutation, Guard::Novelty, Guard::Stances];

/// The context of a text under review.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The bot that is about to speak.
    pub bot: &'a BotProfile,
    /// The bot's username, once known.
    pub username: Option<&'a str>,
    /// Usernames of the chat's bots; a text without an @ needs none.
    pub usernames: &'a [&'a str],
    /// The chat; `None` once the manifest has dropped it.
    pub chat: Option<&'a ChatSpec>,
    /// The claim that the firewall found in the text.
    pub claim: Option<Claim>,
    /// The facts about the answer, and the present end of the transcript, oldest first; `None` where news do not count.
    pub news: Option<(&'a Pending, &'a [Arc<TranscriptEntry>])>,
    /// The window that the model saw, with the news, oldest first.
    pub window: &'a [Arc<Note>],
    /// The entry that the text answers.
    pub target: Option<&'a TranscriptEntry>,
    /// Objections to earlier texts of the turn.
    pub objections: &'a [Objection],
    /// The bot's own texts, oldest first.
    pub own: &'a [Said],
    /// Texts of the fleet with their bots, oldest first.
    pub fleet: &'a [(BotId, Said)],
    /// The time now.
    pub now: Timestamp,
}

/// The result of a review.
#[derive(Clone, Debug)]
pub enum Review {
    /// The text may be said.
    Say(String),
    /// The text may be said unless a model objects, which is asked these questions in order.
    Consult(String, Vec<Question>),
    /// A guard objects.
    Object(Objected),
    /// The answer is of no use any more, for this reason.
    Drop(&'static str),
}

/// An objection with what a guard knows of it.
#[derive(Clone, Debug)]
pub struct Objected {
    /// The objection.
    pub objection: Objection,
    /// The reason, in words for operators.
    pub reason: String,
    /// The repetition, where the text is one.
    pub repeat: Option<Repeat>,
}

impl Objected {
    /// Creates an objection for this reason.
    pub fn new(objection: Objection, reason: impl Into<String>) -> Self {
        Self { objection, reason: reason.into(), repeat: None }
    }
}

/// Returns true when the chat's news count: they are read before a text is reviewed.
pub fn minds_news(chat: &ChatSpec) -> bool {
    chat.policy.is_guarded() && chat.pacing.enabled
}

/// Reviews a text that passed the firewall.
pub fn review(text: String, context: &Context<'_>) -> Review {
    let mut text = text;
    for guard in GUARDS {
        let looked = catch_unwind(AssertUnwindSafe(|| guard.look(&text, context))).unwrap_or(Look::Pass);
        match looked {
            Look::Pass => {}
            Look::Write(other) => text = other,
            Look::Drop(reason) => return Review::Drop(reason),
            Look::Object(objected) => {
                let is_new = !is_raised(context.objections, &objected.objection);
                if is_new || objected.objection.is_fatal() {
                    return Review::Object(objected);
                }
            }
        }
    }
    let Some(chat) = context.chat.filter(|chat| chat.policy.is_guarded()) else {
        return Review::Say(text);
    };
    let moderated = chat.conduct.enabled && chat.conduct.model.is_some();
    let conduct = moderated.then(|| conduct_question(&text));
    let consults = chat.consistency == Consistency::Model;
    let stances = consults.then(|| question(&text, &context.bot.spec.persona.stances)).flatten();
    let questions: Vec<Question> = conduct.into_iter().chain(stances).collect();
    if questions.is_empty() { Review::Say(text) } else { Review::Consult(text, questions) }
}

/// Adds an objection to those of the turn. Returns false when one of its kind is there already: then the turn is
/// dropped.
pub fn raise(objections: &mut Vec<Objection>, objection: Objection) -> bool {
    let is_new = !is_raised(objections, &objection);
    if is_new {
        objections.push(objection);
    }
    is_new
}

fn is_raised(objections: &[Objection], objection: &Objection) -> bool {
    objections.iter().any(|other| other.is_like(objection))
}

/// The result of one guard.
enum Look {
    Pass,
    /// The text goes on in these words.
    Write(String),
    Object(Objected),
    Drop(&'static str),
}

impl Guard {
    fn look(self, text: &str, context: &Context<'_>) -> Look {
        let object = |objection, reason: &str| Look::Object(Objected::new(objection, reason));
        if self == Self::Claim {
            return context.claim.map_or(Look::Pass, |claim| object(claim.objection(), "by its words"));
        }
        let Some(chat) = context.chat.filter(|chat| chat.policy.is_guarded()) else {
            return Look::Pass;
        };
        match self {
            Self::Claim => Look::Pass,
            Self::News => match context.news.map(|(pending, tail)| reconsider(pending, tail)) {
                None | Some(Reconsidered::Keep) => Look::Pass,
                Some(Reconsidered::Drop(reason)) => Look::Drop(reason),
                Some(Reconsidered::Rewrite(reason)) => object(Objection::News, reason),
            },
            Self::Conduct if !chat.conduct.enabled => Look::Pass,
            Self::Conduct => {
                let Context { bot, usernames, window, target, .. } = *context;
                let circumstances = Circumstances { rules: &chat.conduct, bot, usernames, window, target };
                finding(text, &circumstances).map_or(Look::Pass, |found| {
                    Look::Object(Objected::new(Objection::Conduct { of: found.kind }, found.reason))
                })
            }
            Self::Salutation => match context.target.filter(|_| chat.strategy.salutation) {
                Some(target) => {
                    Look::Write(salute(text, context.bot, context.username, target, context.window, context.now))
                }
                None => Look::Pass,
            },
            Self::Novelty => {
                let (bot, own) = (context.bot.id, context.own);
                let lately = Lately { bot, own, chat: context.window, fleet: context.fleet };
                match NoveltyGuard(&chat.novelty).check(text, &lately) {
                    Ok(()) => Look::Pass,
                    // The model hears its own words again: the former ones may be of another chat, or a person's.
                    Err(repeat) => Look::Object(repeats(text, repeat)),
                }
            }
            Self::Stances if chat.consistency == Consistency::Off => Look::Pass,
            Self::Stances => {
                let mut stances = context.bot.spec.persona.stances.iter();
                match stances.find(|stance| contradicts(text, stance)) {
                    Some(stance) => {
                        object(Objection::Contradiction { position: stance.position.clone() }, "by its words")
                    }
                    None => Look::Pass,
                }
            }
        }
    }
}

fn repeats(text: &str, repeat: Repeat) -> Objected {
    let reason = format!("{:.2} like what was said before ({})", repeat.likeness, repeat.place.as_str());
    Objected { objection: Objection::Repeat { of: text.to_owned() }, reason, repeat: Some(repeat) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::roster::ChatPolicy;
    use crate::testkit::rows::{at, bot_spec, chat_spec};

    const CONTRADICTION: &str = "Honestly, coffee is better than any çay.";

    fn bot() -> BotProfile {
        BotProfile::new(BotId(1), bot_spec(1))
    }

    fn context<'a>(bot: &'a BotProfile, chat: &'a ChatSpec) -> Context<'a> {
        Context {
            bot,
            username: None,
            usernames: &[],
            chat: Some(chat),
            claim: None,
            news: None,
            window: &[],
            target: None,
            objections: &[],
            own: &[],
            fleet: &[],
            now: at(0),
        }
    }

    #[test]
    fn a_claim_is_met_in_every_chat() {
        let (bot, mut chat) = (bot(), chat_spec(1, &[]));
        chat.policy = ChatPolicy::Every;
        let claims = Context { claim: Some(Claim::Human), ..context(&bot, &chat) };
        let Review::Object(objected) = review(CONTRADICTION.to_owned(), &claims) else { panic!("said") };
        assert_eq!(objected.objection, Objection::Claim);
        let again = Context { objections: &[Objection::Claim], ..claims };
        assert!(matches!(review("I am no bot.".to_owned(), &again), Review::Object(_)), "a lie is never said");
        let assistant = Context { claim: Some(Claim::Assistant), objections: &[Objection::Assistant], ..claims };
        assert!(
            matches!(review("How may I help?".to_owned(), &assistant), Review::Say(_)),
            "out of character, but true"
        );
        assert!(matches!(review(CONTRADICTION.to_owned(), &context(&bot, &chat)), Review::Say(_)));
    }

    #[test]
    fn the_first_guard_that_objects_is_heard() {
        let (bot, chat) = (bot(), chat_spec(1, &[]));
        let said = [Said::new(CONTRADICTION), Said::new(CONTRADICTION)];
        let repeated = Context { own: &said, ..context(&bot, &chat) };
        let Review::Object(objected) = review(CONTRADICTION.to_owned(), &repeated) else { panic!("said") };
        assert_eq!((objected.objection.label(), objected.repeat.is_some()), ("novelty", true));
        let Review::Object(objected) = review(CONTRADICTION.to_owned(), &context(&bot, &chat)) else { panic!("said") };
        assert_eq!((objected.objection.label(), objected.reason.as_str()), ("stance", "by its words"));
        let off = ChatSpec { consistency: Consistency::Off, ..chat_spec(1, &[]) };
        assert!(matches!(review(CONTRADICTION.to_owned(), &context(&bot, &off)), Review::Say(_)));
        let model = ChatSpec { consistency: Consistency::Model, ..chat_spec(1, &[]) };
        let asked = review("A glass of çay would be fine now.".to_owned(), &context(&bot, &model));
        assert!(matches!(asked, Review::Consult(_, questions) if questions.len() == 1));
    }

    #[test]
    fn one_objection_of_a_kind_is_raised_in_a_turn() {
        let mut objections = Vec::new();
        assert!(raise(&mut objections, Objection::Repeat { of: "a".to_owned() }));
        assert!(raise(&mut objections, Objection::News));
        assert!(!raise(&mut objections, Objection::Repeat { of: "b".to_owned() }));
        assert_eq!(objections.len(), 2);
    }
}
