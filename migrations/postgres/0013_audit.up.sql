-- kind: expand
-- Acts of operators: entries, the blocks that seal them, and the checkpoint that stands for blocks that are gone. The table
-- `audit` is the record of people's rights.

CREATE TABLE audit_entry (
    id          TEXT   PRIMARY KEY,
    at          BIGINT NOT NULL,
    -- An intent that has no outcome yet: since when it waits for one.
    waits_since BIGINT,
    -- By these an entry is found; they go with the body.
    principal   TEXT,
    act         TEXT,
    object      TEXT,
    -- SHA-256 of salt and body.
    hash        TEXT   NOT NULL,
    salt        TEXT,
    body        TEXT,
    -- Where the entry stands in the chain; nothing while it waits.
    block       BIGINT,
    place       BIGINT
);
CREATE INDEX audit_entry_waiting ON audit_entry (at, id) WHERE block IS NULL;
CREATE INDEX audit_entry_open ON audit_entry (waits_since) WHERE waits_since IS NOT NULL;
CREATE UNIQUE INDEX audit_entry_place ON audit_entry (block, place);
CREATE INDEX audit_entry_object ON audit_entry (object) WHERE object IS NOT NULL;

CREATE TABLE audit_block (
    number   BIGINT PRIMARY KEY,
    previous TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    entries  TEXT   NOT NULL,
    hash     TEXT   NOT NULL,
    -- HMAC of the hash, and the key that made it.
    mac      TEXT,
    signer   TEXT
);
CREATE INDEX audit_block_age ON audit_block (at);

-- One row: the chain begins after this block. Its lock is held by whoever seals.
CREATE TABLE audit_checkpoint (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    number  BIGINT NOT NULL,
    hash    TEXT   NOT NULL,
    entries BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    mac     TEXT,
    signer  TEXT
);
INSERT INTO audit_checkpoint (id, number, hash, entries, at) VALUES (1, 0, repeat('0', 64), 0, 0);

-- Binds every role but the owner, once `botfleet migrate grant` gave it rights: nothing younger than 364 days is deleted.
ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_entry_read ON audit_entry FOR SELECT USING (true);
CREATE POLICY audit_entry_add ON audit_entry FOR INSERT WITH CHECK (true);
CREATE POLICY audit_entry_seal ON audit_entry FOR UPDATE USING (true);
CREATE POLICY audit_entry_old ON audit_entry FOR DELETE
    USING (at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 31449600000);
ALTER TABLE audit_block ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_block_read ON audit_block FOR SELECT USING (true);
CREATE POLICY audit_block_add ON audit_block FOR INSERT WITH CHECK (true);
CREATE POLICY audit_block_old ON audit_block FOR DELETE
    USING (at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 31449600000);
