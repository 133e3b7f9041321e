DROP TABLE audit, opt_out;
DELETE FROM setting WHERE key = 'people';
ALTER TABLE chat_head DROP COLUMN disclosed, DROP COLUMN calm_until;
ALTER TABLE control DROP COLUMN until;
ALTER TABLE decision DROP COLUMN standing;
ALTER TABLE turn DROP COLUMN act;
