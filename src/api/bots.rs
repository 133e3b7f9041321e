//! Bots as they are configured, and their delivery modes. Layer `api`.

use botfleet_actors::domain::roster::DeliveryMode;
use serde::{Deserialize, Serialize};

use super::answer::OnceDone;
use super::resource::resource_routes;
use super::route::{Body, Call, Example, Method, Need, Nothing, Route};
use crate::operate::configuration::Bots;
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::{ChangeDelivery, ChangeRoster};

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

resource_routes! {
    Bots: ChangeRoster;
    list "list_bots" "/api/v1/bots" "Lists bots as they are configured."
        => r#"{"items":[{"name":"Ada","origin":"api","enabled":true,"keys":{"token":"***","persona":"ada","models":["local"],"temperature":0.8,"hourly_cap":12},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}],"next":null}"#;
    get "get_bot" "/api/v1/bots/{name}" "Shows a bot as it is configured." "/api/v1/bots/Ada"
        => r#"{"name":"Ada","origin":"api","enabled":true,"keys":{"token":"***","persona":"ada","models":["local"],"temperature":0.8,"hourly_cap":12},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    create "create_bot" "Makes a bot."
        with r#"{"name":"Ada","keys":{"token":"file:secrets/ada","persona":"ada","models":["local"]}}"#
        => r#"{"name":"Ada","origin":"api","enabled":true,"keys":{"token":"***","persona":"ada","models":["local"],"temperature":0.8,"hourly_cap":12},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    change "change_bot" "Changes a bot."
        with r#"{"keys":{"temperature":0.5}}"#
        => r#"{"name":"Ada","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"token":"***","persona":"ada","models":["local"],"temperature":0.8,"hourly_cap":12},"overrides":[{"field":"temperature","value":0.5,"manifest":null,"by":"ayse","at":1790000000000}],"changed_by":"ayse","changed_at":1790000000000,"version":8}"#;
    remove "delete_bot" "Removes a bot that the API made.";
    back "give_back_bot" "/api/v1/bots/{name}/overrides/{field}" "Gives a field of a bot back to its manifest."
        "/api/v1/bots/Ada/overrides/temperature"
        => r#"{"name":"Ada","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"token":"***","persona":"ada","models":["local"],"temperature":0.8,"hourly_cap":12},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":9}"#;
    unknown UnknownName;
}
