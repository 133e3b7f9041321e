//! How the personas write. Layer `api`.

use super::answer::Json;
use super::route::{Call, Example, Method, Nothing, Route};
use crate::operate::failure::Failure;
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::ReadStyle;
use crate::runtime::style::StyleView;

/// GET /api/v1/style.
pub struct Get;

impl Route for Get {
    const NAME: &'static str = "get_style";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/style";
    const SUMMARY: &'static str = "Shows how differently the personas write, and the most similar pairs.";
    const MORE: &'static str =
        "A distance is 0 for the same hand and 1 for nothing in common; below 0.15 people mix two up.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/style",
        body: "",
        answer: r#"{"bots":[{"name":"Ada","messages":40,"letters":61.4,"nearest":0.31}],"not_measured":3,"messages_min":5,"nearest":[{"one":"Ada","other":"Deniz","distance":0.31}],"mean_distance":0.44}"#,
    };
    type Permission = ReadStyle;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Json<StyleView>;

    async fn act(operations: &Operations, by: Granted<ReadStyle>, _: Call<Self>) -> Result<Json<StyleView>, Failure> {
        operations.styles(&by).await.map(Json)
    }
}
