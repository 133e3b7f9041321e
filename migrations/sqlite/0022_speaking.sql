-- Operators speak as bots, take bots over, and delete what bots said.

-- Written by an operator, not by the bot's model.
ALTER TABLE outbox ADD COLUMN by_operator INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transcript ADD COLUMN by_operator INTEGER NOT NULL DEFAULT 0;
-- Time at which an operator deleted the message; the words are gone.
ALTER TABLE transcript ADD COLUMN deleted_at INTEGER;

CREATE TABLE takeover (
    chat     INTEGER NOT NULL,
    bot      INTEGER NOT NULL,
    holder   TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    idle_ms  INTEGER NOT NULL,
    PRIMARY KEY (chat, bot)
) STRICT, WITHOUT ROWID;

CREATE TABLE retraction (
    telegram_chat INTEGER NOT NULL,
    message_id    INTEGER NOT NULL,
    chat          INTEGER NOT NULL,
    bot           INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'deleted', 'refused')),
    tries         INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    principal     TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    error         TEXT,
    PRIMARY KEY (telegram_chat, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX retraction_waiting ON retraction (bot, due_at) WHERE state = 'waiting';
CREATE INDEX retraction_by_age ON retraction (created_at);
