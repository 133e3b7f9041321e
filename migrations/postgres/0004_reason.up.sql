-- kind: expand
-- Why a message was answered, or not, is asked for by its entry.
CREATE INDEX decision_cause ON decision (chat, cause_entry) WHERE cause_entry IS NOT NULL;
