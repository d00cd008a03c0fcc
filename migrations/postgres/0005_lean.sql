-- Lean rows: whatever repeats from row to row is stored once and named by a number, so that an event which carries one token costs
-- little more than the token. `events` stays what it was for every reader and for stock postgres-es, as a view.
--
-- Numbers are four bytes: a table of Postgres is full (32 TiB) before two thousand million streams have a hundred events each.

-- Nobody appends meanwhile, and nobody waits for us while holding what we want.
LOCK TABLE log_head, events, commands, writers IN ACCESS EXCLUSIVE MODE;

DROP FUNCTION docket_append(
    uuid, bigint, text[], text[], bigint[], uuid[], bigint[], uuid[], bigint[], text[], bytea[], bigint[], bigint[], text[], text[],
    text[], bytea[], bytea[], bigint[], bytea[], bigint[], smallint[], bytea[]
);
DROP TABLE writers;

CREATE TABLE streams (
    id             int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id   text COLLATE "C" NOT NULL,
    UNIQUE (aggregate_type, aggregate_id)
);

CREATE TABLE scopes (
    id    int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope uuid NOT NULL UNIQUE
);

CREATE TABLE event_types (
    id      int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    UNIQUE (name, version)
);

-- Not unique on purpose: writers remember the recent ones, and an index over the text would cost more than the few rows that repeat.
CREATE TABLE metadata (
    id   int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    json text NOT NULL
);

INSERT INTO streams (aggregate_type, aggregate_id)
    SELECT aggregate_type COLLATE "C", aggregate_id COLLATE "C" FROM events GROUP BY 1, 2 ORDER BY min(position);
INSERT INTO scopes (scope) SELECT scope FROM events WHERE scope IS NOT NULL GROUP BY scope ORDER BY min(position);
INSERT INTO event_types (name, version)
    SELECT event_type COLLATE "C", event_version COLLATE "C" FROM events GROUP BY 1, 2 ORDER BY min(position);
INSERT INTO metadata (json) SELECT metadata::text FROM events GROUP BY metadata::text ORDER BY min(position);
ANALYZE streams, scopes, event_types, metadata;

-- The payload is text, because whoever appends has checked the JSON already. Nothing refers to other tables by a constraint: the
-- functions that append are the only ones to write here, and a check for each row would cost as much as the row.
CREATE TABLE log_events (
    position    bigint NOT NULL,
    recorded_at bigint NOT NULL, -- µs since 1970, UTC; never decreases
    stream      int    NOT NULL,
    sequence    int    NOT NULL,
    metadata    int    NOT NULL,
    scope       int,
    event_type  int    NOT NULL,
    payload     text   NOT NULL,
    leaf_hash   bytea  NOT NULL
);

INSERT INTO log_events (position, recorded_at, stream, sequence, metadata, scope, event_type, payload, leaf_hash)
SELECT e.position, e.recorded_at, s.id, e.sequence, m.id, x.id, t.id, e.payload::text, e.leaf_hash
FROM events e
JOIN streams s ON s.aggregate_type = e.aggregate_type COLLATE "C" AND s.aggregate_id = e.aggregate_id COLLATE "C"
JOIN event_types t ON t.name = e.event_type COLLATE "C" AND t.version = e.event_version COLLATE "C"
JOIN metadata m ON m.json = e.metadata::text
LEFT JOIN scopes x ON x.scope = e.scope
ORDER BY e.position;

ALTER TABLE log_events ADD PRIMARY KEY (position);
CREATE UNIQUE INDEX log_events_by_stream ON log_events (stream, sequence);
CREATE INDEX log_events_by_scope ON log_events (scope, position) WHERE scope IS NOT NULL;

-- Every event came along, or nothing is changed.
DO $$ BEGIN
    IF (SELECT position FROM log_head) <> (SELECT coalesce(max(position), 0) FROM log_events)
        OR (SELECT count(*) FROM events) <> (SELECT count(*) FROM log_events) THEN
        RAISE EXCEPTION 'the events were not carried over in full';
    END IF;
END $$;

ALTER TABLE commands RENAME TO commands_by_name;
CREATE TABLE commands (
    stream        int    NOT NULL,
    command       uuid   NOT NULL,
    last_position bigint NOT NULL,
    last_sequence int    NOT NULL,
    PRIMARY KEY (stream, command)
);
INSERT INTO commands (stream, command, last_position, last_sequence)
    SELECT s.id, c.command, c.last_position, c.last_sequence FROM commands_by_name c
    JOIN streams s ON s.aggregate_type = c.aggregate_type COLLATE "C" AND s.aggregate_id = c.aggregate_id COLLATE "C";

DROP TABLE commands_by_name, events, log_head;
DROP FUNCTION docket_place_event(), docket_prefixed(text), docket_leaf_hash(bigint, bigint, bigint, bytea, bytea, bytea);

-- The last batch of each writing process and how it ended. A writer that lost its connection sends the batch again under the same
-- number: it is then either written now, or answered from here. A row is never changed, so that the newest is found at once also
-- while a backup keeps all the old ones from being cleaned away.
CREATE TABLE batches (
    writer      uuid   NOT NULL,
    batch       bigint NOT NULL,
    recorded_at bigint NOT NULL,
    statuses    int[]    NOT NULL,
    positions   bigint[] NOT NULL,
    sequences   bigint[] NOT NULL,
    PRIMARY KEY (writer, batch)
);
ALTER TABLE batches
    ALTER COLUMN statuses SET STORAGE EXTERNAL,
    ALTER COLUMN positions SET STORAGE EXTERNAL,
    ALTER COLUMN sequences SET STORAGE EXTERNAL;

CREATE VIEW events AS
SELECT
    s.aggregate_type, s.aggregate_id, e.sequence::bigint AS sequence, t.name AS event_type, t.version AS event_version,
    e.payload::json AS payload, m.json::json AS metadata, e.position, x.scope, e.recorded_at, e.leaf_hash
FROM log_events e
JOIN streams s ON s.id = e.stream
JOIN event_types t ON t.id = e.event_type
JOIN metadata m ON m.id = e.metadata
LEFT JOIN scopes x ON x.id = e.scope;
