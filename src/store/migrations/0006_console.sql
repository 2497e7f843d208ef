-- The operator console: who is signed in, and who did what.

-- Browsers that are signed in, by the SHA-256 of their cookie. One that came in with an API key ends with that key.
CREATE TABLE sessions (
    sha256     TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    scopes     TEXT NOT NULL, -- beside those of the role, a JSON array
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
