//! Partitions: by day, and each day by class. Made when the first row of a day and class arrives, dropped by retention.

use std::collections::{BTreeSet, HashSet};

use jiff::civil::Date;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::audit::proof::Part;
use crate::audit::rows::{self, Rows};
use crate::audit::store::Held;

/// Days and classes whose partitions were seen, by the tables that are partitioned so.
pub(super) type Seen = HashSet<(i32, String, &'static [&'static str])>;

/// Makes the partitions that the rows need. Nodes that do so at the same time wait for each other.
pub(super) async fn make(connection: &mut PgConnection, seen: &mut Seen, rows: &Rows) -> Result<(), sqlx::Error> {
    let of = |days: BTreeSet<(i32, &str)>, tables: &'static [&'static str]| {
        days.into_iter().map(|(day, class)| (day, class.to_owned(), tables)).collect::<Vec<_>>()
    };
    // Few days have texts, and what has none needs no tombstone.
    let wanted = of(rows.days(), &CLASSED).into_iter().chain(of(rows.text_days(), &TEXTS));
    let fresh: Vec<_> = wanted.filter(|wanted| !seen.contains(wanted)).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(PARTITION_LOCK).execute(&mut *transaction).await?;
    for (day, class, tables) in &fresh {
        let (name, from, to): (String, String, String) = sqlx::query_as(
            "SELECT to_char(d, 'YYYYMMDD'), to_char(d, 'YYYY-MM-DD'), to_char(d + 1, 'YYYY-MM-DD') \
             FROM (SELECT date '1970-01-01' + $1 AS d) AS days",
        )
        .bind(day)
        .fetch_one(&mut *transaction)
        .await?;
        let of_day = format!("FOR VALUES FROM ('{from}') TO ('{to}')");
        attach(&mut transaction, "audit_chain", &format!("audit_chain_{name}"), "", &of_day).await?;
        for table in *tables {
            let partition = format!("{table}_{name}");
            attach(&mut transaction, table, &partition, "PARTITION BY LIST (class)", &of_day).await?;
            let of_class = format!("FOR VALUES IN ('{class}')");
            attach(&mut transaction, &partition, &format!("{partition}_{class}"), "", &of_class).await?;
        }
    }
    transaction.commit().await?;
    seen.extend(fresh);
    Ok(())
}

/// Makes a partition unless it is there. It is attached, not made in place: that would wait for every reader of the parent, and
/// let none in meanwhile.
async fn attach(
    connection: &mut PgConnection,
    parent: &str,
    partition: &str,
    by: &str,
    values: &str,
) -> Result<(), sqlx::Error> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT to_regclass($1)::text").bind(partition).fetch_one(&mut *connection).await?;
    if found.is_some() {
        return Ok(());
    }
    // Every part is a constant of ours, a class's name (letters and digits) or a date that the server printed.
    for statement in [
        format!("CREATE TABLE {partition} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) {by}"),
        format!("ALTER TABLE {parent} ATTACH PARTITION {partition} {values}"),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// What a partition's name says that it holds: `audit_event_20261123_standard`, `exchange_…`, `audit_chain_20261123`.
pub(super) fn held(partition: &str) -> Option<Held> {
    let day = |digits: &str| -> Option<Date> { Date::strptime("%Y%m%d", digits).ok().filter(|_| digits.len() == 8) };
    if let Some(digits) = partition.strip_prefix("audit_chain_") {
        return Some(Held { part: Part::Chain, day: day(digits)?, class: None });
    }
    let (part, rest) = match partition.strip_prefix("audit_event_") {
        Some(rest) => (Part::Events, rest),
        None => match partition.strip_prefix("passage_text_") {
            Some(rest) => (Part::Texts, rest),
            None => (Part::Review, partition.strip_prefix("exchange_")?),
        },
    };
    let (digits, class) = rest.split_once('_')?;
    Some(Held { part, day: day(digits)?, class: Some(class.to_owned()) })
}

pub(super) async fn drop_part(connection: &mut PgConnection, held: &Held) -> Result<(), sqlx::Error> {
    let tables: &[&str] = match held.part {
        Part::Chain => &["audit_chain"],
        Part::Events => &["audit_event"],
        Part::Review => &["exchange", "verdict", "finding", "incident", "review"],
        Part::Texts => &["passage_text"],
    };
    let digits = held.day.strftime("%Y%m%d");
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(PARTITION_LOCK).execute(&mut *transaction).await?;
    // Who reads for long makes us wait; while we wait nobody else gets in. So not for long: the next run tries again.
    sqlx::query("SET LOCAL lock_timeout = '2s'").execute(&mut *transaction).await?;
    for table in tables {
        let of_day = format!("{table}_{digits}");
        if let Some(class) = &held.class {
            let drop = format!("DROP TABLE IF EXISTS {of_day}_{class}");
            sqlx::query(AssertSqlSafe(drop)).execute(&mut *transaction).await?;
        }
        let left: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass($1))")
                .bind(&of_day)
                .fetch_one(&mut *transaction)
                .await?;
        if !left {
            sqlx::query(AssertSqlSafe(format!("DROP TABLE IF EXISTS {of_day}"))).execute(&mut *transaction).await?;
        }
    }
    if held.part == Part::Review {
        // Few rows: no partitions.
        const FORGET: &str =
            "DELETE FROM principal_day WHERE day = date '1970-01-01' + $1 AND ($2::text IS NULL OR class = $2)";
        sqlx::query(FORGET).bind(rows::day(held.day)).bind(&held.class).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// The tables that are partitioned by class under each day.
const CLASSED: [&str; 6] = ["audit_event", "exchange", "verdict", "finding", "incident", "review"];
/// The same, for texts alone.
const TEXTS: [&str; 1] = ["passage_text"];
/// The advisory lock under which partitions are made ("pcaudit" in ASCII).
const PARTITION_LOCK: i64 = 0x70_6361_7564_6974;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_say_what_they_hold() {
        let one = |name| held(name).map(|held| format!("{:?} {} {}", held.part, held.day, held.class_name()));
        assert_eq!(one("audit_event_20261123_standard").unwrap(), "Events 2026-11-23 standard");
        assert_eq!(one("exchange_20261123_short").unwrap(), "Review 2026-11-23 short");
        assert_eq!(one("passage_text_20261123_short").unwrap(), "Texts 2026-11-23 short");
        assert_eq!(one("audit_chain_20261123").unwrap(), "Chain 2026-11-23 all");
        for other in
            ["verdict_20261123_standard", "audit_event_20261123", "audit_chain_2026112", "exchange_x_y", "other"]
        {
            assert_eq!(one(other), None, "{other}");
        }
    }
}
