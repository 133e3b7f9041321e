//! Requests that carry an idempotency key: each is carried out once, and a repeat gets the first one's answer. Layer
//! `operate`. Keeps I12.
//!
//! A claim is stored before the act and the answer after it, so a process that dies between leaves a claim without an
//! answer. Repeats of that request are refused, since nobody knows whether it was carried out.
//!
//! # Source
//! IETF draft-ietf-httpapi-idempotency-key-header.

use std::time::Duration;

use botfleet_actors::domain::idempotency::{Claim, KeptAnswer, KeyedRequest};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use ring::hmac;

use super::failure::{Code, Failure};
use super::operations::Operations;
use super::principal::{Principal, Proof};

/// Time for which a key and its answer are kept.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// Describes a request that carries a key. The key is its caller's alone, and counts for one route.
pub fn keyed(principal: &Principal, key: &str, route: &str, parts: [&[u8]; 3]) -> KeyedRequest {
    KeyedRequest {
        principal: caller(principal),
        route: route.to_owned(),
        key: HEXLOWER.encode(digest(&SHA256, key.as_bytes()).as_ref()),
        fingerprint: fingerprint(key, route, parts),
        at: principal.context().at,
    }
}

/// Returns the kind of a principal's proof and the principal's name.
fn caller(principal: &Principal) -> String {
    let name = principal.name();
    match &principal.identity().proof {
        // All strangers have one name, and none may be in another's way.
        Proof::Nothing => principal.context().network().map_or_else(|| name.to_owned(), |net| format!("{name} {net}")),
        Proof::Local => name.to_owned(),
        Proof::Session { .. } => format!("session {name}"),
        Proof::Key(id) => format!("key {id}"),
    }
}

/// Computes the fingerprint of a request: HMAC-SHA-256 under its key, which is not stored. A body may hold a password,
/// and a plain hash of it could be searched for.
fn fingerprint(key: &str, route: &str, parts: [&[u8]; 3]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
    for part in std::iter::once(route.as_bytes()).chain(parts) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    HEXLOWER.encode(context.sign().as_ref())
}

/// Returns whether a refusal belongs to its request, so that a repeat gets it again. After any other the same request may
/// succeed: once the caller signs in, waits, or has the permission, once the node recovers, or once what is in the way has gone.
pub fn is_final(code: Code) -> bool {
    let passes = matches!(code, Code::OrderExpired | Code::Conflict | Code::NameTaken | Code::LastAdmin);
    (400..500).contains(&code.status()) && !matches!(code.status(), 401 | 403 | 429) && !passes
}

impl Operations {
    /// Claims a request; returns the answer when the request was carried out before.
    ///
    /// # Errors
    /// `IdempotencyMismatch` when the key belongs to another request; `IdempotencyUnderWay` when an equal one was claimed
    /// and has no answer; `Unavailable`.
    pub async fn claim_request(&self, request: &KeyedRequest) -> Result<Option<KeptAnswer>, Failure> {
        match self.fleet.keyed_requests().claim_request(request, request.at - KEPT_FOR).await? {
            Claim::Won => Ok(None),
            Claim::Answered(answer) => Ok(Some(answer)),
            Claim::Mismatch => {
                let detail = "this key was sent with another request; send each request with a key of its own";
                Err(Failure::new(Code::IdempotencyMismatch, detail))
            }
            Claim::UnderWay => {
                let detail = "the request with this key is under way, or its node stopped before it was over; it is not \
                              carried out again: look at the present state";
                Err(Failure::new(Code::IdempotencyUnderWay, detail))
            }
        }
    }

    /// Keeps the answer of a claimed request for its repeats; without one the claim is given up, and a repeat is carried out.
    /// When the store does not take it, repeats find the request under way.
    pub async fn settle_request(&self, request: &KeyedRequest, answer: Option<KeptAnswer>) {
        let requests = self.fleet.keyed_requests();
        let settled = match answer {
            None => requests.free_request(request).await,
            Some(answer) => requests.answer_request(request, &answer).await,
        };
        if let Err(error) = settled {
            tracing::warn!(route = request.route, %error, "the answer of a request was not kept: repeats are refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::operate::context::Context;
    use crate::operate::principal::Identity;

    #[test]
    fn a_fingerprint_differs_with_each_part_and_with_the_key() {
        let plain = fingerprint("k", "stop", [b"a", b"b", b"c"]);
        assert_eq!(plain, fingerprint("k", "stop", [b"a", b"b", b"c"]));
        for other in [
            fingerprint("l", "stop", [b"a", b"b", b"c"]),
            fingerprint("k", "start", [b"a", b"b", b"c"]),
            fingerprint("k", "stop", [b"ab", b"", b"c"]),
            fingerprint("k", "stop", [b"a", b"b", b"d"]),
        ] {
            assert_ne!(plain, other);
        }
    }

    #[test]
    fn strangers_of_two_networks_and_two_keys_of_one_name_are_different_callers() {
        let of = |proof: Proof, address: &str| {
            let identity = Arc::new(Identity { proof, ..Identity::stranger() });
            caller(&Principal::new(identity, Context { address: address.parse().ok(), ..Context::default() }))
        };
        assert_ne!(of(Proof::Nothing, "192.0.2.1"), of(Proof::Nothing, "192.0.2.2"));
        assert_ne!(of(Proof::Key("1".to_owned()), ""), of(Proof::Key("2".to_owned()), ""));
    }

    #[test]
    fn what_may_succeed_later_is_not_kept() {
        let passing = [401, 403, 429, 500, 503];
        let by_status = |status: u16| Code::ALL.iter().copied().find(|code| code.status() == status);
        assert!(passing.into_iter().filter_map(by_status).all(|code| !is_final(code)));
        assert!([400, 404, 412, 422].into_iter().filter_map(by_status).all(is_final));
        assert!(!is_final(Code::OrderExpired) && !is_final(Code::Conflict), "nothing was carried out, and it passes");
        assert!(is_final(Code::OrderUnknown), "it may have been carried out");
    }
}
