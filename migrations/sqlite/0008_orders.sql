-- Who wants a stop, and on whose word, as JSON: also those whose rank nobody knows yet. NULL was written by a version
-- that did not ask: then `by` tells the rank.
ALTER TABLE control ADD COLUMN orders TEXT;
