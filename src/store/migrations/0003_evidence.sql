-- Evidence and records: the rule texts that decisions were made under, the call a decision was asked for, what operators did, and
-- what of a person may be erased.

-- The call that a decision was asked for, where there was one. Covered by the row's hash (see `ledger`).
ALTER TABLE decisions ADD COLUMN call_id TEXT;
CREATE INDEX decisions_by_call ON decisions (call_id) WHERE call_id IS NOT NULL;

-- Every set of rule texts that a decision was made under, so that it can be made again. `files` is JSON: [[name, text], …] in the
-- order of the hash.
CREATE TABLE rule_sets (
    rule_set TEXT NOT NULL PRIMARY KEY, -- version and hash, as decisions quote it
    files    TEXT NOT NULL,
    kept_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What operators did that no call's journal tells: stops, imports, erasures. `detail` is JSON and names nobody.
CREATE TABLE operator_log (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at     TEXT NOT NULL,
    door   TEXT NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX operator_log_by_time ON operator_log (at);

-- Records that were erased after the time for which the law asks for them.
CREATE TABLE record_erasures (
    kind      TEXT NOT NULL CHECK (kind IN ('consent', 'revocation')),
    record_id TEXT NOT NULL,
    erased_at TEXT NOT NULL,
    door      TEXT NOT NULL,
    actor     TEXT NOT NULL,
    PRIMARY KEY (kind, record_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX consents_by_age ON consents (recorded_at, id);

CREATE TRIGGER rule_sets_stay_as_written BEFORE UPDATE ON rule_sets
BEGIN SELECT RAISE (ABORT, 'rule sets are never changed'); END;
CREATE TRIGGER rule_sets_stay BEFORE DELETE ON rule_sets
BEGIN SELECT RAISE (ABORT, 'rule sets are never deleted'); END;
CREATE TRIGGER operator_log_stays_as_written BEFORE UPDATE ON operator_log
BEGIN SELECT RAISE (ABORT, 'what operators did is never changed'); END;
CREATE TRIGGER operator_log_stays BEFORE DELETE ON operator_log
BEGIN SELECT RAISE (ABORT, 'what operators did is never deleted'); END;
CREATE TRIGGER record_erasures_stay_as_written BEFORE UPDATE ON record_erasures
BEGIN SELECT RAISE (ABORT, 'erasures are never changed'); END;
CREATE TRIGGER record_erasures_stay BEFORE DELETE ON record_erasures
BEGIN SELECT RAISE (ABORT, 'erasures are never deleted'); END;

-- A consent or a revocation may only go once its erasure is written down.
DROP TRIGGER consents_stay;
CREATE TRIGGER consents_stay BEFORE DELETE ON consents
WHEN NOT EXISTS (SELECT 1 FROM record_erasures WHERE kind = 'consent' AND record_id = OLD.id)
BEGIN SELECT RAISE (ABORT, 'a consent is only deleted with a recorded erasure'); END;
DROP TRIGGER revocations_stay;
CREATE TRIGGER revocations_stay BEFORE DELETE ON revocations
WHEN NOT EXISTS (SELECT 1 FROM record_erasures WHERE kind = 'revocation' AND record_id = CAST(OLD.id AS TEXT))
BEGIN SELECT RAISE (ABORT, 'a revocation is only deleted with a recorded erasure'); END;
