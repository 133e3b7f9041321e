-- Tokens of a turn's prompts that the provider had kept from earlier prompts.

ALTER TABLE turn ADD COLUMN cached_tokens INTEGER;
