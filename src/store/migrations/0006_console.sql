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

-- What people and programs asked for, whether or not it was granted. `target` holds ids, never a number.
CREATE TABLE audit_log (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      TEXT NOT NULL,
    door    TEXT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_log_stays_as_written BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE (ABORT, 'audit entries are never changed'); END;
CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
BEGIN SELECT RAISE (ABORT, 'audit entries are never deleted'); END;
