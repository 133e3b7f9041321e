//! The OpenAPI document of the list of routes. Layer `api`.
//!
//! # Source
//! OpenAPI 3.1.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Value, json};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Deprecated, Info, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr, Required,
};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::answer::{Answer, Form};
use super::deprecation::Deprecation;
use super::list::{Visitor, each};
use super::request_headers;
use super::route::{Body, Method, Need, Route};
use crate::operate::failure::Code;
use crate::operate::permission::{Mark, Permission};
use crate::operate::principal::Role;
use crate::runtime::orders::OrderView;

/// Codes that every route may answer.
pub(super) const COMMON: &[Code] = &[
    Code::BadRequest,
    Code::Unauthenticated,
    Code::Forbidden,
    Code::OutOfReach,
    Code::ForeignHost,
    Code::ForeignOrigin,
    Code::TooLarge,
    Code::TooSlow,
    Code::WrongType,
    Code::TooManyRequests,
    Code::Unreadable,
    Code::Unavailable,
];

/// The name of the schema of problems.
const PROBLEM: &str = "Problem";

/// The names of the two ways in which callers prove who they are.
const BEARER: &str = "bearer";
const COOKIE: &str = "cookie";

/// The form of an `ETag`: the version, quotes included.
const VERSION_FORM: &str = r#"^"[0-9]{1,18}"$"#;

// RFC 9457.
/// A refused or failed request.
#[derive(ToSchema)]
#[allow(dead_code, reason = "tells the schema alone; the edge writes the members")]
struct Problem {
    /// `about:blank`.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The stable code.
    code: String,
    /// The reason, for people.
    detail: String,
}

/// Makes the document.
fn document() -> OpenApi {
    let mut made = Made::default();
    each(&mut made);
    made.mark_going();
    made.schemas.insert(PROBLEM.to_owned(), Problem::schema());
    let mut components = Components::new();
    components.schemas = made.schemas;
    for (name, proof) in proofs() {
        components.security_schemes.insert(name.to_owned(), proof.into());
    }
    let mut info = Info::new("botfleet", env!("CARGO_PKG_VERSION"));
    info.description = Some("Steers and watches a fleet of Telegram bots.".to_owned());
    OpenApiBuilder::new().info(info).paths(made.paths).components(Some(components)).build()
}

/// Returns the ways in which callers prove who they are, by name.
fn proofs() -> [(&'static str, SecurityScheme); 2] {
    let bearer = Http::builder().scheme(HttpAuthScheme::Bearer);
    let bearer = bearer.description(Some("The token of a session, or an API key.")).build();
    let told = "The cookie of a session: its name ends with the name of the installation, and begins with `__Host-` under TLS.";
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description("botfleet-INSTALLATION", told));
    [(BEARER, SecurityScheme::Http(bearer)), (COOKIE, SecurityScheme::ApiKey(cookie))]
}

/// Returns the OpenAPI document as it is committed and served.
pub fn text() -> String {
    let mut document = serde_json::to_value(document()).unwrap_or_default();
    for operation in document.get_mut("paths").into_iter().flat_map(members).flat_map(members) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        parameters.into_iter().flatten().for_each(without_null);
        let responses = operation.get_mut("responses").into_iter().flat_map(members);
        for header in responses.filter_map(|response| response.get_mut("headers")).flat_map(members) {
            // The builders do not have this member.
            header["required"] = Value::Bool(true);
        }
    }
    format!("{document:#}\n")
}

fn members(of: &mut Value) -> impl Iterator<Item = &mut Value> {
    of.as_object_mut().into_iter().flat_map(|members| members.values_mut())
}

/// A parameter that is absent is left out; `null` would be a text.
fn without_null(parameter: &mut Value) {
    let kinds = parameter["schema"]["type"].as_array().cloned().unwrap_or_default();
    if let [kind] = kinds.into_iter().filter(|kind| kind != "null").collect::<Vec<_>>().as_slice() {
        parameter["schema"]["type"] = kind.clone();
    }
}

#[derive(Default)]
struct Made {
    paths: Paths,
    schemas: BTreeMap<String, RefOr<Schema>>,
    /// Members that will go, with the schemas that have them.
    going: Vec<(String, &'static str)>,
}

impl Visitor for Made {
    fn visit<R: Route>(&mut self) {
        let method = match R::METHOD {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
            Method::Put => HttpMethod::Put,
            Method::Patch => HttpMethod::Patch,
            Method::Delete => HttpMethod::Delete,
        };
        let operation = self.operation::<R>();
        match self.paths.paths.entry(R::PATH.to_owned()) {
            Entry::Vacant(place) => drop(place.insert(PathItem::new(method, operation))),
            Entry::Occupied(mut place) => place.get_mut().merge_operations(PathItem::new(method, operation)),
        }
    }
}

impl Made {
    fn operation<R: Route>(&mut self) -> Operation {
        let permission = <R::Permission as Permission>::NAME;
        let least = <R::Permission as Permission>::ROLE;
        let mut more = if R::MORE.is_empty() { String::new() } else { format!("{}\n\n", R::MORE) };
        for deprecation in R::DEPRECATED {
            more.push_str(&deprecation.told());
            more.push_str("\n\n");
        }
        let going: Vec<&str> = Deprecation::fields_of::<R>().collect();
        for name in &going {
            self.going.push((R::Body::name().into_owned(), name));
            self.going.push((<<R::Answer as Answer>::Item as ToSchema>::name().into_owned(), name));
        }
        let mut operation = OperationBuilder::new()
            .tag(resource(R::PATH))
            .operation_id(Some(R::NAME))
            .summary(Some(R::SUMMARY))
            .description(Some(format!("{more}Takes the permission `{permission}`, which the role `{least}` has.")));
        let names = <R::Path as IntoParams>::into_params(|| Some(ParameterIn::Path));
        let filters = <R::Query as IntoParams>::into_params(|| Some(ParameterIn::Query));
        let route = Deprecation::of_route::<R>();
        operation = operation.deprecated(route.map(|_| Deprecated::True));
        for mut parameter in names.into_iter().chain(filters.into_iter().map(optional)) {
            if going.contains(&parameter.name.as_str()) {
                parameter.deprecated = Some(Deprecated::True);
            }
            operation = operation.parameter(parameter);
        }
        if R::IF_MATCH {
            operation = operation.parameter(if_match());
        }
        for parameter in request_headers::parameters::<R>() {
            operation = operation.parameter(parameter);
        }
        if least > Role::Stranger {
            for proof in [BEARER, COOKIE] {
                operation = operation.security(SecurityRequirement::new::<_, [&str; 0], &str>(proof, []));
            }
        }
        let need = <R::Body as Body>::NEED;
        if need != Need::Absent {
            let schema = self.reference::<R::Body>();
            self.schemas.entry(R::Body::name().into_owned()).and_modify(closed);
            let content = ContentBuilder::new().schema(Some(schema)).example(Some(example(R::EXAMPLE.body))).build();
            let required = if need == Need::Required { Required::True } else { Required::False };
            let body = RequestBodyBuilder::new().content("application/json", content).required(Some(required)).build();
            operation = operation.request_body(Some(body));
        }
        let form = <R::Answer as Answer>::FORM;
        let schema = self.reference::<<R::Answer as Answer>::Item>();
        let content = ContentBuilder::new().schema(Some(schema)).example(Some(example(R::EXAMPLE.answer))).build();
        let means = match form {
            Form::Json => "Done.",
            Form::Lines => "A JSON value a line; the schema is that of a line.",
            Form::Socket => "The connection becomes a WebSocket; the schema is that of each message, a text with JSON.",
            Form::Events => "Server-sent events; the schema is that of the data of an event.",
        };
        let mut done = ResponseBuilder::new().description(means).content(form.media_type(), content);
        if <R::Answer as Answer>::VERSIONED {
            done = done.header("ETag", header("The version of what is shown.", VERSION_FORM));
        }
        if route.is_some() {
            done = done.header("Deprecation", header("The time since which the route is deprecated.", "^@[0-9]+$"));
            done = done.header("Sunset", header("The time from which the route may be gone.", " GMT$"));
        }
        let status = if form == Form::Socket { "101" } else { "200" };
        operation = operation.response(status, done.build());
        if <R::Answer as Answer>::MAY_WAIT {
            operation = operation.response("202", self.under_way());
        }
        if request_headers::may_be_unchanged::<R>() {
            let unchanged = ResponseBuilder::new().description("The caller has this version.").build();
            operation = operation.response("304", unchanged);
        }
        for (status, codes) in problems::<R>() {
            let told: Vec<String> = codes.iter().map(|code| format!("`{code}`: {}", code.remedy())).collect();
            let schema = RefOr::<Schema>::Ref(Ref::from_schema_name(PROBLEM));
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let mut response =
                ResponseBuilder::new().description(told.join("\n\n")).content("application/problem+json", content);
            if status == 401 {
                response = response.header("WWW-Authenticate", header("The scheme of `authorization`.", "^Bearer$"));
            }
            if codes.iter().all(|code| code.passes()) {
                response = response.header("Retry-After", header("Seconds to wait.", "^[0-9]+$"));
            }
            operation = operation.response(status.to_string(), response.build());
        }
        operation.build()
    }

    /// Marks the members that will go, once all schemas are there.
    fn mark_going(&mut self) {
        for (schema, member) in &self.going {
            let Some(RefOr::T(Schema::Object(object))) = self.schemas.get_mut(schema) else { continue };
            if let Some(RefOr::T(Schema::Object(member))) = object.properties.get_mut(*member) {
                member.deprecated = Some(Deprecated::True);
            }
        }
    }

    /// Returns the response of a route whose order is under way.
    fn under_way(&mut self) -> Response {
        let content = ContentBuilder::new().schema(Some(self.reference::<OrderView>())).build();
        ResponseBuilder::new()
            .description("The owner of the bot or chat has not ended the order yet.")
            .header("Location", header("The path of the order.", "^/api/v1/orders/"))
            .content(Form::Json.media_type(), content)
            .build()
    }

    /// Returns a reference to the schema of `T`, which the document then holds, with all that it names.
    fn reference<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut named = Vec::new();
        T::schemas(&mut named);
        named.push((T::name().into_owned(), T::schema()));
        self.schemas.extend(named);
        RefOr::Ref(Ref::from_schema_name(T::name()))
    }
}

/// Returns the statuses of a route's problems, with their codes.
pub(super) fn problems<R: Route>() -> BTreeMap<u16, Vec<Code>> {
    let mut problems: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    let fresh = if R::Permission::MARKS.contains(&Mark::Fresh) { &[Code::ConfirmFirst][..] } else { &[] };
    let streams = if <R::Answer as Answer>::FORM == Form::Json { &[][..] } else { &[Code::TooManyWatchers] };
    for code in COMMON.iter().chain(R::PROBLEMS).chain(request_headers::problems::<R>()).chain(fresh).chain(streams) {
        let codes = problems.entry(code.status()).or_default();
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    problems
}

/// Returns the resource that a path belongs to.
pub(super) fn resource(path: &'static str) -> &'static str {
    path.split('/').nth(3).unwrap_or("api")
}

/// Filters are never required, whatever their type's derive says of a plain value with a default.
fn optional(mut parameter: Parameter) -> Parameter {
    parameter.required = Required::False;
    parameter
}

/// Bodies are read without unknown members; of enums the derive does not tell so.
fn closed(body: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(one_of)) = body else { return };
    for item in &mut one_of.items {
        if let RefOr::T(Schema::Object(object)) = item {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// The header by which a request names the version that it changes.
fn if_match() -> Parameter {
    let told = "The version to change: the `ETag` that was read.";
    let header = ParameterBuilder::new().name("If-Match").parameter_in(ParameterIn::Header).description(Some(told));
    header.required(Required::True).schema(Some(text_like(VERSION_FORM))).build()
}

fn header(told: &str, pattern: &str) -> Header {
    HeaderBuilder::new().description(Some(told)).schema(Some(text_like(pattern))).build()
}

fn text_like(pattern: &str) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).into()
}

fn example(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::deprecation::tests::Old;

    #[test]
    fn every_schema_that_is_named_is_there() {
        let text = text();
        let document: Value = serde_json::from_str(&text).expect("JSON");
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(document["components"]["schemas"][name].is_object(), "{name} is named and missing");
        }
        let mut document = document;
        for operation in members(&mut document["paths"]).flat_map(members) {
            assert!(members(operation).all(|member| !member.is_null()), "what is not there is left out");
        }
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    }

    #[test]
    fn what_will_go_is_marked() {
        let mut made = Made::default();
        made.visit::<Old>();
        made.mark_going();
        let operation = serde_json::to_value(&made.paths).expect("JSON")["/api/v1/old"]["get"].clone();
        assert_eq!(operation["deprecated"], true);
        let told = operation["description"].as_str().unwrap_or_default();
        assert!(told.contains("may be gone from 2027-06-01 on: use `/api/v1/new`"), "{told}");
        let names = |marked: bool| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let found = parameters.filter(|one| (one["deprecated"] == true) == marked);
            found.filter_map(|one| one["name"].as_str()).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!((names(true), names(false)), (vec!["colour".to_owned()], vec!["size".to_owned()]));
        let headers = &operation["responses"]["200"]["headers"];
        assert!(headers["Deprecation"].is_object() && headers["Sunset"].is_object(), "{headers}");
        let members = &serde_json::to_value(&made.schemas["OldAnswer"]).expect("JSON")["properties"];
        assert_eq!((&members["weight"]["deprecated"], &members["length"]["deprecated"]), (&json!(true), &Value::Null));
    }

    #[test]
    fn no_two_types_share_a_name() {
        #[derive(Default)]
        struct Names(BTreeMap<String, Value>);
        impl Names {
            fn add<T: ToSchema>(&mut self, at: &str) {
                let mut named = Vec::new();
                T::schemas(&mut named);
                named.push((T::name().into_owned(), T::schema()));
                for (name, schema) in named {
                    let schema = serde_json::to_value(schema).expect("a schema is JSON");
                    let before = self.0.entry(name.clone()).or_insert_with(|| schema.clone());
                    assert_eq!(before, &schema, "{at}: two types are called {name}");
                }
            }
        }
        impl Visitor for Names {
            fn visit<R: Route>(&mut self) {
                self.add::<R::Body>(R::NAME);
                self.add::<<R::Answer as Answer>::Item>(R::NAME);
            }
        }
        each(&mut Names::default());
    }
}
