-- When people said last whether they are to be taken down: what is older changes nothing, however late it comes.

CREATE TABLE right_said (
    person INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL
) STRICT;
INSERT INTO right_said (person, at)
SELECT person, max(at) FROM audit WHERE action IN ('opt_out', 'opt_in') GROUP BY person;
