-- Answers to the questions that are asked most: docs/audit-schema.md, "Views".

CREATE INDEX exchange_principal ON exchange (tenant, principal, exchange_id);

-- Incidents by rule: exchanges in which it acted, by day.
CREATE VIEW incidents_by_rule AS
SELECT f.day, f.tenant, f.judge, f.judge_id, max(f.title) AS title, f.severity,
    count(DISTINCT f.exchange_id) AS incidents,
    count(DISTINCT f.exchange_id) FILTER (WHERE v.action = 'block') AS blocked,
    min(f.at) AS first_at, max(f.at) AS last_at
FROM finding f JOIN verdict v USING (day, class, exchange_id, direction)
WHERE f.standing = 'acts' AND v.action <> 'allow'
GROUP BY f.day, f.tenant, f.judge, f.judge_id, f.severity;

-- Who is stopped most.
CREATE VIEW principals_by_day AS
SELECT day, tenant, principal, count(*) AS exchanges,
    count(*) FILTER (WHERE outcome = 'blocked') AS blocked,
    count(*) FILTER (WHERE 'flag' IN (request_action, reply_action)) AS flagged,
    count(*) FILTER (WHERE outcome = 'refused') AS refused,
    coalesce(sum(prompt_tokens), 0)::bigint AS prompt_tokens, coalesce(sum(completion_tokens), 0)::bigint AS completion_tokens,
    count(DISTINCT client_addr) AS addresses, min(started_at) AS first_at, max(started_at) AS last_at
FROM exchange
GROUP BY day, tenant, principal;

-- False alarms look like this: blocked or flagged by one finding alone, of somebody who is hardly ever stopped that day.
CREATE VIEW false_alarm_candidates AS
SELECT e.day, e.exchange_id, e.started_at, e.tenant, e.principal, v.direction, v.action, v.score, f.judge, f.judge_id, f.title,
    f.layer, f.excerpt, p.exchanges AS exchanges_that_day, p.blocked + p.flagged AS stopped_that_day
FROM verdict v
JOIN exchange e USING (day, class, exchange_id)
JOIN finding f ON (f.day, f.class, f.exchange_id, f.direction) = (v.day, v.class, v.exchange_id, v.direction) AND f.standing = 'acts'
JOIN principals_by_day p ON (p.day, p.tenant) = (e.day, e.tenant) AND p.principal IS NOT DISTINCT FROM e.principal
WHERE v.action <> 'allow' AND v.findings = 1 AND p.exchanges >= 20 AND (p.blocked + p.flagged) * 20 <= p.exchanges;

-- Tokens by tenant, provider, model and day.
CREATE VIEW usage_by_day AS
SELECT day, tenant, provider, model, count(*) AS exchanges,
    count(*) FILTER (WHERE outcome = 'completed') AS completed,
    coalesce(sum(prompt_tokens), 0)::bigint AS prompt_tokens, coalesce(sum(completion_tokens), 0)::bigint AS completion_tokens,
    count(*) FILTER (WHERE outcome = 'completed' AND (prompt_tokens IS NULL OR completion_tokens IS NULL)) AS uncounted
FROM exchange
WHERE provider IS NOT NULL
GROUP BY day, tenant, provider, model;

-- Where the time goes, in milliseconds.
CREATE VIEW latency_by_stage AS
SELECT e.day, stage.key AS stage, count(*) AS exchanges,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY stage.value::bigint) / 1000 AS p50_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY stage.value::bigint) / 1000 AS p95_ms,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY stage.value::bigint) / 1000 AS p99_ms,
    max(stage.value::bigint) / 1000.0 AS max_ms
FROM exchange e, jsonb_each_text(e.latency_us) AS stage
GROUP BY e.day, stage.key;
