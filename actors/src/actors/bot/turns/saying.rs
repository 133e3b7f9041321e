//! Puts texts into the outbox: split into messages, typed, and begun at once when nothing makes them wait. Layer
//! `actors`. Keeps I4.

use std::time::Duration;

use crate::actors::bot::effect::Effect;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::turns::Turns;
use crate::actors::bot::turns::acts::gone_from_manifest;
use crate::actors::bot::turns::job::Job;
use crate::actors::bot::turns::reviewing::pending;
use crate::behaviour::novelty::guard::Said;
use crate::behaviour::pacing::typing_time;
use crate::behaviour::physics::send_rules;
use crate::behaviour::review::minds_news;
use crate::domain::commit::operations::TurnEnding;
use crate::domain::commit::start::Start;
use crate::domain::ids::TurnId;
use crate::domain::outbox::{OutboxMessage, SendProgress};
use crate::domain::roster::ChatProfile;
use crate::domain::text::{MESSAGE_UNITS_MAX, split_message};
use crate::domain::turn::Act;

/// The least time between the due time of a paced message and its turn's end: it is still to be begun.
const BEFORE_STALE: Duration = Duration::from_millis(500);

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
        let typed = !matches!(spec.act, Act::Say { .. });
        let speed = site.profile().spec.persona.chars_per_second;
        let full = if typed { typing_time(text, &chat.spec.pacing, speed, spec.id.0 as u64) } else { Duration::ZERO };
        // Typing fits into the turn's time, and does not lengthen it: a late reply is stale however slowly it is typed.
        let typing = full.min(spec.expires_at.since(site.now()).saturating_sub(BEFORE_STALE));
        let messages = messages(job, &chat, text, typing, desk);
        let status = if typing.is_zero() { "sent_at_once" } else { "paced" };
        let name = site.profile().spec.name.clone();
        metrics::counter!("botfleet_message_generation_total", "bot" => name, "status" => status).increment(1);
        metrics::histogram!("botfleet_message_generation_duration_seconds").record(job.started.elapsed().as_secs_f64());
        let at_once = typing.is_zero() && !site.stay().holds_sends() && site.cannot_act().is_none();
        let begin = (at_once && desk.outbox.permit_now(&messages)).then(|| {
            let per_minute = site.settings().sends_per_chat_per_minute;
            let rules = send_rules(&chat, site.profile(), spec.answers_bot, per_minute);
            Start { attempt: site.attempt_id(), rules, now: site.now() }
        });
        desk.outbox.prepare(&messages, begin.as_ref().map(|start| start.attempt));
        // A typed answer is reconsidered before it goes.
        if let Some(first) = messages.first().filter(|_| !typing.is_zero() && minds_news(&chat.spec)) {
            let pending = Box::new(pending(job, site));
            desk.outbox.reconsider_later(first.id, pending);
        }
        let said = Said::new(text);
        self.own.remember(said.clone());
        desk.ask(Effect::Said(said));
        self.finish(turn, TurnEnding::Said { messages, begin }, desk);
    }
}

/// Returns the messages that the text makes.
fn messages(job: &Job, chat: &ChatProfile, text: &str, typing: Duration, desk: &Desk<'_, '_>) -> Vec<OutboxMessage> {
    let (site, spec) = (desk.site(), &job.given.turn);
    let now = site.now();
    let texts = split_message(text, MESSAGE_UNITS_MAX);
    let parts = texts.len() as u32;
    let telegram_chat = site.telegram_chat(chat.id).unwrap_or(chat.spec.telegram_id);
    // A message from before a group became a supergroup cannot be replied to.
    let target = job.given.target.as_deref().filter(|target| target.telegram_chat == telegram_chat);
    // Without pacing a message has a time of its own to wait for limits.
    let unpaced = spec.expires_at.max(now + chat.spec.pacing.stale_after);
    let of_part = |(part, text): (usize, String)| OutboxMessage {
        id: site.outbox_id(),
        turn: spec.id,
        part: part as u32,
        parts,
        bot: spec.bot,
        chat: spec.chat,
        telegram_chat,
        thread: target.map_or_else(|| spec.act.thread(), |target| target.thread),
        reply_to: target.filter(|_| part == 0).map(|target| target.message_id).filter(|id| id.is_of_one()),
        text,
        answers_bot: spec.answers_bot,
        chain_depth: spec.chain_depth,
        root: spec.root,
        expires_at: if chat.spec.pacing.enabled { spec.expires_at } else { unpaced },
        created_at: now,
        on_unknown: chat.spec.on_unknown,
        progress: SendProgress::queued(now + typing),
    };
    texts.into_iter().enumerate().map(of_part).collect()
}
