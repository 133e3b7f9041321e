-- Who is forgotten, or asks what is stored of them, is found without reading everything; and old texts go.

-- What answers an entry.
CREATE INDEX turn_target ON turn (chat, target) WHERE target IS NOT NULL;
-- What a person wrote; the fleet's own entries are not in it.
CREATE INDEX transcript_author ON transcript (author ->> 'id', chat, number) WHERE fleet_bot IS NULL;
-- What a person asked for, and when last.
CREATE INDEX audit_forget ON audit (person, at) WHERE action = 'forget';

-- Up to which entry and which decision the chat's texts were removed because of their age.
ALTER TABLE chat_head ADD COLUMN expired_entry INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chat_head ADD COLUMN expired_decision INTEGER NOT NULL DEFAULT 0;
