-- Parts of a message that are bold, italic and the like.

ALTER TABLE outbox ADD COLUMN marks TEXT NOT NULL DEFAULT '[]';
