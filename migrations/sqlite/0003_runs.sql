-- Where the events of a stream and of a scope lie: in runs, which follow each other in the log without a hole. An append is one
-- run however many events it has. An index with an entry for each event cost a writer of many streams more than the events
-- themselves: every entry went to another page.
--
-- Both tables follow from the events, as the statements below show.

CREATE TABLE stream_runs (
    stream   INTEGER NOT NULL REFERENCES streams (id),
    sequence INTEGER NOT NULL, -- of the first event
    position INTEGER NOT NULL, -- of the first event
    events   INTEGER NOT NULL,
    PRIMARY KEY (stream, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE scope_runs (
    scope    INTEGER NOT NULL REFERENCES scopes (id),
    position INTEGER NOT NULL, -- of the first event
    events   INTEGER NOT NULL,
    PRIMARY KEY (scope, position)
) STRICT, WITHOUT ROWID;

-- Along a run both numbers rise by one.
INSERT INTO stream_runs (stream, sequence, position, events)
SELECT stream, min(sequence), min(position), count(*) FROM events GROUP BY stream, position - sequence ORDER BY 1, 2;

INSERT INTO scope_runs (scope, position, events)
SELECT scope, min(position), count(*)
FROM (
    SELECT scope, position, position - row_number() OVER (PARTITION BY scope ORDER BY position) AS before
    FROM events
    WHERE scope IS NOT NULL
)
GROUP BY scope, before
ORDER BY 1, 2;

DROP INDEX events_by_stream;
DROP INDEX events_by_scope;
