-- Incidents: one row for each direction of an exchange in which something was done, so that a queue over a million exchanges opens
-- at once; what reviewers decided stands in it. And what they did, one row each.

CREATE TABLE incident (
    day           INTEGER NOT NULL,
    class         TEXT    NOT NULL,
    exchange_id   TEXT    NOT NULL,
    direction     TEXT    NOT NULL,
    node          TEXT    NOT NULL,
    tenant        TEXT    NOT NULL,
    principal     TEXT    NOT NULL,
    at_us         INTEGER NOT NULL,
    action        TEXT    NOT NULL,
    severity      TEXT    NOT NULL,
    score         INTEGER NOT NULL,
    title         TEXT    NOT NULL,
    judge_ids     TEXT    NOT NULL,
    excerpt       TEXT    NOT NULL,
    fingerprint   TEXT    NOT NULL,
    model_version TEXT,
    disposition   TEXT,
    assignee      TEXT,
    notes         INTEGER NOT NULL DEFAULT 0,
    reviewed_us   INTEGER,
    PRIMARY KEY (exchange_id, direction)
) WITHOUT ROWID;
CREATE INDEX incident_at ON incident (at_us DESC, exchange_id DESC);
CREATE INDEX incident_open ON incident (at_us DESC, exchange_id DESC) WHERE disposition IS NULL;
CREATE INDEX incident_fingerprint ON incident (fingerprint, at_us DESC);
CREATE INDEX incident_principal ON incident (tenant, principal, at_us DESC);
CREATE INDEX incident_day ON incident (day, class);
CREATE INDEX incident_reviewed ON incident (reviewed_us) WHERE disposition IS NOT NULL;

CREATE TABLE review (
    day         INTEGER NOT NULL,
    class       TEXT    NOT NULL,
    exchange_id TEXT    NOT NULL,
    direction   TEXT    NOT NULL,
    at_us       INTEGER NOT NULL,
    author      TEXT    NOT NULL,
    what        TEXT    NOT NULL,
    before      TEXT,
    after       TEXT,
    note        TEXT
);
CREATE INDEX review_incident ON review (exchange_id, direction, at_us);
CREATE INDEX review_at ON review (at_us DESC);
CREATE INDEX review_day ON review (day, class);
