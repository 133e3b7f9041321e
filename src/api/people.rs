//! Rights of people, who are named by Telegram's id. Layer `api`. Answers hold counts and dates, never words.

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::{PersonRecord, Right};
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::route::{Call, Example, Method, Nothing, Route};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::{ClaimRights, ReadPeople};

/// The highest id that Telegram gives a person: 52 bits.
///
/// # Source
/// Bot API, `User.id`.
const PERSON_MAX: i64 = (1 << 52) - 1;

/// The person of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct PersonOf {
    /// Telegram's id of the person, above 0.
    #[cfg_attr(feature = "schema", param(minimum = 1, maximum = 4_503_599_627_370_495_u64))]
    pub id: u64,
}

impl PersonOf {
    fn person(self) -> Result<TelegramUserId, Failure> {
        let id = i64::try_from(self.id).ok().filter(|id| (1..=PERSON_MAX).contains(id));
        let wrong = || Failure::new(Code::BadRequest, "name a person by Telegram's id, a number of 1 to 52 bits");
        id.map(TelegramUserId).ok_or_else(wrong)
    }
}

/// Which data is stored about a person.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Person {
    /// Telegram's id.
    pub telegram_id: i64,
    /// Counts and dates.
    #[serde(flatten)]
    pub record: PersonRecord,
}

/// A right after it was claimed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Claimed {
    /// Telegram's id.
    pub telegram_id: i64,
    /// The right: `forget`, `optout` or `optin`.
    pub right: String,
    /// Set when the right was in force already.
    pub already: bool,
}

/// GET /api/v1/people/{id}.
pub struct Get;

impl Route for Get {
    const NAME: &'static str = "get_person";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/people/{id}";
    const SUMMARY: &'static str = "Shows which data is stored about a person: counts and dates, no words.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/people/123456789",
        body: "",
        answer: r#"{"telegram_id":123456789,"opted_out_since":null,"entries":3,"first":1790000000000,"last":1790090000000,"updates":2,"answers":1}"#,
    };
    type Permission = ReadPeople;
    type Path = PersonOf;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Json<Person>;

    async fn act(operations: &Operations, by: Granted<ReadPeople>, call: Call<Self>) -> Result<Json<Person>, Failure> {
        let person = call.path.person()?;
        let record = operations.person(&by, person).await?;
        Ok(Json(Person { telegram_id: person.0, record }))
    }
}

macro_rules! claims {
    ($($(#[$doc:meta])* $route:ident = $name:literal at $path:literal claims $right:ident: $summary:literal, $more:literal, $example:literal;)+) => {$(
        $(#[$doc])*
        pub struct $route;

        impl Route for $route {
            const NAME: &'static str = $name;
            const METHOD: Method = Method::Post;
            const PATH: &'static str = concat!("/api/v1/people/{id}/", $path);
            const SUMMARY: &'static str = $summary;
            const MORE: &'static str = $more;
            const EXAMPLE: Example =
                Example { address: concat!("/api/v1/people/123456789/", $path), body: "", answer: $example };
            type Permission = ClaimRights;
            type Path = PersonOf;
            type Query = Nothing;
            type Body = Nothing;
            type Answer = Json<Claimed>;

            async fn act(
                operations: &Operations,
                by: Granted<ClaimRights>,
                call: Call<Self>,
            ) -> Result<Json<Claimed>, Failure> {
                let person = call.path.person()?;
                let already = operations.claim(&by, person, Right::$right).await?;
                Ok(Json(Claimed { telegram_id: person.0, right: Right::$right.as_str().to_owned(), already }))
            }
        }
    )+};
}

claims! {
    /// POST /api/v1/people/{id}/forget.
    Forget = "forget_person" at "forget" claims Forget:
        "Removes what a person wrote, and what quotes or answers it.",
        "The removal goes on after the answer, also over a restart.",
        r#"{"telegram_id":123456789,"right":"forget","already":false}"#;
    /// POST /api/v1/people/{id}/optout.
    OptOut = "opt_out" at "optout" claims OptOut:
        "Stores nothing of what a person writes from now on.",
        "",
        r#"{"telegram_id":123456789,"right":"optout","already":false}"#;
    /// POST /api/v1/people/{id}/optin.
    OptIn = "opt_in" at "optin" claims OptIn:
        "Takes an opt-out back.",
        "",
        r#"{"telegram_id":123456789,"right":"optin","already":false}"#;
}
