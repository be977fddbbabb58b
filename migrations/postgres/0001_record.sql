-- The record: a hash chain of events for each node, and rows for review made from it. Partitioned by day (UTC);
-- the appliance creates each day's partitions when its first record arrives. Columns: docs/audit-schema.md.

CREATE TABLE audit_event (
    day         date        NOT NULL,
    node        text        NOT NULL,
    seq         bigint      NOT NULL,
    region      text        NOT NULL,
    tenant      text        NOT NULL,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    exchange_id uuid,
    prev_hash   text        NOT NULL,
    hash        text        NOT NULL,
    body        text        NOT NULL,
    PRIMARY KEY (day, node, seq)
) PARTITION BY RANGE (day);
CREATE INDEX audit_event_exchange ON audit_event (exchange_id) WHERE exchange_id IS NOT NULL;

CREATE TABLE exchange (
    day               date    NOT NULL,
    exchange_id       uuid    NOT NULL,
    node              text    NOT NULL,
    region            text    NOT NULL,
    tenant            text    NOT NULL,
    principal         text,
    key_id            text,
    client_addr       text,
    dialect           text,
    route             text,
    method            text,
    path              text,
    model_asked       text,
    stream            boolean,
    policy_version    text,
    started_at        timestamptz,
    begin_seq         bigint,
    request_action    text,
    request_score     bigint,
    request_bytes     bigint,
    begin_latency_us  jsonb,
    ended_at          timestamptz,
    end_seq           bigint,
    outcome           text,
    status            integer,
    provider          text,
    model             text,
    upstream_status   integer,
    reply_action      text,
    reply_score       bigint,
    prompt_tokens     bigint,
    completion_tokens bigint,
    reply_bytes       bigint,
    fault_cause       text,
    fault_blame       text,
    fault_detail      text,
    latency_us        jsonb,
    PRIMARY KEY (day, exchange_id)
) PARTITION BY RANGE (day);
CREATE INDEX exchange_tenant ON exchange (tenant, exchange_id);
CREATE INDEX exchange_open ON exchange (node) WHERE end_seq IS NULL;

CREATE TABLE verdict (
    day           date        NOT NULL,
    exchange_id   uuid        NOT NULL,
    direction     text        NOT NULL,
    node          text        NOT NULL,
    tenant        text        NOT NULL,
    at            timestamptz NOT NULL,
    action        text        NOT NULL,
    score         bigint      NOT NULL,
    findings      bigint      NOT NULL,
    model_version text,
    faults        jsonb       NOT NULL,
    waivers       jsonb       NOT NULL,
    PRIMARY KEY (day, exchange_id, direction)
) PARTITION BY RANGE (day);
CREATE INDEX verdict_action ON verdict (action, at) WHERE action <> 'allow';

CREATE TABLE finding (
    day         date        NOT NULL,
    exchange_id uuid        NOT NULL,
    direction   text        NOT NULL,
    number      integer     NOT NULL,
    node        text        NOT NULL,
    tenant      text        NOT NULL,
    at          timestamptz NOT NULL,
    judge       text        NOT NULL,
    judge_id    text        NOT NULL,
    title       text        NOT NULL,
    severity    text        NOT NULL,
    points      bigint      NOT NULL,
    action      text,
    score       real,
    role        text        NOT NULL,
    trust       text        NOT NULL,
    place       text        NOT NULL,
    layer       text        NOT NULL,
    span_start  bigint      NOT NULL,
    span_end    bigint      NOT NULL,
    excerpt     text        NOT NULL,
    tags        jsonb       NOT NULL,
    PRIMARY KEY (day, exchange_id, direction, number)
) PARTITION BY RANGE (day);
CREATE INDEX finding_judge ON finding (judge_id, at);
