//! The description that each route gives of itself. Layer `api`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::schema::{Described, Parameters};
use crate::operate::failure::{Code, Failure};
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission::Permission;

/// Largest body of a request, unless the route says otherwise.
const BODY_MAX_BYTES: usize = 64 * 1024;

/// A method. `Get` changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Orders.
    Post,
    /// Replaces.
    Put,
}

impl Method {
    /// Returns the name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// Tells whether a request has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A request has none, or an empty object.
    Absent,
    /// A request may have one.
    Optional,
    /// A request has one.
    Required,
}

/// The body of a request.
pub trait Body: Serialize + DeserializeOwned + Described + Send + 'static {
    /// Tells whether a request has it.
    const NEED: Need;
}

/// No names, no filters, no body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Body for Nothing {
    const NEED: Need = Need::Absent;
}

/// An example of a request and its answer: JSON, and the address behind the host.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The address.
    pub address: &'static str,
    /// The body; empty without.
    pub body: &'static str,
    /// The answer.
    pub answer: &'static str,
}

/// A request, taken apart.
pub struct Call<R: Route> {
    /// The names in the path.
    pub path: R::Path,
    /// The filters.
    pub query: R::Query,
    /// The body.
    pub body: R::Body,
}

/// A route of the API.
pub trait Route: Sized + Send + Sync + 'static {
    /// Name of the operation, unique in the list.
    const NAME: &'static str;
    /// The method.
    const METHOD: Method;
    /// The template of the path.
    const PATH: &'static str;
    /// The effect, in one line.
    const SUMMARY: &'static str;
    /// Further facts for callers.
    const MORE: &'static str = "";
    /// Codes that it answers besides those of every route.
    const PROBLEMS: &'static [Code] = &[];
    /// An example.
    const EXAMPLE: Example;
    /// The largest body.
    const BODY_MAX_BYTES: usize = BODY_MAX_BYTES;
    /// Set when nodes that only work for the fleet serve it too.
    const ON_WORKERS: bool = false;
    /// The permission that it takes.
    type Permission: Permission;
    /// The names in the path.
    type Path: Serialize + DeserializeOwned + Parameters + Send + 'static;
    /// The filters.
    type Query: Serialize + DeserializeOwned + Parameters + Send + 'static;
    /// The body.
    type Body: Body;
    /// The answer.
    type Answer: Answer;

    /// Carries it out, with the permission that was granted.
    fn act(
        operations: &Operations,
        by: Granted<Self::Permission>,
        call: Call<Self>,
    ) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}
