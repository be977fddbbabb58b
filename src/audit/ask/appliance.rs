//! What the record says of the appliance itself: seals, tombstones, what administrators did; and how far each chain goes.

use serde::{Deserialize, Serialize};

use super::sql::{Dialect, Sql};
use crate::audit::error::AuditError;
use crate::audit::event::{Event, SystemKind};
use crate::audit::query::AuditReader;
use crate::audit::record::{Hash, Record};

/// A chain in the store.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ChainSpan {
    /// Whose.
    pub node: String,
    /// The first record that is still there.
    pub first_seq: Option<u64>,
    /// The last one.
    pub last_seq: Option<u64>,
}

/// A place in a list of such records, newest first: what a page goes on after.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventPlace {
    /// Microseconds since 1970.
    pub at_us: i64,
    /// The record's number.
    pub seq: i64,
}

impl std::fmt::Display for EventPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.at_us, self.seq)
    }
}

impl std::str::FromStr for EventPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a cursor is what a page gave as `next`".to_owned();
        let (at, seq) = text.split_once(':').ok_or_else(wrong)?;
        Ok(Self { at_us: at.parse().map_err(|_| wrong())?, seq: seq.parse().map_err(|_| wrong())? })
    }
}

impl AuditReader {
    /// How far each chain goes.
    ///
    /// # Errors
    /// The store's.
    pub async fn chain_spans(&mut self) -> Result<Vec<ChainSpan>, AuditError> {
        let mut spans = Vec::new();
        for node in self.store.nodes().await? {
            let mut sql = Sql::new(self.store.dialect());
            let name = sql.bind(node.as_str());
            let text = if sql.dialect() == Dialect::Postgres { "::text" } else { "" };
            let object = sql.object(&[
                ("node", format!("{name}{text}")),
                ("first_seq", format!("(SELECT min(seq) FROM audit_chain WHERE node = {name})")),
                ("last_seq", format!("(SELECT max(seq) FROM audit_chain WHERE node = {name})")),
            ]);
            sql.push(&format!("SELECT {object}"));
            spans.extend(self.rows::<ChainSpan>(&sql).await?);
        }
        Ok(spans)
    }

    /// The newest seals of all chains.
    ///
    /// # Errors
    /// The store's, or a body that is no record.
    pub async fn seals(&mut self, limit: i64) -> Result<Vec<Record>, AuditError> {
        Ok(self.appliance("seal", "", (None, limit)).await?.0)
    }

    /// The newest tombstones of all chains.
    ///
    /// # Errors
    /// The store's, or a body that is no record.
    pub async fn newest_tombstones(&mut self, limit: i64) -> Result<Vec<Record>, AuditError> {
        Ok(self.appliance("tombstone", "", (None, limit)).await?.0)
    }

    /// What administrators and reviewers did, newest first; with what the next page goes on after.
    ///
    /// # Errors
    /// The store's, or a body that is no record.
    pub async fn deeds(
        &mut self,
        after: Option<EventPlace>,
        limit: i64,
    ) -> Result<(Vec<Record>, Option<EventPlace>), AuditError> {
        // Quotes inside of details are escaped: this stands there for the kind alone.
        let (records, next) = self.appliance("system", " AND body LIKE '%\"what\":\"admin\"%'", (after, limit)).await?;
        let is_deed =
            |record: &Record| matches!(&record.event, Event::System(system) if system.kind == SystemKind::Admin);
        Ok((records.into_iter().filter(is_deed).collect(), next))
    }

    async fn appliance(
        &mut self,
        kind: &str,
        which: &str,
        (after, limit): (Option<EventPlace>, i64),
    ) -> Result<(Vec<Record>, Option<EventPlace>), AuditError> {
        #[derive(Deserialize)]
        struct Row {
            at_us: i64,
            seq: i64,
            body: String,
        }
        let mut sql = Sql::new(self.store.dialect());
        let object = sql.object(&[("at_us", sql.micros("at")), ("seq", "seq".to_owned()), ("body", "body".to_owned())]);
        sql.push(&format!("SELECT {object} FROM audit_event WHERE exchange_id IS NULL{which}"))
            .with(" AND kind = ?", kind);
        let time = sql.time("at");
        if let Some(after) = after {
            let (at, seq) = (sql.at(after.at_us), sql.bind(after.seq));
            sql.push(&format!(" AND ({time}, seq) < ({at}, {seq})"));
        }
        sql.push(&format!(" ORDER BY {time} DESC, seq DESC")).with(" LIMIT ?", limit);
        let rows: Vec<Row> = self.rows(&sql).await?;
        let next = rows.last().filter(|_| i64::try_from(rows.len()) == Ok(limit));
        let next = next.map(|row| EventPlace { at_us: row.at_us, seq: row.seq });
        let read = |row: &Row| {
            Record::parse(Hash::ZERO, row.body.as_bytes())
                .map_err(|error| AuditError::Store(format!("record {} cannot be read: {error}", row.seq)))
        };
        Ok((rows.iter().map(read).collect::<Result<_, _>>()?, next))
    }
}
