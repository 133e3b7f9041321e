-- kind: expand
-- Requests that carry an idempotency key, and their answers for a day.

CREATE TABLE idempotency (
    principal   TEXT NOT NULL,
    route       TEXT NOT NULL,
    -- SHA-256 of the key; the fingerprint of the request is made with the key itself.
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    at          BIGINT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('under_way', 'done')),
    status      BIGINT,
    media_type  TEXT,
    body        TEXT,
    version     BIGINT,
    location    TEXT,
    PRIMARY KEY (principal, route, key)
);
CREATE INDEX idempotency_by_age ON idempotency (at);
