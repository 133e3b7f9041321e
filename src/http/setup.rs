//! GET and POST /setup/{token}: the page on which the first admin makes an account. Layer `http`. Keeps I12.
//!
//! Opening the page changes nothing, so a preview of the link takes nothing away; its button does.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::SecretString;
use serde::Deserialize;

use super::body::received;
use super::client_address::Client;
use super::edge::Edge;
use super::identity;
use super::mount::no_client;
use crate::operate::access::known::Sent;
use crate::operate::context::Context;
use crate::operate::failure::{Code, Failure};

/// Largest form, in bytes.
const FORM_MAX_BYTES: usize = 4096;

/// Most time for the form to arrive.
const FORM_WITHIN: Duration = Duration::from_secs(30);

/// What the page may load: its own style; and where its form may go.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The fields of the form.
#[derive(Deserialize)]
struct Form {
    name: String,
    password: String,
}

/// Returns the routes.
pub(super) fn routes() -> Router<Edge> {
    Router::new().route("/setup/{token}", get(show).post(claim))
}

async fn show() -> Response {
    let form = "<p>Make the account of the first admin. This link counts once, for 30 minutes.</p>\n\
        <form method=\"post\">\n\
        <p><label>Name<br><input name=\"name\" required maxlength=\"64\" autocomplete=\"username\"></label></p>\n\
        <p><label>Password, of 12 characters or more<br>\
        <input name=\"password\" type=\"password\" required minlength=\"12\" autocomplete=\"new-password\"></label></p>\n\
        <p><button>Make the account</button></p>\n</form>";
    page(StatusCode::OK, form)
}

async fn claim(State(edge): State<Edge>, Path(token): Path<String>, request: Request) -> Response {
    match claimed(&edge, token, request).await {
        Ok(()) => page(
            StatusCode::OK,
            "<p>Done. Sign in with <code>botfleet login NAME</code>, and enrol a second factor with \
             <code>botfleet second-factor enrol</code>: without one an admin signs in on this machine only.</p>",
        ),
        Err(failure) => {
            let status = StatusCode::from_u16(failure.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
            page(status, &format!("<p>Not done: {}.</p><p><a href=\"\">Try again</a></p>", escaped(&failure.detail)))
        }
    }
}

async fn claimed(edge: &Edge, token: String, request: Request) -> Result<(), Failure> {
    let (head, body) = request.into_parts();
    let client = head.extensions.get::<Client>().copied().ok_or_else(no_client)?;
    let context = Context {
        address: client.address(),
        here: client.is_on_this_machine(),
        at: edge.operations.now(),
        ..Context::default()
    };
    edge.limits.stranger(context.network()).await?;
    let installation = edge.operations.installation().await?;
    let sent = identity::sent(client, &head.method, false, &head.headers, installation)?;
    if !matches!(sent, Sent::Nothing | Sent::Local) {
        return Err(Failure::new(Code::BadRequest, "sign out first"));
    }
    let unread = || Failure::new(Code::BadRequest, "fill in both fields");
    let body = received(&head.headers, body, FORM_MAX_BYTES, FORM_WITHIN).await.map_err(|_| unread())?;
    let Form { name, password } = serde_urlencoded::from_bytes(&body).map_err(|_| unread())?;
    let (token, password) = (SecretString::from(token), SecretString::from(password));
    edge.operations.claim_first_admin(&context, &token, &name, password).await
}

fn page(status: StatusCode, content: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>botfleet: the first admin</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n<main>\n<h1>botfleet</h1>\n{content}\n</main>\n\
         </body>\n</html>\n"
    );
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    let mut response = (status, kind, html).into_response();
    // The address holds the token.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
