//! The description that each route gives of itself. Layer `api`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::deprecation::Deprecation;
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
    /// Changes a part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// Returns the name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Tells whether a request has a part: a body, or a key.
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
    /// The version that the caller read, where the route asks for it.
    pub if_match: Option<i64>,
    /// The id of the last event that the caller received, where the answer is a stream of events.
    pub last_event: Option<String>,
}

impl<R: Route> Call<R> {
    /// Makes a call that names no version.
    pub fn new(path: R::Path, query: R::Query, body: R::Body) -> Self {
        Self { path, query, body, if_match: None, last_event: None }
    }

    /// Names the last event that the caller received.
    #[must_use]
    pub fn after_event(self, id: Option<String>) -> Self {
        Self { last_event: id, ..self }
    }

    /// Names the version that the caller read.
    #[must_use]
    pub fn of_version(self, version: i64) -> Self {
        Self { if_match: Some(version), ..self }
    }

    /// Returns the version that the caller read.
    ///
    /// # Errors
    /// `IfMatchNeeded` when the caller named none.
    pub fn version(&self) -> Result<i64, Failure> {
        let needed = || Failure::new(Code::IfMatchNeeded, "send `If-Match` with the `ETag` that you read");
        self.if_match.ok_or_else(needed)
    }
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
    /// Set when a request must name the version that it changes, as `If-Match`.
    const IF_MATCH: bool = false;
    /// Tells whether a request carries `Idempotency-Key`, by which its repeats are known.
    const IDEMPOTENCY: Need = if matches!(Self::METHOD, Method::Post) { Need::Optional } else { Need::Absent };
    /// Set when the answer holds a secret, which is shown once and not kept.
    const SECRET_ANSWER: bool = false;
    /// Set for what must work however much the caller has asked: stopping.
    const UNLIMITED: bool = false;
    /// The largest body.
    const BODY_MAX_BYTES: usize = BODY_MAX_BYTES;
    /// Set when nodes that only work for the fleet serve it too.
    const ON_WORKERS: bool = false;
    /// The parts of it that will go.
    const DEPRECATED: &'static [Deprecation] = &[];
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

/// Declares a route: what [`Route`] asks for, without its words.
macro_rules! route {
    (
        $(#[$doc:meta])+
        $route:ident = $name:literal: $method:ident $path:literal, $summary:literal $(, $more:literal)?;
        takes $permission:ty;
        $(path $names:ty;)? $(query $filters:ty;)? $(body $body:ty;)?
        $(problems $($problem:ident)+;)? $(if_match $if_match:literal;)?
        $(idempotency $key:ident;)? $(secret_answer $secret:literal;)? $(deprecated $deprecated:expr;)?
        example $address:literal $(with $example:literal)? => $shown:literal;
        answers $answer:ty: |$operations:ident, $by:ident, $call:ident| $act:block
    ) => {
        $(#[$doc])+
        pub struct $route;

        impl $crate::api::route::Route for $route {
            const NAME: &'static str = $name;
            const METHOD: $crate::api::route::Method = $crate::api::route::Method::$method;
            const PATH: &'static str = $path;
            const SUMMARY: &'static str = $summary;
            $(const MORE: &'static str = $more;)?
            $(const PROBLEMS: &'static [$crate::operate::failure::Code] =
                &[$($crate::operate::failure::Code::$problem),+];)?
            $(const IF_MATCH: bool = $if_match;)?
            $(const IDEMPOTENCY: $crate::api::route::Need = $crate::api::route::Need::$key;)?
            $(const SECRET_ANSWER: bool = $secret;)?
            $(const DEPRECATED: &'static [$crate::api::deprecation::Deprecation] = $deprecated;)?
            const EXAMPLE: $crate::api::route::Example = $crate::api::route::Example {
                address: $address,
                body: concat!($($example)?),
                answer: $shown,
            };
            type Permission = $permission;
            type Path = $crate::api::route::or_nothing!($($names)?);
            type Query = $crate::api::route::or_nothing!($($filters)?);
            type Body = $crate::api::route::or_nothing!($($body)?);
            type Answer = $answer;

            async fn act(
                $operations: &$crate::operate::operations::Operations,
                $by: $crate::operate::grant::Granted<$permission>,
                $call: $crate::api::route::Call<Self>,
            ) -> Result<$answer, $crate::operate::failure::Failure> $act
        }
    };
}

macro_rules! or_nothing {
    () => {
        $crate::api::route::Nothing
    };
    ($type:ty) => {
        $type
    };
}

pub(crate) use {or_nothing, route};
