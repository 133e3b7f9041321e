-- How the updates of a bot arrive, where it was ever said; and the messages that Telegram refused, for the list of dead
-- letters.

CREATE TABLE bot_delivery (
    bot         INTEGER PRIMARY KEY,
    mode        TEXT NOT NULL CHECK (mode IN ('polling', 'webhook')),
    -- The address that Telegram was told last.
    webhook_url TEXT
) STRICT;

CREATE INDEX outbox_rejected ON outbox (id) WHERE state = 'rejected';
