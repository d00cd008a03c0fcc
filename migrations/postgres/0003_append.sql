-- A whole batch of appends in one round trip.
--
-- s_*: the distinct streams. r_*: one element a request, in order; r_stream counts from 1 into s_*; r_expected is the sequence
-- that the stream's last event must have, 0 for a stream without events, -1 for any. e_*: all events of all requests;
-- e_request counts from 1 into r_*, e_offset from 1 within the request. b_*: blobs.
--
-- statuses: 0 written, 1 the command had been applied (positions and sequences are the old ones), 2 conflict (sequences holds
-- what the stream has). Each request is judged alone: one that is refused does not fail its neighbours.
--
-- Sequential and bitmap scans are off because the plans are cached, perhaps from when the tables were empty; nested loops because
-- Postgres takes an array for ten elements, and they may be thousands. Then jit must be off too: what is done all the same (a scan
-- of log_head) counts as very dear, and compiling it would take 50 ms every time.
CREATE FUNCTION docket_append(
    p_writer uuid, p_batch bigint,
    s_type text[], s_id text[],
    r_stream bigint[], r_scope uuid[], r_expected bigint[], r_command uuid[], r_events bigint[],
    r_metadata text[], r_metadata_digest bytea[],
    e_request bigint[], e_offset bigint[], e_type text[], e_version text[], e_payload text[],
    e_name_digest bytea[], e_payload_digest bytea[],
    b_request bigint[], b_sha256 bytea[], b_size bigint[], b_encoding smallint[], b_bytes bytea[],
    OUT stamped_at bigint, OUT statuses bigint[], OUT positions bigint[], OUT sequences bigint[]
) LANGUAGE plpgsql SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off AS $$
DECLARE
    head      bigint;
    base      bigint;
    previous  writers%ROWTYPE;
    heads     bigint[];
    old_positions bigint[];
    old_sequences bigint[];
    bases     bigint[]; -- the position before the request's first event; null where nothing is written
    sequence_bases bigint[];
    s         bigint;
BEGIN
    SELECT h.position, h.recorded_at INTO head, stamped_at FROM log_head h FOR UPDATE;
    -- Only now, in later statements with a snapshot of their own: what this one saw of other tables may be from before the wait.

    SELECT * INTO previous FROM writers w WHERE w.writer = p_writer;
    IF FOUND AND previous.batch = p_batch THEN
        stamped_at := previous.recorded_at;
        statuses := previous.statuses;
        positions := previous.positions;
        sequences := previous.sequences;
        RETURN;
    ELSIF FOUND AND previous.batch > p_batch THEN
        -- A straggler from a connection that its writer has given up.
        RAISE EXCEPTION 'batch % of writer % is out of date', p_batch, p_writer;
    END IF;

    SELECT array_agg(coalesce(newest.sequence, 0) ORDER BY stream.i) INTO heads
    FROM unnest(s_type, s_id) WITH ORDINALITY AS stream (aggregate_type, aggregate_id, i)
    LEFT JOIN LATERAL (
        SELECT e.sequence FROM events e
        WHERE e.aggregate_type = stream.aggregate_type AND e.aggregate_id = stream.aggregate_id
        ORDER BY e.sequence DESC LIMIT 1
    ) newest ON true;

    SELECT array_agg(old.last_position ORDER BY r.i), array_agg(old.last_sequence ORDER BY r.i)
    INTO old_positions, old_sequences
    FROM unnest(r_stream, r_command) WITH ORDINALITY AS r (stream, command, i)
    JOIN unnest(s_type, s_id) WITH ORDINALITY AS stream (aggregate_type, aggregate_id, i) ON stream.i = r.stream
    LEFT JOIN LATERAL (
        SELECT c.last_position, c.last_sequence FROM commands c
        WHERE c.aggregate_type = stream.aggregate_type AND c.aggregate_id = stream.aggregate_id AND c.command = r.command
        LIMIT 1
    ) old ON true;

    stamped_at := greatest(stamped_at, docket_now());
    base := head;
    FOR i IN 1 .. cardinality(r_stream) LOOP
        s := r_stream[i];
        IF old_positions[i] IS NOT NULL THEN
            statuses[i] := 1;
            positions[i] := old_positions[i];
            sequences[i] := old_sequences[i];
            bases[i] := NULL;
            sequence_bases[i] := NULL;
        ELSIF r_expected[i] >= 0 AND r_expected[i] <> heads[s] THEN
            statuses[i] := 2;
            positions[i] := 0;
            sequences[i] := heads[s];
            bases[i] := NULL;
            sequence_bases[i] := NULL;
        ELSE
            bases[i] := head;
            sequence_bases[i] := heads[s];
            head := head + r_events[i];
            heads[s] := heads[s] + r_events[i];
            statuses[i] := 0;
            positions[i] := head;
            sequences[i] := heads[s];
        END IF;
    END LOOP;

    IF head > base THEN
        INSERT INTO events (
            aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
            position, scope, recorded_at, leaf_hash
        )
        SELECT
            stream.aggregate_type, stream.aggregate_id, r.sequence_base + e.off, e.type, e.version,
            e.payload::json, r.metadata::json, r.base + e.off, r.scope, stamped_at,
            docket_leaf_hash(r.base + e.off, r.sequence_base + e.off, stamped_at, e.name_digest, r.metadata_digest, e.payload_digest)
        FROM unnest(e_request, e_offset, e_type, e_version, e_payload, e_name_digest, e_payload_digest)
            AS e (request, off, type, version, payload, name_digest, payload_digest)
        JOIN unnest(r_stream, r_scope, r_metadata, r_metadata_digest, bases, sequence_bases) WITH ORDINALITY
            AS r (stream, scope, metadata, metadata_digest, base, sequence_base, i) ON r.i = e.request
        JOIN unnest(s_type, s_id) WITH ORDINALITY AS stream (aggregate_type, aggregate_id, i) ON stream.i = r.stream
        WHERE r.base IS NOT NULL
        ORDER BY r.base + e.off;

        INSERT INTO commands (aggregate_type, aggregate_id, command, last_position, last_sequence)
        SELECT stream.aggregate_type, stream.aggregate_id, r.command, r.last_position, r.last_sequence
        FROM unnest(r_stream, r_command, bases, positions, sequences) AS r (stream, command, base, last_position, last_sequence)
        JOIN unnest(s_type, s_id) WITH ORDINALITY AS stream (aggregate_type, aggregate_id, i) ON stream.i = r.stream
        WHERE r.base IS NOT NULL AND r.command IS NOT NULL;

        INSERT INTO blobs (sha256, size, encoding, bytes)
        SELECT b.sha256, b.size, b.encoding, b.bytes
        FROM unnest(b_request, b_sha256, b_size, b_encoding, b_bytes) AS b (request, sha256, size, encoding, bytes)
        WHERE bases[b.request] IS NOT NULL
        ON CONFLICT DO NOTHING;

        UPDATE log_head SET position = head, recorded_at = stamped_at;
        -- The writer's name is there so that it need not listen to itself.
        PERFORM pg_notify('docket', head::text || ' ' || p_writer::text);
    END IF;

    INSERT INTO writers AS w (writer, batch, recorded_at, statuses, positions, sequences)
    VALUES (p_writer, p_batch, stamped_at, statuses, positions, sequences)
    ON CONFLICT (writer) DO UPDATE SET
        batch = excluded.batch, recorded_at = excluded.recorded_at,
        statuses = excluded.statuses, positions = excluded.positions, sequences = excluded.sequences;
END
$$;
