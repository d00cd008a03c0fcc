-- The log on SQLite. Whatever repeats from row to row is stored once and named by a number, so that an event which
-- carries one token costs little more than the token.

CREATE TABLE streams (
    id             INTEGER PRIMARY KEY,
    aggregate_type TEXT NOT NULL,
    aggregate_id   TEXT NOT NULL,
    UNIQUE (aggregate_type, aggregate_id)
) STRICT;

CREATE TABLE scopes (
    id    INTEGER PRIMARY KEY,
    scope BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE event_types (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    UNIQUE (name, version)
) STRICT;

-- Not unique on purpose: the writer remembers the recent ones, and an index over the text would cost more than the few
-- rows that repeat.
CREATE TABLE metadata (
    id   INTEGER PRIMARY KEY,
    json TEXT NOT NULL
) STRICT;

CREATE TABLE events (
    position    INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL REFERENCES streams (id),
    sequence    INTEGER NOT NULL,
    scope       INTEGER REFERENCES scopes (id),
    event_type  INTEGER NOT NULL REFERENCES event_types (id),
    payload     TEXT NOT NULL,
    metadata    INTEGER NOT NULL REFERENCES metadata (id),
    recorded_at INTEGER NOT NULL, -- µs since 1970, UTC; never decreases
    leaf_hash   BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_stream ON events (stream, sequence);
CREATE INDEX events_by_scope ON events (scope, position) WHERE scope IS NOT NULL;

CREATE TRIGGER events_are_not_updated BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;

CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are never deleted');
END;

-- What a command did, so that its repeat is answered and not done again.
CREATE TABLE commands (
    stream        INTEGER NOT NULL REFERENCES streams (id),
    command       BLOB NOT NULL,
    last_position INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    PRIMARY KEY (stream, command)
) STRICT, WITHOUT ROWID;

-- Large content, by its SHA-256. Encoding 0 is as is, 1 is zstd; the size is that of the content, not of the stored bytes.
CREATE TABLE blobs (
    sha256   BLOB NOT NULL UNIQUE,
    size     INTEGER NOT NULL,
    encoding INTEGER NOT NULL,
    bytes    BLOB NOT NULL
) STRICT;

CREATE TABLE bookmarks (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    state    BLOB NOT NULL
) STRICT;
