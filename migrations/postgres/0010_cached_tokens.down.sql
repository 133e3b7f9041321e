ALTER TABLE turn DROP COLUMN cached_tokens;
