DROP INDEX decision_cause;
