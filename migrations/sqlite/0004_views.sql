-- Answers to the questions that are asked most: docs/audit-schema.md, "Views".

CREATE INDEX exchange_principal ON exchange (tenant, principal, exchange_id);

-- Incidents by rule: exchanges in which it acted, by day.
CREATE VIEW incidents_by_rule AS
SELECT f.day, f.tenant, f.judge, f.judge_id, max(f.title) AS title, f.severity,
    count(DISTINCT f.exchange_id) AS incidents,
    count(DISTINCT CASE WHEN v.action = 'block' THEN f.exchange_id END) AS blocked,
    min(f.at_us) AS first_us, max(f.at_us) AS last_us
FROM finding f JOIN verdict v USING (day, exchange_id, direction)
WHERE f.standing = 'acts' AND v.action <> 'allow'
GROUP BY f.day, f.tenant, f.judge, f.judge_id, f.severity;

-- Who is stopped most.
CREATE VIEW principals_by_day AS
SELECT day, tenant, principal, count(*) AS exchanges,
    sum(outcome = 'blocked') AS blocked,
    sum('flag' IN (request_action, reply_action)) AS flagged,
    sum(outcome = 'refused') AS refused,
    coalesce(sum(prompt_tokens), 0) AS prompt_tokens, coalesce(sum(completion_tokens), 0) AS completion_tokens,
    count(DISTINCT client_addr) AS addresses, min(started_us) AS first_us, max(started_us) AS last_us
FROM exchange
GROUP BY day, tenant, principal;

-- False alarms look like this: blocked or flagged by one finding alone, of somebody who is hardly ever stopped that day.
CREATE VIEW false_alarm_candidates AS
SELECT e.day, e.exchange_id, e.started_us, e.tenant, e.principal, v.direction, v.action, v.score, f.judge, f.judge_id, f.title,
    f.layer, f.excerpt, p.exchanges AS exchanges_that_day, p.blocked + p.flagged AS stopped_that_day
FROM verdict v
JOIN exchange e USING (day, exchange_id)
JOIN finding f ON (f.day, f.exchange_id, f.direction) = (v.day, v.exchange_id, v.direction) AND f.standing = 'acts'
JOIN principals_by_day p ON (p.day, p.tenant) = (e.day, e.tenant) AND p.principal IS e.principal
WHERE v.action <> 'allow' AND v.findings = 1 AND p.exchanges >= 20 AND (p.blocked + p.flagged) * 20 <= p.exchanges;

-- Tokens by tenant, provider, model and day.
CREATE VIEW usage_by_day AS
SELECT day, tenant, provider, model, count(*) AS exchanges,
    sum(outcome = 'completed') AS completed,
    coalesce(sum(prompt_tokens), 0) AS prompt_tokens, coalesce(sum(completion_tokens), 0) AS completion_tokens,
    sum(outcome = 'completed' AND (prompt_tokens IS NULL OR completion_tokens IS NULL)) AS uncounted
FROM exchange
WHERE provider IS NOT NULL
GROUP BY day, tenant, provider, model;

-- Where the time goes, in milliseconds. The percentiles are of the nearest rank.
CREATE VIEW latency_by_stage AS
WITH ranked AS (
    SELECT e.day, stage.key AS stage, stage.value AS us,
        row_number() OVER (PARTITION BY e.day, stage.key ORDER BY stage.value) AS rank,
        count(*) OVER (PARTITION BY e.day, stage.key) AS n
    FROM exchange e, json_each(e.latency_us) AS stage
)
SELECT day, stage, max(n) AS exchanges,
    min(CASE WHEN rank >= 0.5 * n THEN us END) / 1000.0 AS p50_ms,
    min(CASE WHEN rank >= 0.95 * n THEN us END) / 1000.0 AS p95_ms,
    min(CASE WHEN rank >= 0.99 * n THEN us END) / 1000.0 AS p99_ms,
    max(us) / 1000.0 AS max_ms
FROM ranked
GROUP BY day, stage;
