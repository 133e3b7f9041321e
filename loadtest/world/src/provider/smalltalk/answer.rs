//! Chooses the lines of an answer: what answers the message, then what may follow. Layer: world; pure, seeded.

use super::book::{Book, Group, Topic};
use super::heard::{Options, number_of, options_of, place_of};
use super::kind::{Kind, kind_of};
use super::pattern::{Slots, filled, takes_up};
use super::prompt::{Prompt, Stance};
use super::voice::{Length, Voice};
use super::words::{Language, fold, is_common, lowered, words};

/// The share of choices that take a line which is not to the persona's taste, and the same for want of fresh ones.
const UNLIKED: f64 = 0.12;
const UNLIKED_IF_DESPERATE: f64 = 0.5;
/// The fewest letters of a word that an answer can echo, and the number of its first letters that count.
const WORD_CHARS: usize = 3;
const STEM_CHARS: usize = 5;

/// The message that is answered, as far as it is understood.
pub(super) struct Heard {
    pub(super) kind: Kind,
    folded: String,
    /// The topics of the message, or of what was said before when the message has none.
    pub(super) topics: Vec<&'static Topic>,
    /// The message names a topic itself.
    has_own: bool,
    options: Option<Options>,
    number: Option<String>,
    place: Option<&'static str>,
    /// The word by which the message names its first topic, or the topic's name.
    named: Option<String>,
}

impl Heard {
    pub(super) fn of(prompt: &Prompt, book: &'static Book) -> Self {
        let (text, language) = (prompt.opens.as_ref().unwrap_or(&prompt.text), prompt.language);
        let kind = match (&prompt.recalls, &prompt.opens) {
            (Some(_), _) => Kind::Recall,
            (None, Some(_)) => Kind::Open,
            (None, None) => kind_of(text, language),
        };
        // A bot may be called like a thing: Deniz, the sea.
        let plain = prompt.names.iter().fold(text.clone(), |text, name| text.replace(name.as_str(), " "));
        let folded = fold(&plain);
        let mut topics: Vec<&Topic> = topics_of(book, &folded);
        let has_own = !topics.is_empty();
        let leans_on_others = matches!(kind, Kind::Why | Kind::Doubt | Kind::Laugh | Kind::Agree | Kind::Disagree);
        if topics.is_empty() && (leans_on_others || kind.is_question() || prompt.quoted.is_some()) {
            let before = prompt.quoted.iter().chain(prompt.recent.iter().skip(1).take(3));
            topics =
                before.map(|said| topics_of(book, &fold(said))).find(|topics| !topics.is_empty()).unwrap_or_default();
        }
        if topics.is_empty() && kind == Kind::Open {
            topics = interests(prompt, book);
        }
        let named = topics.first().filter(|_| has_own && kind != Kind::Open).map(|topic| {
            let said = words(&plain).into_iter().find(|word| topic.is_named(&fold(word)));
            said.map_or_else(|| topic.noun.to_owned(), |word| lowered(word, language))
        });
        let has_own = has_own || kind == Kind::Open;
        Self {
            kind,
            has_own,
            folded,
            topics,
            options: options_of(text, language).filter(|_| kind == Kind::Either),
            number: number_of(text, language),
            place: place_of(text),
            named,
        }
    }
}

impl Heard {
    /// Returns whether a text shares the beginning of a longer word with the message, or need not.
    pub(super) fn is_echoed_in(&self, text: &str) -> bool {
        let stem = |word: &str| word.chars().take(STEM_CHARS).collect::<String>();
        let stems = |folded: &str| -> Vec<String> {
            let long = |word: &&str| word.chars().count() >= WORD_CHARS && !is_common(word);
            words(folded).into_iter().filter(long).map(stem).collect()
        };
        let heard = stems(&self.folded);
        let needs = self.kind.is_question() || self.kind.is_statement();
        !needs || heard.is_empty() || stems(&fold(text)).iter().any(|stem| heard.contains(stem))
    }
}

/// Returns the topics of a folded text, in the language of the book or, when that one finds none, in the other.
fn topics_of(book: &'static Book, folded: &str) -> Vec<&'static Topic> {
    let found = book.topics_in(folded);
    if !found.is_empty() {
        return found;
    }
    let others = [Language::Turkish, Language::English].map(|other| Book::of(other).topics_in(folded));
    others.into_iter().flatten().filter_map(|topic| book.topic(topic.key)).collect()
}

/// Returns the topics that the persona likes.
fn interests(prompt: &Prompt, book: &'static Book) -> Vec<&'static Topic> {
    prompt.persona.interests.iter().flat_map(|interest| topics_of(book, &fold(interest))).collect()
}

/// A sentence of an answer, with the line that it was made of.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) line: String,
    pub(super) text: String,
}

/// Chooses lines.
pub(super) struct Answer<'a> {
    pub(super) rng: &'a mut fastrand::Rng,
    pub(super) book: &'static Book,
    pub(super) prompt: &'a Prompt,
    pub(super) heard: &'a Heard,
    pub(super) voice: &'a Voice,
    /// The answer may ask something.
    pub(super) may_ask: bool,
    /// The share of choices that pass over the lines that fit best, for want of fresh ones.
    pub(super) roam: f64,
    /// Lines that fit any message of the kind will do.
    pub(super) desperate: bool,
}

impl Answer<'_> {
    /// Chooses the lines of an answer.
    pub(super) fn pieces(&mut self) -> Vec<Piece> {
        let kind = self.heard.kind;
        let stance = self.stance();
        let mut pieces = Vec::new();
        let main = self.main(stance.as_ref());
        let opposes = stance.as_ref().is_some_and(|stance| self.opposed(stance).is_some());
        let (agrees, disagrees) = if opposes { (0.0, 0.6) } else { (self.voice.agrees, self.voice.disagrees) };
        if kind == Kind::View && self.rng.f64() < agrees + disagrees {
            let agrees = self.rng.f64() * (agrees + disagrees) < agrees;
            let front = if agrees { Kind::Yes } else { Kind::No };
            pieces.extend(self.one_of(self.book.any.lines(front).collect()));
        }
        pieces.extend(main);
        let follows = match self.voice.length {
            _ if !(kind.is_question() || kind.is_statement() || kind == Kind::Open) => 0.0,
            _ if self.desperate => 0.85,
            Length::Short => 0.06,
            Length::Middle => 0.15,
            Length::Long => 0.5,
        };
        if self.rng.f64() < follows {
            let next = self.next(stance.as_ref());
            pieces.extend(next.filter(|next| pieces.iter().all(|piece| piece.line != next.line)));
        }
        let asks = self.may_ask && self.rng.f64() < 0.25 && !pieces.iter().any(|piece| piece.text.contains('?'));
        if asks && self.voice.length != Length::Short && (kind.is_statement() || kind == Kind::Opinion) {
            let question = self.ask();
            pieces.extend(question);
        }
        pieces
    }

    /// Returns a position of the persona that matters for the message, with the topic that it favours.
    fn stance(&self) -> Option<(Stance, Option<&'static str>)> {
        let stance = self.prompt.persona.stances.first()?;
        let position = fold(&stance.position);
        let place = |topic: &&Topic| topic.place_in(&position);
        // A position may be told in the other language.
        let books = [self.book, Book::of(Language::Turkish), Book::of(Language::English)];
        let favoured = books.iter().find_map(|book| {
            book.topics.iter().filter(|topic| place(topic).is_some()).min_by_key(|topic| place(topic))
        });
        Some((stance.clone(), favoured.map(|topic| topic.key)))
    }

    /// Returns the topic of the answer: the first one that has lines for the kind of the message.
    fn top(&self) -> Option<&'static Topic> {
        let topics = &self.heard.topics;
        let with_lines = topics.iter().find(|topic| topic.lines(self.heard.kind).next().is_some());
        with_lines.or(topics.first()).copied()
    }

    /// Returns the topic that the position favours, when the message is a view on the position's other side.
    fn opposed(&self, (stance, favoured): &(Stance, Option<&'static str>)) -> Option<&'static Topic> {
        let top = self.heard.topics.first().filter(|_| matches!(self.heard.kind, Kind::View | Kind::Opinion))?;
        let position = fold(&stance.position);
        let named =
            |language| Book::of(language).topic(top.key).is_some_and(|topic| topic.place_in(&position).is_some());
        let is_rival = Some(top.key) != *favoured && [Language::Turkish, Language::English].into_iter().any(named);
        self.book.topic((*favoured)?).filter(|_| is_rival)
    }

    /// Chooses the line that answers the message.
    fn main(&mut self, stance: Option<&(Stance, Option<&'static str>)>) -> Option<Piece> {
        let (heard, book) = (self.heard, self.book);
        if let Some(options) = &heard.options {
            return self.choose(options, stance.and_then(|(_, favoured)| *favoured));
        }
        let kind = heard.kind;
        // A view against the persona's position is answered from its own side.
        if let Some(topic) = stance.and_then(|stance| self.opposed(stance))
            && let Some(piece) = self.one_of(topic.all_lines(Kind::Pro).chain(topic.lines(Kind::Say)).collect())
        {
            return Some(piece);
        }
        let lines = |groups: Vec<&'static Group>| -> Vec<&'static str> {
            groups.iter().flat_map(|group| group.lines.iter().copied()).collect()
        };
        let cued = |groups: &'static [Group]| -> Vec<&'static Group> {
            groups.iter().filter(|group| group.answers_cue(kind, &heard.folded)).collect()
        };
        let top = self.top();
        let of_topics = heard.topics.iter().map(|topic| cued(&topic.groups));
        let by_cue: Vec<&Group> = of_topics.into_iter().find(|groups| !groups.is_empty()).unwrap_or_default();
        let by_cue = lines(if by_cue.is_empty() { cued(&book.any.groups) } else { by_cue });
        let by_topic: Vec<&'static str> = top.iter().flat_map(|topic| topic.lines(kind)).collect();
        let say: Vec<&'static str> = top.iter().flat_map(|topic| topic.lines(Kind::Say)).collect();
        let any: Vec<&'static str> = book.any.lines(kind).collect();
        let taking: Vec<&'static str> = any.iter().copied().filter(|line| takes_up(line)).collect();
        let fits = if kind.is_question() {
            vec![by_cue, by_topic, taking]
        } else if kind.is_statement() || kind == Kind::Open {
            vec![by_cue, by_topic, taking, say.clone()]
        } else {
            vec![by_cue, taking, any.clone()]
        };
        let is_met = fits.iter().any(|lines| !lines.is_empty());
        let rest = if is_met && !self.desperate { vec![] } else { vec![any, say] };
        let levels = fits.into_iter().chain(rest);
        let mut best = None;
        for lines in levels.filter(|lines| !lines.is_empty()) {
            let Some(piece) = self.one_of(lines) else { continue };
            best = best.or(Some(piece.clone()));
            if self.rng.f64() >= self.roam {
                return Some(piece);
            }
        }
        best.or_else(|| self.one_of(book.any.lines(kind).chain(book.any.lines(Kind::Say)).collect()))
    }

    /// Answers a question that names two alternatives: the persona always prefers the same one.
    fn choose(&mut self, options: &Options, favoured: Option<&str>) -> Option<Piece> {
        let topic_of = |option: &str| topics_of(self.book, &fold(option)).first().map(|topic| topic.key);
        let (first, second) = (options.first.as_str(), options.second.as_str());
        let by_stance = match favoured {
            Some(key) if topic_of(first) == Some(key) => Some(true),
            Some(key) if topic_of(second) == Some(key) => Some(false),
            _ => None,
        };
        let pair = fold(first) < fold(second);
        let mixed = fold(first).bytes().chain(fold(second).bytes()).fold(0_u64, |sum, byte| sum ^ u64::from(byte));
        let takes_first = by_stance.unwrap_or(((self.voice.seed >> (mixed % 60)) & 1 == 0) == pair);
        let (chosen, other) = if takes_first { (first, second) } else { (second, first) };
        let folded = fold(chosen);
        let all = self.book.topics.iter().chain([&self.book.any]).flat_map(|topic| &topic.groups);
        let known: Vec<&'static str> = all
            .filter(|group| group.answers_cue(Kind::Pro, &folded))
            .flat_map(|group| group.lines.iter().copied())
            .collect();
        let any: Vec<&'static str> = self.book.any.lines(Kind::Either).collect();
        let known =
            if self.rng.f64() < self.roam.max(0.2) { any.iter().copied().chain(known).collect() } else { known };
        self.fill(known, Some((chosen, other))).or_else(|| self.fill(any, Some((chosen, other))))
    }

    /// Chooses a sentence that may follow: a reason of the persona's, something on the subject, or of its own world.
    fn next(&mut self, stance: Option<&(Stance, Option<&'static str>)>) -> Option<Piece> {
        let kind = self.heard.kind;
        if let Some((stance, _)) = stance
            && kind != Kind::Open
            && self.rng.f64() < 0.3
            && let Some(reason) = self.rng.choice(&stance.reasons).cloned()
        {
            return Some(Piece { text: format!("{}.", reason.trim_end_matches('.')), line: reason });
        }
        let to_life = matches!(kind, Kind::Complaint | Kind::Plan | Kind::View | Kind::How | Kind::Why);
        if !self.heard.has_own && !to_life {
            return None;
        }
        if to_life && (self.rng.f64() < 0.25 || !self.heard.has_own) {
            let of_message = |topic: &&Topic| self.heard.topics.iter().any(|heard| heard.key == topic.key);
            let own = interests(self.prompt, self.book).into_iter().filter(of_message).collect::<Vec<_>>();
            let wise: Vec<&'static str> = own.iter().flat_map(|topic| topic.lines(Kind::Wise)).collect();
            return self.one_of(wise);
        }
        let topic = stance.and_then(|stance| self.opposed(stance)).or_else(|| self.top())?;
        self.one_of(topic.lines(Kind::Say).collect())
    }

    /// Chooses a question back.
    fn ask(&mut self) -> Option<Piece> {
        let asks: Vec<&'static str> = self.top().iter().flat_map(|topic| topic.lines(Kind::Ask)).collect();
        self.fill(asks, None)
    }

    fn one_of(&mut self, lines: Vec<&'static str>) -> Option<Piece> {
        self.fill(lines, None)
    }

    /// Fills one of the lines whose slots can be filled; one to the persona's taste, if there is one.
    fn fill(&mut self, mut lines: Vec<&'static str>, options: Option<(&str, &str)>) -> Option<Piece> {
        let heard = self.heard;
        let slots = Slots {
            options,
            number: heard.number.as_deref(),
            place: heard.place,
            other: self.prompt.recalls.as_ref().or(self.rng.choice(&self.prompt.others)).map(String::as_str),
            topic: heard.named.as_deref(),
        };
        let suits = |line: &str| match self.voice.length {
            Length::Short => line.len() < 52,
            Length::Middle => (36..110).contains(&line.len()),
            Length::Long => line.len() > 50,
        };
        let unliked = if self.desperate { UNLIKED_IF_DESPERATE } else { UNLIKED };
        let mut unfit: Option<Piece> = None;
        while !lines.is_empty() {
            let line = lines.swap_remove(self.rng.usize(..lines.len()));
            if line.contains('?') && !self.may_ask {
                continue;
            }
            let Some(text) = filled(self.rng, line, &slots) else { continue };
            let piece = Piece { line: line.to_owned(), text };
            if suits(line) && self.voice.likes(line) || self.rng.f64() < unliked {
                return Some(piece);
            }
            unfit = unfit.or(Some(piece));
        }
        unfit
    }
}
