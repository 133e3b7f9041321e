ALTER TABLE operator DROP COLUMN hour_tries;
ALTER TABLE operator DROP COLUMN try_hour;
