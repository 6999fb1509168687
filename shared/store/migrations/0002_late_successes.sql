-- A success that found its delivery in other hands: the sweep announces it at this time, until a saga knows it.

ALTER TABLE attempts ADD COLUMN next_look_at timestamptz;
CREATE INDEX attempts_to_look_at ON attempts (next_look_at) WHERE next_look_at IS NOT NULL;
