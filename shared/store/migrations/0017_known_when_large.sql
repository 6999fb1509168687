-- Statistics of what grows are taken when there is something to be known (docs/decisions/0045-known-when-large.md).
--
-- A plan is kept as long as its connection lives, or until the next statistics. One that was made when a table was known to
-- have three rows reads all of it for every set. Of what it knows nothing about Postgres supposes ten pages, and looks rows
-- up by their keys, as it should.
DO $$
DECLARE
    growing text;
BEGIN
    FOREACH growing IN ARRAY ARRAY[
        'notifications', 'deliveries', 'attempts', 'timeline', 'receipts', 'inbox', 'users', 'preferences', 'devices',
        'suppressions', 'contact_places', 'digests', 'dead_letters', 'undoings', 'fan_outs'
    ] LOOP
        EXECUTE format(
            'ALTER TABLE %I SET (autovacuum_analyze_threshold = 10000, autovacuum_vacuum_threshold = 10000, '
            'autovacuum_vacuum_insert_threshold = 10000)', growing);
    END LOOP;
END $$;
