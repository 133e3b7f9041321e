-- kind: expand
-- The accounts of those who operate the fleet, their sessions and API keys. Secrets are hashed, seeds of codes sealed.

CREATE TABLE operator (
    id          BIGINT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    profile     TEXT NOT NULL,
    role        TEXT NOT NULL,
    reach       TEXT NOT NULL,
    reads_texts BOOLEAN NOT NULL,
    password    TEXT,
    seed        TEXT,
    disabled_at BIGINT,
    created_at  BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    -- The time step of the last code that was used, and the tries within a minute.
    used_step   BIGINT NOT NULL DEFAULT 0,
    try_minute  BIGINT NOT NULL DEFAULT 0,
    tries       BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE operator_recovery (
    operator BIGINT NOT NULL,
    hash     TEXT NOT NULL,
    PRIMARY KEY (operator, hash)
);

CREATE TABLE operator_session (
    id           TEXT NOT NULL PRIMARY KEY,
    handle       TEXT NOT NULL UNIQUE,
    operator     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    confirmed_at BIGINT NOT NULL,
    address      TEXT,
    agent        TEXT
);
CREATE INDEX operator_session_by_operator ON operator_session (operator, created_at);

CREATE TABLE operator_key (
    id          TEXT NOT NULL PRIMARY KEY,
    operator    BIGINT NOT NULL,
    name        TEXT NOT NULL,
    secret      TEXT NOT NULL,
    role        TEXT NOT NULL,
    reach       TEXT NOT NULL,
    reads_texts BOOLEAN NOT NULL,
    networks    TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    used_at     BIGINT,
    old_secret  TEXT,
    old_until   BIGINT
);
CREATE INDEX operator_key_by_operator ON operator_key (operator, created_at);

-- The one-time link by which the first admin makes an account.
CREATE TABLE first_admin (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    claim TEXT NOT NULL,
    until BIGINT NOT NULL
);
