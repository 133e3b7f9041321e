-- Budgets: what was taken from each of them in each period. The first table of this name was never written; it could
-- not tell an hour's budget from a day's.
--
-- Amounts are tokens, or billionths of the unit of money. Periods of `total` start at 0. An allowance that a process
-- took and did not spend before it died stays counted here.

DROP TABLE allowance;

CREATE TABLE allowance (
    scope        TEXT    NOT NULL CHECK (scope IN ('fleet', 'bot', 'chat')),
    key          INTEGER NOT NULL,
    unit         TEXT    NOT NULL CHECK (unit IN ('tokens', 'money')),
    per          TEXT    NOT NULL CHECK (per IN ('hour', 'day', 'total')),
    period_start INTEGER NOT NULL,
    granted      INTEGER NOT NULL CHECK (granted >= 0),
    PRIMARY KEY (scope, key, unit, per, period_start)
) STRICT, WITHOUT ROWID;
