//! Tests every operation by every role and reach, on a running fleet in this process: the cells are made from the list of
//! routes, so that a new route is tested without a word here.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Query;
use botfleet::api::answer::Answer as _;
use botfleet::api::chats::{ChatCalled, DecisionFilter, Decisions};
use botfleet::api::list::{Visitor, each};
use botfleet::api::route::{Call, Nothing, Route};
use botfleet::config::manifest::Manifest;
use botfleet::config::secret::GivenSecrets;
use botfleet::config::settings::Config;
use botfleet::operate::chats::DecisionsAsked;
use botfleet::operate::context::Context;
use botfleet::operate::control::Part;
use botfleet::operate::failure::Code;
use botfleet::operate::operations::Operations;
use botfleet::operate::permission::{Mark, Permission, ReadDecisions, Release, Stop};
use botfleet::operate::principal::{Identity, Principal, Reach, Role};
use botfleet::runtime::fleet::RunningFleet;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::spec::WorldSpec;
use futures::future::{BoxFuture, FutureExt as _};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// The fleet that the examples of the routes speak of: the bot Ada in the chat lounge; another bot in another chat.
pub(crate) struct Stage {
    pub(crate) fleet: Arc<RunningFleet>,
    _world: Simulation,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let world = Simulation::start(SimulationSpec::of(WorldSpec::fleet(7, 2, 2))).await.unwrap();
        let spec = world.world.spec().clone();
        let mut manifest = format!(
            "[[providers]]\nname = \"sim\"\nkind = \"compatible\"\nbase_url = \"{}/v1\"\nmodel = \"small-talk\"\n\n\
             [personas.plain]\nvoice = \"You are plain.\"\n",
            world.base_url()
        );
        let mut tokens = BTreeMap::new();
        for ((bot, chat), (name, place)) in
            spec.bots.iter().zip(&spec.chats).zip([("Ada", "lounge"), ("Bela", "garden")])
        {
            // Writing to a String cannot fail.
            let _ = write!(
                manifest,
                "\n[[bots]]\nname = \"{name}\"\ntoken = \"env:{name}\"\npersona = \"plain\"\nmodels = [\"sim\"]\n\
                 \n[[chats]]\nname = \"{place}\"\ntelegram_id = {}\nbots = [\"{name}\"]\n",
                chat.id
            );
            tokens.insert(name.to_owned(), bot.token.clone());
        }
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.path = folder.path().join("botfleet.db");
        config.telegram.api_url = world.base_url();
        let manifest = Manifest::read(&manifest, "test.toml", &GivenSecrets(tokens)).unwrap();
        let fleet = Arc::new(RunningFleet::start(&config, manifest).await.unwrap());
        assert!(fleet.wait_until_polling(Duration::from_secs(20)).await);
        Self { fleet, _world: world, _folder: folder }
    }

    pub(crate) fn operations(&self) -> Operations {
        Operations::new(Arc::clone(&self.fleet))
    }

    /// Returns the reach of somebody who has Ada and her chat.
    fn adas(&self) -> Reach {
        Reach::Within {
            bots: BTreeSet::from([self.fleet.bot_named("Ada").unwrap()]),
            chats: BTreeSet::from([self.fleet.chat_named("lounge").unwrap()]),
        }
    }

    pub(crate) async fn end(self) {
        self.fleet.drain(Duration::from_secs(5)).await;
        self.fleet.close().await;
    }
}

fn read<T: DeserializeOwned>(pairs: &str) -> T {
    Query::try_from_uri(&format!("/?{pairs}").parse().unwrap()).unwrap().0
}

/// Takes the example of a route apart, as the edge does.
fn example<R: Route>() -> Call<R> {
    let (path, filters) = R::EXAMPLE.address.split_once('?').unwrap_or((R::EXAMPLE.address, ""));
    let named = R::PATH.split('/').zip(path.split('/')).filter_map(|(part, value)| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(format!("{name}={value}"))
    });
    let named: Vec<String> = named.collect();
    let body = if R::EXAMPLE.body.is_empty() { "{}" } else { R::EXAMPLE.body };
    let call = Call::new(read(&named.join("&")), read(filters), serde_json::from_str(body).unwrap());
    if R::IF_MATCH { call.of_version(1) } else { call }
}

/// Returns a principal of that role and reach, whose proof counts for everything.
pub(crate) fn somebody(role: Role, reach: Reach) -> Arc<Principal> {
    let mut identity = Identity::local();
    "somebody".clone_into(&mut identity.name);
    (identity.grants.role, identity.grants.reach, identity.grants.reads_texts) = (role, reach, false);
    Arc::new(Principal::new(Arc::new(identity), Context::default()))
}

type Cell = Box<dyn Fn(Operations, Arc<Principal>) -> BoxFuture<'static, Option<Code>>>;

/// Gathers, for each route, its name, its least role, and a way to call its example.
#[derive(Default)]
struct Cells(Vec<(&'static str, Role, bool, Cell)>);

impl Visitor for Cells {
    fn visit<R: Route>(&mut self) {
        let call = |operations: Operations, principal: Arc<Principal>| {
            async move {
                let by = match principal.grant::<R::Permission>() {
                    Ok(by) => by,
                    Err(failure) => return Some(failure.code),
                };
                match R::act(&operations, by, example::<R>()).await {
                    Ok(answer) => answer.written().err().map(|failure| failure.code),
                    Err(failure) => Some(failure.code),
                }
            }
            .boxed()
        };
        let own = R::Permission::MARKS.contains(&Mark::Own);
        self.0.push((R::NAME, R::Permission::ROLE, own, Box::new(call)));
    }
}

#[tokio::test]
async fn i12_every_operation_is_granted_by_role_and_bound_by_reach() {
    let fleet = Stage::start().await;
    let mut cells = Cells::default();
    each(&mut cells);
    let nothing = Reach::Within { bots: BTreeSet::new(), chats: BTreeSet::new() };
    let mut tried = 0;
    for (name, least, own, call) in &cells.0 {
        for role in Role::ALL {
            for reach in [&nothing, &Reach::Everything] {
                let principal = somebody(role, reach.clone());
                let code = call(fleet.operations(), principal).await;
                let refused = matches!(code, Some(Code::Unauthenticated | Code::Forbidden | Code::OutOfReach));
                match (role >= *least, reach) {
                    (false, _) if role == Role::Stranger => {
                        assert_eq!(code, Some(Code::Unauthenticated), "{name} as a stranger");
                    }
                    (false, _) => assert_eq!(code, Some(Code::Forbidden), "{name} as {role}"),
                    (true, Reach::Within { .. }) if *own => assert!(!refused, "{name} as {role}: {code:?}"),
                    (true, Reach::Everything) => assert!(!refused, "{name} as {role}: {code:?}"),
                    (true, Reach::Within { .. }) => {
                        assert_eq!(code, Some(Code::OutOfReach), "{name} as {role}, who reaches nothing");
                    }
                }
                tried += 1;
            }
        }
    }
    assert_eq!(tried, cells.0.len() * 8);
    fleet.end().await;
}

#[tokio::test]
async fn who_reaches_a_bot_and_a_chat_steers_these_and_no_others() {
    let fleet = Stage::start().await;
    let operations = fleet.operations();
    let principal = somebody(Role::Operator, fleet.adas());
    let stop = principal.grant::<Stop>().unwrap();
    for (part, reached) in [
        (Part::Bot("Ada"), true),
        (Part::Chat("lounge"), true),
        (Part::Bot("Bela"), false),
        (Part::Chat("garden"), false),
        (Part::Fleet, false),
    ] {
        let code = operations.set_stop(&stop, part, true).await.err().map(|failure| failure.code);
        assert_eq!(code, (!reached).then_some(Code::OutOfReach), "{part:?}");
    }
    let release = principal.grant::<Release>().unwrap();
    for (actor, expected) in [
        ("bot Ada", Code::NotQuarantined),
        ("chat lounge", Code::NotQuarantined),
        ("bot Bela", Code::OutOfReach),
        ("chat garden", Code::OutOfReach),
        ("provider sim", Code::OutOfReach),
        ("bot Nobody", Code::OutOfReach),
    ] {
        assert_eq!(operations.release(&release, actor, None).await.unwrap_err().code, expected, "{actor}");
    }
    let reads = principal.grant::<ReadDecisions>().unwrap();
    assert!(operations.decisions(&reads, None, "lounge", DecisionsAsked::default()).await.is_ok());
    let other = operations.decisions(&reads, None, "garden", DecisionsAsked::default()).await.unwrap_err();
    assert_eq!(other.code, Code::OutOfReach);
    let with_text = || {
        let path = ChatCalled { chat: "lounge".to_owned() };
        let query = DecisionFilter { text: true, ..DecisionFilter::default() };
        Call::<Decisions>::new(path, query, Nothing {})
    };
    let words = Decisions::act(&operations, principal.grant().unwrap(), with_text()).await.unwrap_err();
    assert_eq!(words.code, Code::Forbidden, "an operator reads no words");
    assert!(words.detail.contains("messages:read"), "{words}");
    let everywhere = somebody(Role::Admin, Reach::Everything);
    assert!(Decisions::act(&operations, everywhere.grant().unwrap(), with_text()).await.is_ok());
    let seen = operations.view(&everywhere.grant().unwrap()).await.unwrap();
    assert_eq!(seen.stops, ["chat lounge", "bot Ada"], "what was refused did nothing");
    fleet.end().await;
}
