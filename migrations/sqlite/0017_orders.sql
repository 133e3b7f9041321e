-- Orders of operators to the owner of a bot or chat, or to a node; each numbered among those of its target.

CREATE TABLE operator_order (
    id          INTEGER PRIMARY KEY,
    target_kind TEXT NOT NULL,
    target      INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    arguments   TEXT NOT NULL,
    principal   TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'begun', 'done', 'failed', 'expired', 'unknown')),
    result      TEXT,
    node        TEXT,
    epoch       INTEGER,
    ended_at    INTEGER,
    UNIQUE (target_kind, target, number)
) STRICT;
CREATE INDEX operator_order_open ON operator_order (target_kind, target, number) WHERE state IN ('waiting', 'begun');
CREATE INDEX operator_order_by_age ON operator_order (created_at, id);
