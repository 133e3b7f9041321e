-- kind: expand
-- Orders of operators to the owner of a bot or chat, or to a node; each numbered among those of its target.

CREATE TABLE operator_order (
    id          BIGINT PRIMARY KEY,
    target_kind TEXT NOT NULL,
    target      BIGINT NOT NULL,
    number      BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    arguments   TEXT NOT NULL,
    principal   TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'begun', 'done', 'failed', 'expired', 'unknown')),
    result      TEXT,
    node        TEXT,
    epoch       BIGINT,
    ended_at    BIGINT,
    UNIQUE (target_kind, target, number)
);
CREATE INDEX operator_order_open ON operator_order (target_kind, target, number) WHERE state IN ('waiting', 'begun');
CREATE INDEX operator_order_by_age ON operator_order (created_at, id);
