DROP TABLE audit_checkpoint;
DROP TABLE audit_block;
DROP TABLE audit_entry;
