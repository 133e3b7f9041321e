//! Carries out the effects that a bot's machines ask for. Layer `actors`.
//!
//! Only this file and the tasks that it starts change anything outside the bot.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::actors::bot::effect::{Effect, Then};
use crate::actors::bot::intake::Intake;
use crate::actors::bot::intake::messages::IntakeMsg;
use crate::actors::bot::messages::BotMsg;
use crate::actors::bot::outbox::Outbox;
use crate::actors::bot::outbox::messages::OutboxMsg;
use crate::actors::bot::site::Site;
use crate::actors::bot::state::BotState;
use crate::actors::bot::surroundings::{Desk, Step};
use crate::actors::bot::ticket::Ticket;
use crate::actors::bot::turns::Turns;
use crate::actors::bot::turns::messages::{Draft, TurnMsg};
use crate::actors::chat::messages::ChatMsg;
use crate::actors::node::arrivals::{Sorted, deliver, ingest_apart, sorted};
use crate::actors::node::committer::CommitResult;
use crate::actors::node::deadline::in_time;
use crate::actors::provider::call::{Answer, Call};
use crate::actors::provider::consult::Terms;
use crate::actors::provider::messages::ProviderMsg;
use crate::behaviour::interruption::Pending;
use crate::behaviour::stances::question::{ANSWER_TOKENS_MAX, Asks, Question};
use crate::domain::commit::operations::{Ingest, Operation};
use crate::domain::ids::{ChatId, Number, OutboxId, TelegramChatId, ThreadId, TurnId};
use crate::domain::roster::ModelRef;
use crate::ports::bus::Hint;
use crate::ports::metrics;
use crate::ports::telegram::{ReceivedUpdate, TelegramError};

/// "typing" lasts five seconds: repeat before it ends (Bot API, sendChatAction).
const TYPING_REPEAT: Duration = Duration::from_secs(4);

/// Deadline of a call that changes nothing or may be repeated; the adapter's own deadlines are shorter.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// The wait from which on a poll's updates are fresh: Telegram had none when the poll began.
const HAD_NOTHING: Duration = Duration::from_secs(2);

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
    intake: &'a mut Intake,
    outbox: &'a mut Outbox,
    turns: &'a mut Turns,
}

/// Tells the bot that a poll's connection is closed, however the poll ends.
struct OpenPoll(ActorRef<BotMsg>);

impl Drop for OpenPoll {
    fn drop(&mut self) {
        let _ = self.0.cast(BotMsg::Intake(IntakeMsg::PollClosed));
    }
}

/// Returns a call's answer, or an error when there was none in time (I7).
pub(super) async fn answered<T>(
    within: Duration,
    call: impl Future<Output = Result<T, TelegramError>>,
) -> Result<T, TelegramError> {
    let late = |_| TelegramError::Unreachable(format!("no answer within {within:?}"));
    tokio::time::timeout(within, call).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

impl BotState {
    /// Lets the intake take a step, and carries out what it asks for.
    pub(super) fn intake<T>(&mut self, act: impl FnOnce(&mut Intake, &mut Desk<'_, '_>) -> T) -> T {
        self.step(|Machines { intake, outbox, .. }, step| act(intake, &mut Desk { outbox, step }))
    }

    /// Lets the outbox take a step, and carries out what it asks for.
    pub(super) fn outbox<T>(&mut self, act: impl FnOnce(&mut Outbox, &mut Step<'_>) -> T) -> T {
        self.step(|machines, step| act(machines.outbox, step))
    }

    /// Lets the turns take a step, and carries out what they ask for.
    pub(super) fn turns<T>(&mut self, act: impl FnOnce(&mut Turns, &mut Desk<'_, '_>) -> T) -> T {
        self.step(|Machines { outbox, turns, .. }, step| act(turns, &mut Desk { outbox, step }))
    }

    fn step<T>(&mut self, act: impl FnOnce(Machines<'_>, &mut Step<'_>) -> T) -> T {
        let mut effects = std::mem::take(&mut self.hands.effects);
        let Self { node, identity, stay, intake, .. } = self;
        let me = intake.me().cloned();
        let site = Site { node, identity, me: me.as_deref(), stay: *stay };
        let machines = Machines { intake: &mut self.intake, outbox: &mut self.outbox, turns: &mut self.turns };
        let done = act(machines, &mut Step { site: &site, effects: &mut effects });
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        // The room of the list is used again.
        self.hands.effects = effects;
        done
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Commit(operation, then) => self.commit(operation, then),
            Effect::After(wait, message) => drop(self.hands.myself.send_after(wait, move || message)),
            Effect::Tell(hint) => self.node.tell([hint]),
            Effect::Fenced => self.on_fenced(),
            Effect::Send(outbox, attempt, message) => {
                let (api, myself) = (Arc::clone(&self.identity.api), self.hands.myself.clone());
                self.hands.tasks.spawn(async move {
                    let answer = api.send_message(&message).await;
                    let _ = myself.cast(BotMsg::Outbox(OutboxMsg::Answered(outbox, attempt, Instant::now(), answer)));
                });
            }
            Effect::Type { chat, telegram, thread, left } => self.show_typing(chat, telegram, thread, left),
            Effect::EndTyping(chat) => self.hands.typing.end(chat),
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
                let (node, myself) = (Arc::clone(&self.node), self.hands.myself.clone());
                self.hands.tasks.spawn(async move {
                    let tail = in_time(node.store.transcript(chat, Number(i64::MAX), NEWS_MAX)).await;
                    let _ = myself.cast(BotMsg::Turn(TurnMsg::NewsRead(draft, tail.ok())));
                });
            }
            Effect::Consult { draft, questions, terms } => self.consult(draft, questions, terms),
            Effect::Recall(ticket, most) => {
                let (node, myself, bot) = (Arc::clone(&self.node), self.hands.myself.clone(), self.identity.profile.id);
                self.hands.tasks.spawn(async move {
                    let texts = in_time(node.store.said_lately(bot, most)).await;
                    let _ = myself.cast(BotMsg::Turn(TurnMsg::Recalled(ticket, texts.ok())));
                });
            }
            Effect::React { turn, ticket, chat, message, emoji } => {
                let (api, myself) = (Arc::clone(&self.identity.api), self.hands.myself.clone());
                self.hands.tasks.spawn(async move {
                    let result = api.set_reaction(chat, message, &emoji).await;
                    let _ = myself.cast(BotMsg::Turn(TurnMsg::Reacted(turn, ticket, result)));
                });
            }
            Effect::Identify { renew } => self.identify(renew),
            Effect::LearnUsername(username) => self.learn_username(&username),
            Effect::Silence(why) => self.set_silence(why),
            Effect::Poll { ticket, offset } => self.poll(ticket, offset),
            Effect::CancelPoll => drop(self.hands.poll.take().map(|poll| poll.abort())),
            Effect::Ingest { ticket, updates, next_offset, apart } => self.ingest(ticket, updates, next_offset, apart),
            Effect::SetWebhook(ticket, target) => {
                let (api, myself) = (Arc::clone(&self.identity.api), self.hands.myself.clone());
                self.hands.tasks.spawn(async move {
                    let answer = answered(ANSWER_WITHIN, api.set_webhook(&target)).await;
                    let _ = myself.cast(BotMsg::Intake(IntakeMsg::WebhookSet(ticket, answer)));
                });
            }
            Effect::DeleteWebhook(ticket) => {
                let (api, myself) = (Arc::clone(&self.identity.api), self.hands.myself.clone());
                self.hands.tasks.spawn(async move {
                    let answer = answered(ANSWER_WITHIN, api.delete_webhook()).await;
                    let _ = myself.cast(BotMsg::Intake(IntakeMsg::WebhookDeleted(ticket, answer)));
                });
            }
            Effect::LookAtWebhook(ticket) => {
                let (api, myself) = (Arc::clone(&self.identity.api), self.hands.myself.clone());
                self.hands.tasks.spawn(async move {
                    let answer = answered(ANSWER_WITHIN, api.webhook_status()).await;
                    let _ = myself.cast(BotMsg::Intake(IntakeMsg::WebhookSeen(ticket, answer)));
                });
            }
            Effect::Said(said) => self.node.said.note(self.identity.profile.id, said),
            Effect::StoreWaits(who, why) => self.node.committer.signs.waits(who, &why),
            Effect::Unsay(text) => self.turns.unsay(&text),
            Effect::Waited(lag) => self.node.traffic.waited(lag),
            Effect::Answered(refused) => self.node.vitals.send_ended(refused),
            Effect::Spoke(chat, thread) => self.node.voices.spoke(self.identity.profile.id, chat, thread),
            Effect::Sent => self.node.traffic.sent(),
        }
    }

    fn commit(&self, operation: Operation, then: Then) {
        let committer = &self.node.committer;
        let (bot, myself) = (self.identity.profile.id, self.hands.myself.clone());
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
            Then::DeliveryChanged(choice, reply) => committer.submit(operation, move |result| {
                tell(BotMsg::Intake(IntakeMsg::DeliveryChanged(choice, result, reply)));
            }),
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

    fn identify(&mut self, renew: bool) {
        let (api, myself, bot) = (Arc::clone(&self.identity.api), self.hands.myself.clone(), self.identity.profile.id);
        self.hands.tasks.spawn(async move {
            if renew && api.renew_token() {
                tracing::info!(bot.id = %bot, "the token was replaced");
            }
            let answer = answered(ANSWER_WITHIN, api.get_me()).await;
            let _ = myself.cast(BotMsg::Intake(IntakeMsg::Identified(answer)));
        });
    }

    /// Tells this node's chats the username, and the store when the name is news to the fleet.
    fn learn_username(&mut self, username: &str) {
        let (node, bot) = (Arc::clone(&self.node), self.identity.profile.id);
        if node.directory.bot_profile(bot).is_none_or(|known| known.username.as_deref() != Some(username)) {
            node.usernames.learned(bot, username);
            self.hands.tasks.spawn(async move { node.usernames.store(node.store.as_ref()).await });
        }
        if self.node.directory.set_username(bot, username) {
            for chat in self.node.directory.known().chats_of(bot) {
                if let Some(chat) = self.node.directory.chat(*chat) {
                    let _ = chat.actor.cast(ChatMsg::Named(bot));
                }
            }
        }
    }

    fn poll(&mut self, ticket: Ticket, offset: Option<i64>) {
        let (api, myself) = (Arc::clone(&self.identity.api), self.hands.myself.clone());
        let timeout = self.identity.settings.poll_timeout;
        let open = OpenPoll(myself.clone());
        let clock = Arc::clone(&self.node.clock);
        let poll = self.hands.tasks.spawn(async move {
            let begun = Instant::now();
            let result = answered(timeout + ANSWER_WITHIN, api.get_updates(offset, timeout)).await;
            drop(open);
            // Telegram had nothing when the poll began: the updates have just happened.
            if let (Ok(updates), true) = (&result, begun.elapsed() >= HAD_NOTHING)
                && let Some(date) = updates.iter().filter_map(|update| update.incoming.date()).max()
            {
                clock.telegram_updated(date);
            }
            let _ = myself.cast(BotMsg::Intake(IntakeMsg::Polled(ticket, result)));
        });
        self.hands.poll = Some(poll);
    }

    /// Stores updates, and hands their rows to the chats at once: the chats' commits queue behind the rows'.
    fn ingest(&mut self, ticket: Ticket, updates: Vec<ReceivedUpdate>, next_offset: i64, apart: bool) {
        let Sorted { rows, deliveries, strange } = sorted(&self.node, self.identity.profile.id, updates);
        let myself = self.hands.myself.clone();
        let ingest = Ingest { bot: self.identity.profile.id, epoch: self.identity.epoch, next_offset, rows };
        let done = move |result: CommitResult| {
            if result.is_ok() && !strange.is_empty() {
                let _ = myself.cast(BotMsg::LeaveChats(strange));
            }
            let _ = myself.cast(BotMsg::Intake(IntakeMsg::Ingested(ticket, next_offset, result)));
        };
        if apart {
            let node = Arc::clone(&self.node);
            self.hands.tasks.spawn(async move { done(ingest_apart(&node, ingest).await) });
            for chat in deliveries.into_keys() {
                self.intake.not_delivered(chat);
            }
            return;
        }
        self.node.committer.submit(Operation::Ingest(ingest), done);
        for (chat, deliveries) in deliveries {
            if !deliver(&self.node, chat, deliveries) {
                self.intake.not_delivered(chat);
                // A chat that does not run here is told after the commit.
                self.node.committer.hasten();
            }
        }
    }

    fn complete(&self, turn: TurnId, ticket: Ticket, provider: &str, call: Call) {
        let myself = self.hands.myself.clone();
        let answer = Answer::new(move |result| {
            let _ = myself.cast(BotMsg::Turn(TurnMsg::Completed(turn, ticket, result)));
        });
        match self.node.directory.provider(provider) {
            Some(provider) => drop(provider.cast(ProviderMsg::Make(call, answer))),
            None => drop(answer),
        }
    }

    /// Asks models about a text, until one of them objects; without an answer the text goes on.
    fn consult(&mut self, draft: Draft, questions: Vec<(ModelRef, Question)>, terms: Terms) {
        let (node, myself) = (Arc::clone(&self.node), self.hands.myself.clone());
        self.hands.tasks.spawn(async move {
            let mut objection = None;
            for (model, question) in questions {
                let (messages, schema) = (question.messages.clone(), question.schema.clone());
                let answer =
                    node.consult.classify(&node.directory, &model, messages, schema, ANSWER_TOKENS_MAX, terms).await;
                let answer = answer.inspect_err(|error| {
                    tracing::debug!(error = %error, "a text could not be checked, and goes on");
                });
                objection = answer.as_ref().ok().and_then(|answer| question.objection(answer));
                let result = |objects, fine| match (&answer, &objection) {
                    (Err(_), _) => "failed",
                    (Ok(_), Some(_)) => objects,
                    (Ok(_), None) => fine,
                };
                match question.asks {
                    Asks::Conduct => {
                        metrics::conduct_checks_total { result: result("harmful", "harmless") }.increment(1);
                    }
                    Asks::Stances(_) => {
                        metrics::stance_checks_total { result: result("contradiction", "consistent") }.increment(1);
                    }
                }
                if objection.is_some() {
                    break;
                }
            }
            let _ = myself.cast(BotMsg::Turn(TurnMsg::Judged(draft, objection)));
        });
    }

    fn show_typing(&mut self, chat: ChatId, telegram: TelegramChatId, thread: Option<ThreadId>, left: Duration) {
        let (api, myself) = (Arc::clone(&self.identity.api), self.hands.myself.clone());
        let task = self.hands.tasks.spawn(async move {
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
        self.hands.typing.0.retain(|(_, task)| !task.is_finished());
        self.hands.typing.0.push((chat, task));
    }

    /// Reads what came into the chat while a message was typed: the news may make the message needless.
    fn look_again(&mut self, outbox: OutboxId, chat: ChatId, pending: Box<Pending>) {
        let (node, myself) = (Arc::clone(&self.node), self.hands.myself.clone());
        self.hands.tasks.spawn(async move {
            let tail = in_time(node.store.transcript(chat, Number(i64::MAX), NEWS_MAX)).await;
            let _ = myself.cast(BotMsg::Outbox(OutboxMsg::LookedAgain(outbox, pending, tail.ok())));
        });
    }
}
