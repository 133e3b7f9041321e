DROP TABLE right_said;
