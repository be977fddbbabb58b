//! Who calls: sums by principal, and what one of them did.

use serde::{Deserialize, Serialize};

use super::sql::{Dialect, Sql};
use crate::audit::error::AuditError;
use crate::audit::query::AuditReader;

/// What a principal did over some days.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns of table `principal_day`: docs/audit-schema.md")]
pub struct PrincipalSums {
    pub tenant: String,
    pub principal: String,
    pub requests: u64,
    pub blocked: u64,
    pub stopped: u64,
    pub refused: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub cost_nusd: u64,
    pub first_us: i64,
    pub last_us: i64,
    /// Incidents of whatever day that nobody decided yet.
    pub incidents_open: u64,
}

/// What a list of principals begins with.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalOrder {
    /// Those in whose exchanges most was done.
    #[default]
    Stopped,
    /// Those that called most.
    Requests,
    /// Those that cost most.
    Cost,
    /// Those that called last.
    Last,
}

/// Which principals. Everything but the day is optional.
#[derive(Clone, Debug, Default)]
pub struct PrincipalFilter {
    /// From this day on, in days since 1970.
    pub since_day: i64,
    /// Of this tenant.
    pub tenant: Option<String>,
    /// With exactly this name.
    pub principal: Option<String>,
    /// With this in the name, in whatever case.
    pub part: Option<String>,
    /// What comes first.
    pub order: PrincipalOrder,
}

/// What a principal did on a day.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct PrincipalDay {
    /// The second at which the day begins.
    pub at: i64,
    /// Exchanges that ended.
    pub requests: u64,
    /// Of these, blocked.
    pub blocked: u64,
    /// Directions in which something was done.
    pub stopped: u64,
}

/// An address or a key that a principal was seen with, in its last [`SEEN`] exchanges.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SeenWith {
    /// The address, or the key's public id.
    pub name: String,
    /// How often.
    pub requests: u64,
    /// First time, in microseconds since 1970.
    pub first_us: i64,
    /// Last time.
    pub last_us: i64,
}

/// An exchange of a principal.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are columns of table `exchange`: docs/audit-schema.md")]
pub struct PrincipalExchange {
    pub exchange_id: String,
    pub at_us: Option<i64>,
    pub outcome: Option<String>,
    pub request_action: Option<String>,
    pub reply_action: Option<String>,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
}

impl AuditReader {
    /// Sums by principal; `skip` as many as the pages before had.
    ///
    /// # Errors
    /// The store's.
    pub async fn principals(
        &mut self,
        filter: &PrincipalFilter,
        (skip, limit): (i64, i64),
    ) -> Result<Vec<PrincipalSums>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let plain = |name: &'static str| (name, format!("p.{name}"));
        let open = "(SELECT count(*) FROM incident i WHERE i.tenant = p.tenant AND i.principal = p.principal \
                    AND i.disposition IS NULL)";
        let mut fields = vec![plain("tenant"), plain("principal")];
        fields.extend(SUMS.map(plain));
        fields.extend([plain("first_us"), plain("last_us"), ("incidents_open", open.to_owned())]);
        let object = sql.object(&fields);
        let sums = SUMS.map(|name| format!("{} AS {name}", sql.whole(&format!("sum({name})")))).join(", ");
        let (first, last) = match sql.dialect() {
            Dialect::Postgres => (sql.micros("min(first_at)"), sql.micros("max(last_at)")),
            Dialect::Sqlite => ("min(first_us)".to_owned(), "max(last_us)".to_owned()),
        };
        sql.push(&format!(
            "SELECT {object} FROM (SELECT tenant, principal, {sums}, {first} AS first_us, {last} AS last_us \
             FROM principal_day WHERE "
        ));
        let since = sql.day(filter.since_day);
        sql.push(&format!("day >= {since}"));
        for (column, value) in [("tenant", &filter.tenant), ("principal", &filter.principal)] {
            if let Some(value) = value {
                sql.with(&format!(" AND {column} = ?"), value.as_str());
            }
        }
        if let Some(part) = &filter.part {
            let within = match sql.dialect() {
                Dialect::Postgres => " AND position(lower(?::text) in lower(principal)) > 0",
                Dialect::Sqlite => " AND instr(lower(principal), lower(?)) > 0",
            };
            sql.with(within, part.as_str());
        }
        let order = match filter.order {
            PrincipalOrder::Stopped => "sum(stopped) DESC, sum(requests)",
            PrincipalOrder::Requests => "sum(requests)",
            PrincipalOrder::Cost => "sum(cost_nusd)",
            PrincipalOrder::Last => "last_us",
        };
        sql.push(&format!(" GROUP BY tenant, principal ORDER BY {order} DESC, tenant, principal"));
        sql.with(" LIMIT ?", limit).with(" OFFSET ?) p", skip);
        self.rows(&sql).await
    }

    /// What a principal did, day by day.
    ///
    /// # Errors
    /// The store's.
    pub async fn principal_days(
        &mut self,
        (tenant, principal): (&str, &str),
        since_day: i64,
    ) -> Result<Vec<PrincipalDay>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let day = match sql.dialect() {
            Dialect::Postgres => "(day - date '1970-01-01') * 86400",
            Dialect::Sqlite => "day * 86400",
        };
        let sum = |sql: &Sql, name: &str| sql.whole(&format!("sum({name})"));
        let object = sql.object(&[
            ("at", day.to_owned()),
            ("requests", sum(&sql, "requests")),
            ("blocked", sum(&sql, "blocked")),
            ("stopped", sum(&sql, "stopped")),
        ]);
        sql.push(&format!("SELECT {object} FROM principal_day WHERE ")).with("tenant = ?", tenant);
        sql.with(" AND principal = ?", principal);
        let since = sql.day(since_day);
        sql.push(&format!(" AND day >= {since} GROUP BY day ORDER BY day"));
        self.rows(&sql).await
    }

    /// Rules and labels that acted on a principal, with how many incidents each is in; at most 20.
    ///
    /// # Errors
    /// The store's.
    pub async fn principal_judges(
        &mut self,
        (tenant, principal): (&str, &str),
    ) -> Result<Vec<(String, u64)>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let (array, each) = match sql.dialect() {
            Dialect::Postgres => {
                ("json_build_array(j.id, count(*))::text", "jsonb_array_elements_text(i.judge_ids) AS j(id)")
            }
            Dialect::Sqlite => ("json_array(j.value, count(*))", "json_each(i.judge_ids) AS j"),
        };
        let id = if sql.dialect() == Dialect::Postgres { "j.id" } else { "j.value" };
        sql.push(&format!("SELECT {array} FROM incident i, {each} WHERE ")).with("i.tenant = ?", tenant);
        sql.with(" AND i.principal = ?", principal);
        sql.push(&format!(" GROUP BY {id} ORDER BY count(*) DESC, {id} LIMIT 20"));
        self.rows(&sql).await
    }

    /// The addresses (`is_key`: the client keys) of a principal's last exchanges.
    ///
    /// # Errors
    /// The store's.
    pub async fn principal_seen(
        &mut self,
        (tenant, principal): (&str, &str),
        is_key: bool,
    ) -> Result<Vec<SeenWith>, AuditError> {
        let column = if is_key { "key_id" } else { "client_addr" };
        let mut sql = Sql::new(self.store.dialect());
        let micros = sql.micros("started_at");
        let object = sql.object(&[
            ("name", "e.name".to_owned()),
            ("requests", "count(*)".to_owned()),
            ("first_us", "min(e.at_us)".to_owned()),
            ("last_us", "max(e.at_us)".to_owned()),
        ]);
        sql.push(&format!("SELECT {object} FROM (SELECT {column} AS name, {micros} AS at_us FROM exchange WHERE "));
        sql.with("tenant = ?", tenant).with(" AND principal = ?", principal);
        sql.push(" ORDER BY exchange_id DESC").with(" LIMIT ?) e", SEEN);
        sql.push(
            " WHERE e.name IS NOT NULL AND e.at_us IS NOT NULL GROUP BY e.name ORDER BY max(e.at_us) DESC LIMIT 50",
        );
        self.rows(&sql).await
    }

    /// A principal's last exchanges.
    ///
    /// # Errors
    /// The store's.
    pub async fn principal_exchanges(
        &mut self,
        (tenant, principal): (&str, &str),
        limit: i64,
    ) -> Result<Vec<PrincipalExchange>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let plain = |name: &'static str| (name, name.to_owned());
        let object = sql.object(&[
            ("exchange_id", sql.uuid("exchange_id")),
            ("at_us", sql.micros("started_at")),
            plain("outcome"),
            plain("request_action"),
            plain("reply_action"),
            ("model", "coalesce(model, model_asked)".to_owned()),
            plain("provider"),
            plain("prompt_tokens"),
            plain("completion_tokens"),
        ]);
        sql.push(&format!("SELECT {object} FROM exchange WHERE ")).with("tenant = ?", tenant);
        sql.with(" AND principal = ?", principal).push(" ORDER BY exchange_id DESC").with(" LIMIT ?", limit);
        self.rows(&sql).await
    }
}

const SUMS: [&str; 7] =
    ["requests", "blocked", "stopped", "refused", "prompt_tokens", "completion_tokens", "cost_nusd"];
/// Exchanges that are looked through for addresses and keys.
pub const SEEN: i64 = 1000;
