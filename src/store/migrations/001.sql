-- One row a session, from its launch on. `ended` is null while it lives.
CREATE TABLE sessions (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    work_dir     TEXT NOT NULL,
    owner        TEXT NOT NULL,
    settings_key TEXT NOT NULL,
    created_at   INTEGER NOT NULL, -- milliseconds since the Unix epoch, as all times here
    spec         TEXT NOT NULL,    -- JSON: SessionSpec
    session_dir  TEXT NOT NULL,
    socket       TEXT NOT NULL,
    boot_id      TEXT NOT NULL,
    holder_pid   INTEGER,
    holder_start INTEGER,
    ended        TEXT              -- JSON: Session, its last state
) STRICT;

-- A name may be used again once its session has ended.
CREATE UNIQUE INDEX sessions_live_name ON sessions (name) WHERE ended IS NULL;
CREATE INDEX sessions_name ON sessions (name);
CREATE INDEX sessions_live ON sessions (created_at, id) WHERE ended IS NULL;
CREATE INDEX sessions_ended ON sessions (created_at DESC, id DESC) WHERE ended IS NOT NULL;

-- The lives of holders, numbered in the order in which the store met them.
CREATE TABLE epochs (
    number  INTEGER PRIMARY KEY,
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    epoch   TEXT NOT NULL,
    UNIQUE (session, epoch)
) STRICT;

CREATE TABLE events (
    epoch INTEGER NOT NULL REFERENCES epochs (number) ON DELETE CASCADE,
    seq   INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    body  TEXT NOT NULL,           -- JSON: Event
    UNIQUE (epoch, seq)
) STRICT;

-- How far each session's journal was read.
CREATE TABLE ingest_marks (
    session TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    file    TEXT NOT NULL,
    offset  INTEGER NOT NULL       -- bytes
) STRICT;

-- Idempotency keys of creation. Claimed before the session's row exists, so there is no reference to it.
CREATE TABLE creation_keys (
    key         TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    session     TEXT NOT NULL,
    claimed_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX creation_keys_age ON creation_keys (claimed_at);

-- What `claude --version` said, so that it is asked once for each installed file.
CREATE TABLE claude_versions (
    path    BLOB PRIMARY KEY,
    stamp   TEXT NOT NULL,
    version TEXT NOT NULL
) STRICT;
