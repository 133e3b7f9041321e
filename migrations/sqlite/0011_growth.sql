-- Rows go once they are older than their use; who asked to be forgotten is kept for good, in a table of its own.

-- Up to which entry, and up to which decision, the rows of the chat are gone or going: what lies above has no gap.
ALTER TABLE chat_head ADD COLUMN gone_entry INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chat_head ADD COLUMN gone_decision INTEGER NOT NULL DEFAULT 0;

-- Requests to be forgotten, with their numbers in `audit`; an open one has no counts yet.
CREATE TABLE erasure (
    seq    INTEGER PRIMARY KEY,
    person INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    by     TEXT    NOT NULL,
    counts TEXT    NOT NULL DEFAULT '{}'
) STRICT;
INSERT INTO erasure (seq, person, at, by, counts)
SELECT seq, person, at, by, counts FROM audit WHERE action = 'forget';
CREATE INDEX erasure_person ON erasure (person, at);
-- The rest of the audit goes by its age.
CREATE INDEX audit_age ON audit (at);
