-- Waits that a client follows as tasks. What they wait for is in the journal; here is only what was asked, and by whom.
CREATE TABLE waits (
    id           TEXT NOT NULL PRIMARY KEY,
    actor        TEXT NOT NULL,
    call_id      TEXT NOT NULL,
    until        TEXT NOT NULL,
    after_seq    INTEGER NOT NULL,
    created_at   TEXT NOT NULL,
    cancelled_at TEXT
) STRICT;
CREATE INDEX waits_by_age ON waits (created_at);

-- The API key that asked for an outbound call, for its limits.
ALTER TABLE calls ADD COLUMN requester TEXT;
CREATE INDEX calls_by_requester ON calls (requester, created_at) WHERE requester IS NOT NULL;
