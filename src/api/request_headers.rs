//! The headers by which a request names versions and repeats, as documents tell them. Layer `api`.

use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::answer::{Answer, Form};
use super::route::{Method, Need, Route};
use crate::operate::failure::Code;

/// Longest idempotency key.
const KEY_MAX: usize = 128;

/// Returns whether a route answers 304 to whoever has the present version.
pub(super) fn may_be_unchanged<R: Route>() -> bool {
    R::METHOD == Method::Get && <R::Answer as Answer>::VERSIONED
}

/// Returns the headers that a route takes.
pub(super) fn parameters<R: Route>() -> Vec<Parameter> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let header = |name: &str, required: Required, means: &str, schema: ObjectBuilder| {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(required);
        parameter.description(Some(means)).schema(Some(Schema::from(schema))).build()
    };
    let mut headers = Vec::new();
    if R::IDEMPOTENCY != Need::Absent {
        let required = if R::IDEMPOTENCY == Need::Required { Required::True } else { Required::False };
        let means = "A random value, the same with each repeat of the request: it is carried out once within 24 hours.";
        let schema = text().min_length(Some(1)).max_length(Some(KEY_MAX)).pattern(Some("^[!-~]+$"));
        headers.push(header("Idempotency-Key", required, means, schema));
    }
    if matches!(<R::Answer as Answer>::FORM, Form::Events | Form::Socket) {
        let means = "The id of the last event that was received: the stream goes on after it.";
        headers.push(header("Last-Event-ID", Required::False, means, text().max_length(Some(4096))));
    }
    if may_be_unchanged::<R>() {
        headers.push(header(
            "If-None-Match",
            Required::False,
            "The `ETag` of the version that the caller has.",
            text(),
        ));
    }
    headers
}

/// Returns the codes that a route answers about its idempotency key.
pub(super) fn problems<R: Route>() -> &'static [Code] {
    match (R::IDEMPOTENCY, R::SECRET_ANSWER) {
        (Need::Absent, _) => &[],
        (Need::Optional, false) => &[Code::IdempotencyMismatch, Code::IdempotencyUnderWay, Code::Conflict],
        (Need::Optional, true) => &[Code::IdempotencyMismatch, Code::IdempotencyUnderWay, Code::IdempotencySecret],
        (Need::Required, false) => {
            &[Code::IdempotencyKeyNeeded, Code::IdempotencyMismatch, Code::IdempotencyUnderWay, Code::Conflict]
        }
        (Need::Required, true) => {
            &[Code::IdempotencyKeyNeeded, Code::IdempotencyMismatch, Code::IdempotencyUnderWay, Code::IdempotencySecret]
        }
    }
}

#[cfg(test)]
mod tests {
    use utoipa::ToSchema;

    use super::*;
    use crate::api::list::{Visitor, each};

    #[test]
    fn every_answer_that_holds_a_secret_says_so() {
        #[derive(Default)]
        struct Secrets(usize);
        impl Visitor for Secrets {
            fn visit<R: Route>(&mut self) {
                let mut named = Vec::new();
                <<R::Answer as Answer>::Item as ToSchema>::schemas(&mut named);
                let holds_one = named.iter().any(|(name, _)| name == "Secret");
                assert_eq!(R::SECRET_ANSWER, holds_one, "{}: its answer holds a secret, or none", R::NAME);
                self.0 += usize::from(holds_one);
            }
        }
        let mut secrets = Secrets::default();
        each(&mut secrets);
        assert!(secrets.0 > 3, "secrets are found");
    }
}
