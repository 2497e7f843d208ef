-- The operator console: who is signed in, and who did what.

-- Browsers that are signed in, by the SHA-256 of their cookie. One that came in with an API key ends with that key.
CREATE TABLE sessions (
    sha256     TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    key_id     TEXT REFERENCES api_keys (id),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Links that sign one browser in once, by the SHA-256 of their token.
CREATE TABLE sign_in_links (
    sha256     TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who did what. (There already where the migration before this one made it.)
CREATE TABLE IF NOT EXISTS audit (
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
CREATE INDEX IF NOT EXISTS audit_by_actor ON audit (actor, seq);
CREATE INDEX IF NOT EXISTS audit_by_call ON audit (call_id, seq) WHERE call_id IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS audit_stays_as_written BEFORE UPDATE ON audit
BEGIN SELECT RAISE (ABORT, 'audit entries are never changed'); END;
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE (ABORT, 'audit entries are never deleted'); END;
