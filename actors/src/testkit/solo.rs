//! Runs one node of real actors over any store, with scripted Telegram and one scripted provider. Part of the testkit.
//!
//! Unlike [`Stage`](super::stage::Stage) it has no store of its own: the rows may come from another version, and the
//! store may be the one that is measured. The caller provides the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use ractor::{Actor, ActorRef};
use tokio::task::JoinHandle;

use super::journal::Journal;
use super::scripted_bus::ScriptedBus;
use super::scripted_llm::ScriptedLlm;
use super::scripted_telegram::ScriptedTelegram;
use crate::actors::bot::settings::BotSettings;
use crate::actors::chat::settings::ChatSettings;
use crate::actors::fleet::actor::FleetActor;
use crate::actors::fleet::apis::{ApiFactory, NoApi};
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::settings::FleetSettings;
use crate::actors::fleet::setup::ProviderSetup;
use crate::actors::fleet::state::FleetArgs;
use crate::actors::node::directory::Directory;
use crate::actors::node::webhooks::Webhooks;
use crate::actors::node::{Node, Place, Seat};
use crate::actors::provider::settings::ProviderSettings;
use crate::behaviour::generator::Generator;
use crate::domain::ids::TelegramUserId;
use crate::domain::roster::{BotProfile, Roster};
use crate::policy::ownership::settings::OwnershipSettings;
use crate::ports::clock::Clock;
use crate::ports::llm::LlmProvider;
use crate::ports::store::{Store, Tenure};
use crate::ports::telegram::{BotApi, UpdateDecoder};

/// The first id of a message that Telegram gives, above the ids of any fixture.
const FIRST_MESSAGE: i64 = 1_000_000;

/// A running node.
pub struct Solo {
    /// The record of events.
    pub journal: Journal,
    /// The node of the actors.
    pub node: Arc<Node>,
    /// Telegram for each bot, by the bot's Telegram id.
    pub telegram: BTreeMap<TelegramUserId, Arc<ScriptedTelegram>>,
    /// The provider that all bots ask.
    pub llm: Arc<ScriptedLlm>,
    /// The state that the node found when it started.
    pub tenure: Tenure,
    actor: ActorRef<FleetMsg>,
    ended: JoinHandle<()>,
}

impl Solo {
    /// Starts a node over a store that holds a roster. All bots call the provider `provider`.
    pub async fn raise(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        decoder: Arc<dyn UpdateDecoder>,
        provider: &str,
        bots: BotSettings,
    ) -> Self {
        let journal = Journal::default();
        let roster = store.roster().await.unwrap();
        let tenure = store.begin_tenure("solo", clock.now()).await.unwrap();
        let telegram = telegram_of(&roster, &journal);
        let llm = Arc::new(ScriptedLlm::new(provider, journal.clone()));
        let seat =
            Seat { name: "solo".to_owned(), place: Place::Alone(tenure.epoch), bus: Arc::new(ScriptedBus::default()) };
        let node = Node::new(store, clock, decoder, Generator::new().unwrap(), seat, Directory::new(roster), 1);
        let node = Arc::new(node.with_budgets(&[]));
        let webhooks = Webhooks { max_connections: 1, ..Webhooks::default() };
        let setup = ProviderSetup {
            name: provider.to_owned(),
            llm: Arc::clone(&llm) as Arc<dyn LlmProvider>,
            settings: ProviderSettings::default(),
        };
        let args = FleetArgs {
            node: Arc::clone(&node),
            apis: apis(&telegram),
            webhooks: Arc::new(webhooks),
            providers: vec![setup],
            settings: FleetSettings::default(),
            bots,
            chats: ChatSettings::default(),
            ownership: OwnershipSettings::default(),
        };
        let (actor, ended) = FleetActor::spawn(None, FleetActor, args).await.unwrap();
        Self { journal, node, telegram, llm, tenure, actor, ended }
    }

    /// Kills the node: every actor and task ends at once.
    pub async fn killed(self) {
        self.actor.kill();
        self.ended.await.unwrap();
    }
}

/// Returns Telegram for every bot of the roster, under the bot's stored username.
fn telegram_of(roster: &Roster, journal: &Journal) -> BTreeMap<TelegramUserId, Arc<ScriptedTelegram>> {
    let ids = Arc::new(AtomicI64::new(FIRST_MESSAGE));
    let one = |bot: &BotProfile| {
        let api = ScriptedTelegram::new(bot.spec.telegram_id, journal.clone(), Arc::clone(&ids));
        let api = match &bot.username {
            Some(username) => api.called(username),
            None => api,
        };
        (api.id(), Arc::new(api))
    };
    roster.bots.values().map(one).collect()
}

fn apis(telegram: &BTreeMap<TelegramUserId, Arc<ScriptedTelegram>>) -> ApiFactory {
    let telegram = telegram.clone();
    Arc::new(move |bot| match telegram.get(&bot.spec.telegram_id) {
        Some(api) => Ok(Arc::clone(api) as Arc<dyn BotApi>),
        None => Err(NoApi::no_token("no such bot here")),
    })
}
