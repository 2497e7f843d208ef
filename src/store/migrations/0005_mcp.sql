-- What agents over MCP (and other doors, as they come) did, were refused and saw: evidence, never changed.
CREATE TABLE audit (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    at               TEXT NOT NULL,
    door             TEXT NOT NULL,
    actor            TEXT NOT NULL,
    action           TEXT NOT NULL,
    outcome          TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'failed', 'read_numbers')),
    code             TEXT,
    call_id          TEXT,
    decision_id      TEXT,
    arguments_sha256 TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_call ON audit (call_id, seq) WHERE call_id IS NOT NULL;

CREATE TRIGGER audit_stays_as_written BEFORE UPDATE ON audit
BEGIN SELECT RAISE (ABORT, 'audit entries are never changed'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE (ABORT, 'audit entries are never deleted'); END;

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
