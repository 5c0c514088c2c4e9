-- Version 1. Ids of runs, layers and alerts are given by the daemon (its one loop thread).
-- AUTOINCREMENT on them only makes SQLite remember the highest id that was ever there
-- (sqlite_sequence), so that none is given twice after a deletion.
-- Times are seconds since 1970 by the daemon's clock. `layer_id` 0 means the run itself.

CREATE TABLE run (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    key           TEXT NOT NULL UNIQUE,              -- the id that users see
    name          TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('running', 'ended', 'lost')),
    attempt       INTEGER NOT NULL CHECK (attempt >= 1), -- the newest
    started_at    REAL NOT NULL,
    last_seen_at  REAL NOT NULL,
    last_step     INTEGER,                           -- NULL: none yet
    dropped       INTEGER NOT NULL DEFAULT 0,        -- samples, by clients and daemon together
    undefined     INTEGER NOT NULL DEFAULT 0,        -- figures that had no value
    owner         INTEGER,                           -- uid of the user who opened it; NULL: unknown (TCP)
    tags          TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(tags)),
    -- 1: deleted; nobody sees it, its rows go in slices
    retired       INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1))
) STRICT;

CREATE TABLE attempt (
    run_id      INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    first_step  INTEGER,                             -- NULL: none yet
    started_at  REAL NOT NULL,
    PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;

-- One start of one training process: open, closed (it said bye, or was ended by hand) or lost (its lease ran out).
CREATE TABLE session (
    run_id    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    key       TEXT NOT NULL,
    attempt   INTEGER NOT NULL,
    rank      INTEGER NOT NULL,
    world     INTEGER NOT NULL,
    client    TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('open', 'closed', 'lost')),
    dropped   INTEGER NOT NULL,                      -- samples, by its client, as it last said
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;

-- A layer, or an MLP block (kind 'block'), whose figures are filed under its name.
CREATE TABLE layer (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id      INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('layer', 'block')),
    role        TEXT NOT NULL,                       -- '' for a block
    block       TEXT NOT NULL,                       -- '' for none
    rows        INTEGER NOT NULL,                    -- out; 0 for a block
    cols        INTEGER NOT NULL,                    -- in; 0 for a block
    dtype       TEXT NOT NULL,                       -- '' for a block
    transposed  INTEGER NOT NULL CHECK (transposed IN (0, 1)),
    UNIQUE (run_id, name, kind)
) STRICT;

CREATE TABLE series (
    id        INTEGER PRIMARY KEY,
    run_id    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    attempt   INTEGER NOT NULL,
    layer_id  INTEGER NOT NULL,
    metric    TEXT NOT NULL,
    UNIQUE (run_id, attempt, layer_id, metric)
) STRICT;

CREATE TABLE point (
    series_id  INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
    step       INTEGER NOT NULL,
    time       REAL NOT NULL,
    value      REAL,                                 -- NULL: NaN
    PRIMARY KEY (series_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE histogram (
    series_id  INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
    step       INTEGER NOT NULL,
    time       REAL NOT NULL,
    counts     BLOB NOT NULL CHECK (length(counts) = 256), -- 64 little-endian uint32
    PRIMARY KEY (series_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id           INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    attempt          INTEGER NOT NULL,
    rule             TEXT NOT NULL,
    severity         TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
    state            TEXT NOT NULL CHECK (state IN ('firing', 'resolved')),
    observed         INTEGER NOT NULL CHECK (observed IN (0, 1)), -- 1: recorded, never notified
    title            TEXT NOT NULL,
    summary          TEXT NOT NULL,
    layers           TEXT NOT NULL CHECK (json_valid(layers)),
    evidence         TEXT NOT NULL CHECK (json_valid(evidence)),
    started_step     INTEGER NOT NULL,
    started_at       REAL NOT NULL,
    last_step        INTEGER NOT NULL,
    resolved_at      REAL,
    acknowledged_at  REAL,
    silenced         INTEGER NOT NULL CHECK (silenced IN (0, 1)),  -- now, or when it was resolved
    notified         INTEGER NOT NULL CHECK (notified IN (0, 1))   -- 1: its training was notified that it fires
) STRICT;
CREATE INDEX alert_by_run ON alert (run_id, state);

-- Alerts that notify nobody for a while. NULL: any rule, any layer and the run itself. Patterns are SQLite's GLOB.
CREATE TABLE silence (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    run         TEXT NOT NULL,                       -- a run's key, or a pattern
    rule        TEXT,
    layer       TEXT,                                -- a layer's name, or a pattern
    reason      TEXT NOT NULL,
    created_by  TEXT NOT NULL,
    created_at  REAL NOT NULL,
    expires_at  REAL NOT NULL                        -- the row goes then
) STRICT;

-- Those of the configuration, by name, with the counters that /metrics shows.
CREATE TABLE notifier (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,                        -- of another kind: another notifier
    key        TEXT NOT NULL,                        -- random; the first part of idempotency keys
    delivered  INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,           -- given up: the receiver refuses it
    dropped    INTEGER NOT NULL DEFAULT 0,           -- by the bounds of the outbox
    retries    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What the receiver of a notifier holds for firing: the alert as it was last sent.
CREATE TABLE notice (
    notifier_id  INTEGER NOT NULL REFERENCES notifier ON DELETE CASCADE,
    alert_id     INTEGER NOT NULL,                   -- no reference: the alert may go before it is sent
    alert        TEXT NOT NULL CHECK (json_valid(alert)),
    PRIMARY KEY (notifier_id, alert_id)
) STRICT;

-- What is to be delivered, in order of id within a lane: a run's rule. Of one alert to one notifier: at most one row that
-- it fires, and one that it is resolved.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    notifier_id  INTEGER NOT NULL REFERENCES notifier ON DELETE CASCADE,
    alert_id     INTEGER NOT NULL,
    event        TEXT NOT NULL CHECK (event IN ('firing', 'updated', 'resolved')),
    alert        TEXT NOT NULL CHECK (json_valid(alert)), -- as it was then
    created_at   REAL NOT NULL,
    tries        INTEGER NOT NULL,
    next_at      REAL NOT NULL,                      -- not before this time; 0: at once
    lane         TEXT NOT NULL                       -- a run and a rule
) STRICT;
CREATE UNIQUE INDEX outbox_by_alert ON outbox (notifier_id, alert_id, (event = 'resolved'));
CREATE INDEX outbox_by_lane ON outbox (notifier_id, lane, id, next_at); -- all that the search for what is due reads

-- The initialization w(0) of a layer: file baselines/<layer_id>-<attempt>-<step>.w0 in the state directory.
CREATE TABLE baseline (
    layer_id  INTEGER PRIMARY KEY REFERENCES layer ON DELETE CASCADE,
    attempt   INTEGER NOT NULL,                      -- in which it was taken
    step      INTEGER NOT NULL,
    dtype     TEXT NOT NULL,
    bytes     INTEGER NOT NULL,
    checksum  INTEGER NOT NULL                       -- XXH3, 64 bits
) STRICT;

-- The tracked directions of a layer at a step, so that a restart changes no sign.
CREATE TABLE tracker (
    layer_id  INTEGER PRIMARY KEY REFERENCES layer ON DELETE CASCADE,
    attempt   INTEGER NOT NULL,
    step      INTEGER NOT NULL,
    state     BLOB NOT NULL
) STRICT;
