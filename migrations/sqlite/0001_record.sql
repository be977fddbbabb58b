-- The record: a hash chain of events for each node, and rows for review made from it. The same tables as
-- for PostgreSQL, unpartitioned; `day` counts days since 1970-01-01 (UTC), times are microseconds since then.
-- Columns: docs/audit-schema.md.

CREATE TABLE audit_event (
    day integer NOT NULL,
    node text NOT NULL,
    seq integer NOT NULL,
    region text NOT NULL,
    tenant text NOT NULL,
    at_us integer NOT NULL,
    kind text NOT NULL,
    exchange_id text,
    prev_hash text NOT NULL,
    hash text NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (day, node, seq)
);
CREATE INDEX audit_event_exchange ON audit_event (exchange_id) WHERE exchange_id IS NOT NULL;

CREATE TABLE exchange (
    day integer NOT NULL,
    exchange_id text NOT NULL,
    node text NOT NULL,
    region text NOT NULL,
    tenant text NOT NULL,
    principal text,
    key_id text,
    client_addr text,
    dialect text,
    route text,
    method text,
    path text,
    model_asked text,
    stream integer,
    policy_version text,
    started_us integer,
    begin_seq integer,
    request_action text,
    request_score integer,
    request_bytes integer,
    begin_latency_us text,
    ended_us integer,
    end_seq integer,
    outcome text,
    status integer,
    provider text,
    model text,
    upstream_status integer,
    reply_action text,
    reply_score integer,
    prompt_tokens integer,
    completion_tokens integer,
    reply_bytes integer,
    fault_cause text,
    fault_blame text,
    fault_detail text,
    latency_us text,
    PRIMARY KEY (day, exchange_id)
) WITHOUT ROWID;
CREATE INDEX exchange_tenant ON exchange (tenant, exchange_id);
CREATE INDEX exchange_open ON exchange (node) WHERE end_seq IS NULL;

CREATE TABLE verdict (
    day integer NOT NULL,
    exchange_id text NOT NULL,
    direction text NOT NULL,
    node text NOT NULL,
    tenant text NOT NULL,
    at_us integer NOT NULL,
    action text NOT NULL,
    score integer NOT NULL,
    findings integer NOT NULL,
    model_version text,
    faults text NOT NULL,
    waivers text NOT NULL,
    PRIMARY KEY (day, exchange_id, direction)
) WITHOUT ROWID;
CREATE INDEX verdict_action ON verdict (action, at_us) WHERE action <> 'allow';

CREATE TABLE finding (
    day integer NOT NULL,
    exchange_id text NOT NULL,
    direction text NOT NULL,
    number integer NOT NULL,
    node text NOT NULL,
    tenant text NOT NULL,
    at_us integer NOT NULL,
    judge text NOT NULL,
    judge_id text NOT NULL,
    title text NOT NULL,
    severity text NOT NULL,
    points integer NOT NULL,
    action text,
    score real,
    role text NOT NULL,
    trust text NOT NULL,
    place text NOT NULL,
    layer text NOT NULL,
    span_start integer NOT NULL,
    span_end integer NOT NULL,
    excerpt text NOT NULL,
    tags text NOT NULL,
    PRIMARY KEY (day, exchange_id, direction, number)
) WITHOUT ROWID;
CREATE INDEX finding_judge ON finding (judge_id, at_us);
