-- kind: expand
-- Secrets that were given by API, sealed; the ids of the keys that seal them; and the keys that each node has.

CREATE TABLE secret (
    kind        TEXT NOT NULL,
    owner       TEXT NOT NULL,
    destination TEXT NOT NULL,
    state       TEXT NOT NULL,
    key         TEXT NOT NULL,
    wrapped     TEXT NOT NULL,
    sealed      TEXT NOT NULL,
    version     BIGINT NOT NULL,
    number      BIGINT NOT NULL,
    set_at      BIGINT NOT NULL,
    set_by      TEXT NOT NULL,
    PRIMARY KEY (kind, owner)
);
CREATE INDEX secret_by_number ON secret (number);

CREATE TABLE secret_key (
    id         TEXT NOT NULL PRIMARY KEY,
    proof      TEXT NOT NULL,
    made_at    BIGINT NOT NULL,
    retired_at BIGINT
);

CREATE TABLE secret_node (
    node    TEXT NOT NULL PRIMARY KEY,
    sealing TEXT NOT NULL,
    opening TEXT NOT NULL,
    at      BIGINT NOT NULL
);
