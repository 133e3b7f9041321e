-- kind: expand
-- Rows go once they are older than their use; who asked to be forgotten is kept for good, in a table of its own.

-- Nobody asks to be forgotten between the copy and the trigger.
LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE;

-- Up to which entry, and up to which decision, the rows of the chat are gone or going: what lies above has no gap.
ALTER TABLE chat_head ADD COLUMN gone_entry BIGINT NOT NULL DEFAULT 0;
ALTER TABLE chat_head ADD COLUMN gone_decision BIGINT NOT NULL DEFAULT 0;

-- Requests to be forgotten, with their numbers in `audit`; an open one has no counts yet.
CREATE TABLE erasure (
    seq    BIGINT PRIMARY KEY,
    person BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    by     TEXT   NOT NULL,
    counts TEXT   NOT NULL DEFAULT '{}'
);
INSERT INTO erasure (seq, person, at, by, counts)
SELECT seq, person, at, by, counts FROM audit WHERE action = 'forget';
CREATE INDEX erasure_person ON erasure (person, at);
-- The rest of the audit goes by its age.
CREATE INDEX audit_age ON audit (at);

-- Nodes of an older version know the requests from `audit` alone: while both run, each writes what the other reads.
CREATE FUNCTION copy_to_erasure() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO erasure (seq, person, at, by, counts) VALUES (NEW.seq, NEW.person, NEW.at, NEW."by", NEW.counts)
    ON CONFLICT (seq) DO UPDATE SET at = excluded.at, counts = excluded.counts;
    RETURN NULL;
END $$;
CREATE TRIGGER copy_to_erasure AFTER INSERT OR UPDATE ON audit FOR EACH ROW
    WHEN (NEW.action = 'forget' AND pg_trigger_depth() = 0) EXECUTE FUNCTION copy_to_erasure();
CREATE FUNCTION copy_to_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO audit (seq, person, action, at, by, counts)
    VALUES (NEW.seq, NEW.person, 'forget', NEW.at, NEW."by", NEW.counts)
    ON CONFLICT (seq) DO UPDATE SET at = excluded.at, counts = excluded.counts;
    RETURN NULL;
END $$;
CREATE TRIGGER copy_to_audit AFTER INSERT OR UPDATE ON erasure FOR EACH ROW
    WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION copy_to_audit();

-- Vacuum comes often and does little, so that the space of rows that are gone is used again.
ALTER TABLE inbox SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE transcript SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE decision SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE turn SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.01);
