-- How the updates of a bot arrive, where it was ever said; and indexes for the list of dead letters.

CREATE TABLE bot_delivery (
    bot         INTEGER PRIMARY KEY,
    mode        TEXT NOT NULL CHECK (mode IN ('polling', 'webhook')),
    -- The address that Telegram was told last.
    webhook_url TEXT
) STRICT;

CREATE INDEX outbox_rejected ON outbox (id) WHERE state = 'rejected';
CREATE INDEX inbox_dead ON inbox (id) WHERE outcome = 'dead';
