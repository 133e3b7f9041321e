ALTER TABLE control DROP COLUMN orders;
