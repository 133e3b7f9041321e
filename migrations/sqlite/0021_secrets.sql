-- Secrets that were given by API, sealed; the ids of the keys that seal them; and the keys that each node has.

CREATE TABLE secret (
    kind        TEXT NOT NULL,
    owner       TEXT NOT NULL,
    destination TEXT NOT NULL,
    state       TEXT NOT NULL,
    key         TEXT NOT NULL,
    wrapped     TEXT NOT NULL,
    sealed      TEXT NOT NULL,
    version     INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    set_at      INTEGER NOT NULL,
    set_by      TEXT NOT NULL,
    PRIMARY KEY (kind, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_by_number ON secret (number);

CREATE TABLE secret_key (
    id         TEXT NOT NULL PRIMARY KEY,
    proof      TEXT NOT NULL,
    made_at    INTEGER NOT NULL,
    retired_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE secret_node (
    node    TEXT NOT NULL PRIMARY KEY,
    sealing TEXT NOT NULL,
    opening TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
