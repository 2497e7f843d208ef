-- Calls that ended in one way are listed from the newest on, however rare they are.
CREATE INDEX calls_by_disposition ON calls (disposition, created_at, id) WHERE disposition IS NOT NULL;
