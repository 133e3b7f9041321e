//! Carries out the effects that a bot's machines ask for. Layer `actors`.
//!
//! Only this file and the tasks that it starts change anything outside the bot.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::outbox::messages::OutboxMsg;
use crate::actors::bot::settings::BotSettings;
use crate::actors::bot::state::BotState;
use crate::actors::bot::stay::Stay;
use crate::actors::bot::surroundings::{Step, Surroundings};
use crate::actors::bot::ticket::Ticket;
use crate::actors::bot::turns::messages::{Draft, TurnMsg};
use crate::actors::bot::turns::{Desk, Turns};
use crate::actors::node::Node;
use crate::actors::node::arrivals::deliver;
use crate::actors::node::deadline::in_time;
use crate::actors::node::directory::Known;
use crate::actors::node::voices::Voice;
use crate::actors::provider::call::{Answer, Call};
use crate::actors::provider::consult::Terms;
use crate::actors::provider::messages::ProviderMsg;
use crate::behaviour::generator::Stage;
use crate::behaviour::interruption::Pending;
use crate::behaviour::novelty::guard::Said;
use crate::behaviour::stances::question::{ANSWER_TOKENS_MAX, Question};
use crate::domain::commit::operations::Operation;
use crate::domain::control::StopScope;
use crate::domain::ids::{
    AttemptId, BotId, ChatId, Epoch, InboxId, Number, OutboxId, TelegramChatId, ThreadId, TurnId,
};
use crate::domain::roster::{BotProfile, ChatProfile, ModelRef};
use crate::domain::time::Timestamp;
use crate::ports::bus::Hint;
use crate::ports::llm::CompletionRequest;
use crate::ports::telegram::{BotApi, Me, TelegramError};

/// "typing" lasts five seconds: repeat before it ends (Bot API, sendChatAction).
const TYPING_REPEAT: Duration = Duration::from_secs(4);

/// Time until a node that may not act looks again whether it may.
pub(super) const BOUND_RETRY: Duration = Duration::from_millis(100);

/// Mean time until a bot checks again whether Telegram is believed to be within reach: polls find out meanwhile.
const REACH_RETRY: Duration = Duration::from_millis(500);

/// Entries at the end of the transcript that are searched for news.
const NEWS_MAX: usize = 60;

/// Tasks that show "typing", and where.
#[derive(Default)]
pub(super) struct Typing(Vec<(ChatId, AbortHandle)>);

impl Typing {
    /// Ends "typing" in a chat, or everywhere: a call of any kind counts as ignoring a pause.
    fn end(&mut self, chat: Option<ChatId>) {
        self.0.retain(|(place, task)| {
            let ends = chat.is_none_or(|chat| chat == *place);
            if ends {
                task.abort();
            }
            !ends && !task.is_finished()
        });
    }
}

/// The machines of a bot.
struct Machines<'a> {
    outbox: &'a mut Outbox,
    turns: &'a mut Turns,
}

/// The surroundings of a bot's machines in the program: its node, and what the bot knows of itself.
struct Site<'a> {
    node: &'a Node,
    profile: &'a BotProfile,
    me: Option<&'a Me>,
    api: &'a dyn BotApi,
    settings: &'a BotSettings,
    epoch: Epoch,
    stay: Stay,
}

impl Surroundings for Site<'_> {
    fn profile(&self) -> &BotProfile {
        self.profile
    }

    fn username(&self) -> Option<&str> {
        self.me.map(|me| me.username.as_str())
    }

    fn settings(&self) -> &BotSettings {
        self.settings
    }

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn stay(&self) -> Stay {
        self.stay
    }

    fn now(&self) -> Timestamp {
        self.node.clock.now()
    }

    fn random(&self) -> f64 {
        self.node.jitter.next()
    }

    fn cannot_act(&self) -> Option<Duration> {
        match (self.node.may_act(), self.api.sends_go()) {
            (false, _) => Some(BOUND_RETRY),
            (true, false) => Some(REACH_RETRY.mul_f64(0.5 + self.node.jitter.next())),
            (true, true) => None,
        }
    }

    fn all_speak(&self) -> bool {
        self.node.voices.all_speak()
    }

    fn voice(&self, chat: ChatId, thread: Option<ThreadId>) -> Voice {
        self.node.voices.of(self.profile.id, chat, thread, self.now())
    }

    fn may_try(&self, chat: ChatId) -> bool {
        self.node.voices.may_try(self.profile.id, chat)
    }

    fn stop(&self, chat: ChatId) -> Option<StopScope> {
        self.node.people.stops().blocking(chat, self.profile.id, self.now())
    }

    fn known(&self) -> Arc<Known> {
        self.node.directory.known()
    }

    fn chat(&self, chat: ChatId) -> Option<Arc<ChatProfile>> {
        self.node.directory.chat_profile(chat)
    }

    fn telegram_chat(&self, chat: ChatId) -> Option<TelegramChatId> {
        self.node.directory.telegram_chat(chat)
    }

    fn prompt(&self, stage: &Stage<'_>, model: &str) -> Result<CompletionRequest, String> {
        self.node.generator.request(stage, model).map_err(|error| error.to_string())
    }

    fn fleet_texts(&self) -> Vec<(BotId, Said)> {
        self.node.said.lately()
    }

    fn attempt_id(&self) -> AttemptId {
        self.node.attempt_id()
    }

    fn outbox_id(&self) -> OutboxId {
        self.node.outbox_id()
    }

    fn inbox_id(&self) -> InboxId {
        self.node.inbox_id()
    }
}

impl BotState {
    /// Lets the outbox take a step, and carries out what it asks for.
    pub(super) fn outbox<T>(&mut self, act: impl FnOnce(&mut Outbox, &mut Step<'_>) -> T) -> T {
        self.step(|machines, step| act(machines.outbox, step))
    }

    /// Lets the turns take a step, and carries out what they ask for.
    pub(super) fn turns<T>(&mut self, act: impl FnOnce(&mut Turns, &mut Desk<'_, '_>) -> T) -> T {
        self.step(|Machines { outbox, turns }, step| act(turns, &mut Desk { outbox, step }))
    }

    fn step<T>(&mut self, act: impl FnOnce(Machines<'_>, &mut Step<'_>) -> T) -> T {
        let mut effects = std::mem::take(&mut self.effects);
        let site = Site {
            node: &self.node,
            profile: &self.profile,
            me: self.me.as_ref(),
            api: self.api.as_ref(),
            settings: &self.settings,
            epoch: self.epoch,
            stay: self.stay,
        };
        let machines = Machines { outbox: &mut self.outbox, turns: &mut self.turns };
        let done = act(machines, &mut Step { site: &site, effects: &mut effects });
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        // The room of the list is used again.
        self.effects = effects;
        done
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Commit(operation, then) => self.commit(operation, then),
            Effect::After(wait, message) => drop(self.myself.send_after(wait, move || message)),
            Effect::Tell(hint) => self.node.tell([hint]),
            Effect::Fenced => self.on_fenced(),
            Effect::Send(outbox, attempt, message) => {
                let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
                self.tasks.spawn(async move {
                    let answer = api.send_message(&message).await;
                    let _ = myself.cast(BotMsg::Outbox(OutboxMsg::Answered(outbox, attempt, answer)));
                });
            }
            Effect::Type { chat, telegram, thread, left } => self.show_typing(chat, telegram, thread, left),
            Effect::EndTyping(chat) => self.typing.end(chat),
            Effect::Deliver(outbox, chat, delivery) => {
                if !deliver(&self.node, chat, vec![delivery]) {
                    self.outbox.not_delivered(outbox, chat);
                }
            }
            Effect::LookAgain(outbox, chat, pending) => self.look_again(outbox, chat, pending),
            Effect::Pause(chat, until) => self.note_pause(chat, until),
            Effect::Shut(chat, thread, place) => self.on_shut(chat, thread, place),
            Effect::Try(chat) => self.try_chat(chat),
            Effect::Migrate(chat, to) => {
                self.node.directory.migrate(chat, to);
                self.node.tell([Hint::Migrated(chat, to)]);
            }
            Effect::Complete { turn, ticket, provider, call } => self.complete(turn, ticket, &provider, call),
            Effect::ReadNews(draft, chat) => {
                let (node, myself) = (Arc::clone(&self.node), self.myself.clone());
                self.tasks.spawn(async move {
                    let tail = in_time(node.store.transcript(chat, Number(i64::MAX), NEWS_MAX)).await;
                    let _ = myself.cast(BotMsg::Turn(TurnMsg::NewsRead(draft, tail.ok())));
                });
            }
            Effect::Consult { draft, model, question, terms } => self.consult(draft, model, question, terms),
            Effect::Recall(ticket, most) => {
                let (node, myself, bot) = (Arc::clone(&self.node), self.myself.clone(), self.profile.id);
                self.tasks.spawn(async move {
                    let texts = in_time(node.store.said_lately(bot, most)).await;
                    let _ = myself.cast(BotMsg::Turn(TurnMsg::Recalled(ticket, texts.ok())));
                });
            }
            Effect::React { turn, ticket, chat, message, emoji } => {
                let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
                self.tasks.spawn(async move {
                    let result = api.set_reaction(chat, message, &emoji).await;
                    let _ = myself.cast(BotMsg::Turn(TurnMsg::Reacted(turn, ticket, result)));
                });
            }
            Effect::Said(said) => self.node.said.note(self.profile.id, said),
            Effect::StoreWaits(who, why) => self.node.committer.signs.waits(who, &why),
            Effect::Unsay(text) => self.turns.unsay(&text),
            Effect::Waited(lag) => self.node.traffic.waited(lag),
            Effect::Answered(refused) => self.node.vitals.send_ended(refused),
            Effect::Spoke(chat, thread) => self.node.voices.spoke(self.profile.id, chat, thread),
            Effect::Sent => self.node.traffic.sent(),
        }
    }

    fn commit(&self, operation: Operation, then: Then) {
        let committer = &self.node.committer;
        let (bot, myself) = (self.profile.id, self.myself.clone());
        let tell = move |message: BotMsg| drop(myself.cast(message));
        match then {
            Then::Nobody => committer.submit(operation, |_| {}),
            Then::Log(what) => committer.submit(operation, move |result| {
                if let Err(error) = result {
                    tracing::warn!(bot.id = %bot, error = %error, "{what}");
                }
            }),
            Then::Begun(outbox, attempt) => committer
                .submit(operation, move |result| tell(BotMsg::Outbox(OutboxMsg::Begun(outbox, attempt, result)))),
            Then::Settled(outbox) => {
                committer.submit(operation, move |result| tell(BotMsg::Outbox(OutboxMsg::Settled(outbox, result))));
            }
            Then::Claimed(turn, ticket) => {
                committer.submit(operation, move |result| tell(BotMsg::Turn(TurnMsg::Claimed(turn, ticket, result))));
            }
            Then::Finished(turn, ticket, begun) => committer.submit(operation, move |result| {
                tell(BotMsg::Turn(TurnMsg::Finished(turn, ticket, begun, result)));
            }),
            Then::GivenBack(turn) => {
                committer.submit(operation, move |result| tell(BotMsg::Turn(TurnMsg::GivenBack(turn, result))));
            }
        }
    }

    fn complete(&self, turn: TurnId, ticket: Ticket, provider: &str, call: Call) {
        let myself = self.myself.clone();
        let answer = Answer::new(move |result| {
            let _ = myself.cast(BotMsg::Turn(TurnMsg::Completed(turn, ticket, result)));
        });
        match self.node.directory.provider(provider) {
            Some(provider) => drop(provider.cast(ProviderMsg::Make(call, answer))),
            None => drop(answer),
        }
    }

    /// Asks a model whether a text contradicts a position of the bot; without an answer the text goes on.
    fn consult(&mut self, draft: Draft, model: ModelRef, question: Question, terms: Terms) {
        let (node, myself) = (Arc::clone(&self.node), self.myself.clone());
        self.tasks.spawn(async move {
            let (messages, schema) = (question.messages.clone(), question.schema.clone());
            let answer =
                node.consult.classify(&node.directory, &model, messages, schema, ANSWER_TOKENS_MAX, terms).await;
            let (result, position) = match answer {
                Ok(answer) => match question.contradicted(&answer) {
                    Some(position) => ("contradiction", Some(position.to_owned())),
                    None => ("consistent", None),
                },
                Err(error) => {
                    tracing::debug!(error = %error, "a stance could not be checked, the text goes on");
                    ("failed", None)
                }
            };
            metrics::counter!("botfleet_stance_checks_total", "result" => result).increment(1);
            let _ = myself.cast(BotMsg::Turn(TurnMsg::StancesChecked(draft, position)));
        });
    }

    fn show_typing(&mut self, chat: ChatId, telegram: TelegramChatId, thread: Option<ThreadId>, left: Duration) {
        let (api, myself) = (Arc::clone(&self.api), self.myself.clone());
        let task = self.tasks.spawn(async move {
            let until = tokio::time::Instant::now() + left;
            loop {
                match api.send_typing(telegram, thread).await {
                    Ok(()) => {}
                    Err(TelegramError::RateLimited { retry_after }) => {
                        let _ = myself.cast(BotMsg::Limited(Some(chat), retry_after));
                        return;
                    }
                    Err(_) => return,
                }
                if tokio::time::Instant::now() + TYPING_REPEAT >= until {
                    return;
                }
                tokio::time::sleep(TYPING_REPEAT).await;
            }
        });
        self.typing.0.retain(|(_, task)| !task.is_finished());
        self.typing.0.push((chat, task));
    }

    /// Reads what came into the chat while a message was typed: the news may make the message needless.
    fn look_again(&mut self, outbox: OutboxId, chat: ChatId, pending: Box<Pending>) {
        let (node, myself) = (Arc::clone(&self.node), self.myself.clone());
        self.tasks.spawn(async move {
            let tail = in_time(node.store.transcript(chat, Number(i64::MAX), NEWS_MAX)).await;
            let _ = myself.cast(BotMsg::Outbox(OutboxMsg::LookedAgain(outbox, pending, tail.ok())));
        });
    }
}
