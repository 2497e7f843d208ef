-- What agents were asked to remember of a number's people, for the next call with them.
CREATE TABLE memories (
    number  TEXT NOT NULL,
    name    TEXT NOT NULL,
    text    TEXT NOT NULL,
    call_id TEXT NOT NULL,
    at      TEXT NOT NULL,
    PRIMARY KEY (number, name)
) STRICT;
