-- Sums for figures, added to as records are stored: a console over a billion exchanges reads a few thousand rows. `counted` says up to
-- which record of each chain they were made, so that what is sent twice is counted once. And what exchanges cost.

ALTER TABLE exchange ADD COLUMN cost_nusd bigint;

CREATE TABLE counted (
    node text   PRIMARY KEY,
    seq  bigint NOT NULL
);

CREATE TABLE traffic (
    step              integer     NOT NULL,
    at                timestamptz NOT NULL,
    node              text        NOT NULL,
    tenant            text        NOT NULL,
    provider          text        NOT NULL,
    model             text        NOT NULL,
    requests          bigint      NOT NULL,
    blocked           bigint      NOT NULL,
    failed            bigint      NOT NULL,
    interrupted       bigint      NOT NULL,
    client_gone       bigint      NOT NULL,
    refused           bigint      NOT NULL,
    flagged           bigint      NOT NULL,
    redacted          bigint      NOT NULL,
    routed            bigint      NOT NULL,
    throttled         bigint      NOT NULL,
    prompt_tokens     bigint      NOT NULL,
    completion_tokens bigint      NOT NULL,
    uncounted         bigint      NOT NULL,
    cost_nusd         bigint      NOT NULL,
    unpriced          bigint      NOT NULL,
    PRIMARY KEY (step, at, node, tenant, provider, model)
) WITH (fillfactor = 70);

CREATE TABLE stage_latency (
    step     integer     NOT NULL,
    at       timestamptz NOT NULL,
    node     text        NOT NULL,
    stage    text        NOT NULL,
    provider text        NOT NULL,
    bucket   integer     NOT NULL,
    n        bigint      NOT NULL,
    PRIMARY KEY (step, at, node, stage, provider, bucket)
) WITH (fillfactor = 70);

CREATE TABLE judge_hits (
    at       timestamptz NOT NULL,
    node     text        NOT NULL,
    tenant   text        NOT NULL,
    judge    text        NOT NULL,
    judge_id text        NOT NULL,
    title    text        NOT NULL,
    severity text        NOT NULL,
    acted    bigint      NOT NULL,
    blocked  bigint      NOT NULL,
    shadow   bigint      NOT NULL,
    held     bigint      NOT NULL,
    PRIMARY KEY (at, node, tenant, judge, judge_id)
) WITH (fillfactor = 70);
CREATE INDEX judge_hits_id ON judge_hits (judge_id, at);

CREATE TABLE principal_day (
    day               date        NOT NULL,
    class             text        NOT NULL,
    node              text        NOT NULL,
    tenant            text        NOT NULL,
    principal         text        NOT NULL,
    requests          bigint      NOT NULL,
    blocked           bigint      NOT NULL,
    stopped           bigint      NOT NULL,
    refused           bigint      NOT NULL,
    prompt_tokens     bigint      NOT NULL,
    completion_tokens bigint      NOT NULL,
    cost_nusd         bigint      NOT NULL,
    first_at          timestamptz NOT NULL,
    last_at           timestamptz NOT NULL,
    PRIMARY KEY (day, tenant, principal, node, class)
) WITH (fillfactor = 70);
CREATE INDEX principal_day_principal ON principal_day (tenant, principal, day);

-- What providers did wrong last.
CREATE INDEX exchange_provider_fault ON exchange (provider, ended_at DESC) WHERE fault_blame = 'provider';
