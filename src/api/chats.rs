//! Chats as they are configured, and why bots spoke there. Layer `api`.

use botfleet_actors::domain::ids::{MessageId, Number};
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::resource::resource_routes;
use super::route::{Call, Example, Method, Nothing, Route};
use crate::operate::chats::{About, DecisionsAsked};
use crate::operate::configuration::Chats;
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::{ChangeRoster, ReadDecisions, ReadTexts};
use crate::runtime::reasons::DecisionView;

/// The chat of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ChatCalled {
    /// Name in the manifest, id in the store, or Telegram's id.
    pub chat: String,
}

/// Selects decisions, and says how much of them to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct DecisionFilter {
    /// The entry of the transcript that they are about.
    pub entry: Option<i64>,
    /// Telegram's id of the message that they are about.
    pub message: Option<i64>,
    /// Decisions before those of the last page: its `next`.
    #[cfg_attr(feature = "schema", param(pattern = "^[A-Za-z0-9_-]{13,256}$"))]
    pub before: Option<String>,
    /// Most decisions, 1 to 200; 20 when absent.
    #[cfg_attr(feature = "schema", param(minimum = 1, maximum = 200))]
    pub limit: Option<usize>,
    /// Adds the turns with their messages' fates.
    pub turns: bool,
    /// Adds the beginnings of the messages, for whoever has the permission `messages:read`.
    pub text: bool,
}

/// A page of decisions, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DecisionList {
    /// The decisions.
    pub decisions: Vec<DecisionView>,
    /// The value of `before` for the next page; null on the last page.
    pub next: Option<String>,
}

/// GET /api/v1/chats/{chat}/decisions.
pub struct Decisions;

impl Route for Decisions {
    const NAME: &'static str = "list_decisions";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/chats/{chat}/decisions";
    const SUMMARY: &'static str = "Explains why bots spoke or kept silent, newest first.";
    const PROBLEMS: &'static [Code] = &[Code::UnknownChat, Code::UnknownMessage];
    const EXAMPLE: Example = Example {
        address: "/api/v1/chats/lounge/decisions?limit=1&turns=true",
        body: "",
        answer: r#"{"decisions":[],"next":null}"#,
    };
    type Permission = ReadDecisions;
    type Path = ChatCalled;
    type Query = DecisionFilter;
    type Body = Nothing;
    type Answer = Json<DecisionList>;

    async fn act(
        operations: &Operations,
        by: Granted<ReadDecisions>,
        call: Call<Self>,
    ) -> Result<Json<DecisionList>, Failure> {
        let DecisionFilter { entry, message, before, limit, turns, text } = call.query;
        let about = match (entry, message) {
            (Some(_), Some(_)) => {
                let detail = "entry and message name the same thing: give one of them";
                return Err(Failure::new(Code::BadRequest, detail));
            }
            (Some(entry), None) => Some(About::Entry(Number(entry))),
            (None, message) => message.map(|message| About::Message(MessageId(message))),
        };
        let texts = text.then(|| by.principal().grant::<ReadTexts>()).transpose()?;
        let asked = DecisionsAsked { about, before, limit, turns };
        let page = operations.decisions(&by, texts.as_ref(), &call.path.chat, asked).await?;
        Ok(Json(DecisionList { decisions: page.decisions, next: page.next }))
    }
}

resource_routes! {
    Chats: ChangeRoster;
    list "list_chats" "/api/v1/chats" "Lists chats as they are configured."
        => r#"{"items":[{"name":"lounge","origin":"api","enabled":true,"keys":{"telegram_id":-1001234567890,"bots":["Ada"],"policy":"natural"},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}],"next":null}"#;
    get "get_chat" "/api/v1/chats/{name}" "Shows a chat as it is configured." "/api/v1/chats/lounge"
        => r#"{"name":"lounge","origin":"api","enabled":true,"keys":{"telegram_id":-1001234567890,"bots":["Ada"],"policy":"natural"},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    create "create_chat" "Makes a chat."
        with r#"{"name":"lounge","keys":{"telegram_id":-1001234567890,"bots":["Ada"]}}"#
        => r#"{"name":"lounge","origin":"api","enabled":true,"keys":{"telegram_id":-1001234567890,"bots":["Ada"],"policy":"natural"},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    change "change_chat" "Changes a chat."
        with r#"{"keys":{"pacing":{"burst":"1s"}}}"#
        => r#"{"name":"lounge","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"telegram_id":-1001234567890,"bots":["Ada"],"policy":"natural"},"overrides":[{"field":"pacing.burst","value":"1s","manifest":"2s","by":"ayse","at":1790000000000}],"changed_by":"ayse","changed_at":1790000000000,"version":8}"#;
    remove "delete_chat" "Removes a chat that the API made.";
    back "give_back_chat" "/api/v1/chats/{name}/overrides/{field}" "Gives a field of a chat back to its manifest."
        "/api/v1/chats/lounge/overrides/pacing.burst"
        => r#"{"name":"lounge","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"telegram_id":-1001234567890,"bots":["Ada"],"policy":"natural"},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":9}"#;
    unknown UnknownName;
}
