-- What delivery remembers beyond a message: pauses, absences, and what to do when nobody knows.

-- Pauses that Telegram asked for by 429. Chat 0 is the whole bot.
CREATE TABLE send_pause (
    bot   INTEGER NOT NULL,
    chat  INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (bot, chat)
) STRICT, WITHOUT ROWID;

-- Bots that cannot post in a chat of theirs: kicked, restricted, or never added.
CREATE TABLE chat_absence (
    chat INTEGER NOT NULL,
    bot  INTEGER NOT NULL,
    PRIMARY KEY (chat, bot)
) STRICT, WITHOUT ROWID;

-- Whether a message whose fate nobody knows is reported only, or sent again and counted.
ALTER TABLE outbox ADD COLUMN on_unknown TEXT NOT NULL DEFAULT 'report' CHECK (on_unknown IN ('report', 'resend'));
