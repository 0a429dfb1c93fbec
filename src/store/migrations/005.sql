-- The keys that programs call with over HTTP.
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,          -- null until it is used
    body         TEXT NOT NULL     -- JSON: ApiKey, without the two times above
) STRICT;

-- What a key's text hashes to. After a rotation it has two for a while.
CREATE TABLE api_key_hashes (
    hash       TEXT PRIMARY KEY,   -- SHA-256, hexadecimal
    key        TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    expires_at INTEGER             -- refused from then on; null if it stays
) STRICT;
CREATE INDEX api_key_hashes_key ON api_key_hashes (key);
