-- The log on Postgres. The events table is a superset of the one that postgres-es 0.5 uses, so any cqrs-es program can read
-- it, and a stock postgres-es writer can append to it. `json`, not `jsonb`: the exact bytes stay.

CREATE TABLE events (
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    sequence       bigint NOT NULL CHECK (sequence >= 1),
    event_type     text   NOT NULL,
    event_version  text   NOT NULL,
    payload        json   NOT NULL,
    metadata       json   NOT NULL,
    position       bigint NOT NULL,
    scope          uuid,
    recorded_at    bigint NOT NULL, -- µs since 1970, UTC; never decreases
    leaf_hash      bytea  NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);

CREATE UNIQUE INDEX events_by_position ON events (position);
CREATE INDEX events_by_scope ON events (scope, position) WHERE scope IS NOT NULL;

-- The newest position. Whoever appends holds this row's lock until its transaction ends: that makes positions dense, and
-- visible in their order.
CREATE TABLE log_head (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position    bigint NOT NULL,
    recorded_at bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head (position, recorded_at) VALUES (0, 0);

-- What a command did, so that its repeat is answered and not done again.
CREATE TABLE commands (
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    command        uuid   NOT NULL,
    last_position  bigint NOT NULL,
    last_sequence  bigint NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, command)
);

-- The last batch of each writing process and how it ended. A writer that lost its connection sends the batch again under
-- the same number: it is then either written now, or answered from here.
CREATE TABLE writers (
    writer      uuid PRIMARY KEY,
    batch       bigint   NOT NULL,
    recorded_at bigint   NOT NULL,
    statuses    bigint[] NOT NULL,
    positions   bigint[] NOT NULL,
    sequences   bigint[] NOT NULL
) WITH (fillfactor = 20);

-- Large content, by its SHA-256. Encoding 0 is as is, 1 is zstd; the size is that of the content, not of the stored bytes.
CREATE TABLE blobs (
    sha256   bytea PRIMARY KEY,
    size     bigint   NOT NULL,
    encoding smallint NOT NULL,
    bytes    bytea    NOT NULL
);
-- Compressed already, where it helps.
ALTER TABLE blobs ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE bookmarks (
    name     text PRIMARY KEY,
    position bigint NOT NULL,
    state    bytea  NOT NULL
);
