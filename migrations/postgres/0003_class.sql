-- Retention classes: under each day's partition one for each class, so that a class's day is given up by dropping a table.
-- And the chain's hashes apart from the records' bodies: they stay until no class of that day has anything left, so that
-- what was given up can be told from what was taken away. Hashes are bytes from here on.

DO $$
DECLARE
    old regclass;
BEGIN
    FOR old IN
        SELECT c.oid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('audit_event'::regclass, 'exchange'::regclass, 'verdict'::regclass, 'finding'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %s RENAME TO %I', old, 'old_' || (SELECT relname FROM pg_class WHERE oid = old));
    END LOOP;
END $$;

ALTER TABLE audit_event RENAME TO old_audit_event;
ALTER TABLE exchange RENAME TO old_exchange;
ALTER TABLE verdict RENAME TO old_verdict;
ALTER TABLE finding RENAME TO old_finding;
DROP INDEX audit_event_exchange, exchange_tenant, exchange_open, verdict_action, finding_judge;

CREATE TABLE audit_chain (
    day   date   NOT NULL,
    node  text   NOT NULL,
    seq   bigint NOT NULL,
    class text   NOT NULL,
    hash  bytea  NOT NULL,
    PRIMARY KEY (node, seq, day)
) PARTITION BY RANGE (day);

CREATE TABLE audit_event (
    day         date        NOT NULL,
    class       text        NOT NULL,
    node        text        NOT NULL,
    seq         bigint      NOT NULL,
    region      text        NOT NULL,
    tenant      text        NOT NULL,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    exchange_id uuid,
    prev_hash   bytea       NOT NULL,
    hash        bytea       NOT NULL,
    body        text        NOT NULL,
    PRIMARY KEY (node, seq, day, class)
) PARTITION BY RANGE (day);
CREATE INDEX audit_event_exchange ON audit_event (exchange_id) WHERE exchange_id IS NOT NULL;
CREATE INDEX audit_event_kind ON audit_event (kind, at) WHERE exchange_id IS NULL;

CREATE TABLE exchange (
    day               date    NOT NULL,
    class             text    NOT NULL,
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
    PRIMARY KEY (day, class, exchange_id)
) PARTITION BY RANGE (day);
CREATE INDEX exchange_tenant ON exchange (tenant, exchange_id);
CREATE INDEX exchange_open ON exchange (node) WHERE end_seq IS NULL;

CREATE TABLE verdict (
    day           date        NOT NULL,
    class         text        NOT NULL,
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
    PRIMARY KEY (day, class, exchange_id, direction)
) PARTITION BY RANGE (day);
CREATE INDEX verdict_action ON verdict (action, at) WHERE action <> 'allow';

CREATE TABLE finding (
    day         date        NOT NULL,
    class       text        NOT NULL,
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
    standing    text        NOT NULL,
    standing_by text,
    would       text,
    score       real,
    role        text        NOT NULL,
    trust       text        NOT NULL,
    place       text        NOT NULL,
    layer       text        NOT NULL,
    span_start  bigint      NOT NULL,
    span_end    bigint      NOT NULL,
    excerpt     text        NOT NULL,
    tags        jsonb       NOT NULL,
    PRIMARY KEY (day, class, exchange_id, direction, number)
) PARTITION BY RANGE (day);
CREATE INDEX finding_judge ON finding (judge_id, at);

DO $$
DECLARE
    of_day record;
    of_table text;
    partition text;
BEGIN
    FOR of_day IN
        SELECT day FROM old_audit_event UNION SELECT day FROM old_exchange
        UNION SELECT day FROM old_verdict UNION SELECT day FROM old_finding
    LOOP
        FOREACH of_table IN ARRAY ARRAY['audit_chain', 'audit_event', 'exchange', 'verdict', 'finding'] LOOP
            partition := of_table || '_' || to_char(of_day.day, 'YYYYMMDD');
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L) %s', partition, of_table, of_day.day,
                of_day.day + 1, CASE of_table WHEN 'audit_chain' THEN '' ELSE 'PARTITION BY LIST (class)' END);
            IF of_table <> 'audit_chain' THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%L)', partition || '_standard', partition, 'standard');
            END IF;
            IF of_table = 'audit_event' THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%L)', partition || '_system', partition, 'system');
            END IF;
        END LOOP;
    END LOOP;
END $$;

INSERT INTO audit_chain
SELECT day, node, seq, CASE kind WHEN 'system' THEN 'system' ELSE 'standard' END, decode(hash, 'hex') FROM old_audit_event;

INSERT INTO audit_event
SELECT day, CASE kind WHEN 'system' THEN 'system' ELSE 'standard' END, node, seq, region, tenant, at, kind, exchange_id,
    decode(prev_hash, 'hex'), decode(hash, 'hex'), body FROM old_audit_event;

INSERT INTO exchange
SELECT day, 'standard', exchange_id, node, region, tenant, principal, key_id, client_addr, dialect, route, method, path,
    model_asked, stream, policy_version, started_at, begin_seq, request_action, request_score, request_bytes,
    begin_latency_us, ended_at, end_seq, outcome, status, provider, model, upstream_status, reply_action, reply_score,
    prompt_tokens, completion_tokens, reply_bytes, fault_cause, fault_blame, fault_detail, latency_us FROM old_exchange;

INSERT INTO verdict
SELECT day, 'standard', exchange_id, direction, node, tenant, at, action, score, findings, model_version, faults, waivers
FROM old_verdict;

INSERT INTO finding
SELECT day, 'standard', exchange_id, direction, number, node, tenant, at, judge, judge_id, title, severity, points, action,
    standing, standing_by, would, score, role, trust, place, layer, span_start, span_end, excerpt, tags FROM old_finding;

DROP TABLE old_audit_event, old_exchange, old_verdict, old_finding;
