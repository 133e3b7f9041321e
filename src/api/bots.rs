//! Bots. Layer `api`.

use botfleet_actors::domain::roster::DeliveryMode;
use serde::{Deserialize, Serialize};

use super::answer::OnceDone;
use super::route::{Body, Call, Example, Method, Need, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::ChangeDelivery;

/// The bot of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct BotNamed {
    /// Name in the manifest.
    pub name: String,
}

/// The requested delivery mode.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The mode.
    pub mode: DeliveryMode,
}

impl Body for Delivery {
    const NEED: Need = Need::Required;
}

/// A bot with its delivery mode.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Delivered {
    /// Name in the manifest.
    pub bot: String,
    /// The mode.
    pub mode: DeliveryMode,
}

/// POST /api/v1/bots/{name}/delivery.
pub struct SetDelivery;

impl Route for SetDelivery {
    const NAME: &'static str = "set_delivery";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/bots/{name}/delivery";
    const SUMMARY: &'static str = "Changes how a bot gets its updates: by polling or by webhook.";
    const MORE: &'static str = "The answer follows the commit; the bot then calls Telegram until Telegram agrees.";
    const PROBLEMS: &'static [Code] = &[Code::UnknownName, Code::Conflict, Code::OrderExpired, Code::OrderUnknown];
    const EXAMPLE: Example = Example {
        address: "/api/v1/bots/Ada/delivery",
        body: r#"{"mode":"webhook"}"#,
        answer: r#"{"bot":"Ada","mode":"webhook"}"#,
    };
    type Permission = ChangeDelivery;
    type Path = BotNamed;
    type Query = Nothing;
    type Body = Delivery;
    type Answer = OnceDone<Delivered>;

    async fn act(
        operations: &Operations,
        by: Granted<ChangeDelivery>,
        call: Call<Self>,
    ) -> Result<OnceDone<Delivered>, Failure> {
        let mode = call.body.mode;
        let ordered = operations.set_delivery(&by, &call.path.name, mode).await?;
        Ok(OnceDone::of(ordered, Delivered { bot: call.path.name, mode }))
    }
}
