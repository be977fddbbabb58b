-- Incidents: one row for each direction of an exchange in which something was done, so that a queue over a million exchanges opens
-- at once; what reviewers decided stands in it. And what they did, one row each.

CREATE TABLE incident (
    day           date        NOT NULL,
    class         text        NOT NULL,
    exchange_id   uuid        NOT NULL,
    direction     text        NOT NULL,
    node          text        NOT NULL,
    tenant        text        NOT NULL,
    principal     text        NOT NULL,
    at            timestamptz NOT NULL,
    action        text        NOT NULL,
    severity      text        NOT NULL,
    score         bigint      NOT NULL,
    title         text        NOT NULL,
    judge_ids     jsonb       NOT NULL,
    excerpt       text        NOT NULL,
    fingerprint   text        NOT NULL,
    model_version text,
    disposition   text,
    assignee      text,
    notes         integer     NOT NULL DEFAULT 0,
    reviewed_at   timestamptz,
    PRIMARY KEY (day, class, exchange_id, direction)
) PARTITION BY RANGE (day);
CREATE INDEX incident_at ON incident (at DESC, exchange_id DESC);
CREATE INDEX incident_open ON incident (at DESC, exchange_id DESC) WHERE disposition IS NULL;
CREATE INDEX incident_fingerprint ON incident (fingerprint, at DESC);
CREATE INDEX incident_principal ON incident (tenant, principal, at DESC);
CREATE INDEX incident_words ON incident
    USING gin (to_tsvector('simple', title || ' ' || excerpt || ' ' || principal || ' ' || judge_ids::text));
CREATE INDEX incident_reviewed ON incident (reviewed_at) WHERE disposition IS NOT NULL;

CREATE TABLE review (
    day         date        NOT NULL,
    class       text        NOT NULL,
    exchange_id uuid        NOT NULL,
    direction   text        NOT NULL,
    at          timestamptz NOT NULL,
    author      text        NOT NULL,
    what        text        NOT NULL,
    before      text,
    after       text,
    note        text
) PARTITION BY RANGE (day);
CREATE INDEX review_incident ON review (exchange_id, direction, at);
CREATE INDEX review_at ON review (at DESC);
