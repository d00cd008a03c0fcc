-- The leaf hash, the rows of writers that know nothing of positions, and the refusal of changes.

CREATE FUNCTION docket_now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
$$;

CREATE FUNCTION docket_prefixed(field text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT int4send(octet_length(convert_to(field, 'UTF8'))) || convert_to(field, 'UTF8')
$$;

-- SHA-256(0x00 || leaf), the RFC 6962 leaf hash; `leaf_hash` in the eventlog crate is the same function.
CREATE FUNCTION docket_leaf_hash(
    "position" bigint, sequence bigint, recorded_at bigint, name_digest bytea, metadata_digest bytea, payload_digest bytea
) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT sha256(
        '\x00'::bytea || '\x646f636b65742f6c6561667631000000'::bytea
        || int8send($1) || int8send($2) || int8send($3) || $4 || $5 || $6
    )
$$;

-- A row from a stock postgres-es writer comes without a position and gets one here. The row lock on log_head is held until
-- that writer's transaction ends, as ours is.
CREATE FUNCTION docket_place_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE log_head SET position = log_head.position + 1, recorded_at = greatest(log_head.recorded_at, docket_now())
        RETURNING log_head.position, log_head.recorded_at INTO NEW.position, NEW.recorded_at;
    NEW.leaf_hash := docket_leaf_hash(
        NEW.position, NEW.sequence, NEW.recorded_at,
        sha256(
            docket_prefixed(NEW.aggregate_type) || docket_prefixed(NEW.aggregate_id)
            || docket_prefixed(NEW.event_type) || docket_prefixed(NEW.event_version)
        ),
        sha256(convert_to(NEW.metadata::text, 'UTF8')),
        sha256(convert_to(NEW.payload::text, 'UTF8'))
    );
    PERFORM pg_notify('docket', NEW.position::text);
    RETURN NEW;
END
$$;

CREATE TRIGGER events_are_placed BEFORE INSERT ON events
    FOR EACH ROW WHEN (NEW.position IS NULL) EXECUTE FUNCTION docket_place_event();

CREATE FUNCTION docket_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed or deleted';
END
$$;

CREATE TRIGGER events_are_not_changed BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION docket_refuse_change();
CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION docket_refuse_change();
