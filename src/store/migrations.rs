//! The tables, and how those of an earlier version become today's.

/// One entry for each version, run in order from the database's `user_version` on. Never change one that was released.
pub(super) const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6];

/// Heartbeats come in the order of time and are never changed. With the time first in the key they fill page after page
/// (23 bytes each, measured), and each commit touches one page rather than one for each stream. Rollups are ordered the
/// same way for the same reason: an SD card wears by pages.
const VERSION_1: &str = "
CREATE TABLE streams (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT
) STRICT;

CREATE TABLE heartbeats (
    at_ms INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    health INTEGER NOT NULL,
    PRIMARY KEY (at_ms, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE stream_state (
    stream INTEGER PRIMARY KEY,
    health INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    failures_in_row INTEGER NOT NULL,
    successes_in_row INTEGER NOT NULL,
    blind_in_row INTEGER NOT NULL,
    last_ok_ms INTEGER
) STRICT;

-- hour: hours since 1970 UTC. ok: a usable picture; failed: none; blind: none through our own fault.
CREATE TABLE rollups (
    hour INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    blind INTEGER NOT NULL,
    PRIMARY KEY (hour, stream)
) STRICT, WITHOUT ROWID;

-- The same of all streams together.
CREATE TABLE totals (
    hour INTEGER PRIMARY KEY,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    blind INTEGER NOT NULL
) STRICT;

CREATE TABLE transitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    from_health INTEGER NOT NULL,
    to_health INTEGER NOT NULL,
    reason INTEGER NOT NULL
) STRICT;
CREATE INDEX transitions_by_time ON transitions (at_ms);

CREATE TABLE incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL,
    health INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL,
    closed_ms INTEGER
) STRICT;
CREATE INDEX incidents_by_stream ON incidents (stream);
CREATE INDEX incidents_open ON incidents (stream) WHERE closed_ms IS NULL;

CREATE TABLE users (
    username TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    must_change_password INTEGER NOT NULL,
    token_generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE refresh_tokens (
    hash TEXT PRIMARY KEY,
    username TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
    family TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (username);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
";

/// Accounts of cameras that were refused last. `fingerprint`: 16 bits of the password's, see [`crate::model::refusal`].
const VERSION_2: &str = "
CREATE TABLE refusals (
    host TEXT NOT NULL,
    username TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    count INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (host, username, fingerprint)
) STRICT, WITHOUT ROWID;
";

/// What is usual of a stream's pictures; the text is [`crate::health::looks::Past`] in JSON.
const VERSION_3: &str = "
CREATE TABLE looks (
    stream TEXT PRIMARY KEY,
    past TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Time in each state, latencies, reasons; incidents of several streams, with evidence; announced work; imports.
///
/// `…_ms` of a rollup: time in that state, together at most an hour. `latency_0` to `latency_7`: good probes by
/// [`crate::model::LATENCY_BOUNDS`]. `days` sums up the rollups of days that are over (`meta`: `days_built`, the newest).
/// The span that is still growing is in `stream_state`; those that are over are in `spans`.
const VERSION_4: &str = "
CREATE TABLE rollups_4 (
    hour INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    blind INTEGER NOT NULL,
    up_ms INTEGER NOT NULL DEFAULT 0,
    degraded_ms INTEGER NOT NULL DEFAULT 0,
    down_ms INTEGER NOT NULL DEFAULT 0,
    unknown_ms INTEGER NOT NULL DEFAULT 0,
    maintenance_ms INTEGER NOT NULL DEFAULT 0,
    latency_sum_ms INTEGER NOT NULL DEFAULT 0,
    latency_0 INTEGER NOT NULL DEFAULT 0,
    latency_1 INTEGER NOT NULL DEFAULT 0,
    latency_2 INTEGER NOT NULL DEFAULT 0,
    latency_3 INTEGER NOT NULL DEFAULT 0,
    latency_4 INTEGER NOT NULL DEFAULT 0,
    latency_5 INTEGER NOT NULL DEFAULT 0,
    latency_6 INTEGER NOT NULL DEFAULT 0,
    latency_7 INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, stream)
) STRICT, WITHOUT ROWID;
INSERT INTO rollups_4 (hour, stream, ok, failed, blind) SELECT hour, stream, ok, failed, blind FROM rollups;
DROP TABLE rollups;
ALTER TABLE rollups_4 RENAME TO rollups;

CREATE TABLE days (
    day INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    blind INTEGER NOT NULL,
    up_ms INTEGER NOT NULL DEFAULT 0,
    degraded_ms INTEGER NOT NULL DEFAULT 0,
    down_ms INTEGER NOT NULL DEFAULT 0,
    unknown_ms INTEGER NOT NULL DEFAULT 0,
    maintenance_ms INTEGER NOT NULL DEFAULT 0,
    latency_sum_ms INTEGER NOT NULL DEFAULT 0,
    latency_0 INTEGER NOT NULL DEFAULT 0,
    latency_1 INTEGER NOT NULL DEFAULT 0,
    latency_2 INTEGER NOT NULL DEFAULT 0,
    latency_3 INTEGER NOT NULL DEFAULT 0,
    latency_4 INTEGER NOT NULL DEFAULT 0,
    latency_5 INTEGER NOT NULL DEFAULT 0,
    latency_6 INTEGER NOT NULL DEFAULT 0,
    latency_7 INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE reasons (
    hour INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, stream, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE spans (
    stream INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    health INTEGER NOT NULL,
    PRIMARY KEY (stream, from_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX spans_by_end ON spans (to_ms);

ALTER TABLE stream_state ADD COLUMN span_health INTEGER;
ALTER TABLE stream_state ADD COLUMN span_from_ms INTEGER;
ALTER TABLE stream_state ADD COLUMN span_to_ms INTEGER;
ALTER TABLE stream_state ADD COLUMN flap_changes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream_state ADD COLUMN flap_last INTEGER;
ALTER TABLE stream_state ADD COLUMN flapping INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream_state ADD COLUMN announced INTEGER NOT NULL DEFAULT 3;
UPDATE stream_state SET announced = health;

ALTER TABLE incidents RENAME TO incidents_3;
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    health INTEGER NOT NULL,
    cause TEXT NOT NULL,
    cause_name TEXT,
    reason INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    detail TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    merged_into INTEGER,
    acknowledged_by TEXT,
    acknowledged_ms INTEGER,
    note TEXT,
    action TEXT
) STRICT;
CREATE TABLE incident_members (
    incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    joined_ms INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    began_ms INTEGER NOT NULL,
    left_ms INTEGER,
    PRIMARY KEY (incident, joined_ms, stream)
) STRICT, WITHOUT ROWID;
INSERT INTO incidents (id, health, cause, reason, stage, detail, opened_ms, closed_ms)
    SELECT id, health, 'stream', reason, coalesce((SELECT stage FROM heartbeats
        WHERE at_ms <= opened_ms AND at_ms > opened_ms - 120000 AND heartbeats.stream = incidents_3.stream
        ORDER BY at_ms DESC LIMIT 1), 11), '', opened_ms, closed_ms
    FROM incidents_3;
INSERT INTO incident_members (incident, joined_ms, stream, reason, stage, began_ms, left_ms)
    SELECT incidents.id, incidents_3.opened_ms, stream, incidents_3.reason, stage, incidents_3.opened_ms,
        incidents_3.closed_ms
    FROM incidents_3 JOIN incidents ON incidents.id = incidents_3.id;
DROP TABLE incidents_3;
CREATE INDEX incidents_by_time ON incidents (opened_ms);
CREATE INDEX incidents_open ON incidents (id) WHERE closed_ms IS NULL;
CREATE INDEX incidents_closed ON incidents (closed_ms) WHERE closed_ms IS NOT NULL;
CREATE INDEX incident_members_by_stream ON incident_members (stream, incident);

-- Pictures are files below the state directory, the exchange is text here.
CREATE TABLE evidence (
    incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    kind TEXT NOT NULL,
    taken_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    text TEXT,
    PRIMARY KEY (incident, number)
) STRICT, WITHOUT ROWID;

-- Announced by hand. streams: ids, one a line; empty: every stream.
CREATE TABLE maintenance (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    streams TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    username TEXT NOT NULL,
    note TEXT
) STRICT;

-- What was taken over of a database of StreamPulse 2: of each of its tables, up to which row.
CREATE TABLE imports (
    source TEXT NOT NULL,
    log TEXT NOT NULL,
    last_id INTEGER NOT NULL,
    PRIMARY KEY (source, log)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Which groups an account sees, keys for programs, and who changed what.
///
/// `stream_groups`: names in a JSON list, NULL: every stream. `hash`: SHA-256 of the token, hexadecimal.
const VERSION_5: &str = "
ALTER TABLE users ADD COLUMN stream_groups TEXT;

CREATE TABLE api_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    stream_groups TEXT,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_ms INTEGER,
    last_used_ms INTEGER
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    username TEXT NOT NULL,
    address TEXT,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at_ms);
";

/// Notices on their way to sinks (MQTT, webhooks), and topics that a broker keeps something of ours for.
///
/// `notice`: [`crate::model::Notice`] in JSON. `broker`: its address, for another one has other topics of ours. `delivered`: the newest `seq` of the outbox that the sink has delivered.
/// `origin` tells notices of this database from those of another one.
const VERSION_6: &str = "
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    notice TEXT NOT NULL
) STRICT;

CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    delivered INTEGER NOT NULL,
    dropped INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE retained_topics (
    broker TEXT NOT NULL,
    topic TEXT NOT NULL,
    PRIMARY KEY (broker, topic)
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('origin', random() & 4294967295);
";
