-- Events that were moved out of the table `events` into compressed files, segment by segment. A file is written and read back
-- before its row is made here; then the events' rows are deleted piece by piece, and readers take from the file what has no row.

CREATE TABLE segments (
    id          INTEGER PRIMARY KEY,
    object      TEXT    NOT NULL UNIQUE, -- the file's name in the store
    first       INTEGER NOT NULL,        -- position of its first event
    last        INTEGER NOT NULL,        -- position of its last event
    events      INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    leaf_hashes BLOB    NOT NULL,        -- SHA-256 of the events' leaf hashes in order of position
    ended       INTEGER NOT NULL,        -- the newest end of a stream in it, a position: the next segment begins behind it
    pruned      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Up to which of its events a stream is in a segment. Its last event always stays a row, so that its sequence, and the log's
-- newest position, are found where they always are.
CREATE TABLE sealed_streams (
    stream        INTEGER PRIMARY KEY REFERENCES streams (id),
    segment       INTEGER NOT NULL REFERENCES segments (id),
    last_sequence INTEGER NOT NULL
) STRICT;

-- The scopes that a segment has events of.
CREATE TABLE segment_scopes (
    scope   BLOB    NOT NULL,
    segment INTEGER NOT NULL REFERENCES segments (id),
    PRIMARY KEY (scope, segment)
) STRICT, WITHOUT ROWID;

DROP TRIGGER events_are_not_deleted;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM sealed_streams s WHERE s.stream = OLD.stream AND s.last_sequence >= OLD.sequence)
BEGIN
    SELECT RAISE(ABORT, 'events are never deleted unless they are sealed');
END;
