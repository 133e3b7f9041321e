-- Requests that carry an idempotency key, and their answers for a day.

CREATE TABLE idempotency (
    principal   TEXT NOT NULL,
    route       TEXT NOT NULL,
    -- SHA-256 of the key; the fingerprint of the request is made with the key itself.
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    at          INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('under_way', 'done')),
    status      INTEGER,
    media_type  TEXT,
    body        TEXT,
    version     INTEGER,
    location    TEXT,
    PRIMARY KEY (principal, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (at);
