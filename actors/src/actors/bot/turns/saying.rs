//! Puts texts into the outbox: split into messages, typed, and begun at once when nothing makes them wait. Layer
//! `actors`. Keeps I4.

use crate::actors::bot::effect::Effect;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::turns::Turns;
use crate::actors::bot::turns::acts::gone_from_manifest;
use crate::actors::bot::turns::reviewing::pending;
use crate::behaviour::job::spans_after_review;
use crate::behaviour::novelty::guard::Said;
use crate::behaviour::physics::send_rules;
use crate::behaviour::review::minds_news;
use crate::domain::commit::operations::TurnEnding;
use crate::domain::commit::start::{SendRules, Start};
use crate::domain::ids::TurnId;
use crate::ports::metrics;

impl Turns {
    /// Puts the text into the outbox; begins its send in the same commit when nothing makes it wait.
    pub(super) fn say(&mut self, turn: TurnId, text: &str, desk: &mut Desk<'_, '_>) {
        let site = desk.site();
        let Some(job) = self.jobs.get(&turn) else {
            return;
        };
        let spec = &job.given.turn;
        let Some(chat) = site.chat(spec.chat) else {
            return self.finish(turn, gone_from_manifest(), desk);
        };
        let typing = job.given.typing(text, site.profile(), &chat, site.now());
        let telegram_chat = site.telegram_chat(chat.id).unwrap_or(chat.spec.telegram_id);
        let spans = job.marked.as_ref().map(|(said, spans)| spans_after_review(text, said, spans)).unwrap_or_default();
        let said = (text, spans.as_slice());
        let messages =
            job.given.messages(said, site.profile(), &chat, telegram_chat, (site.now(), typing), || site.outbox_id());
        let status = if typing.is_zero() { "sent_at_once" } else { "paced" };
        let name = site.profile().spec.name.clone();
        metrics::message_generation_total { bot: name, status }.increment(1);
        metrics::message_generation_duration_seconds.handle().record(job.started.elapsed().as_secs_f64());
        let at_once = typing.is_zero() && !site.stay().holds_sends() && site.cannot_act().is_none();
        let begin = (at_once && desk.outbox.permit_now(&messages)).then(|| {
            let per_minute = site.settings().sends_per_chat_per_minute;
            let rules = send_rules(&chat, site.profile(), spec.answers_bot, per_minute);
            let rules = SendRules { yields: spec.yields(), ..rules };
            Start { attempt: site.attempt_id(), rules, now: site.now() }
        });
        desk.outbox.prepare(&messages, begin.as_ref().map(|start| start.attempt));
        // A typed answer is reconsidered before it goes, each message of it.
        if !typing.is_zero() && minds_news(&chat.spec) {
            let pending = Box::new(pending(job, site));
            for message in &messages {
                desk.outbox.reconsider_later(message.id, pending.clone());
            }
        }
        // What an operator writes is no habit of the bot.
        if !spec.act.is_operators() {
            let said = Said::new(text);
            self.own.remember(said.clone());
            desk.ask(Effect::Said(said));
        }
        self.finish(turn, TurnEnding::Said { messages, begin }, desk);
    }
}
