-- Acts of operators: entries, the blocks that seal them, and the checkpoint that stands for blocks that are gone. The table
-- `audit` is the record of people's rights.

CREATE TABLE audit_entry (
    id          TEXT    PRIMARY KEY,
    at          INTEGER NOT NULL,
    -- An intent that has no outcome yet: since when it waits for one.
    waits_since INTEGER,
    -- By these an entry is found; they go with the body.
    principal   TEXT,
    act         TEXT,
    object      TEXT,
    -- SHA-256 of salt and body.
    hash        TEXT    NOT NULL,
    salt        TEXT,
    body        TEXT,
    -- Where the entry stands in the chain; nothing while it waits.
    block       INTEGER,
    place       INTEGER
) STRICT;
CREATE INDEX audit_entry_waiting ON audit_entry (at, id) WHERE block IS NULL;
CREATE INDEX audit_entry_open ON audit_entry (waits_since) WHERE waits_since IS NOT NULL;
CREATE UNIQUE INDEX audit_entry_place ON audit_entry (block, place);
CREATE INDEX audit_entry_object ON audit_entry (object) WHERE object IS NOT NULL;

CREATE TABLE audit_block (
    number   INTEGER PRIMARY KEY,
    previous TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    entries  TEXT    NOT NULL,
    hash     TEXT    NOT NULL,
    -- HMAC of the hash, and the key that made it.
    mac      TEXT,
    signer   TEXT
) STRICT;
CREATE INDEX audit_block_age ON audit_block (at);

-- One row: the chain begins after this block. Its lock is held by whoever seals.
CREATE TABLE audit_checkpoint (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    number  INTEGER NOT NULL,
    hash    TEXT    NOT NULL,
    entries INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    mac     TEXT,
    signer  TEXT
) STRICT;
INSERT INTO audit_checkpoint (id, number, hash, entries, at)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000', 0, 0);
