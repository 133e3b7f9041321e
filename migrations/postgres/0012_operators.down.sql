DROP TABLE first_admin;
DROP TABLE operator_key;
DROP TABLE operator_session;
DROP TABLE operator_recovery;
DROP TABLE operator;
