-- kind: expand
-- What a bot said lately, which it must not say again.

CREATE INDEX outbox_said ON outbox (bot, id) WHERE state = 'sent';
