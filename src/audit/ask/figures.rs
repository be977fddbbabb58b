//! Figures out of sums: traffic, latency, usage, rules and providers over a span of time. See [`crate::audit::sums`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::incidents::Disposition;
use super::sql::{Dialect, Sql};
use crate::audit::error::AuditError;
use crate::audit::query::AuditReader;
use crate::audit::sums::{DAY, HOUR, MINUTE, bucket_start};

/// A span of time, cut into steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// The first second; a multiple of the step.
    pub from: i64,
    /// The second after the last.
    pub to: i64,
    /// Seconds of a step.
    pub step: i64,
}

impl Span {
    /// The steps of `step` seconds that end with the one of `now`, over `seconds`.
    pub fn until(now: Timestamp, seconds: i64, step: i64) -> Self {
        let to = (now.as_second().div_euclid(step) + 1) * step;
        Self { from: to - seconds.div_euclid(step).max(1) * step, to, step }
    }

    /// The sums that are fine enough: minutes for two days, hours for the rest.
    fn sums(self) -> i64 {
        if self.step < HOUR { MINUTE } else { HOUR }
    }

    /// Beginnings of all steps.
    pub fn steps(self) -> impl Iterator<Item = i64> {
        (0..(self.to - self.from) / self.step).map(move |number| self.from + number * self.step)
    }
}

/// Counts of a step, of a span or of who answered.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns of table `traffic`: docs/audit-schema.md")]
pub struct Counts {
    pub requests: u64,
    pub blocked: u64,
    pub failed: u64,
    pub interrupted: u64,
    pub client_gone: u64,
    pub refused: u64,
    pub flagged: u64,
    pub redacted: u64,
    pub routed: u64,
    pub throttled: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub uncounted: u64,
    pub cost_nusd: u64,
    pub unpriced: u64,
}

const COUNTS: [&str; 15] = [
    "requests",
    "blocked",
    "failed",
    "interrupted",
    "client_gone",
    "refused",
    "flagged",
    "redacted",
    "routed",
    "throttled",
    "prompt_tokens",
    "completion_tokens",
    "uncounted",
    "cost_nusd",
    "unpriced",
];

/// Counts of one step.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct StepCounts {
    /// The second at which it begins.
    pub at: i64,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Counts of a tenant, by who answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Usage {
    /// The tenant.
    pub tenant: String,
    /// The provider; empty: nobody was asked.
    pub provider: String,
    /// The model that it was asked for.
    pub model: String,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

/// How long a stage takes, in milliseconds; within a tenth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageLatency {
    /// The stage, or the provider.
    pub name: String,
    /// How often.
    pub count: u64,
    /// Half take no longer.
    pub p50_ms: f64,
    /// 19 of 20 take no longer.
    pub p95_ms: f64,
    /// 99 of 100 take no longer.
    pub p99_ms: f64,
    /// None takes longer.
    pub max_ms: f64,
}

/// What a rule or a label of the classifier did.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct JudgeHits {
    /// `rule` or `model`.
    pub judge: String,
    /// The rule's id, or the label.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// How bad.
    pub severity: String,
    /// Findings that counted.
    pub acted: u64,
    /// Of these, in what was blocked.
    pub blocked: u64,
    /// Findings in shadow mode.
    pub shadow: u64,
    /// Findings that an allowance, an exception or the paranoia level held back.
    pub held: u64,
}

/// What reviewers said of incidents in which a rule acted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are dispositions")]
pub struct RuleReviews {
    pub true_positive: u64,
    pub false_positive: u64,
    pub accepted_risk: u64,
}

impl RuleReviews {
    /// The part that were false alarms; `None`: nobody said anything yet.
    #[expect(clippy::cast_precision_loss, reason = "a part of a whole")]
    pub fn false_rate(self) -> Option<f64> {
        let all = self.true_positive + self.false_positive + self.accepted_risk;
        (all > 0).then(|| self.false_positive as f64 / all as f64)
    }
}

/// What a provider did wrong last.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProviderFault {
    /// Microseconds since 1970.
    pub at_us: i64,
    /// In words.
    pub detail: Option<String>,
}

impl AuditReader {
    /// Counts by step, those of them in which something was counted.
    ///
    /// # Errors
    /// The store's.
    pub async fn traffic(&mut self, span: Span, tenant: Option<&str>) -> Result<Vec<StepCounts>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let seconds = seconds(&sql, "at");
        let step = span.step;
        let at = format!("({seconds} / {step} * {step})");
        let object = counted(&sql, &[("at", at.clone())]);
        sql.push(&format!("SELECT {object} FROM traffic WHERE "));
        within(&mut sql, span, tenant);
        sql.push(&format!(" GROUP BY {at} ORDER BY {at}"));
        self.rows(&sql).await
    }

    /// Counts by tenant, provider and model, most requests first; at most [`USAGE_MAX`].
    ///
    /// # Errors
    /// The store's.
    pub async fn usage(&mut self, span: Span, tenant: Option<&str>) -> Result<Vec<Usage>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let plain = |name: &'static str| (name, name.to_owned());
        let object = counted(&sql, &[plain("tenant"), plain("provider"), plain("model")]);
        sql.push(&format!("SELECT {object} FROM traffic WHERE "));
        within(&mut sql, span, tenant);
        sql.push(" GROUP BY tenant, provider, model HAVING sum(requests) > 0 ORDER BY sum(requests) DESC, tenant, provider, model");
        sql.with(" LIMIT ?", USAGE_MAX);
        self.rows(&sql).await
    }

    /// Tenants that did something, in order of their names; at most [`USAGE_MAX`].
    ///
    /// # Errors
    /// The store's.
    pub async fn tenants(&mut self, span: Span) -> Result<Vec<String>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        sql.push("SELECT tenant FROM traffic WHERE ");
        within(&mut sql, Span { step: HOUR, ..span }, None);
        sql.push(" AND tenant <> '' GROUP BY tenant ORDER BY tenant").with(" LIMIT ?", USAGE_MAX);
        self.store.ask(&sql).await
    }

    /// How long each stage takes, of all tenants.
    ///
    /// # Errors
    /// The store's.
    pub async fn stages(&mut self, span: Span) -> Result<Vec<StageLatency>, AuditError> {
        self.latency(span, "stage", "stage <> ''").await
    }

    /// How long each provider takes until the head of its answer.
    ///
    /// # Errors
    /// The store's.
    pub async fn providers(&mut self, span: Span) -> Result<Vec<StageLatency>, AuditError> {
        self.latency(span, "provider", "stage = 'provider_head' AND provider <> ''").await
    }

    async fn latency(&mut self, span: Span, by: &str, which: &str) -> Result<Vec<StageLatency>, AuditError> {
        #[derive(Deserialize)]
        struct Row {
            name: String,
            bucket: u32,
            n: u64,
        }
        let mut sql = Sql::new(self.store.dialect());
        let object =
            sql.object(&[("name", by.to_owned()), ("bucket", "bucket".to_owned()), ("n", sql.whole("sum(n)"))]);
        sql.push(&format!("SELECT {object} FROM stage_latency WHERE {which} AND "));
        // Weeks are read by the day: the last day is not cut off, and the first one is whole.
        let step = if span.to - span.from > 8 * DAY { DAY } else { span.sums() };
        from_to(&mut sql, Span { from: span.from.div_euclid(step) * step, ..span }, step);
        sql.push(&format!(" GROUP BY {by}, bucket ORDER BY {by}, bucket"));
        let rows: Vec<Row> = self.rows(&sql).await?;
        let mut found: BTreeMap<String, Vec<(u32, u64)>> = BTreeMap::new();
        for row in rows {
            found.entry(row.name).or_default().push((row.bucket, row.n));
        }
        Ok(found.into_iter().map(|(name, buckets)| latency_of(name, &buckets)).collect())
    }

    /// What rules and labels did, those that acted most first.
    ///
    /// # Errors
    /// The store's.
    pub async fn hits(
        &mut self,
        (from, to): (i64, i64),
        tenant: Option<&str>,
        limit: i64,
    ) -> Result<Vec<JudgeHits>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let mut fields = vec![
            ("judge", "judge".to_owned()),
            ("id", "judge_id".to_owned()),
            ("title", "max(title)".to_owned()),
            ("severity", "max(severity)".to_owned()),
        ];
        fields.extend(["acted", "blocked", "shadow", "held"].map(|name| (name, sql.whole(&format!("sum({name})")))));
        let object = sql.object(&fields);
        sql.push(&format!("SELECT {object} FROM judge_hits WHERE "));
        let (time, from, to) = (sql.time("at"), sql.at(from * 1_000_000), sql.at(to * 1_000_000));
        sql.push(&format!("{time} >= {from} AND {time} < {to}"));
        if let Some(tenant) = tenant {
            sql.with(" AND tenant = ?", tenant);
        }
        sql.push(" GROUP BY judge, judge_id ORDER BY sum(acted) DESC, sum(shadow) DESC, judge_id")
            .with(" LIMIT ?", limit);
        self.rows(&sql).await
    }

    /// What a rule or a label did, day by day: (the second at which the day begins, acted, shadow).
    ///
    /// # Errors
    /// The store's.
    pub async fn hits_by_day(&mut self, id: &str, from: i64) -> Result<Vec<(i64, u64, u64)>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let day = format!("({} / {DAY} * {DAY})", seconds(&sql, "at"));
        let fields = [day.clone(), sql.whole("sum(acted)"), sql.whole("sum(shadow)")].join(", ");
        let array = match sql.dialect() {
            Dialect::Postgres => format!("json_build_array({fields})::text"),
            Dialect::Sqlite => format!("json_array({fields})"),
        };
        sql.push(&format!("SELECT {array} FROM judge_hits WHERE ")).with("judge_id = ?", id);
        let (time, from) = (sql.time("at"), sql.at(from * 1_000_000));
        sql.push(&format!(" AND {time} >= {from} GROUP BY {day} ORDER BY {day}"));
        self.rows(&sql).await
    }

    /// What reviewers said since a time of incidents in which a rule or a label acted, by its id.
    ///
    /// # Errors
    /// The store's.
    pub async fn rule_reviews(&mut self, since: i64) -> Result<BTreeMap<String, RuleReviews>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let (array, each, id) = match sql.dialect() {
            Dialect::Postgres => ("json_build_array", "jsonb_array_elements_text(i.judge_ids) AS j(id)", "j.id"),
            Dialect::Sqlite => ("json_array", "json_each(i.judge_ids) AS j", "j.value"),
        };
        let text = if sql.dialect() == Dialect::Postgres { "::text" } else { "" };
        sql.push(&format!("SELECT {array}({id}, i.disposition, count(*)){text} FROM incident i, {each} "));
        let (time, since) = (sql.time("i.reviewed_at"), sql.at(since * 1_000_000));
        sql.push(&format!("WHERE i.disposition IS NOT NULL AND {time} >= {since} GROUP BY {id}, i.disposition"));
        let mut found: BTreeMap<String, RuleReviews> = BTreeMap::new();
        for (id, disposition, count) in self.rows::<(String, Disposition, u64)>(&sql).await? {
            let one = found.entry(id).or_default();
            match disposition {
                Disposition::TruePositive => one.true_positive = count,
                Disposition::FalsePositive => one.false_positive = count,
                Disposition::AcceptedRisk => one.accepted_risk = count,
            }
        }
        Ok(found)
    }

    /// What a provider did wrong last, since a time.
    ///
    /// # Errors
    /// The store's.
    pub async fn provider_fault(&mut self, provider: &str, since: i64) -> Result<Option<ProviderFault>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let object = sql.object(&[("at_us", sql.micros("ended_at")), ("detail", "fault_detail".to_owned())]);
        sql.push(&format!("SELECT {object} FROM exchange WHERE fault_blame = 'provider'"));
        sql.with(" AND provider = ?", provider);
        let (time, since) = (sql.time("ended_at"), sql.at(since * 1_000_000));
        sql.push(&format!(" AND {time} >= {since} ORDER BY {time} DESC LIMIT 1"));
        Ok(self.rows(&sql).await?.pop())
    }

    /// Rows of JSON as values.
    pub(super) async fn rows<T: serde::de::DeserializeOwned>(&mut self, sql: &Sql) -> Result<Vec<T>, AuditError> {
        let rows = self.store.ask(sql).await?;
        let read = |row: &String| {
            serde_json::from_str(row).map_err(|error| AuditError::Store(format!("a row of figures is odd: {error}")))
        };
        rows.iter().map(read).collect()
    }
}

/// Forgets sums that are finer or older than anybody asks for.
pub(crate) fn forget(dialect: Dialect, now: Timestamp) -> Vec<Sql> {
    let now = now.as_second();
    let kept = [
        ("traffic", Some(MINUTE), MINUTES_DAYS),
        ("traffic", Some(HOUR), HOURS_DAYS),
        ("stage_latency", Some(MINUTE), MINUTES_DAYS),
        ("stage_latency", Some(HOUR), STAGE_HOURS_DAYS),
        ("stage_latency", Some(DAY), HOURS_DAYS),
        ("judge_hits", None, HOURS_DAYS),
    ];
    let one = |(table, step, days): (&str, Option<i64>, i64)| {
        let mut sql = Sql::new(dialect);
        let (time, before) = (sql.time("at"), sql.at((now - days * DAY) * 1_000_000));
        sql.push(&format!("DELETE FROM {table} WHERE {time} < {before}"));
        if let Some(step) = step {
            sql.with(" AND step = ?", step);
        }
        sql
    };
    kept.into_iter().map(one).collect()
}

/// An object of some fields and of all sums.
fn counted(sql: &Sql, fields: &[(&'static str, String)]) -> String {
    let mut fields = fields.to_vec();
    fields.extend(COUNTS.map(|name| (name, sql.whole(&format!("sum({name})")))));
    sql.object(&fields)
}

/// Seconds since 1970 of a column of times, whole.
fn seconds(sql: &Sql, column: &str) -> String {
    match sql.dialect() {
        Dialect::Postgres => format!("extract(epoch FROM {column})::bigint"),
        Dialect::Sqlite => format!("({} / 1000000)", sql.time(column)),
    }
}

fn within(sql: &mut Sql, span: Span, tenant: Option<&str>) {
    from_to(sql, span, span.sums());
    if let Some(tenant) = tenant {
        sql.with(" AND tenant = ?", tenant);
    }
}

fn from_to(sql: &mut Sql, span: Span, step: i64) {
    let (time, from, to) = (sql.time("at"), sql.at(span.from * 1_000_000), sql.at(span.to * 1_000_000));
    sql.with("step = ?", step).push(&format!(" AND {time} >= {from} AND {time} < {to}"));
}

fn latency_of(name: String, buckets: &[(u32, u64)]) -> StageLatency {
    let max = buckets.last().map_or(0.0, |(bucket, _)| bucket_start(bucket + 1));
    StageLatency {
        name,
        count: buckets.iter().map(|(_, n)| n).sum(),
        p50_ms: quantile(buckets, 0.50) / 1000.0,
        p95_ms: quantile(buckets, 0.95) / 1000.0,
        p99_ms: quantile(buckets, 0.99) / 1000.0,
        max_ms: max / 1000.0,
    }
}

/// The time that this part of all take at most, in microseconds, as if those of a bucket lay evenly in it.
#[expect(clippy::cast_precision_loss, reason = "counts, and an answer within a tenth")]
fn quantile(buckets: &[(u32, u64)], part: f64) -> f64 {
    let wanted = buckets.iter().map(|(_, n)| *n).sum::<u64>() as f64 * part;
    let mut seen = 0.0;
    for (bucket, n) in buckets {
        let n = *n as f64;
        if seen + n >= wanted && n > 0.0 {
            let (start, end) = (bucket_start(*bucket), bucket_start(bucket + 1));
            return start + (end - start) * ((wanted - seen) / n).clamp(0.0, 1.0);
        }
        seen += n;
    }
    0.0
}

/// Rows of usage, and tenants, at most.
pub const USAGE_MAX: i64 = 200;
/// Days that sums of minutes are kept.
const MINUTES_DAYS: i64 = 2;
/// Days that sums of hours are kept, and what is read by the day.
const HOURS_DAYS: i64 = 400;
/// Days that latency is kept by the hour.
const STAGE_HOURS_DAYS: i64 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sums::bucket;

    #[test]
    fn a_span_ends_with_the_step_of_now() {
        let now: Timestamp = "2026-11-23T12:34:56Z".parse().unwrap();
        let span = Span::until(now, 3600, 60);
        assert_eq!(span.steps().count(), 60);
        assert!(span.from <= now.as_second() - 3500 && now.as_second() < span.to && span.to - now.as_second() <= 60);
        assert_eq!((span.from % 60, span.sums(), Span::until(now, 90 * DAY, 12 * HOUR).sums()), (0, MINUTE, HOUR));
    }

    #[test]
    fn quantiles_are_within_a_tenth() {
        let mut buckets: BTreeMap<u32, u64> = BTreeMap::new();
        for micros in 1..=10_000_u64 {
            *buckets.entry(bucket(micros * 10)).or_default() += 1;
        }
        let buckets: Vec<_> = buckets.into_iter().collect();
        for (part, exact) in [(0.5, 50_000.0), (0.95, 95_000.0), (0.99, 99_000.0)] {
            let found = quantile(&buckets, part);
            assert!((found / exact - 1.0_f64).abs() < 0.1, "{part}: {found}");
        }
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!(latency_of("scan".into(), &[(0, 1)]).count, 1);
    }
}
