-- kind: contract
-- Takes away what nothing reads any more, and what older versions read.

LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO erasure (seq, person, at, by, counts)
SELECT seq, person, at, by, counts FROM audit WHERE action = 'forget' ON CONFLICT (seq) DO NOTHING;
DROP TRIGGER copy_to_audit ON erasure;
DROP FUNCTION copy_to_audit;
DROP TRIGGER copy_to_erasure ON audit;
DROP FUNCTION copy_to_erasure;
DROP INDEX audit_forget;
DELETE FROM audit WHERE action = 'forget';
-- Pruning follows the ids, which rise with time.
DROP INDEX inbox_handled;
ALTER TABLE chat DROP COLUMN title;
ALTER TABLE bot DROP COLUMN state;
ALTER TABLE bot DROP COLUMN state_reason;
