DROP TABLE retraction;
DROP TABLE takeover;
ALTER TABLE transcript DROP COLUMN deleted_at, DROP COLUMN by_operator;
ALTER TABLE outbox DROP COLUMN by_operator;
