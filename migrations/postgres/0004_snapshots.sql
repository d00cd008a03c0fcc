-- An aggregate's state after one of its events, so that loading it reads only the later ones. Never the truth: rows may be deleted
-- at any time. The leaf hash is that event's; a snapshot of a history that the log does not have any more does not match it.
-- The state is JSON, as a zstd frame with a checksum. postgres-es has a table `snapshots` of its own, so this one has another name.
CREATE TABLE aggregate_snapshots (
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    sequence       bigint NOT NULL,
    leaf_hash      bytea  NOT NULL,
    state_version  bigint NOT NULL,
    state          bytea  NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
);
-- Compressed already.
ALTER TABLE aggregate_snapshots ALTER COLUMN state SET STORAGE EXTERNAL;
