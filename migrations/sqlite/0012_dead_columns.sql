-- Takes away what nothing reads any more.

DROP INDEX audit_forget;
DELETE FROM audit WHERE action = 'forget';
ALTER TABLE chat DROP COLUMN title;
ALTER TABLE bot DROP COLUMN state;
ALTER TABLE bot DROP COLUMN state_reason;
ALTER TABLE lease DROP COLUMN desired_owner;
