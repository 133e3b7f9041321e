ALTER TABLE bot ADD COLUMN state_reason TEXT;
ALTER TABLE bot ADD COLUMN state TEXT NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled', 'quarantined'));
ALTER TABLE chat ADD COLUMN title TEXT;
CREATE INDEX inbox_handled ON inbox (received_at) WHERE outcome IS NOT NULL;
INSERT INTO audit (seq, person, action, at, by, counts)
SELECT seq, person, 'forget', at, by, counts FROM erasure ON CONFLICT (seq) DO NOTHING;
CREATE INDEX audit_forget ON audit (person, at) WHERE action = 'forget';
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
