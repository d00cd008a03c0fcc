-- An aggregate's state after one of its events, so that loading it reads only the later ones. Never the truth: rows may be deleted
-- at any time. The leaf hash is that event's; a snapshot of a history that the log does not have any more does not match it.
-- The state is JSON, as a zstd frame with a checksum. postgres-es has a table `snapshots` of its own, so this one has another name.
CREATE TABLE aggregate_snapshots (
    stream        INTEGER PRIMARY KEY REFERENCES streams (id),
    sequence      INTEGER NOT NULL,
    leaf_hash     BLOB NOT NULL,
    state_version INTEGER NOT NULL,
    state         BLOB NOT NULL
) STRICT;
