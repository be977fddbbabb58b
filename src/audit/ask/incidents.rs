//! The reviewers' queue: incidents listed, one by one or grouped by fingerprint, and what reviewers decide.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sql::{Dialect, Sql};
use crate::audit::error::AuditError;
use crate::audit::query::AuditReader;
use crate::base::ExchangeId;
use crate::verdict::{Action, Severity};

/// One direction of an exchange in which something was done: `EXCHANGE:request` or `EXCHANGE:reply`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IncidentId {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The reply's; else the request's.
    pub is_reply: bool,
}

impl IncidentId {
    /// The direction's name in the record.
    pub fn direction(self) -> &'static str {
        if self.is_reply { "reply" } else { "request" }
    }
}

impl std::fmt::Display for IncidentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.exchange, self.direction())
    }
}

impl std::str::FromStr for IncidentId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no incident's id; write EXCHANGE:request or EXCHANGE:reply");
        let (exchange, direction) = text.split_once(':').ok_or_else(wrong)?;
        let is_reply = match direction {
            "request" => false,
            "reply" => true,
            _ => return Err(wrong()),
        };
        Ok(Self { exchange: exchange.parse().map_err(|_| wrong())?, is_reply })
    }
}

/// What a reviewer says of an incident.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It was an attack, or what it was said to be.
    TruePositive,
    /// It was not.
    FalsePositive,
    /// It was, and is put up with.
    AcceptedRisk,
}

impl Disposition {
    /// The name in the stores.
    pub fn name(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::FalsePositive => "false_positive",
            Self::AcceptedRisk => "accepted_risk",
        }
    }
}

/// Which incidents. Everything is optional.
#[derive(Clone, Debug, Default)]
pub struct IncidentFilter {
    /// Only those without a disposition, or only those with one.
    pub open: Option<bool>,
    /// With this action.
    pub action: Option<Action>,
    /// Of this severity or a worse one.
    pub severity: Option<Severity>,
    /// In which this rule or label acted.
    pub rule: Option<String>,
    /// Of this tenant.
    pub tenant: Option<String>,
    /// Of this principal.
    pub principal: Option<String>,
    /// With this disposition.
    pub disposition: Option<Disposition>,
    /// Assigned to this user; empty: to nobody.
    pub assignee: Option<String>,
    /// Of exchanges that ended so.
    pub outcome: Option<String>,
    /// With this fingerprint.
    pub fingerprint: Option<String>,
    /// With all of these words in title, excerpt, principal or rules.
    pub words: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// A place in a list, newest first: what a page goes on after.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cursor {
    /// Microseconds since 1970.
    pub at_us: i64,
    /// The incident.
    pub id: IncidentId,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.at_us, self.id)
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (at, id) = text.split_once(':').ok_or("a cursor is what a page gave as `next`")?;
        Ok(Self { at_us: at.parse().map_err(|_| "a cursor is what a page gave as `next`")?, id: id.parse()? })
    }
}

/// A page of the queue.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IncidentPage {
    /// Incidents, newest first: docs/openapi.json, `Incident`.
    pub incidents: Vec<Value>,
    /// What the next page goes on after.
    pub next: Option<String>,
    /// How many there are; beyond [`COUNT_MAX`] not counted.
    pub total: u64,
    /// `total` is a least number.
    pub total_is_estimate: bool,
}

impl AuditReader {
    /// A page of incidents, newest first. `grouped`: one for each fingerprint, the newest, with how many there are.
    ///
    /// # Errors
    /// The store's.
    pub async fn incidents(
        &mut self,
        filter: &IncidentFilter,
        (after, limit): (Option<Cursor>, u32),
        grouped: bool,
    ) -> Result<IncidentPage, AuditError> {
        let dialect = self.store.dialect();
        let limit = limit.clamp(1, PAGE_MAX);
        let page = if grouped { groups(dialect, filter, after, limit) } else { list(dialect, filter, after, limit) };
        let rows = self.store.ask(&page).await?;
        let mut incidents = Vec::with_capacity(rows.len());
        for row in rows {
            let row: Value = serde_json::from_str(&row)
                .map_err(|error| AuditError::Store(format!("an incident's row is odd: {error}")))?;
            incidents.push(row);
        }
        let next = incidents.last().filter(|_| incidents.len() == limit as usize).and_then(cursor_of);
        // All of them are here: there is nothing to count, and nothing that could have come in between.
        let is_all = after.is_none() && next.is_none();
        let total = if is_all { incidents.len() as u64 } else { self.count(filter, grouped).await? };
        let incidents = incidents.into_iter().map(shown).collect();
        Ok(IncidentPage { incidents, next, total: total.min(COUNT_MAX), total_is_estimate: total > COUNT_MAX })
    }

    /// How many incidents there are, counted up to one more than [`COUNT_MAX`].
    ///
    /// # Errors
    /// The store's.
    pub async fn count_incidents(&mut self, filter: &IncidentFilter) -> Result<u64, AuditError> {
        self.count(filter, false).await
    }

    async fn count(&mut self, filter: &IncidentFilter, grouped: bool) -> Result<u64, AuditError> {
        let count = self.store.ask(&count(self.store.dialect(), filter, grouped)).await?;
        Ok(count.first().and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    /// One incident, as in the list; `None`: there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn incident(&mut self, id: IncidentId) -> Result<Option<Value>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let fields = fields(&sql, "1", &sql.micros("i.at"));
        sql.push(&format!("SELECT {fields} FROM {FROM} WHERE "));
        let exchange = sql.id(&id.exchange.to_string());
        sql.push(&format!("i.exchange_id = {exchange}")).with(" AND i.direction = ?", id.direction());
        let rows = self.store.ask(&sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let row: Value = serde_json::from_str(row)
            .map_err(|error| AuditError::Store(format!("an incident's row is odd: {error}")))?;
        Ok(Some(shown(row)))
    }
}

/// Times as microseconds become times as people and JSON have them.
fn shown(mut row: Value) -> Value {
    if let Value::Object(fields) = &mut row {
        for (from, to) in [("at_us", "at"), ("first_us", "first_at"), ("reviewed_us", "reviewed_at")] {
            if let Some(value) = fields.remove(from) {
                let time = value.as_i64().and_then(|micros| Timestamp::from_microsecond(micros).ok());
                fields.insert(to.to_owned(), time.map_or(Value::Null, |time| time.to_string().into()));
            }
        }
    }
    row
}

fn cursor_of(row: &Value) -> Option<String> {
    let at = row.get("at_us")?.as_i64()?;
    Some(format!("{at}:{}", row.get("id")?.as_str()?))
}

/// An incident and the exchange that it is of.
const FROM: &str =
    "incident i LEFT JOIN exchange x ON x.day = i.day AND x.class = i.class AND x.exchange_id = i.exchange_id";

fn fields(sql: &Sql, count: &str, first: &str) -> String {
    let plain = |column: &str| format!("i.{column}");
    sql.object(&[
        ("id", format!("{} || ':' || i.direction", sql.uuid("i.exchange_id"))),
        ("at_us", sql.micros("i.at")),
        ("tenant", plain("tenant")),
        ("principal", plain("principal")),
        ("direction", plain("direction")),
        ("action", plain("action")),
        ("severity", plain("severity")),
        ("score", plain("score")),
        ("title", plain("title")),
        ("rules", sql.json("i.judge_ids")),
        ("excerpt", plain("excerpt")),
        ("fingerprint", plain("fingerprint")),
        ("count", count.to_owned()),
        ("first_us", first.to_owned()),
        ("outcome", "x.outcome".to_owned()),
        ("model", "coalesce(x.model, x.model_asked)".to_owned()),
        ("provider", "x.provider".to_owned()),
        ("disposition", plain("disposition")),
        ("assignee", plain("assignee")),
        ("notes", plain("notes")),
        ("reviewed_us", sql.micros("i.reviewed_at")),
    ])
}

fn list(dialect: Dialect, filter: &IncidentFilter, after: Option<Cursor>, limit: u32) -> Sql {
    let mut sql = Sql::new(dialect);
    let fields = fields(&sql, "1", &sql.micros("i.at"));
    sql.push(&format!("SELECT {fields} FROM {FROM} WHERE "));
    conditions(&mut sql, filter);
    if let Some(after) = after {
        let (at, exchange) = (sql.at(after.at_us), sql.id(&after.id.exchange.to_string()));
        let direction = sql.bind(after.id.direction());
        let time = sql.time("i.at");
        sql.push(&format!(" AND ({time}, i.exchange_id, i.direction) < ({at}, {exchange}, {direction})"));
    }
    let time = sql.time("i.at");
    sql.push(&format!(" ORDER BY {time} DESC, i.exchange_id DESC, i.direction DESC"));
    sql.with(" LIMIT ?", i64::from(limit));
    sql
}

/// The newest of each fingerprint, with how many there are and since when.
fn groups(dialect: Dialect, filter: &IncidentFilter, after: Option<Cursor>, limit: u32) -> Sql {
    let mut sql = Sql::new(dialect);
    let (time, micros) = (sql.time("i.at"), sql.micros("i.at"));
    let outcome = if filter.outcome.is_some() { FROM } else { "incident i" };
    sql.push(&format!(
        "WITH grouped AS (SELECT i.fingerprint, count(*) AS n, min({micros}) AS first_us, max({time}) AS last \
         FROM {outcome} WHERE "
    ));
    conditions(&mut sql, filter);
    sql.push(" GROUP BY i.fingerprint), newest AS (SELECT g.n, g.first_us, i.* FROM grouped g JOIN incident i ON i.fingerprint = g.fingerprint");
    sql.push(&format!(" AND {time} = g.last WHERE "));
    // Of two at the very same moment one is enough.
    sql.push("NOT EXISTS (SELECT 1 FROM incident o WHERE o.fingerprint = i.fingerprint");
    sql.push(&format!(
        " AND {} = {time} AND (o.exchange_id, o.direction) > (i.exchange_id, i.direction))",
        sql.time("o.at")
    ));
    if let Some(after) = after {
        let (at, exchange) = (sql.at(after.at_us), sql.id(&after.id.exchange.to_string()));
        let direction = sql.bind(after.id.direction());
        sql.push(&format!(" AND ({time}, i.exchange_id, i.direction) < ({at}, {exchange}, {direction})"));
    }
    sql.push(&format!(" ORDER BY {time} DESC, i.exchange_id DESC, i.direction DESC"));
    sql.with(" LIMIT ?)", i64::from(limit));
    let fields = fields(&sql, "i.n", "i.first_us");
    sql.push(&format!(" SELECT {fields} FROM {}", FROM.replacen("incident i", "newest i", 1)));
    sql.push(&format!(" ORDER BY {time} DESC, i.exchange_id DESC, i.direction DESC"));
    sql
}

/// How many there are, counted up to one more than [`COUNT_MAX`].
fn count(dialect: Dialect, filter: &IncidentFilter, grouped: bool) -> Sql {
    let mut sql = Sql::new(dialect);
    let from = if filter.outcome.is_some() { FROM } else { "incident i" };
    let what = if grouped { "DISTINCT i.fingerprint" } else { "1" };
    let text = if dialect == Dialect::Postgres { "count(*)::text" } else { "CAST(count(*) AS TEXT)" };
    sql.push(&format!("SELECT {text} FROM (SELECT {what} FROM {from} WHERE "));
    conditions(&mut sql, filter);
    sql.with(" LIMIT ?) AS counted", i64::try_from(COUNT_MAX + 1).unwrap_or(i64::MAX));
    sql
}

fn conditions(sql: &mut Sql, filter: &IncidentFilter) {
    sql.push(match filter.open {
        None => "true",
        Some(true) => "i.disposition IS NULL",
        Some(false) => "i.disposition IS NOT NULL",
    });
    for (column, value) in [
        ("i.action", filter.action.map(Action::name)),
        ("i.tenant", filter.tenant.as_deref()),
        ("i.principal", filter.principal.as_deref()),
        ("i.disposition", filter.disposition.map(Disposition::name)),
        ("x.outcome", filter.outcome.as_deref()),
        ("i.fingerprint", filter.fingerprint.as_deref()),
    ] {
        if let Some(value) = value {
            sql.with(&format!(" AND {column} = ?"), value);
        }
    }
    match filter.assignee.as_deref() {
        None => {}
        Some("") => drop(sql.push(" AND i.assignee IS NULL")),
        Some(user) => drop(sql.with(" AND i.assignee = ?", user)),
    }
    if let Some(severity) = filter.severity {
        // As bad, or worse: the names in the stores have no order of their own.
        let names =
            SEVERITIES.into_iter().filter(|one| *one >= severity).map(|one| format!("'{}'", severity_name(one)));
        sql.push(&format!(" AND i.severity IN ({})", names.collect::<Vec<_>>().join(", ")));
    }
    if let Some(rule) = &filter.rule {
        match sql.dialect() {
            Dialect::Postgres => sql.with(" AND i.judge_ids @> jsonb_build_array(?::text)", rule.as_str()),
            Dialect::Sqlite => {
                sql.with(" AND EXISTS (SELECT 1 FROM json_each(i.judge_ids) WHERE json_each.value = ?)", rule.as_str())
            }
        };
    }
    for (time, sign) in [(filter.since, ">="), (filter.until, "<")] {
        if let Some(time) = time {
            let (column, at) = (sql.time("i.at"), sql.at(time.as_microsecond()));
            sql.push(&format!(" AND {column} {sign} {at}"));
        }
    }
    for word in filter.words.as_deref().unwrap_or_default().split_whitespace().take(WORDS_MAX) {
        words(sql, word);
    }
}

/// One word, or how one begins.
fn words(sql: &mut Sql, word: &str) {
    match sql.dialect() {
        Dialect::Postgres => {
            let plain: String =
                word.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { ' ' }).collect();
            // `phraseto_tsquery` takes anything; the last part may go on. Of signs alone nothing would be left to look for.
            if !plain.contains(char::is_alphanumeric) {
                return;
            }
            sql.with(&format!(" AND {WORDS} @@ (phraseto_tsquery('simple', ?)::text || ':*')::tsquery"), plain);
        }
        Dialect::Sqlite => {
            let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            sql.with(
                " AND (i.title || ' ' || i.excerpt || ' ' || i.principal || ' ' || i.judge_ids) LIKE ? ESCAPE '\\'",
                format!("%{escaped}%"),
            );
        }
    }
}

/// The expression of the index `incident_words`.
const WORDS: &str =
    "to_tsvector('simple', i.title || ' ' || i.excerpt || ' ' || i.principal || ' ' || i.judge_ids::text)";

const SEVERITIES: [Severity; 5] = [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// Incidents of one page at most.
pub const PAGE_MAX: u32 = 500;
/// Incidents that are counted exactly.
pub const COUNT_MAX: u64 = 100_000;
/// Words of a search.
const WORDS_MAX: usize = 8;
