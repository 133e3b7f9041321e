//! Stops, releases and ends of pauses. Layer `api`.

use serde::{Deserialize, Serialize};

use super::answer::{Json, OnceDone};
use super::route::{Body, Call, Example, Method, Need, Nothing, Route};
use crate::operate::control::Part;
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission;

/// The part to stop or start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "scope", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// The whole fleet. A variant with braces refuses a name beside it, which one without would pass over.
    Fleet {},
    /// A chat.
    Chat {
        /// Name in the manifest.
        name: String,
    },
    /// A bot.
    Bot {
        /// Name in the manifest.
        name: String,
    },
}

impl Body for Scope {
    const NEED: Need = Need::Required;
}

impl Scope {
    fn part(&self) -> Part<'_> {
        match self {
            Self::Fleet {} => Part::Fleet,
            Self::Chat { name } => Part::Chat(name),
            Self::Bot { name } => Part::Bot(name),
        }
    }
}

/// The state after the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Stopped {
    /// Set when the part is stopped.
    pub stopped: bool,
}

/// POST /api/v1/control/stop.
pub struct Stop;

impl Route for Stop {
    const NAME: &'static str = "stop";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/control/stop";
    const SUMMARY: &'static str = "Stops the fleet, a chat or a bot.";
    const MORE: &'static str =
        "Only a message that is being sent already still goes out. Work that waits stays in the store.";
    const PROBLEMS: &'static [Code] = &[Code::UnknownName];
    const EXAMPLE: Example = Example {
        address: "/api/v1/control/stop",
        body: r#"{"scope":"chat","name":"lounge"}"#,
        answer: r#"{"stopped":true}"#,
    };
    const UNLIMITED: bool = true;
    /// A repeat changes nothing, and what is not limited must store nothing.
    const IDEMPOTENCY: Need = Need::Absent;
    type Permission = permission::Stop;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Scope;
    type Answer = Json<Stopped>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::Stop>,
        call: Call<Self>,
    ) -> Result<Json<Stopped>, Failure> {
        operations.set_stop(&by, call.body.part(), true).await?;
        Ok(Json(Stopped { stopped: true }))
    }
}

/// POST /api/v1/control/start.
pub struct Start;

impl Route for Start {
    const NAME: &'static str = "start";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/control/start";
    const SUMMARY: &'static str = "Lifts a stop.";
    const PROBLEMS: &'static [Code] = &[Code::UnknownName];
    const EXAMPLE: Example =
        Example { address: "/api/v1/control/start", body: r#"{"scope":"fleet"}"#, answer: r#"{"stopped":false}"# };
    type Permission = permission::Stop;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Scope;
    type Answer = Json<Stopped>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::Stop>,
        call: Call<Self>,
    ) -> Result<Json<Stopped>, Failure> {
        operations.set_stop(&by, call.body.part(), false).await?;
        Ok(Json(Stopped { stopped: false }))
    }
}

/// The actor to release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Releasable {
    /// The actor, as GET /api/v1/fleet shows it under `quarantined`.
    pub actor: String,
    /// Name of the node of a provider; the node that is asked when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl Body for Releasable {
    const NEED: Need = Need::Required;
}

/// The released actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Released {
    /// The actor.
    pub released: String,
}

/// POST /api/v1/control/release.
pub struct Release;

impl Route for Release {
    const NAME: &'static str = "release";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/control/release";
    const SUMMARY: &'static str = "Lets an actor run again that failed too often.";
    const PROBLEMS: &'static [Code] =
        &[Code::NotQuarantined, Code::UnknownNode, Code::Conflict, Code::OrderExpired, Code::OrderUnknown];
    const EXAMPLE: Example = Example {
        address: "/api/v1/control/release",
        body: r#"{"actor":"bot Ada"}"#,
        answer: r#"{"released":"bot Ada"}"#,
    };
    type Permission = permission::Release;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Releasable;
    type Answer = OnceDone<Released>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::Release>,
        call: Call<Self>,
    ) -> Result<OnceDone<Released>, Failure> {
        let Releasable { actor, node } = call.body;
        let ordered = operations.release(&by, &actor, node.as_deref()).await?;
        Ok(OnceDone::of(ordered, Released { released: actor }))
    }
}

/// The bot whose pauses end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PausedBot {
    /// Name in the manifest.
    pub bot: String,
}

impl Body for PausedBot {
    const NEED: Need = Need::Required;
}

/// The bot whose pauses ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Lifted {
    /// Name in the manifest.
    pub lifted: String,
}

/// POST /api/v1/control/lift-pauses.
pub struct LiftPauses;

impl Route for LiftPauses {
    const NAME: &'static str = "lift_pauses";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/control/lift-pauses";
    const SUMMARY: &'static str = "Ends the pauses that Telegram asked a bot for.";
    const MORE: &'static str = "Telegram may ask for longer ones when the bot goes on too early.";
    const PROBLEMS: &'static [Code] = &[Code::UnknownName, Code::Conflict, Code::OrderExpired, Code::OrderUnknown];
    const EXAMPLE: Example =
        Example { address: "/api/v1/control/lift-pauses", body: r#"{"bot":"Ada"}"#, answer: r#"{"lifted":"Ada"}"# };
    type Permission = permission::Release;
    type Path = Nothing;
    type Query = Nothing;
    type Body = PausedBot;
    type Answer = OnceDone<Lifted>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::Release>,
        call: Call<Self>,
    ) -> Result<OnceDone<Lifted>, Failure> {
        let ordered = operations.lift_pauses(&by, &call.body.bot).await?;
        Ok(OnceDone::of(ordered, Lifted { lifted: call.body.bot }))
    }
}
