//! Stores requests that carry an idempotency key, and their answers. Layer: adapter. Keeps I12, I16.

use botfleet_actors::domain::idempotency::{Claim, KeptAnswer, KeyedRequest, RequestState};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::store::StoreError;

use super::text::statements;
use super::values::values;
use crate::store::engine::Engine;
use crate::store::fault::Fault;

/// Most rows that one statement of tidying removes.
const BATCH: i64 = 500;

/// Times that a claim is tried: the one that was in its way may be given up meanwhile.
const TRIES: usize = 3;

statements! {
    CLAIM "claim_request" = "\
INSERT INTO idempotency (principal, route, key, fingerprint, at, state) VALUES ($1, $2, $3, $4, $5, 'under_way') \
ON CONFLICT (principal, route, key) DO UPDATE SET fingerprint = excluded.fingerprint, at = excluded.at, \
state = excluded.state, status = NULL, media_type = NULL, body = NULL, version = NULL, location = NULL \
WHERE idempotency.at < $6";
    CLAIMED "claimed_request" = "\
SELECT fingerprint, state, status, media_type, body, version, location FROM idempotency \
WHERE principal = $1 AND route = $2 AND key = $3";
    ANSWER "answer_request" = "\
UPDATE idempotency SET state = 'done', status = $5, media_type = $6, body = $7, version = $8, location = $9 \
WHERE principal = $1 AND route = $2 AND key = $3 AND at = $4 AND state = 'under_way'";
    FREE "free_request" = "\
DELETE FROM idempotency WHERE principal = $1 AND route = $2 AND key = $3 AND at = $4 AND state = 'under_way'";
    DROP_REQUESTS "drop_requests" = "\
DELETE FROM idempotency WHERE (principal, route, key) IN (SELECT principal, route, key FROM idempotency \
WHERE at < $1 ORDER BY at LIMIT $2`| FOR UPDATE SKIP LOCKED`)";
}

/// The columns of a claimed request.
type Found = (String, RequestState, Option<u16>, Option<String>, Option<String>, Option<i64>, Option<String>);

pub(crate) async fn claim_request<E: Engine>(db: &E, request: &KeyedRequest, over: Timestamp) -> Result<Claim, Fault> {
    let KeyedRequest { principal, route, key, fingerprint, at } = request;
    let (principal, route, key) = (principal.as_str(), route.as_str(), key.as_str());
    for _ in 0..TRIES {
        let claim = values![principal, route, key, fingerprint.as_str(), *at, over];
        if db.once(&CLAIM, claim).await? > 0 {
            return Ok(Claim::Won);
        }
        let found: Option<Found> = db.all(&CLAIMED, values![principal, route, key]).await?.pop();
        let Some((first, state, status, media_type, body, version, location)) = found else { continue };
        if first != *fingerprint {
            return Ok(Claim::Mismatch);
        }
        return match (state, status, media_type) {
            (RequestState::UnderWay, ..) => Ok(Claim::UnderWay),
            (RequestState::Done, Some(status), Some(media_type)) => {
                Ok(Claim::Answered(KeptAnswer { status, media_type, body, version, location }))
            }
            (RequestState::Done, ..) => {
                Err(StoreError::Incompatible(format!("the answer of {route} is stored without its status")).into())
            }
        };
    }
    Ok(Claim::UnderWay)
}

pub(crate) async fn answer_request<E: Engine>(
    db: &E,
    request: &KeyedRequest,
    answer: &KeptAnswer,
) -> Result<(), Fault> {
    let KeyedRequest { principal, route, key, at, .. } = request;
    let KeptAnswer { status, media_type, body, version, location } = answer;
    let answered = values![
        principal.as_str(),
        route.as_str(),
        key.as_str(),
        *at,
        i64::from(*status),
        media_type.as_str(),
        body.as_deref(),
        *version,
        location.as_deref(),
    ];
    db.once(&ANSWER, answered).await.map(drop)
}

pub(crate) async fn free_request<E: Engine>(db: &E, request: &KeyedRequest) -> Result<(), Fault> {
    let KeyedRequest { principal, route, key, at, .. } = request;
    db.once(&FREE, values![principal.as_str(), route.as_str(), key.as_str(), *at]).await.map(drop)
}

pub(crate) async fn prune_requests<E: Engine>(db: &E, before: Timestamp) -> Result<u64, Fault> {
    db.once(&DROP_REQUESTS, values![before, BATCH]).await
}
