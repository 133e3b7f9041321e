-- What turns ask for besides answers, what decisions depended on, stops that end by themselves, and people's rights.

-- What a turn asks of its bot, as JSON; NULL is an answer.
ALTER TABLE turn ADD COLUMN act TEXT;
-- What the decision depended on besides transcript and roster, as JSON.
ALTER TABLE decision ADD COLUMN standing TEXT NOT NULL DEFAULT '{}';
-- When a stop ends by itself; NULL is until somebody lifts it.
ALTER TABLE control ADD COLUMN until INTEGER;
-- Loop physics keep the chat quiet until then.
ALTER TABLE chat_head ADD COLUMN calm_until INTEGER;
-- Whether people there were told that they talk to an AI.
ALTER TABLE chat_head ADD COLUMN disclosed INTEGER NOT NULL DEFAULT 0 CHECK (disclosed IN (0, 1));

-- People whose words are not taken, by their id at Telegram.
CREATE TABLE opt_out (
    person INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    by     TEXT    NOT NULL
) STRICT;

-- What was done for people's rights, and on whose word; counts only. Numbers come from `setting`, where each change
-- of people's rights raises the number of `people`.
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    person INTEGER NOT NULL,
    action TEXT    NOT NULL CHECK (action IN ('opt_out', 'opt_in', 'forget')),
    at     INTEGER NOT NULL,
    by     TEXT    NOT NULL,
    counts TEXT    NOT NULL DEFAULT '{}'
) STRICT;
