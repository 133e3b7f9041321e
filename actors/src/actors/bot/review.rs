//! Reviews what a model wrote on its way to the outbox. Layer `actors`.
//!
//! | guard | where | its verdict |
//! |---|---|---|
//! | claim: the bot is human, or no bot | every chat | asks again with the reason |
//! | claim: the bot speaks as an assistant | every chat | asks again once, then the text goes on |
//! | interruption: news while the model thought | chats with pacing | drops the turn, or asks once with the news |
//! | salutation: the addressee would not be evident | where the strategy wants it | puts the name in front |
//! | novelty: what the bot, chat and fleet said | where the chat wants it | asks again, quoting the rejected text |
//! | stances: the positions that the bot holds | unless the chat turns it off | asks again, naming the position |
//! | stances by a model | if the chat wants it and the text touches one | the same; without an answer the text goes |
//! | interruption: news while the message was typed | chats with pacing | drops the message |
//!
//! Each kind asks the model again once in a turn; a second verdict of a kind drops the turn, unless the table says
//! otherwise. A chat whose policy is `every` is guarded against claims alone: to tell people what they talk to is a
//! duty under any policy. Tasks read the store; where the store does not answer, the text goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::actors::bot::job::Job;
use crate::actors::bot::messages::{BotMsg, Draft, Tail};
use crate::actors::bot::own_texts::OwnTexts;
use crate::actors::bot::perform::NEWS_MAX;
use crate::actors::bot::state::BotState;
use crate::actors::node::deadline::in_time;
use crate::actors::provider::consult::Terms;
use crate::behaviour::firewall::Clean;
use crate::behaviour::identity::Claim;
use crate::behaviour::interruption::{Pending, Reconsidered, reconsider};
use crate::behaviour::note::Note;
use crate::behaviour::novelty::guard::{Lately, NoveltyGuard, Repeat, Said};
use crate::behaviour::objection::Objection;
use crate::behaviour::salutation::salute;
use crate::behaviour::stances::contradiction::contradicts;
use crate::behaviour::stances::question::{ANSWER_TOKENS_MAX, question};
use crate::domain::ids::{Number, OutboxId, TurnId};
use crate::domain::people::REMOVED;
use crate::domain::roster::ChatSpec;
use crate::domain::strategy::Consistency;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::Act;

/// The most texts of its own that a bot remembers, whatever a chat compares with.
const OWN_MAX: usize = 400;

impl BotState {
    /// Reviews a text that passed the firewall.
    pub(super) fn review(&mut self, turn: TurnId, clean: Clean) {
        let Clean { text, claim } = clean;
        if let Some(objection) = claim.map(Claim::objection)
            && (objection.is_fatal() || !self.was_objected(turn, &objection))
        {
            return self.object(turn, objection, "by its words");
        }
        let Some(job) = self.jobs.get(&turn) else {
            return;
        };
        let place = job.given.turn.chat;
        // `say` finds out whether the chat has left the manifest.
        let spec = self.node.directory.chat_profile(place).map(|chat| chat.spec.clone());
        match spec {
            Some(spec) if spec.policy.is_guarded() => {
                let draft = Draft { turn, generation: job.generation, text };
                if spec.pacing.enabled {
                    let (node, myself) = (Arc::clone(&self.node), self.myself.clone());
                    self.tasks.spawn(async move {
                        let tail = in_time(node.store.transcript(place, Number(i64::MAX), NEWS_MAX)).await;
                        let _ = myself.cast(BotMsg::NewsRead(draft, tail.ok()));
                    });
                } else {
                    self.guard(draft, &spec);
                }
            }
            _ => self.say(turn, &text),
        }
    }

    fn is_current_draft(&self, draft: &Draft) -> bool {
        self.jobs.get(&draft.turn).is_some_and(|job| job.generation == draft.generation && job.finish.is_none())
    }

    /// Reconsiders a draft after reading what came while the model was thinking.
    pub(super) fn on_news(&mut self, draft: Draft, tail: Tail) {
        if !self.is_current_draft(&draft) {
            return;
        }
        let turn = draft.turn;
        let Some(job) = self.jobs.get(&turn) else {
            return;
        };
        let Some(spec) = self.node.directory.chat_profile(job.given.turn.chat).map(|chat| chat.spec.clone()) else {
            return self.say(turn, &draft.text);
        };
        let pending = self.pending(job);
        let tail = tail.unwrap_or_default();
        let verdict = catch_unwind(AssertUnwindSafe(|| reconsider(&pending, &tail))).unwrap_or(Reconsidered::Keep);
        if let Some(job) = self.jobs.get_mut(&turn) {
            let (seen, thread) = (pending.seen, pending.thread);
            let news = tail.into_iter().filter(|entry| entry.number > seen && entry.thread == thread);
            job.given.window.extend(news.map(|entry| Arc::new(Note::new(entry))));
        }
        match verdict {
            Reconsidered::Keep => self.guard(draft, &spec),
            Reconsidered::Drop(reason) => {
                metrics::counter!("botfleet_interruptions_total", "result" => "dropped").increment(1);
                self.drop_turn(turn, "interruption", format!("interruption: {reason}"));
            }
            Reconsidered::Rewrite(reason) => {
                // Once is enough: a text that was rewritten is said, whatever came meanwhile.
                if self.was_objected(turn, &Objection::News) {
                    return self.guard(draft, &spec);
                }
                metrics::counter!("botfleet_interruptions_total", "result" => "rewritten").increment(1);
                self.renew_target(turn);
                self.object(turn, Objection::News, reason);
            }
        }
    }

    /// Replaces the target's text by its latest edit in the window.
    fn renew_target(&mut self, turn: TurnId) {
        use crate::domain::transcript::EntryKind;
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
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

    /// Returns the context of a turn's answer, by which the answer is reconsidered.
    pub(super) fn pending(&self, job: &Job) -> Pending {
        let turn = &job.given.turn;
        let spoken = self.node.directory.chat_profile(turn.chat).map(|chat| chat.spec.language);
        let spoken = spoken.unwrap_or(self.profile.spec.persona.language);
        let username = self.me.as_ref().map(|me| me.username.as_str());
        let (target, known) = (job.given.target.clone(), turn.target.or(turn.root));
        let pending = Pending::of(&self.profile, username, spoken, target, &job.given.window, known);
        let thread = pending.thread.or(turn.act.thread());
        Pending { after_others: turn.ordinal > 0, thread, ..pending }
    }

    /// Returns the text with the addressee's name in front where the addressee would not be evident.
    fn saluted(&self, draft: &Draft, spec: &ChatSpec) -> Option<String> {
        let job = self.jobs.get(&draft.turn).filter(|_| spec.strategy.salutation)?;
        let target = job.given.target.as_deref()?;
        let username = self.me.as_ref().map(|me| me.username.as_str());
        let (window, now) = (&job.given.window, self.node.clock.now());
        let saluted = || salute(&draft.text, &self.profile, username, target, window, now);
        catch_unwind(AssertUnwindSafe(saluted)).ok()
    }

    fn guard(&mut self, mut draft: Draft, spec: &ChatSpec) {
        if let Some(text) = self.saluted(&draft, spec) {
            draft.text = text;
        }
        if let Err(Repeat { place, likeness }) = self.is_news(&draft, spec) {
            metrics::counter!("botfleet_repeats_total", "of" => place.as_str()).increment(1);
            let reason = format!("{likeness:.2} like what was said before ({})", place.as_str());
            // The model hears its own words again: the former ones may be of another chat, or a person's.
            return self.object(draft.turn, Objection::Repeat { of: draft.text }, &reason);
        }
        if spec.consistency == Consistency::Off {
            return self.say(draft.turn, &draft.text);
        }
        let stances = &self.profile.spec.persona.stances;
        if let Some(stance) = stances.iter().find(|stance| contradicts(&draft.text, stance)) {
            let position = stance.position.clone();
            return self.object(draft.turn, Objection::Contradiction { position }, "by its words");
        }
        if spec.consistency == Consistency::Model {
            return self.consult(draft);
        }
        self.say(draft.turn, &draft.text);
    }

    fn is_news(&self, draft: &Draft, spec: &ChatSpec) -> Result<(), Repeat> {
        let Some(job) = self.jobs.get(&draft.turn).filter(|_| spec.novelty.enabled) else {
            return Ok(());
        };
        let fleet = self.node.said.lately();
        let lately = Lately { bot: self.profile.id, own: &self.said.texts, chat: &job.given.window, fleet: &fleet };
        // A text that makes the guard panic is no repeat of anything.
        catch_unwind(AssertUnwindSafe(|| NoveltyGuard(&spec.novelty).check(&draft.text, &lately))).unwrap_or(Ok(()))
    }

    /// Asks the bot's own model whether the text contradicts a stance that it touches.
    fn consult(&mut self, draft: Draft) {
        let asked = question(&draft.text, &self.profile.spec.persona.stances);
        let (Some(asked), Some(job)) = (asked, self.jobs.get(&draft.turn)) else {
            return self.say(draft.turn, &draft.text);
        };
        let models = &self.profile.spec.generation.models;
        let Some(model) = models.get(job.model).or(models.first()).cloned() else {
            return self.say(draft.turn, &draft.text);
        };
        let spec = &job.given.turn;
        let left = spec.expires_at.since(self.node.clock.now());
        let terms = Terms {
            bot: spec.bot,
            chat: spec.chat,
            priority: spec.priority,
            deadline: tokio::time::Instant::now() + left / 2,
        };
        let (node, myself) = (Arc::clone(&self.node), self.myself.clone());
        self.tasks.spawn(async move {
            let (messages, schema) = (asked.messages.clone(), asked.schema.clone());
            let answer =
                node.consult.classify(&node.directory, &model, messages, schema, ANSWER_TOKENS_MAX, terms).await;
            let (result, position) = match answer {
                Ok(answer) => match asked.contradicted(&answer) {
                    Some(position) => ("contradiction", Some(position.to_owned())),
                    None => ("consistent", None),
                },
                Err(error) => {
                    tracing::debug!(error = %error, "a stance could not be checked, the text goes on");
                    ("failed", None)
                }
            };
            metrics::counter!("botfleet_stance_checks_total", "result" => result).increment(1);
            let _ = myself.cast(BotMsg::StancesChecked(draft, position));
        });
    }

    pub(super) fn on_stances_checked(&mut self, draft: &Draft, contradicted: Option<String>) {
        if !self.is_current_draft(draft) {
            return;
        }
        match contradicted {
            Some(position) => self.object(draft.turn, Objection::Contradiction { position }, "as a model judges"),
            None => self.say(draft.turn, &draft.text),
        }
    }

    fn was_objected(&self, turn: TurnId, objection: &Objection) -> bool {
        self.jobs.get(&turn).is_some_and(|job| job.objections.iter().any(|other| other.is_like(objection)))
    }

    /// Asks the model again and tells it why; drops the turn the second time for the same reason.
    fn object(&mut self, turn: TurnId, objection: Objection, reason: &str) {
        let label = objection.label();
        let again = self.was_objected(turn, &objection);
        let result = if again { "dropped" } else { "asked_again" };
        metrics::counter!("botfleet_guard_objections_total", "guard" => label, "result" => result).increment(1);
        tracing::debug!(bot.id = %self.profile.id, turn.id = %turn, guard = label, reason, "a text is not said");
        if again {
            return self.drop_turn(turn, label, format!("{label}: {reason}"));
        }
        if let Some(job) = self.jobs.get_mut(&turn) {
            job.objections.push(objection);
            job.tries = 0;
            self.ask_model(turn);
        }
    }

    /// Remembers a text that the bot says, and must not repeat.
    pub(super) fn remember_said(&mut self, text: &str) {
        let said = Said::new(text);
        self.node.said.note(self.profile.id, said.clone());
        let texts = &mut self.said.texts;
        if texts.len() >= OWN_MAX {
            texts.drain(..OWN_MAX / 2);
        }
        texts.push(said);
    }

    /// Returns how many of its own texts the bot compares with, by the chat that wants most; 0 where none is guarded.
    pub(super) fn compares_with(&self) -> usize {
        let known = self.node.directory.known();
        let wants = |chat: &&Arc<crate::domain::roster::ChatProfile>| {
            chat.spec.policy.is_guarded() && chat.spec.novelty.enabled && chat.members.contains(&self.profile.id)
        };
        known.chats.values().filter(wants).map(|chat| chat.spec.novelty.own).max().unwrap_or(0).min(OWN_MAX)
    }

    /// Takes the texts from before this process, oldest first, and puts those said since behind them. When the store
    /// did not answer, the next turn reads them again.
    pub(super) fn on_recalled(&mut self, reading: u64, texts: Option<&[String]>) {
        if reading != self.said.reading {
            return;
        }
        let Some(texts) = texts else {
            self.said.recalled = false;
            return;
        };
        let since = std::mem::take(&mut self.said.texts);
        self.said.texts = texts.iter().map(|text| Said::new(text)).chain(since).collect();
        self.said.recalled = true;
    }

    /// Reads the bot's own texts, when a chat has come to need them since the bot started.
    pub(super) fn recall(&mut self) {
        let most = self.compares_with();
        if self.said.recalled || most == 0 {
            return;
        }
        self.said.recalled = true;
        let (node, myself, bot) = (Arc::clone(&self.node), self.myself.clone(), self.profile.id);
        let reading = self.said.reading;
        self.tasks.spawn(async move {
            let texts = in_time(node.store.said_lately(bot, most)).await;
            let _ = myself.cast(BotMsg::Recalled(reading, texts.ok()));
        });
    }

    /// Forgets words that were removed, or are about to be. The bot reads its own texts and its waiting turns again;
    /// turns at work lose the removed messages and all quotes from their windows, and a turn that answers removed words
    /// is dropped: nobody is asked about these words any more.
    pub(super) async fn on_words_removed(&mut self) {
        self.said = OwnTexts { reading: self.said.reading + 1, ..OwnTexts::default() };
        self.recall();
        let rights = Arc::clone(&self.node).people.rights();
        let is_removed = |target: &TranscriptEntry| rights.refuses(target.author.id, target.date).is_some();
        let answering: Vec<TurnId> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.finish.is_none() && job.given.target.as_deref().is_some_and(is_removed))
            .map(|(turn, _)| *turn)
            .collect();
        for turn in answering {
            if let Some(job) = self.jobs.get(&turn) {
                job.wanted.withdraw();
            }
            self.drop_turn(turn, "words_removed", REMOVED.to_owned());
        }
        for job in self.jobs.values_mut() {
            job.given.window.retain(|note| rights.refuses(note.author.id, note.date).is_none());
            for note in job.given.window.iter_mut().filter(|note| note.quoted().is_some()) {
                *note = Arc::new(Note::new(Arc::clone(&note.entry)));
            }
        }
        let waiting = std::mem::take(&mut self.not_due).into_iter().chain(self.due.extract(|_| true));
        for job in waiting {
            self.known_turns.remove(&job.turn.id);
        }
        self.read_turns().await;
    }

    /// Keeps the context of a message that is being typed, so that the message is reconsidered once it is due.
    pub(super) fn reconsider_later(&mut self, turn: Option<TurnId>, first: Option<OutboxId>) {
        let pending = turn.and_then(|turn| self.jobs.get(&turn)).map(|job| Box::new(self.pending(job)));
        if let (Some(first), Some(pending)) = (first, pending) {
            self.outbox.reconsider_later(first, pending);
        }
    }

    /// Returns whether the turn's answer is typed, so that it is reconsidered before it goes.
    pub(super) fn is_reconsidered(job: &Job, spec: &ChatSpec) -> bool {
        spec.pacing.enabled && spec.policy.is_guarded() && matches!(job.given.turn.act, Act::Answer | Act::Open { .. })
    }
}
