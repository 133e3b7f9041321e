-- The accounts of those who operate the fleet, their sessions and API keys. Secrets are hashed, seeds of codes sealed.

CREATE TABLE operator (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    profile     TEXT NOT NULL,
    role        TEXT NOT NULL,
    reach       TEXT NOT NULL,
    reads_texts INTEGER NOT NULL,
    password    TEXT,
    seed        TEXT,
    disabled_at INTEGER,
    created_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    -- The time step of the last code that was used, and the tries within a minute.
    used_step   INTEGER NOT NULL DEFAULT 0,
    try_minute  INTEGER NOT NULL DEFAULT 0,
    tries       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE operator_recovery (
    operator INTEGER NOT NULL,
    hash     TEXT NOT NULL,
    PRIMARY KEY (operator, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_session (
    id           TEXT NOT NULL PRIMARY KEY,
    handle       TEXT NOT NULL UNIQUE,
    operator     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL,
    address      TEXT,
    agent        TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX operator_session_by_operator ON operator_session (operator, created_at);

CREATE TABLE operator_key (
    id          TEXT NOT NULL PRIMARY KEY,
    operator    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    secret      TEXT NOT NULL,
    role        TEXT NOT NULL,
    reach       TEXT NOT NULL,
    reads_texts INTEGER NOT NULL,
    networks    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    used_at     INTEGER,
    old_secret  TEXT,
    old_until   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX operator_key_by_operator ON operator_key (operator, created_at);

-- The one-time link by which the first admin makes an account.
CREATE TABLE first_admin (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    claim TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT;
