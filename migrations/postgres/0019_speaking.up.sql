-- kind: expand
-- Operators speak as bots, take bots over, and delete what bots said.

-- Written by an operator, not by the bot's model.
ALTER TABLE outbox ADD COLUMN by_operator BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE transcript ADD COLUMN by_operator BOOLEAN NOT NULL DEFAULT false;
-- Time at which an operator deleted the message; the words are gone.
ALTER TABLE transcript ADD COLUMN deleted_at BIGINT;

CREATE TABLE takeover (
    chat     BIGINT NOT NULL,
    bot      BIGINT NOT NULL,
    holder   TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    idle_ms  BIGINT NOT NULL,
    PRIMARY KEY (chat, bot)
);

CREATE TABLE retraction (
    telegram_chat BIGINT NOT NULL,
    message_id    BIGINT NOT NULL,
    chat          BIGINT NOT NULL,
    bot           BIGINT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'deleted', 'refused')),
    tries         BIGINT NOT NULL,
    due_at        BIGINT NOT NULL,
    principal     TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    ended_at      BIGINT,
    error         TEXT,
    PRIMARY KEY (telegram_chat, message_id)
);
CREATE INDEX retraction_waiting ON retraction (bot, due_at) WHERE state = 'waiting';
CREATE INDEX retraction_by_age ON retraction (created_at);
