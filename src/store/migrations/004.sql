-- Events get a number that is never used again, so that channels can remember how far they have read.
CREATE TABLE numbered_events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch  INTEGER NOT NULL REFERENCES epochs (number) ON DELETE CASCADE,
    seq    INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    body   TEXT NOT NULL,           -- JSON: Event
    UNIQUE (epoch, seq)
) STRICT;
INSERT INTO numbered_events (epoch, seq, at, body) SELECT epoch, seq, at, body FROM events ORDER BY rowid;
DROP TABLE events;
ALTER TABLE numbered_events RENAME TO events;

-- One row a channel, from the first time that a server had it in its configuration.
CREATE TABLE channels (
    name          TEXT PRIMARY KEY,
    read_to       INTEGER NOT NULL, -- the last event that was looked at
    expired       INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0,
    paused_until  INTEGER,
    last_success  INTEGER,
    last_error    TEXT,
    last_error_at INTEGER,
    note          TEXT,             -- what the process that runs it says about it
    heard_at      INTEGER           -- when a channel that listens last heard from its service
) STRICT;

-- Notices on their way. A bounded number of each state is kept for each channel.
CREATE TABLE outbox (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL,
    channel    TEXT NOT NULL REFERENCES channels (name) ON DELETE CASCADE,
    session    TEXT NOT NULL,       -- no reference: what is to be told outlives the session's records
    topic      TEXT NOT NULL,
    at         INTEGER NOT NULL,
    body       TEXT NOT NULL,       -- JSON: Notice
    state      INTEGER NOT NULL DEFAULT 0, -- 0 pending, 1 sent, 2 given up
    attempts   INTEGER NOT NULL DEFAULT 0,
    due_at     INTEGER NOT NULL DEFAULT 0,
    status     INTEGER,
    error      TEXT,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_state ON outbox (channel, state, number);
CREATE INDEX outbox_waiting ON outbox (channel, session, number) WHERE state = 0;
CREATE INDEX outbox_told ON outbox (channel, session, topic, number);

-- Where chat channels talk about which session.
CREATE TABLE chat_topics (
    channel TEXT NOT NULL,
    session TEXT NOT NULL,
    topic   INTEGER NOT NULL,
    closed  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (channel, session)
) STRICT;
CREATE INDEX chat_topics_topic ON chat_topics (channel, topic);

-- Asks that chat channels show, and where.
CREATE TABLE chat_asks (
    channel TEXT NOT NULL,
    ask     TEXT NOT NULL,
    session TEXT NOT NULL,
    message INTEGER,
    shown   TEXT NOT NULL,          -- the message's text
    settled TEXT,                   -- who settled it and how, in words
    at      INTEGER NOT NULL,
    UNIQUE (channel, ask)
) STRICT;

-- Buttons under them: what stands in a button is this random text and nothing else.
CREATE TABLE chat_buttons (
    token   TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    ask     TEXT NOT NULL,
    choice  TEXT NOT NULL,          -- JSON: Answer
    used    INTEGER NOT NULL DEFAULT 0,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX chat_buttons_ask ON chat_buttons (channel, ask);

-- What came in and was refused. A bounded number is kept.
CREATE TABLE channel_refusals (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    channel TEXT NOT NULL,
    who     TEXT NOT NULL,
    what    TEXT NOT NULL
) STRICT;
