-- One row a pipeline, for ever.
CREATE TABLE pipelines (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    status      TEXT NOT NULL,
    created_at  INTEGER NOT NULL, -- milliseconds since the Unix epoch
    revision    INTEGER NOT NULL, -- counts writes, so that no writer overwrites what it has not seen
    key         TEXT UNIQUE,      -- the idempotency key of its creation, if it had one
    fingerprint TEXT,             -- what the request with that key was
    head        TEXT NOT NULL     -- JSON: Pipeline, without its stages
) STRICT;

CREATE INDEX pipelines_created ON pipelines (created_at DESC, id DESC);
CREATE INDEX pipelines_name ON pipelines (name);
CREATE INDEX pipelines_open ON pipelines (created_at) WHERE status IN ('pending', 'running', 'cancelling');

-- Stages apart, since their answers are long and seldom written.
CREATE TABLE pipeline_stages (
    pipeline TEXT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    place    INTEGER NOT NULL,
    body     TEXT NOT NULL,       -- JSON: Stage
    UNIQUE (pipeline, place)
) STRICT;
