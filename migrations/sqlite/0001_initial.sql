-- The whole state of a fleet on one machine.
--
-- Instants are milliseconds since the Unix epoch. Rows that change on the hot path are narrow: offsets and chat heads
-- stand apart from the specifications beside them, so that a commit dirties few pages. Tables on the hot path declare
-- no foreign keys: the judge of the group commit has checked what they would check, and ids are never reused.
-- Every index serves a query of the store's port; partial ones hold only the rows that still wait.

-- Ownership.

CREATE TABLE node (
    id          TEXT    NOT NULL PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    beat        INTEGER NOT NULL DEFAULT 0,
    state       TEXT    NOT NULL CHECK (state IN ('alive', 'draining', 'dead'))
) STRICT;

CREATE TABLE lease (
    kind              TEXT    NOT NULL CHECK (kind IN ('bot', 'chat')),
    key               INTEGER NOT NULL,
    owner_node        TEXT,
    owner_incarnation INTEGER,
    desired_owner     TEXT,
    epoch             INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

-- The roster.

CREATE TABLE bot (
    id               INTEGER PRIMARY KEY,
    name             TEXT    NOT NULL UNIQUE,
    telegram_id      INTEGER NOT NULL UNIQUE,
    username         TEXT,
    token_generation INTEGER NOT NULL DEFAULT 1,
    credential       TEXT    NOT NULL,
    persona          TEXT    NOT NULL,
    persona_revision INTEGER NOT NULL,
    state            TEXT    NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled', 'quarantined')),
    state_reason     TEXT,
    spec             TEXT    NOT NULL,
    in_use           INTEGER NOT NULL CHECK (in_use IN (0, 1))
) STRICT;

CREATE TABLE bot_cursor (
    bot         INTEGER PRIMARY KEY,
    next_offset INTEGER NOT NULL
) STRICT;

CREATE TABLE persona (
    name     TEXT    NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE persona_revision (
    persona    TEXT    NOT NULL REFERENCES persona (name),
    revision   INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (persona, revision)
) STRICT;

CREATE TABLE chat (
    id             INTEGER PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    title          TEXT,
    telegram_id    INTEGER NOT NULL,
    time_zone      TEXT    NOT NULL,
    retention_days INTEGER NOT NULL,
    spec           TEXT    NOT NULL,
    in_use         INTEGER NOT NULL CHECK (in_use IN (0, 1))
) STRICT;

CREATE TABLE chat_head (
    chat          INTEGER PRIMARY KEY,
    last_number   INTEGER NOT NULL DEFAULT 0,
    last_decision INTEGER NOT NULL DEFAULT 0,
    next_tick_at  INTEGER
) STRICT;

CREATE TABLE chat_alias (
    telegram_chat_id INTEGER PRIMARY KEY,
    chat             INTEGER NOT NULL REFERENCES chat (id),
    since            INTEGER NOT NULL
) STRICT;

CREATE TABLE chat_member (
    chat     INTEGER NOT NULL REFERENCES chat (id),
    position INTEGER NOT NULL,
    bot      INTEGER NOT NULL REFERENCES bot (id),
    PRIMARY KEY (chat, position)
) STRICT, WITHOUT ROWID;

-- The data's way.

CREATE TABLE inbox (
    id          INTEGER PRIMARY KEY,
    chat        INTEGER,
    bot         INTEGER NOT NULL,
    source      TEXT    NOT NULL CHECK (source IN ('update', 'sent')),
    source_id   INTEGER NOT NULL,
    payload     TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    outcome     TEXT CHECK (outcome IN ('appended', 'duplicate', 'ignored', 'control', 'dead')),
    reason      TEXT,
    number      INTEGER,
    decision    INTEGER,
    UNIQUE (bot, source, source_id)
) STRICT;
CREATE INDEX inbox_unhandled ON inbox (chat) WHERE outcome IS NULL;

CREATE TABLE transcript (
    chat          INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('message', 'edit', 'reaction', 'member')),
    revision      INTEGER NOT NULL,
    telegram_chat INTEGER NOT NULL,
    message_id    INTEGER NOT NULL,
    thread        INTEGER,
    reply_to      INTEGER,
    author        TEXT    NOT NULL,
    fleet_bot     INTEGER,
    text          TEXT,
    entities      TEXT    NOT NULL,
    media         TEXT,
    date          INTEGER NOT NULL,
    inbox         INTEGER NOT NULL,
    chain_depth   INTEGER NOT NULL,
    root          INTEGER NOT NULL,
    PRIMARY KEY (chat, number),
    UNIQUE (telegram_chat, message_id, kind, revision)
) STRICT;

CREATE TABLE decision (
    chat        INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    -- The entry that asked for it; NULL for a tick.
    cause_entry INTEGER,
    -- 64 bits of seed in two's complement.
    seed        INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    config_seq  INTEGER NOT NULL,
    policy      TEXT    NOT NULL,
    verdict     TEXT    NOT NULL CHECK (verdict IN ('speak', 'silent')),
    reason      TEXT    NOT NULL,
    inputs      TEXT    NOT NULL,
    scores      TEXT    NOT NULL,
    root        INTEGER,
    chain_depth INTEGER NOT NULL,
    PRIMARY KEY (chat, number)
) STRICT;
CREATE INDEX decision_tick ON decision (chat, number) WHERE cause_entry IS NULL;

CREATE TABLE turn (
    id                INTEGER PRIMARY KEY,
    chat              INTEGER NOT NULL,
    decision          INTEGER NOT NULL,
    bot               INTEGER NOT NULL,
    ordinal           INTEGER NOT NULL,
    target            INTEGER,
    answers_bot       INTEGER,
    chain_depth       INTEGER NOT NULL,
    root              INTEGER,
    priority          INTEGER NOT NULL,
    due_at            INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    state             TEXT    NOT NULL CHECK (state IN ('queued', 'claimed', 'done', 'dropped', 'expired', 'dead')),
    attempts          INTEGER NOT NULL,
    claimed_epoch     INTEGER,
    error             TEXT,
    provider          TEXT,
    model             TEXT,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    UNIQUE (chat, decision, bot, ordinal)
) STRICT;
CREATE INDEX turn_open ON turn (state, bot, due_at) WHERE state IN ('queued', 'claimed', 'dead');

CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    turn          INTEGER NOT NULL,
    part          INTEGER NOT NULL,
    parts         INTEGER NOT NULL,
    bot           INTEGER NOT NULL,
    chat          INTEGER NOT NULL,
    telegram_chat INTEGER NOT NULL,
    thread        INTEGER,
    reply_to      INTEGER,
    text          TEXT    NOT NULL,
    answers_bot   INTEGER,
    chain_depth   INTEGER NOT NULL,
    root          INTEGER,
    expires_at    INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'rejected', 'retry_at', 'unknown', 'cancelled')),
    attempts      INTEGER NOT NULL,
    attempt       INTEGER,
    claimed_epoch INTEGER,
    due_at        INTEGER NOT NULL,
    message_id    INTEGER,
    error         TEXT,
    UNIQUE (turn, part)
) STRICT;
CREATE INDEX outbox_open ON outbox (state, bot, due_at) WHERE state IN ('queued', 'sending', 'retry_at', 'unknown');

-- Limits and control.

CREATE TABLE send_window (
    key   TEXT NOT NULL PRIMARY KEY,
    slots TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE allowance (
    scope        TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    unit         TEXT    NOT NULL,
    period_start INTEGER NOT NULL,
    granted      INTEGER NOT NULL,
    used         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, key, unit, period_start)
) STRICT, WITHOUT ROWID;

CREATE TABLE control (
    scope      TEXT    NOT NULL CHECK (scope IN ('fleet', 'chat', 'bot')),
    key        INTEGER NOT NULL,
    stopped_at INTEGER NOT NULL,
    by         TEXT    NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    key        TEXT    NOT NULL PRIMARY KEY,
    value      TEXT    NOT NULL,
    config_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
