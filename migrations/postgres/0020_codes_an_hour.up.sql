-- kind: expand
-- The hour of an account's last try of a one-time code, and its tries within that hour.

ALTER TABLE operator ADD COLUMN try_hour BIGINT NOT NULL DEFAULT 0;
ALTER TABLE operator ADD COLUMN hour_tries BIGINT NOT NULL DEFAULT 0;
