CREATE INDEX audit_entry_object ON audit_entry (object) WHERE object IS NOT NULL;
DROP INDEX audit_entry_by_object;
DROP INDEX audit_entry_by_act;
DROP INDEX audit_entry_by_principal;
