//! How updates ended. Layer `api`.

use botfleet_actors::ports::outcomes::OutcomeRecord;

use super::answer::Lines;
use super::route::{Call, Example, Method, Nothing, Route};
use crate::operate::failure::Failure;
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::ReadOutcomes;

/// GET /api/v1/outcomes.
pub struct List;

impl Route for List {
    const NAME: &'static str = "list_outcomes";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/outcomes";
    const SUMMARY: &'static str = "Lists how every update ended, oldest first, one a line.";
    const MORE: &'static str = "The answer ends early when the store does not answer.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/outcomes",
        body: "",
        answer: r#"{"source":"update","bot_id":101,"update_id":7,"chat_id":-1001,"message_id":4711,"outcome":"speak","reason":null,"number":12,"decision":9,"turns":[]}"#,
    };
    type Permission = ReadOutcomes;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Lines<OutcomeRecord>;

    async fn act(
        operations: &Operations,
        by: Granted<ReadOutcomes>,
        _: Call<Self>,
    ) -> Result<Lines<OutcomeRecord>, Failure> {
        operations.outcomes(&by).map(Lines)
    }
}
