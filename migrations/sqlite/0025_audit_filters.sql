-- A page of the audit by principal, act or object begins at its place. The index by object also finds what is emptied when a person
-- is forgotten, as the one that it replaces did.

CREATE INDEX audit_entry_by_principal ON audit_entry (principal, block, place) WHERE principal IS NOT NULL;
CREATE INDEX audit_entry_by_act ON audit_entry (act, block, place) WHERE act IS NOT NULL;
CREATE INDEX audit_entry_by_object ON audit_entry (object, block, place) WHERE object IS NOT NULL;
DROP INDEX audit_entry_object;
