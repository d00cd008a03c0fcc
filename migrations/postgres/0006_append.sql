-- How events come into the log: a batch of ours, or a row of a stock postgres-es writer. And how they never leave it.

-- Whoever appends holds this lock until its transaction ends: that makes positions dense, and visible in their order. It is not a
-- row's lock, because the row would change with every batch, and while a backup runs nothing cleans its old versions away.
-- Only later statements, with a snapshot of their own, see what was written during the wait.
CREATE FUNCTION docket_lock_head() RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(x'646f636b'::int, x'65740000'::int)
$$;

-- SHA-256(0x00 || leaf), the RFC 6962 leaf hash; `leaf_hash` in the eventlog crate is the same function. The digests are those of
-- the names, the metadata and the payload, one after the other.
CREATE FUNCTION docket_leaf_hash("position" bigint, sequence bigint, recorded_at bigint, digests bytea)
RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT sha256('\x00646f636b65742f6c6561667631000000'::bytea || int8send($1) || int8send($2) || int8send($3) || $4)
$$;

-- A whole batch of appends in one round trip.
--
-- n_*: names that the writer does not know the numbers of. s_stream: the distinct streams. r_*: one element a request, in order;
-- r_stream counts from 1 into s_stream; r_expected is the sequence that the stream's last event must have, 0 for a stream without
-- events, -1 for any; r_events is how many of e_* are its. c_*: the requests that have a command. e_*: all events of all requests,
-- with 96 bytes of e_digests each. b_*: blobs. c_request, e_request and b_request count from 1 into r_*.
-- Where a stream, scope, type or metadata is named by number, a negative one counts from -1 into n_*; scope 0 is none.
--
-- p_base and p_at: the newest position, as far as the writer knows, and its clock. If they hold and every request is written, e_leaf
-- has the leaf hashes, 32 bytes each, and they need not be computed here; it is empty where the writer foresees nothing.
--
-- statuses: 0 written, 1 the command had been applied (positions and sequences are the old ones), 2 conflict (sequences holds
-- what the stream has). Each request is judged alone: one that is refused does not fail its neighbours. new_*: the numbers of n_*.
-- base: the newest position before. foreseen: e_leaf was used, so all is as the writer thought.
--
-- Everything is looked up along indexes; the writer's connection is set so that plans, made perhaps when the tables were empty, are
-- of that kind.
CREATE FUNCTION docket_append(
    p_writer uuid, p_batch bigint, p_base bigint, p_at bigint,
    n_stream_type text[], n_stream_id text[], n_scope uuid[], n_type text[], n_version text[], n_metadata text[],
    s_stream int[],
    r_stream int[], r_scope int[], r_metadata int[], r_expected bigint[], r_events int[],
    c_request int[], c_command uuid[],
    e_request int[], e_type int[], e_payload text[], e_digests bytea, e_leaf bytea,
    b_request int[], b_sha256 bytea[], b_size bigint[], b_encoding smallint[], b_bytes bytea[],
    OUT stamped_at bigint, OUT statuses int[], OUT positions bigint[], OUT sequences bigint[],
    OUT new_streams int[], OUT new_scopes int[], OUT new_types int[], OUT new_metadata int[], OUT base bigint, OUT foreseen boolean
) LANGUAGE plpgsql AS $$
DECLARE
    requests  CONSTANT int := cardinality(r_stream);
    previous  record;
    repeated  record;
    newest_at bigint;
    head      bigint;
    heads     bigint[];
    -- An event of a request that is written: its place in e_* and this make its position, and its sequence.
    position_shifts bigint[] := array_fill(0::bigint, ARRAY[requests]);
    sequence_shifts bigint[] := array_fill(0::bigint, ARRAY[requests]);
    before    int := 0;
    s         int;
BEGIN
    PERFORM docket_lock_head();

    SELECT * INTO previous FROM batches b WHERE b.writer = p_writer ORDER BY b.batch DESC LIMIT 1;
    IF previous.batch = p_batch THEN
        stamped_at := previous.recorded_at;
        statuses := previous.statuses;
        positions := previous.positions;
        sequences := previous.sequences;
        foreseen := false;
        RETURN;
    ELSIF previous.batch > p_batch THEN
        -- A straggler from a connection that its writer has given up.
        RAISE EXCEPTION 'batch % of writer % is out of date', p_batch, p_writer;
    END IF;

    IF cardinality(n_stream_id) > 0 THEN
        INSERT INTO streams (aggregate_type, aggregate_id)
            SELECT n.aggregate_type, n.aggregate_id FROM unnest(n_stream_type, n_stream_id) AS n (aggregate_type, aggregate_id)
            WHERE NOT EXISTS (SELECT FROM streams o WHERE o.aggregate_type = n.aggregate_type AND o.aggregate_id = n.aggregate_id);
        new_streams := ARRAY(
            SELECT (SELECT o.id FROM streams o WHERE o.aggregate_type = n.aggregate_type AND o.aggregate_id = n.aggregate_id)
            FROM unnest(n_stream_type, n_stream_id) AS n (aggregate_type, aggregate_id)
        );
        s_stream := ARRAY(SELECT CASE WHEN n.id < 0 THEN new_streams[-n.id] ELSE n.id END FROM unnest(s_stream) AS n (id));
    END IF;
    IF cardinality(n_scope) > 0 THEN
        INSERT INTO scopes (scope) SELECT n.scope FROM unnest(n_scope) AS n (scope)
            WHERE NOT EXISTS (SELECT FROM scopes o WHERE o.scope = n.scope);
        new_scopes := ARRAY(SELECT (SELECT o.id FROM scopes o WHERE o.scope = n.scope) FROM unnest(n_scope) AS n (scope));
        r_scope := ARRAY(SELECT CASE WHEN n.id < 0 THEN new_scopes[-n.id] ELSE n.id END FROM unnest(r_scope) AS n (id));
    END IF;
    IF cardinality(n_type) > 0 THEN
        INSERT INTO event_types (name, version) SELECT n.name, n.version FROM unnest(n_type, n_version) AS n (name, version)
            WHERE NOT EXISTS (SELECT FROM event_types o WHERE o.name = n.name AND o.version = n.version);
        new_types := ARRAY(
            SELECT (SELECT o.id FROM event_types o WHERE o.name = n.name AND o.version = n.version)
            FROM unnest(n_type, n_version) AS n (name, version)
        );
        e_type := ARRAY(SELECT CASE WHEN n.id < 0 THEN new_types[-n.id] ELSE n.id END FROM unnest(e_type) AS n (id));
    END IF;
    IF cardinality(n_metadata) > 0 THEN
        WITH added AS (INSERT INTO metadata (json) SELECT n.json FROM unnest(n_metadata) AS n (json) RETURNING id)
            SELECT array_agg(added.id ORDER BY added.id) INTO new_metadata FROM added;
        r_metadata := ARRAY(SELECT CASE WHEN n.id < 0 THEN new_metadata[-n.id] ELSE n.id END FROM unnest(r_metadata) AS n (id));
    END IF;

    statuses := array_fill(0, ARRAY[requests]);
    positions := position_shifts;
    sequences := position_shifts;
    IF cardinality(c_request) > 0 THEN
        FOR repeated IN
            SELECT c.request, o.last_position, o.last_sequence
            FROM unnest(c_request, c_command) AS c (request, command),
                LATERAL (
                    SELECT * FROM commands o WHERE o.stream = s_stream[r_stream[c.request]] AND o.command = c.command LIMIT 1
                ) o
        LOOP
            statuses[repeated.request] := 1;
            positions[repeated.request] := repeated.last_position;
            sequences[repeated.request] := repeated.last_sequence;
        END LOOP;
    END IF;

    SELECT e.position, e.recorded_at INTO base, newest_at FROM log_events e ORDER BY e.position DESC LIMIT 1;
    base := coalesce(base, 0);
    newest_at := coalesce(newest_at, 0);
    stamped_at := greatest(newest_at, docket_now());
    heads := ARRAY(
        SELECT coalesce((SELECT e.sequence FROM log_events e WHERE e.stream = n.id ORDER BY e.sequence DESC LIMIT 1), 0)
        FROM unnest(s_stream) AS n (id)
    );
    head := base;
    FOR i IN 1 .. requests LOOP
        s := r_stream[i];
        IF statuses[i] = 1 THEN
            NULL;
        ELSIF r_expected[i] >= 0 AND r_expected[i] <> heads[s] THEN
            statuses[i] := 2;
            sequences[i] := heads[s];
        ELSE
            position_shifts[i] := head - before;
            sequence_shifts[i] := heads[s] - before;
            head := head + r_events[i];
            heads[s] := heads[s] + r_events[i];
            positions[i] := head;
            sequences[i] := heads[s];
        END IF;
        before := before + r_events[i];
    END LOOP;

    -- A clock that is a second off is not the writer's to use: the time of the log never goes back.
    foreseen := e_leaf <> '' AND base = p_base AND 0 = ALL (statuses) AND p_at >= newest_at AND abs(p_at - docket_now()) < 1000000;
    IF foreseen THEN
        stamped_at := p_at;
    END IF;

    IF head > base THEN
        INSERT INTO log_events (position, recorded_at, stream, sequence, metadata, scope, event_type, payload, leaf_hash)
        SELECT
            position_shifts[e.request] + e.place, stamped_at, s_stream[r_stream[e.request]], sequence_shifts[e.request] + e.place,
            r_metadata[e.request], nullif(r_scope[e.request], 0), e.type, e.payload,
            CASE WHEN foreseen THEN substring(e_leaf FROM 32 * e.place - 31 FOR 32) ELSE docket_leaf_hash(
                position_shifts[e.request] + e.place, sequence_shifts[e.request] + e.place, stamped_at,
                substring(e_digests FROM 96 * e.place - 95 FOR 96)
            ) END
        FROM (
            SELECT generate_series(1, before) AS place, unnest(e_request) AS request, unnest(e_type) AS type, unnest(e_payload) AS payload
        ) e
        WHERE statuses[e.request] = 0;

        IF cardinality(c_request) > 0 THEN
            INSERT INTO commands (stream, command, last_position, last_sequence)
            SELECT s_stream[r_stream[c.request]], c.command, positions[c.request], sequences[c.request]
            FROM unnest(c_request, c_command) AS c (request, command) WHERE statuses[c.request] = 0;
        END IF;
        IF cardinality(b_request) > 0 THEN
            INSERT INTO blobs (sha256, size, encoding, bytes)
            SELECT b.sha256, b.size, b.encoding, b.bytes
            FROM unnest(b_request, b_sha256, b_size, b_encoding, b_bytes) AS b (request, sha256, size, encoding, bytes)
            WHERE statuses[b.request] = 0
            ON CONFLICT DO NOTHING;
        END IF;
        -- The writer's name is there so that it need not listen to itself.
        PERFORM pg_notify('docket', head::text || ' ' || p_writer::text);
    END IF;

    DELETE FROM batches b WHERE b.writer = p_writer AND b.batch = previous.batch;
    INSERT INTO batches (writer, batch, recorded_at, statuses, positions, sequences)
    VALUES (p_writer, p_batch, stamped_at, statuses, positions, sequences);
END
$$;

CREATE FUNCTION docket_prefixed(field text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT int4send(octet_length(convert_to(field, 'UTF8'))) || convert_to(field, 'UTF8')
$$;

-- A row that a stock postgres-es writer inserts into the view. The lock is held until that writer's transaction ends.
CREATE FUNCTION docket_place_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stream_id   int;
    type_id     int;
    metadata_id int;
    digests     bytea;
BEGIN
    IF NEW.position IS NOT NULL OR NEW.recorded_at IS NOT NULL OR NEW.leaf_hash IS NOT NULL OR NEW.scope IS NOT NULL THEN
        RAISE EXCEPTION 'the log itself gives an event its position, time and hash';
    ELSIF NEW.sequence IS NULL OR NEW.sequence < 1 THEN
        RAISE EXCEPTION 'sequences begin at 1' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM docket_lock_head();

    SELECT s.id INTO stream_id FROM streams s WHERE s.aggregate_type = NEW.aggregate_type AND s.aggregate_id = NEW.aggregate_id;
    IF NOT FOUND THEN
        INSERT INTO streams (aggregate_type, aggregate_id) VALUES (NEW.aggregate_type, NEW.aggregate_id) RETURNING id INTO stream_id;
    END IF;
    SELECT t.id INTO type_id FROM event_types t WHERE t.name = NEW.event_type AND t.version = NEW.event_version;
    IF NOT FOUND THEN
        INSERT INTO event_types (name, version) VALUES (NEW.event_type, NEW.event_version) RETURNING id INTO type_id;
    END IF;
    -- What the stream's last event has is often what this one has.
    SELECT m.id INTO metadata_id
    FROM (SELECT e.metadata FROM log_events e WHERE e.stream = stream_id ORDER BY e.sequence DESC LIMIT 1) newest
    JOIN metadata m ON m.id = newest.metadata WHERE m.json = NEW.metadata::text;
    IF NOT FOUND THEN
        INSERT INTO metadata (json) VALUES (NEW.metadata::text) RETURNING id INTO metadata_id;
    END IF;

    SELECT coalesce(max(e.position), 0) + 1 INTO NEW.position FROM log_events e;
    SELECT greatest(docket_now(), max(e.recorded_at)) INTO NEW.recorded_at FROM log_events e WHERE e.position = NEW.position - 1;
    digests := sha256(
        docket_prefixed(NEW.aggregate_type) || docket_prefixed(NEW.aggregate_id)
        || docket_prefixed(NEW.event_type) || docket_prefixed(NEW.event_version)
    ) || sha256(convert_to(NEW.metadata::text, 'UTF8')) || sha256(convert_to(NEW.payload::text, 'UTF8'));
    NEW.leaf_hash := docket_leaf_hash(NEW.position, NEW.sequence, NEW.recorded_at, digests);
    INSERT INTO log_events (position, recorded_at, stream, sequence, metadata, event_type, payload, leaf_hash)
    VALUES (
        NEW.position, NEW.recorded_at, stream_id, NEW.sequence, metadata_id, type_id, NEW.payload::text, NEW.leaf_hash
    );
    PERFORM pg_notify('docket', NEW.position::text);
    RETURN NEW;
END
$$;

CREATE TRIGGER events_are_placed INSTEAD OF INSERT ON events FOR EACH ROW EXECUTE FUNCTION docket_place_event();

CREATE TRIGGER events_are_not_changed BEFORE UPDATE OR DELETE ON log_events
    FOR EACH ROW EXECUTE FUNCTION docket_refuse_change();
CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON log_events
    FOR EACH STATEMENT EXECUTE FUNCTION docket_refuse_change();
CREATE TRIGGER events_are_not_changed INSTEAD OF UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION docket_refuse_change();
