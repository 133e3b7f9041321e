//! The commands that all kinds of things have: list, show, create, change, delete. Layer `cli`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::given::{Common, Given, shown, shown_thing, table};
use crate::api::answer::{Json, Versioned};
use crate::api::resource::{FieldNamed, Named, NewResource, Paged, ResourceList, ResourcePatch};
use crate::api::route::{Call, Nothing, Route};
use crate::api::session::Done;
use crate::api::{bots, budgets, chats, personas, providers, strategies};
use crate::client::Client;
use crate::runtime::configuration::view::ResourceView;

/// The commands under `botfleet chat`, `provider`, `budget` and `strategy`.
#[derive(Debug, Subcommand)]
pub enum ThingCommand {
    /// Lists them by name.
    List(ListArgs),
    /// Shows one with all its keys.
    Show(NamedArgs),
    /// Makes one; no manifest changes or retires it.
    Create(CreateArgs),
    /// Changes one. Of what a manifest made, the manifest's own values stay under the new ones.
    Change(ChangeArgs),
    /// Removes one that the API made.
    Delete(NamedArgs),
}

/// Arguments of `list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `show` and `delete`.
#[derive(Clone, Debug, Args)]
pub struct NamedArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The name.
    pub name: String,
}

/// Arguments of `create`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The name; a budget has none.
    pub name: Option<String>,
    /// The keys.
    #[command(flatten)]
    pub given: Given,
}

/// Arguments of `change`.
#[derive(Clone, Debug, Args)]
pub struct ChangeArgs {
    /// Address of the fleet, and the form of the answer.
    #[command(flatten)]
    pub common: Common,
    /// The name.
    pub name: String,
    /// The keys.
    #[command(flatten)]
    pub given: Given,
    /// A changed field to be given back to the manifest. May be given several times.
    #[arg(long = "back", value_name = "KEY")]
    pub back: Vec<String>,
}

/// The routes of a kind.
pub trait Routes {
    /// Lists.
    type List: Route<Path = Nothing, Query = Paged, Body = Nothing, Answer = Json<ResourceList>>;
    /// Shows.
    type Get: Route<Path = Named, Query = Nothing, Body = Nothing, Answer = Versioned<ResourceView>>;
    /// Makes.
    type Create: Route<Path = Nothing, Query = Nothing, Body = NewResource, Answer = Versioned<ResourceView>>;
    /// Changes.
    type Change: Route<Path = Named, Query = Nothing, Body = ResourcePatch, Answer = Versioned<ResourceView>>;
    /// Removes.
    type Remove: Route<Path = Named, Query = Nothing, Body = Nothing, Answer = Json<Done>>;
    /// Gives a field back.
    type GiveBack: Route<Path = FieldNamed, Query = Nothing, Body = Nothing, Answer = Versioned<ResourceView>>;
}

macro_rules! routes {
    ($($name:ident = $module:ident;)+) => {$(
        #[doc = concat!("The routes of `", stringify!($module), "`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Routes for $name {
            type List = $module::List;
            type Get = $module::Get;
            type Create = $module::Create;
            type Change = $module::Change;
            type Remove = $module::Remove;
            type GiveBack = $module::GiveBack;
        }
    )+};
}

routes! {
    Bots = bots;
    Chats = chats;
    Personas = personas;
    Strategies = strategies;
    Providers = providers;
    Budgets = budgets;
}

/// Runs a command on a kind of thing.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn execute<K: Routes>(command: &ThingCommand) -> anyhow::Result<ExitCode> {
    match command {
        ThingCommand::List(args) => {
            let things = all::<K>(&args.common.api.client()?).await?;
            shown(args.common.json, &things, &table(&things))?;
        }
        ThingCommand::Show(args) => {
            shown_thing(args.common.json, &get::<K>(&args.common.api.client()?, &args.name).await?)?;
        }
        ThingCommand::Create(args) => {
            let body = NewResource { name: args.name.clone(), keys: args.given.keys()? };
            let call = Call::<K::Create>::new(Nothing {}, Nothing {}, body);
            shown_thing(args.common.json, &args.common.api.client()?.call(call).await?)?;
        }
        ThingCommand::Change(args) => {
            let client = args.common.api.client()?;
            let mut thing = get::<K>(&client, &args.name).await?;
            for field in &args.back {
                let path = FieldNamed { name: args.name.clone(), field: field.clone() };
                let call = Call::<K::GiveBack>::new(path, Nothing {}, Nothing {}).of_version(thing.version);
                thing = client.call(call).await?;
            }
            let keys = args.given.keys()?;
            if !keys.is_empty() {
                let patch = ResourcePatch { keys, enabled: None };
                thing = change::<K>(&client, &args.name, thing.version, patch).await?;
            }
            shown_thing(args.common.json, &thing)?;
        }
        ThingCommand::Delete(args) => {
            let client = args.common.api.client()?;
            let thing = get::<K>(&client, &args.name).await?;
            let call = Call::<K::Remove>::new(named(&args.name), Nothing {}, Nothing {}).of_version(thing.version);
            shown(args.common.json, &client.call(call).await?, &format!("removed {}", args.name))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn named(name: &str) -> Named {
    Named { name: name.to_owned() }
}

/// Returns all things of a kind, page by page.
async fn all<K: Routes>(client: &Client) -> anyhow::Result<Vec<ResourceView>> {
    let (mut things, mut after) = (Vec::new(), None);
    loop {
        let call = Call::<K::List>::new(Nothing {}, Paged { after, limit: None }, Nothing {});
        let page = client.call(call).await?;
        things.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(things),
        }
    }
}

/// Returns a thing.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn get<K: Routes>(client: &Client, name: &str) -> anyhow::Result<ResourceView> {
    Ok(client.call(Call::<K::Get>::new(named(name), Nothing {}, Nothing {})).await?)
}

/// Changes a thing of that version.
///
/// # Errors
/// When the fleet refuses or does not answer.
pub async fn change<K: Routes>(
    client: &Client,
    name: &str,
    version: i64,
    patch: ResourcePatch,
) -> anyhow::Result<ResourceView> {
    let call = Call::<K::Change>::new(named(name), Nothing {}, patch).of_version(version);
    Ok(client.call(call).await?)
}
