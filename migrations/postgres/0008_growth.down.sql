ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE turn SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE decision RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor);
ALTER TABLE transcript RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor);
ALTER TABLE inbox SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE inbox RESET (autovacuum_vacuum_insert_scale_factor);
DROP TRIGGER copy_to_erasure ON audit;
DROP FUNCTION copy_to_erasure;
DROP INDEX audit_age;
INSERT INTO audit (seq, person, action, at, by, counts)
SELECT seq, person, 'forget', at, by, counts FROM erasure ON CONFLICT (seq) DO NOTHING;
DROP TABLE erasure;
DROP FUNCTION copy_to_audit;
ALTER TABLE chat_head DROP COLUMN gone_entry;
ALTER TABLE chat_head DROP COLUMN gone_decision;
