-- The first schema. Instants are RFC 3339 text in UTC with nine decimals, so that text order is time order and a person can
-- read them; dates are YYYY-MM-DD. Columns named `record`, `event`, `decision`, `facts` and `payload` hold JSON.

PRAGMA application_id = 0x436C726C; -- "Clrl": tells our files from other programs'.

-- The journal: everything that happened to any call, in order.
CREATE TABLE call_events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    call_id TEXT NOT NULL REFERENCES calls (id),
    at      TEXT NOT NULL,
    event   TEXT NOT NULL
) STRICT;
CREATE INDEX call_events_by_call ON call_events (call_id, seq);

-- The fold of each call's events (`record`), with the columns that lists are searched by.
CREATE TABLE calls (
    id          TEXT NOT NULL PRIMARY KEY,
    call_sid    TEXT,
    direction   TEXT NOT NULL,
    from_party  TEXT NOT NULL,
    to_party    TEXT NOT NULL,
    agent       TEXT NOT NULL,
    state       TEXT NOT NULL,
    disposition TEXT,
    lead_id     TEXT,
    created_at  TEXT NOT NULL,
    ended_at    TEXT,
    updated_at  TEXT NOT NULL,
    record      TEXT NOT NULL
) STRICT;
CREATE INDEX calls_by_sid ON calls (call_sid) WHERE call_sid IS NOT NULL;
CREATE INDEX calls_by_age ON calls (created_at, id);
CREATE INDEX calls_by_state ON calls (state, created_at);
CREATE INDEX calls_by_lead ON calls (lead_id, created_at) WHERE lead_id IS NOT NULL;
CREATE INDEX calls_by_from ON calls (from_party, created_at);
CREATE INDEX calls_by_to ON calls (to_party, created_at);
CREATE INDEX calls_by_end ON calls (ended_at) WHERE ended_at IS NOT NULL;

-- The decision ledger: a hash chain. What names a person lives in `decision_subjects` and is covered by `subject_hash`, so
-- that it can be erased after its time without breaking the chain.
CREATE TABLE decisions (
    seq          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    recorded_at  TEXT NOT NULL,
    intent       TEXT NOT NULL CHECK (intent IN ('dial', 'inquiry')),
    purpose      TEXT NOT NULL,
    voice        TEXT NOT NULL,
    door         TEXT NOT NULL,
    actor        TEXT NOT NULL,
    allowed      INTEGER NOT NULL CHECK (allowed IN (0, 1)),
    decision     TEXT NOT NULL,
    rule_set     TEXT NOT NULL,
    subject_hash TEXT NOT NULL,
    prev_hash    TEXT NOT NULL,
    hash         TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_by_time ON decisions (recorded_at);

CREATE TABLE decision_subjects (
    decision_id TEXT NOT NULL PRIMARY KEY REFERENCES decisions (id),
    salt        TEXT NOT NULL,
    number      TEXT NOT NULL,
    lead_id     TEXT,
    facts       TEXT NOT NULL
) STRICT;
CREATE INDEX decision_subjects_by_number ON decision_subjects (number);

CREATE TABLE erasures (
    decision_id TEXT NOT NULL PRIMARY KEY REFERENCES decisions (id),
    erased_at   TEXT NOT NULL,
    door        TEXT NOT NULL,
    actor       TEXT NOT NULL
) STRICT;

-- A number's slot: `held` until an attempt begins, `dialing` until the call ended or the attempt is known not to have left.
CREATE TABLE reservations (
    id          TEXT NOT NULL PRIMARY KEY,
    decision_id TEXT NOT NULL UNIQUE REFERENCES decisions (id),
    number      TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('held', 'dialing', 'ended', 'released', 'expired')),
    reserved_at TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    closed_at   TEXT
) STRICT;
-- One live slot a number. This, not the gate, is what makes two simultaneous dials of one number impossible.
CREATE UNIQUE INDEX reservations_live ON reservations (number) WHERE state IN ('held', 'dialing');

CREATE TABLE dial_attempts (
    id             TEXT NOT NULL PRIMARY KEY,
    call_id        TEXT NOT NULL,
    decision_id    TEXT NOT NULL UNIQUE REFERENCES decisions (id),
    reservation_id TEXT NOT NULL UNIQUE REFERENCES reservations (id),
    number         TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'refused', 'uncertain', 'reconciled_absent')),
    call_sid       TEXT,
    started_at     TEXT NOT NULL,
    settled_at     TEXT,
    finished_at    TEXT
) STRICT;
CREATE INDEX dial_attempts_by_number ON dial_attempts (number, started_at);
CREATE INDEX dial_attempts_by_call ON dial_attempts (call_id);
CREATE INDEX dial_attempts_unsettled ON dial_attempts (started_at) WHERE state IN ('pending', 'uncertain');

-- Permission and its withdrawal. Never changed, never deleted.
CREATE TABLE consents (
    id          TEXT NOT NULL PRIMARY KEY,
    number      TEXT NOT NULL,
    given_at    TEXT NOT NULL,
    record      TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    door        TEXT NOT NULL,
    actor       TEXT NOT NULL
) STRICT;
CREATE INDEX consents_by_number ON consents (number);

CREATE TABLE revocations (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    number      TEXT NOT NULL,
    at          TEXT NOT NULL,
    channel     TEXT NOT NULL,
    words       TEXT NOT NULL,
    call_id     TEXT,
    recorded_at TEXT NOT NULL,
    door        TEXT NOT NULL,
    actor       TEXT NOT NULL
) STRICT;
CREATE INDEX revocations_by_number ON revocations (number);

-- The company's own do-not-call list, with its history: a removed entry stays as a closed row.
CREATE TABLE internal_dnc (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    number         TEXT NOT NULL,
    added_at       TEXT NOT NULL,
    channel        TEXT NOT NULL,
    words          TEXT NOT NULL,
    call_id        TEXT,
    door           TEXT NOT NULL,
    actor          TEXT NOT NULL,
    removed_at     TEXT,
    removed_door   TEXT,
    removed_actor  TEXT,
    removed_reason TEXT
) STRICT;
CREATE INDEX internal_dnc_by_number ON internal_dnc (number);
CREATE UNIQUE INDEX internal_dnc_listed ON internal_dnc (number) WHERE removed_at IS NULL;

-- Imports of lists that live in this database. One without `imported_at` never finished, and its numbers do not count.
CREATE TABLE list_imports (
    generation  INTEGER PRIMARY KEY AUTOINCREMENT,
    list        TEXT NOT NULL,
    source      TEXT NOT NULL,
    as_of       TEXT NOT NULL,
    numbers     INTEGER NOT NULL,
    started_at  TEXT NOT NULL,
    imported_at TEXT
) STRICT;

CREATE TABLE litigators (
    number     TEXT NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (number, generation)
) STRICT, WITHOUT ROWID;
CREATE INDEX litigators_by_generation ON litigators (generation);

-- Answers that vendors gave about single numbers. Those about reassignment are evidence and are all kept.
CREATE TABLE reassigned_answers (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    number       TEXT NOT NULL,
    consent_date TEXT NOT NULL,
    answer       TEXT NOT NULL CHECK (answer IN ('yes', 'no', 'no_data')),
    asked_at     TEXT NOT NULL,
    source       TEXT NOT NULL
) STRICT;
CREATE INDEX reassigned_answers_by_number ON reassigned_answers (number, asked_at);

CREATE TABLE dnc_answers (
    number   TEXT NOT NULL,
    list     TEXT NOT NULL,
    listed   INTEGER NOT NULL CHECK (listed IN (0, 1)),
    as_of    TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    source   TEXT NOT NULL,
    PRIMARY KEY (number, list)
) STRICT, WITHOUT ROWID;

CREATE TABLE line_types (
    number    TEXT NOT NULL PRIMARY KEY,
    line_type TEXT NOT NULL,
    asked_at  TEXT NOT NULL,
    source    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Established business relationships, 47 CFR 64.1200(f)(5).
CREATE TABLE relationships (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    number      TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('purchase', 'inquiry')),
    date        TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    door        TEXT NOT NULL,
    actor       TEXT NOT NULL
) STRICT;
CREATE INDEX relationships_by_number ON relationships (number);

CREATE TABLE leads (
    id         TEXT NOT NULL PRIMARY KEY,
    number     TEXT NOT NULL,
    status     TEXT NOT NULL,
    search     TEXT NOT NULL, -- names, e-mail and tags in lower case
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    record     TEXT NOT NULL
) STRICT;
CREATE INDEX leads_by_number ON leads (number);
CREATE INDEX leads_by_age ON leads (created_at, id);
CREATE INDEX leads_by_status ON leads (status, created_at, id);

CREATE TABLE api_keys (
    id           TEXT NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    sha256       TEXT NOT NULL UNIQUE,
    created_at   TEXT NOT NULL,
    revoked_at   TEXT,
    last_used_at TEXT
) STRICT;

CREATE TABLE settings (
    key        TEXT NOT NULL PRIMARY KEY,
    value      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_tokens (
    token   TEXT NOT NULL PRIMARY KEY,
    seen_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_tokens_by_age ON webhook_tokens (seen_at);

-- What the agents' vendors sent after their conversations.
CREATE TABLE conversations (
    id          TEXT NOT NULL PRIMARY KEY,
    call_id     TEXT,
    payload     TEXT NOT NULL,
    received_at TEXT NOT NULL
) STRICT;
CREATE INDEX conversations_by_call ON conversations (call_id) WHERE call_id IS NOT NULL;

CREATE TRIGGER decisions_stay_as_written BEFORE UPDATE ON decisions
BEGIN SELECT RAISE (ABORT, 'decisions are never changed'); END;
CREATE TRIGGER decisions_stay BEFORE DELETE ON decisions
BEGIN SELECT RAISE (ABORT, 'decisions are never deleted'); END;
CREATE TRIGGER decision_subjects_stay_as_written BEFORE UPDATE ON decision_subjects
BEGIN SELECT RAISE (ABORT, 'decision subjects are never changed'); END;
-- A subject may only go once its erasure is written down.
CREATE TRIGGER decision_subjects_stay BEFORE DELETE ON decision_subjects
WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE erasures.decision_id = OLD.decision_id)
BEGIN SELECT RAISE (ABORT, 'a decision subject is only deleted with a recorded erasure'); END;
CREATE TRIGGER erasures_stay_as_written BEFORE UPDATE ON erasures
BEGIN SELECT RAISE (ABORT, 'erasures are never changed'); END;
CREATE TRIGGER erasures_stay BEFORE DELETE ON erasures
BEGIN SELECT RAISE (ABORT, 'erasures are never deleted'); END;
CREATE TRIGGER consents_stay_as_written BEFORE UPDATE ON consents
BEGIN SELECT RAISE (ABORT, 'consents are never changed'); END;
CREATE TRIGGER consents_stay BEFORE DELETE ON consents
BEGIN SELECT RAISE (ABORT, 'consents are never deleted'); END;
CREATE TRIGGER revocations_stay_as_written BEFORE UPDATE ON revocations
BEGIN SELECT RAISE (ABORT, 'revocations are never changed'); END;
CREATE TRIGGER revocations_stay BEFORE DELETE ON revocations
BEGIN SELECT RAISE (ABORT, 'revocations are never deleted'); END;
CREATE TRIGGER internal_dnc_stays BEFORE DELETE ON internal_dnc
BEGIN SELECT RAISE (ABORT, 'do-not-call entries are closed, never deleted'); END;
CREATE TRIGGER call_events_stay_as_written BEFORE UPDATE ON call_events
BEGIN SELECT RAISE (ABORT, 'journal entries are never changed'); END;
