//! Dead letters. Layer `api`.

use serde::{Deserialize, Serialize};

use super::answer::{Json, OnceDone};
use super::route::{Body, Call, Example, Method, Need, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission;
use crate::runtime::view::DeadLetterView;

/// Selects a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// Letters after the last page: its `next`.
    #[cfg_attr(feature = "schema", param(pattern = "^[A-Za-z0-9_-]{13,256}$"))]
    pub after: Option<String>,
    /// Most letters, 1 to 1000; 100 when absent.
    #[cfg_attr(feature = "schema", param(minimum = 1, maximum = 1000))]
    pub limit: Option<usize>,
}

/// A page of dead letters, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Letters {
    /// The letters.
    pub dead_letters: Vec<DeadLetterView>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// GET /api/v1/dead-letters.
pub struct List;

impl Route for List {
    const NAME: &'static str = "list_dead_letters";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/dead-letters";
    const SUMMARY: &'static str = "Lists what failed for good, or whose fate nobody knows; oldest first.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/dead-letters?after=AYJli1DapHoidHVybi0x&limit=10",
        body: "",
        answer: r#"{"dead_letters":[{"id":"turn-2","state":"dead","reason":"no model answers","bot":"Ada","chat":"lounge","attempts":5,"created_at":1790000000000}],"next":null}"#,
    };
    type Permission = permission::ReadDeadLetters;
    type Path = Nothing;
    type Query = Page;
    type Body = Nothing;
    type Answer = Json<Letters>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::ReadDeadLetters>,
        call: Call<Self>,
    ) -> Result<Json<Letters>, Failure> {
        let page = operations.dead_letters(&by, call.query.after.as_deref(), call.query.limit).await?;
        Ok(Json(Letters { dead_letters: page.letters, next: page.next }))
    }
}

/// The dead letter of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct LetterOf {
    /// Id, as the list shows it: `turn-ID`, `message-ID` or `update-ID`.
    pub id: String,
}

/// Options of a redelivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Redelivery {
    /// Sends a message of unknown fate again, although it may show up twice.
    pub confirm_duplicate: bool,
}

impl Body for Redelivery {
    const NEED: Need = Need::Optional;
}

/// The dead letter's state after the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Redelivered {
    /// Id.
    pub id: String,
    /// `queued`.
    pub state: String,
}

/// POST /api/v1/dead-letters/{id}/redeliver.
pub struct Redeliver;

impl Route for Redeliver {
    const NAME: &'static str = "redeliver";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/dead-letters/{id}/redeliver";
    const SUMMARY: &'static str = "Gives a dead letter another try.";
    const PROBLEMS: &'static [Code] =
        &[Code::UnknownDeadLetter, Code::Conflict, Code::MayDuplicate, Code::OrderUnknown, Code::OrderExpired];
    const EXAMPLE: Example = Example {
        address: "/api/v1/dead-letters/turn-2/redeliver",
        body: r#"{"confirm_duplicate":false}"#,
        answer: r#"{"id":"turn-2","state":"queued"}"#,
    };
    const IDEMPOTENCY: Need = Need::Required;
    type Permission = permission::Redeliver;
    type Path = LetterOf;
    type Query = Nothing;
    type Body = Redelivery;
    type Answer = OnceDone<Redelivered>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::Redeliver>,
        call: Call<Self>,
    ) -> Result<OnceDone<Redelivered>, Failure> {
        let ordered = operations.redeliver(&by, &call.path.id, call.body.confirm_duplicate).await?;
        Ok(OnceDone::of(ordered, Redelivered { id: call.path.id, state: "queued".to_owned() }))
    }
}
