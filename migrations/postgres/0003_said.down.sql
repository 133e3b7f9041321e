DROP INDEX outbox_said;
