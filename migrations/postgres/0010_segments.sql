-- Events that were moved out of the table `log_events` into compressed files, segment by segment. A file is written and read back
-- before its row is made here; then the events' rows are deleted piece by piece, and readers take from the file what has no row.

-- Numbers are given out under a lock of the table, so that none becomes visible after a higher one.
CREATE TABLE segments (
    id          bigint  PRIMARY KEY,
    object      text    NOT NULL UNIQUE, -- the file's name in the store
    first       bigint  NOT NULL,        -- position of its first event
    last        bigint  NOT NULL,        -- position of its last event
    events      bigint  NOT NULL,
    bytes       bigint  NOT NULL,
    leaf_hashes bytea   NOT NULL,        -- SHA-256 of the events' leaf hashes in order of position
    ended       bigint  NOT NULL,        -- the newest end of a stream in it, a position: the next segment begins behind it
    pruned      boolean NOT NULL DEFAULT false
);

-- Up to which of its events a stream is in a segment. Its last event always stays a row, so that its sequence, and the log's
-- newest position, are found where they always are.
CREATE TABLE sealed_streams (
    stream        int    PRIMARY KEY,
    segment       bigint NOT NULL REFERENCES segments (id),
    last_sequence int    NOT NULL
);

-- The scopes that a segment has events of.
CREATE TABLE segment_scopes (
    scope   uuid   NOT NULL,
    segment bigint NOT NULL REFERENCES segments (id),
    PRIMARY KEY (scope, segment)
);

CREATE FUNCTION docket_refuse_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM sealed_streams s WHERE s.stream = OLD.stream AND s.last_sequence >= OLD.sequence;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'events are never deleted unless they are sealed';
    END IF;
    RETURN OLD;
END
$$;

DROP TRIGGER events_are_not_changed ON log_events;
CREATE TRIGGER events_are_not_updated BEFORE UPDATE ON log_events FOR EACH ROW EXECUTE FUNCTION docket_refuse_change();
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON log_events FOR EACH ROW EXECUTE FUNCTION docket_refuse_unsealed();
