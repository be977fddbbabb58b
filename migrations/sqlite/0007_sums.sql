-- Sums for figures, added to as records are stored: a console over a billion exchanges reads a few thousand rows. `counted` says up to
-- which record of each chain they were made, so that what is sent twice is counted once. And what exchanges cost.

ALTER TABLE exchange ADD COLUMN cost_nusd INTEGER;

CREATE TABLE counted (
    node TEXT    PRIMARY KEY,
    seq  INTEGER NOT NULL
);

CREATE TABLE traffic (
    step              INTEGER NOT NULL,
    at_us             INTEGER NOT NULL,
    node              TEXT    NOT NULL,
    tenant            TEXT    NOT NULL,
    provider          TEXT    NOT NULL,
    model             TEXT    NOT NULL,
    requests          INTEGER NOT NULL,
    blocked           INTEGER NOT NULL,
    failed            INTEGER NOT NULL,
    interrupted       INTEGER NOT NULL,
    client_gone       INTEGER NOT NULL,
    refused           INTEGER NOT NULL,
    flagged           INTEGER NOT NULL,
    redacted          INTEGER NOT NULL,
    routed            INTEGER NOT NULL,
    throttled         INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    uncounted         INTEGER NOT NULL,
    cost_nusd         INTEGER NOT NULL,
    unpriced          INTEGER NOT NULL,
    PRIMARY KEY (step, at_us, node, tenant, provider, model)
) WITHOUT ROWID;

CREATE TABLE stage_latency (
    step     INTEGER NOT NULL,
    at_us    INTEGER NOT NULL,
    node     TEXT    NOT NULL,
    stage    TEXT    NOT NULL,
    provider TEXT    NOT NULL,
    bucket   INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    PRIMARY KEY (step, at_us, node, stage, provider, bucket)
) WITHOUT ROWID;

CREATE TABLE judge_hits (
    at_us    INTEGER NOT NULL,
    node     TEXT    NOT NULL,
    tenant   TEXT    NOT NULL,
    judge    TEXT    NOT NULL,
    judge_id TEXT    NOT NULL,
    title    TEXT    NOT NULL,
    severity TEXT    NOT NULL,
    acted    INTEGER NOT NULL,
    blocked  INTEGER NOT NULL,
    shadow   INTEGER NOT NULL,
    held     INTEGER NOT NULL,
    PRIMARY KEY (at_us, node, tenant, judge, judge_id)
) WITHOUT ROWID;
CREATE INDEX judge_hits_id ON judge_hits (judge_id, at_us);

CREATE TABLE principal_day (
    day               INTEGER NOT NULL,
    class             TEXT    NOT NULL,
    node              TEXT    NOT NULL,
    tenant            TEXT    NOT NULL,
    principal         TEXT    NOT NULL,
    requests          INTEGER NOT NULL,
    blocked           INTEGER NOT NULL,
    stopped           INTEGER NOT NULL,
    refused           INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_nusd         INTEGER NOT NULL,
    first_us          INTEGER NOT NULL,
    last_us           INTEGER NOT NULL,
    PRIMARY KEY (day, tenant, principal, node, class)
) WITHOUT ROWID;
CREATE INDEX principal_day_principal ON principal_day (tenant, principal, day);

-- What providers did wrong last.
CREATE INDEX exchange_provider_fault ON exchange (provider, ended_us DESC) WHERE fault_blame = 'provider';
