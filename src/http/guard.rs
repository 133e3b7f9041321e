//! Refuses requests that a foreign web page could make a browser send to this port, and those whose sender nobody knows. Layer
//! `http`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

use super::client_address::Unclear;
use crate::operate::failure::{Code, Failure};

/// Lets a request through when it is addressed to this machine by a loopback name or by a name that the operator gave
/// it, and when no page of another origin sent it. So neither a rebound DNS name nor a cross-site form can steer the
/// fleet.
pub(super) async fn named_hosts_only(
    State(hosts): State<Arc<[String]>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    if !is_loopback(host) && !hosts.iter().any(|named| named.eq_ignore_ascii_case(name_of(host))) {
        let detail = "address this machine as localhost, 127.0.0.1 or [::1], or by a name in server.hosts";
        return Err(Failure::new(Code::ForeignHost, detail));
    }
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let authority =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map_or("", |(_, authority)| authority);
        if authority != host {
            return Err(Failure::new(Code::ForeignOrigin, "requests of other origins are refused"));
        }
    }
    Ok(next.run(request).await)
}

/// Lets a request through when its sender is known.
pub(super) async fn known_senders_only(request: Request, next: Next) -> Result<Response, Failure> {
    if request.extensions().get::<Unclear>().is_some() {
        let detail =
            "the headers `Forwarded` and `X-Forwarded-For` of the proxy in front do not tell one address of a client";
        return Err(Failure::new(Code::BadRequest, detail));
    }
    Ok(next.run(request).await)
}

/// Returns the host name without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    }
}

fn is_loopback(host: &str) -> bool {
    matches!(name_of(host), "localhost" | "127.0.0.1" | "::1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_machine() {
        assert!(is_loopback("127.0.0.1:8080") && is_loopback("localhost") && is_loopback("[::1]:8080"));
        assert!(!is_loopback("botfleet.example:8080") && !is_loopback("127.0.0.1.example") && !is_loopback(""));
    }
}
