//! What reviewers do with incidents: dispositions, assignments and notes, each with who and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::incidents::{Disposition, IncidentId};
use super::sql::Sql;
use crate::audit::error::AuditError;
use crate::audit::query::AuditReader;

/// Something that a reviewer does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Says what it was; `None`: opens it again.
    Disposition(Option<Disposition>),
    /// Gives it to somebody; `None`: to nobody.
    Assignee(Option<String>),
    /// Writes something down.
    Note,
}

impl Step {
    fn name(&self) -> &'static str {
        match self {
            Self::Disposition(_) => "disposition",
            Self::Assignee(_) => "assignee",
            Self::Note => "note",
        }
    }
}

/// One line of an incident's history.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reviewed {
    /// When.
    #[serde(rename(deserialize = "at_us"), deserialize_with = "micros")]
    pub at: Timestamp,
    /// Who.
    pub author: String,
    /// `disposition`, `assignee` or `note`.
    pub what: String,
    /// What stood there before.
    pub before: Option<String>,
    /// What stands there now.
    pub after: Option<String>,
    /// What was written.
    pub note: Option<String>,
}

fn micros<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    Timestamp::from_microsecond(i64::deserialize(from)?).map_err(serde::de::Error::custom)
}

impl AuditReader {
    /// Does something with an incident, or with all open ones of its fingerprint and tenant (`group`). Gives how many that were.
    ///
    /// # Errors
    /// The store's.
    pub async fn review(
        &mut self,
        id: IncidentId,
        group: bool,
        step: &Step,
        (author, note): (&str, Option<&str>),
    ) -> Result<u64, AuditError> {
        let now = self.clock.now().as_microsecond();
        let told = self.chosen(id, group, |sql| {
            let (at, what) = (sql.at(now), step.name());
            let author = sql.bind(author);
            let (before, after) = match step {
                Step::Disposition(to) => ("disposition", sql.bind(to.map(Disposition::name))),
                Step::Assignee(to) => ("assignee", sql.bind(to.as_deref())),
                Step::Note => ("NULL", "NULL".to_owned()),
            };
            let (note, text) = (sql.bind(note), text_of(sql));
            let at_column = sql.time("at");
            format!(
                "INSERT INTO review (day, class, exchange_id, direction, {at_column}, author, what, before, after, note) \
                 SELECT day, class, exchange_id, direction, {at}, {author}{text}, '{what}', {before}, {after}{text}, {note}{text} \
                 FROM incident WHERE "
            )
        });
        let changed = self.chosen(id, group, |sql| {
            let (at, column) = (sql.at(now), sql.time("reviewed_at"));
            let text = text_of(sql);
            let set = match step {
                Step::Disposition(to) => {
                    let to = sql.bind(to.map(Disposition::name));
                    format!("disposition = {to}{text}, {column} = {at}")
                }
                Step::Assignee(to) => format!("assignee = {}{text}", sql.bind(to.as_deref())),
                Step::Note => "notes = notes".to_owned(),
            };
            let noted = if note.is_some() { ", notes = notes + 1" } else { "" };
            let set = if matches!(step, Step::Note) { noted.trim_start_matches(", ").to_owned() } else { set + noted };
            format!("UPDATE incident SET {set} WHERE ")
        });
        // The history first: it says what stood there before.
        self.store.run(&[told, changed]).await
    }

    /// What was done with an incident, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn history(&mut self, id: IncidentId) -> Result<Vec<Reviewed>, AuditError> {
        let mut sql = Sql::new(self.store.dialect());
        let plain = |name: &'static str| (name, name.to_owned());
        let object = sql.object(&[
            ("at_us", sql.micros("at")),
            plain("author"),
            plain("what"),
            plain("before"),
            plain("after"),
            plain("note"),
        ]);
        sql.push(&format!("SELECT {object} FROM review WHERE "));
        let exchange = sql.id(&id.exchange.to_string());
        sql.push(&format!("exchange_id = {exchange}")).with(" AND direction = ?", id.direction());
        let time = sql.time("at");
        sql.push(&format!(" ORDER BY {time} LIMIT 1000"));
        let rows = self.store.ask(&sql).await?;
        rows.iter()
            .map(|row| {
                serde_json::from_str(row).map_err(|error| AuditError::Store(format!("a review's row is odd: {error}")))
            })
            .collect()
    }

    /// A statement over one incident, or over the open ones of its group.
    fn chosen(&self, id: IncidentId, group: bool, begin: impl FnOnce(&mut Sql) -> String) -> Sql {
        let mut sql = Sql::new(self.store.dialect());
        let begin = begin(&mut sql);
        sql.push(&begin);
        let exchange = sql.id(&id.exchange.to_string());
        let direction = sql.bind(id.direction());
        if group {
            // Of the same tenant: a group may reach over several, and who decides for one does not decide for another.
            sql.push(&format!(
                "((fingerprint, tenant) = (SELECT fingerprint, tenant FROM incident \
                 WHERE exchange_id = {exchange} AND direction = {direction}) AND disposition IS NULL) OR "
            ));
        }
        sql.push(&format!("(exchange_id = {exchange} AND direction = {direction})"));
        sql
    }
}

/// A parameter that may be null has a type all the same.
fn text_of(sql: &Sql) -> &'static str {
    match sql.dialect() {
        super::sql::Dialect::Postgres => "::text",
        super::sql::Dialect::Sqlite => "",
    }
}
