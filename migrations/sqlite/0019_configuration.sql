-- The origin of the configuration: what a manifest and what operators say of each thing, and the last changes.

CREATE TABLE resource (
    kind    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    -- The number of the configuration that changed it last.
    version INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE config_step (
    number  INTEGER NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    -- Each thing that changed, as it was before and after.
    changes TEXT    NOT NULL
) STRICT;
