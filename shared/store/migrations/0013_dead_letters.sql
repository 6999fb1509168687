-- Dead letters as operators work on them: why one was discarded, and lists of every status a page at a time.

ALTER TABLE dead_letters ADD COLUMN settled_reason text;
CREATE INDEX dead_letters_by_status ON dead_letters (tenant, status, created_at, id);
