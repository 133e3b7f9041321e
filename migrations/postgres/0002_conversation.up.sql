-- kind: expand
-- What turns ask for besides answers, what decisions depended on, stops that end by themselves, and people's rights.

-- What a turn asks of its bot, as JSON; NULL is an answer.
ALTER TABLE turn ADD COLUMN act TEXT;
-- What the decision depended on besides transcript and roster, as JSON.
ALTER TABLE decision ADD COLUMN standing TEXT NOT NULL DEFAULT '{}';
-- When a stop ends by itself; NULL is until somebody lifts it.
ALTER TABLE control ADD COLUMN until BIGINT;
-- Loop physics keep the chat quiet until then.
ALTER TABLE chat_head ADD COLUMN calm_until BIGINT;
-- Whether people there were told that they talk to an AI.
ALTER TABLE chat_head ADD COLUMN disclosed BOOLEAN NOT NULL DEFAULT false;

-- People whose words are not taken, by their id at Telegram.
CREATE TABLE opt_out (
    person BIGINT PRIMARY KEY,
    at     BIGINT NOT NULL,
    by     TEXT   NOT NULL
);

-- What was done for people's rights, and on whose word; counts only. Numbers come from `setting`, where each change
-- of people's rights raises the number of `people` under the lock of its row.
CREATE TABLE audit (
    seq    BIGINT PRIMARY KEY,
    person BIGINT NOT NULL,
    action TEXT   NOT NULL CHECK (action IN ('opt_out', 'opt_in', 'forget')),
    at     BIGINT NOT NULL,
    by     TEXT   NOT NULL,
    counts TEXT   NOT NULL DEFAULT '{}'
);
