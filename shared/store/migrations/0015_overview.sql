-- What operators see at a glance, whatever there has been: how much is under way, and what the last minutes were like.

-- What has not ended, by tenant and age. It holds nothing that has ended, and grows at its end.
CREATE INDEX notifications_under_way ON notifications (tenant, created_at) WHERE next_look_at IS NOT NULL;

-- Rows come in the order of these times. An index of ranges is a page for a million rows, and costs an insert nothing.
CREATE INDEX attempts_by_time ON attempts USING brin (ended_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX receipts_by_time ON receipts USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);
