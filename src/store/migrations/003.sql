-- Memory: texts under keys, which all sessions share.
CREATE TABLE memory (
    key        TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    owner      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER             -- gone from then on; null if it stays
) STRICT;
CREATE INDEX memory_expiry ON memory (expires_at) WHERE expires_at IS NOT NULL;

-- What sessions are made from.
CREATE TABLE templates (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    updated_at INTEGER NOT NULL,
    body       TEXT NOT NULL       -- JSON: Template, the values of its variables too
) STRICT;
CREATE INDEX templates_updated ON templates (updated_at DESC, id DESC);
