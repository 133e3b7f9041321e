ALTER TABLE chat_head DROP COLUMN expired_decision;
ALTER TABLE chat_head DROP COLUMN expired_entry;
DROP INDEX audit_forget;
DROP INDEX transcript_author;
DROP INDEX turn_target;
