//! Takes what a model wrote through the review, and does what the guards say. Layer `actors`.
//!
//! The news are read before the review, since a task reads the store; where the store does not answer, the text goes on.

use std::collections::HashSet;
use std::sync::Arc;

use crate::actors::bot::effect::Effect;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::surroundings::Surroundings;
use crate::actors::bot::turns::Turns;
use crate::actors::bot::turns::job::{Job, Phase};
use crate::actors::bot::turns::messages::{Draft, Tail};
use crate::actors::bot::turns::own_texts::OWN_MAX;
use crate::actors::provider::consult::Terms;
use crate::behaviour::firewall::Clean;
use crate::behaviour::interruption::Pending;
use crate::behaviour::note::Note;
use crate::behaviour::objection::Objection;
use crate::behaviour::review::{Context, Objected, Review, minds_news, raise, review};
use crate::behaviour::stances::question::{Asks, Question};
use crate::domain::ids::{MessageId, TelegramChatId, TurnId};
use crate::domain::people::{REMOVED, Rights};
use crate::domain::roster::{ChatProfile, ModelRef};
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::Act;
use crate::ports::metrics;

impl Turns {
    /// Takes a text that passed the firewall; reads the news first where they count.
    pub(super) fn on_clean(&mut self, turn: TurnId, clean: Clean, desk: &mut Desk<'_, '_>) {
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        let (place, ticket) = (job.given.turn.chat, self.tickets.take());
        job.phase = Phase::Asking(ticket);
        let marks = desk.site().profile().spec.persona.markup && !clean.marks.is_empty();
        job.marked = marks.then(|| (clean.text.clone(), clean.marks));
        let draft = Draft { turn, ticket, text: clean.text, claim: clean.claim };
        if desk.site().chat(place).is_some_and(|chat| minds_news(&chat.spec)) {
            desk.ask(Effect::ReadNews(draft, place));
        } else {
            self.review(draft, None, desk);
        }
    }

    /// Reviews a draft after reading what came while the model was thinking.
    pub(super) fn on_news(&mut self, draft: Draft, tail: Tail, desk: &mut Desk<'_, '_>) {
        let Some(job) = self.jobs.get(&draft.turn).filter(|job| job.awaits(draft.ticket)) else {
            return;
        };
        let pending = pending(job, desk.site());
        let tail = tail.unwrap_or_default();
        if let Some(job) = self.jobs.get_mut(&draft.turn) {
            let is_new = |entry: &&Arc<TranscriptEntry>| entry.number > pending.seen && entry.thread == pending.thread;
            let news = tail.iter().filter(is_new).map(|entry| Arc::new(Note::new(Arc::clone(entry))));
            job.given.window.extend(news);
        }
        self.review(draft, Some((&pending, &tail)), desk);
    }

    fn review(&mut self, draft: Draft, news: Option<(&Pending, &[Arc<TranscriptEntry>])>, desk: &mut Desk<'_, '_>) {
        let (site, turn) = (desk.site(), draft.turn);
        let Some(job) = self.jobs.get(&turn) else {
            return;
        };
        // `say` finds out whether the chat has left the manifest.
        let chat = site.chat(job.given.turn.chat);
        let spec = chat.as_ref().map(|chat| &chat.spec);
        let compares = spec.is_some_and(|spec| spec.policy.is_guarded() && spec.novelty.enabled);
        let fleet = if compares { site.fleet_texts() } else { Vec::new() };
        let known = draft.text.contains('@').then(|| site.known());
        let (known, members) = (known.as_deref(), chat.iter().flat_map(|chat| &chat.members));
        let usernames = members.filter_map(|bot| known?.bots.get(bot)?.username.as_deref());
        let usernames: Vec<&str> = usernames.chain(site.username()).collect();
        let context = Context {
            bot: site.profile(),
            username: site.username(),
            usernames: &usernames,
            chat: spec,
            claim: draft.claim,
            news,
            window: &job.given.window,
            target: job.given.target.as_deref(),
            objections: &job.objections,
            own: self.own.all(),
            fleet: &fleet,
            now: site.now(),
        };
        match review(draft.text, &context) {
            Review::Say(text) => self.say(turn, &text, desk),
            Review::Consult(text, questions) => self.consult(Draft { text, ..draft }, questions, desk),
            Review::Object(objected) => self.object(turn, objected, desk),
            Review::Drop(reason) => {
                metrics::interruptions_total { result: "dropped" }.increment(1);
                self.drop_turn(turn, "interruption", format!("interruption: {reason}"), desk);
            }
        }
    }

    /// Asks the model again and tells it why; drops the turn the second time for the same reason.
    fn object(&mut self, turn: TurnId, objected: Objected, desk: &mut Desk<'_, '_>) {
        let Objected { objection, reason, repeat } = objected;
        if let Some(repeat) = repeat {
            metrics::repeats_total { of: repeat.place.as_str() }.increment(1);
        }
        let label = objection.label();
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        if let Objection::Conduct { of } = objection {
            metrics::misconduct_total { kind: of.as_str() }.increment(1);
        }
        if objection == Objection::News {
            metrics::interruptions_total { result: "rewritten" }.increment(1);
            renew_target(job);
        }
        let again = raise(&mut job.objections, objection);
        let result = if again { "asked_again" } else { "dropped" };
        metrics::guard_objections_total { guard: label, result }.increment(1);
        let bot = desk.site().profile().id;
        tracing::debug!(bot.id = %bot, turn.id = %turn, guard = label, reason, "a text is not said");
        if again {
            job.tries = 0;
            self.ask_model(turn, desk);
        } else {
            self.drop_turn(turn, label, format!("{label}: {reason}"), desk);
        }
    }

    /// Asks models about the text: that of the chat about conduct, the bot's own about the positions that it touches.
    fn consult(&mut self, draft: Draft, questions: Vec<Question>, desk: &mut Desk<'_, '_>) {
        let site = desk.site();
        let Some(job) = self.jobs.get(&draft.turn) else {
            return;
        };
        let models = &site.profile().spec.generation.models;
        let own = models.get(job.model).or(models.first());
        let chat = site.chat(job.given.turn.chat);
        let moderator = chat.as_ref().and_then(|chat| chat.spec.conduct.moderator());
        let of_model = |question: Question| {
            let model = if question.asks == Asks::Conduct { moderator.as_ref() } else { own };
            model.map(|model| (model.clone(), question))
        };
        let questions: Vec<(ModelRef, Question)> = questions.into_iter().filter_map(of_model).collect();
        if questions.is_empty() {
            return self.say(draft.turn, &draft.text, desk);
        }
        let spec = &job.given.turn;
        let left = spec.expires_at.since(site.now());
        let deadline = tokio::time::Instant::now() + left / 2;
        let terms = Terms { bot: spec.bot, chat: spec.chat, priority: spec.priority, deadline };
        desk.ask(Effect::Consult { draft, questions, terms });
    }

    pub(super) fn on_judged(&mut self, draft: &Draft, objection: Option<Objection>, desk: &mut Desk<'_, '_>) {
        if self.jobs.get(&draft.turn).is_none_or(|job| !job.awaits(draft.ticket)) {
            return;
        }
        match objection {
            Some(objection) => self.object(draft.turn, Objected::new(objection, "as a model judges"), desk),
            None => self.say(draft.turn, &draft.text, desk),
        }
    }

    /// Reads the bot's own texts, when a chat has come to need them since the bot started.
    pub(super) fn recall(&mut self, desk: &mut Desk<'_, '_>) {
        let most = compares_with(desk.site());
        if most > 0
            && let Some(ticket) = self.own.read(&mut self.tickets)
        {
            desk.ask(Effect::Recall(ticket, most));
        }
    }

    /// Forgets words that were removed, or are about to be. The bot reads its own texts and its waiting turns again;
    /// turns at work lose the removed messages and all quotes from their windows, and a turn that answers removed words
    /// is dropped: nobody is asked about these words any more.
    pub(in crate::actors::bot) fn words_removed(
        &mut self,
        rights: &Rights,
        deleted: &HashSet<(TelegramChatId, MessageId)>,
        desk: &mut Desk<'_, '_>,
    ) {
        self.own.clear();
        self.recall(desk);
        let is_deleted = |entry: &TranscriptEntry| deleted.contains(&(entry.telegram_chat, entry.message_id));
        let is_removed =
            |target: &TranscriptEntry| is_deleted(target) || rights.refuses(target.author.id, target.date).is_some();
        let recalls = |job: &Job| match job.given.turn.act {
            Act::Open { recalls: Some(number), .. } => {
                job.given.window.iter().any(|note| note.number == number && is_removed(note))
            }
            _ => false,
        };
        let answers = |job: &Job| job.given.target.as_deref().is_some_and(is_removed) || recalls(job);
        let answering = self.jobs.iter().filter(|(_, job)| !job.is_ending() && answers(job));
        for turn in answering.map(|(turn, _)| *turn).collect::<Vec<TurnId>>() {
            if let Some(job) = self.jobs.get(&turn) {
                job.wanted.withdraw();
            }
            self.drop_turn(turn, "words_removed", REMOVED.to_owned(), desk);
        }
        for job in self.jobs.values_mut() {
            job.given.window.retain(|note| !is_removed(note));
            for note in job.given.window.iter_mut().filter(|note| note.quoted().is_some()) {
                *note = Arc::new(Note::new(Arc::clone(&note.entry)));
            }
        }
        self.waiting.forget_waiting();
    }
}

/// Returns the facts about a turn's answer, by which the answer is reconsidered.
pub(super) fn pending(job: &Job, site: &dyn Surroundings) -> Pending {
    let spoken = site.chat(job.given.turn.chat).map_or(site.profile().spec.persona.language, |chat| chat.spec.language);
    job.given.pending(site.profile(), site.username(), spoken)
}

/// Returns how many of its own texts the bot compares with, by the chat that wants most; 0 where none is guarded.
pub(in crate::actors::bot) fn compares_with(site: &dyn Surroundings) -> usize {
    let (known, bot) = (site.known(), site.profile().id);
    let wants = |chat: &&Arc<ChatProfile>| {
        chat.spec.policy.is_guarded() && chat.spec.novelty.enabled && chat.members.contains(&bot)
    };
    known.chats.values().filter(wants).map(|chat| chat.spec.novelty.own).max().unwrap_or(0).min(OWN_MAX)
}

/// Replaces the target's text by its latest edit in the window.
fn renew_target(job: &mut Job) {
    let Some(target) = &mut job.given.target else {
        return;
    };
    let is_edit = |note: &&Arc<Note>| {
        let same = note.message_id == target.message_id && note.telegram_chat == target.telegram_chat;
        same && note.kind == EntryKind::Edit && note.text.is_some()
    };
    if let Some(edit) = job.given.window.iter().rev().find(is_edit) {
        let text = edit.text.clone();
        Arc::make_mut(target).text = text;
    }
}
