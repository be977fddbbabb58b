//! Whether the rows that were made for review say what the records say: reviewers look at those rows, and nothing hashes them.
//! And whether the texts are there that the records tell of.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::error::AuditError;
use super::proof::graves::Graves;
use super::proof::{Break, BreakKind, Part};
use super::record::Record;
use super::rows::{self, Rows};
use super::store::Store;
use super::store::columns::{BEGIN, END, FINDING, INCIDENT, Target, VERDICT};

/// What the store has of one exchange.
type Stored = BTreeMap<Key, Value>;
/// Exchange, direction, number; the latter two are empty where a table has no such columns.
type Key = (String, String, i64);

/// Holds the rows of some records of one chain against the store's; gives the first that differs.
pub(crate) async fn check(
    store: &mut Store,
    records: &[Record],
    graves: &mut Graves,
) -> Result<Option<Break>, AuditError> {
    if let Some(broken) = texts(store, records, graves).await? {
        return Ok(Some(broken));
    }
    // How older writers made their rows is not known any more.
    let records: Vec<Record> = records.iter().filter(|record| record.schema_version >= FIRST).cloned().collect();
    let expected = Rows::of(&records);
    let keys: BTreeSet<(i32, &str, String)> = expected
        .begins
        .iter()
        .map(|row| (row.day, row.class.as_str(), row.exchange_id.to_string()))
        .chain(expected.ends.iter().map(|row| (row.day, row.class.as_str(), row.exchange_id.to_string())))
        .filter(|(day, class, _)| !is_given_up(graves, Part::Review, (*day, class)))
        .collect();
    if keys.is_empty() {
        return Ok(None);
    }
    let wanted: Vec<Value> = keys
        .iter()
        .map(|(day, class, exchange)| serde_json::json!({ "day": day, "class": class, "exchange_id": exchange }))
        .collect();
    let wanted = Value::Array(wanted).to_string();
    let begins = stored(store, BEGIN, &wanted).await?;
    let ends = stored(store, END, &wanted).await?;
    let verdicts = stored(store, VERDICT, &wanted).await?;
    let findings = stored(store, FINDING, &wanted).await?;
    let incidents = stored(store, INCIDENT, &wanted).await?;

    let asked: BTreeSet<String> = keys.into_iter().map(|(_, _, exchange)| exchange).collect();
    let check = Check { asked: &asked, verdicts: &verdicts, findings: &findings, incidents: &incidents };
    for row in &expected.begins {
        let (exchange, seq) = (row.exchange_id.to_string(), row.begin_seq);
        if let Some(broken) = check.half(BEGIN, &begins, (&exchange, "begin_seq", seq), row, ("request", &expected)) {
            return Ok(Some(broken));
        }
    }
    for row in &expected.ends {
        let (exchange, seq) = (row.exchange_id.to_string(), row.end_seq);
        if let Some(broken) = check.half(END, &ends, (&exchange, "end_seq", seq), row, ("reply", &expected)) {
            return Ok(Some(broken));
        }
    }
    Ok(None)
}

/// Holds the texts that some records tell of against the store's; gives the first that is not there, or is another.
async fn texts(store: &mut Store, records: &[Record], graves: &mut Graves) -> Result<Option<Break>, AuditError> {
    let told: Vec<_> = records
        .iter()
        .filter_map(|record| {
            record.event.text_ref().map(|(exchange, direction, text)| (record, exchange, direction, text))
        })
        .map(|(record, exchange, direction, text)| {
            (record, rows::exchange_day(exchange), exchange.to_string(), direction, text)
        })
        .filter(|(record, day, ..)| !is_given_up(graves, Part::Texts, (*day, &record.class)))
        .collect();
    if told.is_empty() {
        return Ok(None);
    }
    let wanted: BTreeSet<_> =
        told.iter().map(|(record, day, exchange, ..)| (*day, record.class.as_str(), exchange.as_str())).collect();
    let wanted: Value = wanted
        .into_iter()
        .map(|(day, class, exchange)| serde_json::json!({ "day": day, "class": class, "exchange_id": exchange }))
        .collect();
    let wanted = wanted.to_string();
    let stored = store.text_hashes(&wanted).await?;
    let stored: BTreeMap<_, _> =
        stored.into_iter().map(|(exchange, direction, hash)| ((exchange, direction), hash)).collect();
    for (record, _, exchange, direction, text) in told {
        let name = direction.name();
        let fail = |kind, detail| Ok(Some(Break { seq: record.seq, kind, detail }));
        match stored.get(&(exchange.clone(), name.to_owned())) {
            None => {
                let detail = format!(
                    "table passage_text lacks the {name}'s text of exchange {exchange}, which record {} tells of",
                    record.seq
                );
                return fail(BreakKind::Missing, detail);
            }
            Some(hash) if *hash != text.sha256.to_string() => {
                let detail = format!(
                    "table passage_text: the {name}'s text of exchange {exchange} is not the one of record {}",
                    record.seq
                );
                return fail(BreakKind::Changed, detail);
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

fn is_given_up(graves: &mut Graves, part: Part, (day, class): (i32, &str)) -> bool {
    rows::date(day).is_some_and(|day| graves.spares(part, day, class))
}

struct Check<'a> {
    asked: &'a BTreeSet<String>,
    verdicts: &'a Stored,
    findings: &'a Stored,
    incidents: &'a Stored,
}

impl Check<'_> {
    /// One half of an exchange, with the verdict and the findings that came with it.
    fn half<T: Serialize>(
        &self,
        target: Target,
        stored: &Stored,
        (exchange, number, seq): (&str, &str, u64),
        row: &T,
        (direction, expected): (&str, &Rows),
    ) -> Option<Break> {
        if !self.asked.contains(exchange) {
            return None;
        }
        let key = (exchange.to_owned(), String::new(), 0);
        let found = stored.get(&key);
        // The first half to arrive counts: an exchange that a crash ended twice has the first end's row.
        let counted = found.and_then(|found| found.get(number)).and_then(Value::as_u64);
        if counted.is_some_and(|counted| counted < seq) {
            return None;
        }
        if let Some(broken) = differs(target, found, row, (seq, &format!("exchange {exchange}"))) {
            return Some(broken);
        }
        let verdicts = expected
            .verdicts
            .iter()
            .filter(|verdict| is_of(verdict.exchange_id, exchange, verdict.direction, direction));
        for verdict in verdicts {
            let key = (exchange.to_owned(), direction.to_owned(), 0);
            let name = format!("the {direction}'s verdict of exchange {exchange}");
            if let Some(broken) = differs(VERDICT, self.verdicts.get(&key), verdict, (seq, &name)) {
                return Some(broken);
            }
        }
        if let Some(broken) = self.incident(exchange, direction, seq, expected) {
            return Some(broken);
        }
        let findings = expected
            .findings
            .iter()
            .filter(|finding| is_of(finding.exchange_id, exchange, finding.direction, direction));
        let mut count = 0;
        for finding in findings {
            count += 1;
            let key = (exchange.to_owned(), direction.to_owned(), i64::try_from(finding.number).unwrap_or(i64::MAX));
            let name = format!("finding {} of the {direction} of exchange {exchange}", finding.number);
            if let Some(broken) = differs(FINDING, self.findings.get(&key), finding, (seq, &name)) {
                return Some(broken);
            }
        }
        let range = (exchange.to_owned(), direction.to_owned(), i64::MIN)
            ..=(exchange.to_owned(), direction.to_owned(), i64::MAX);
        (self.findings.range(range).count() > count).then(|| Break {
            seq,
            kind: BreakKind::Inserted,
            detail: format!("table finding has more of the {direction} of exchange {exchange} than record {seq} has"),
        })
    }
}

impl Check<'_> {
    /// What a reviewer's queue has of one direction: it is there when something was done, and only then.
    fn incident(&self, exchange: &str, direction: &str, seq: u64, expected: &Rows) -> Option<Break> {
        let key = (exchange.to_owned(), direction.to_owned(), 0);
        let found = self.incidents.get(&key);
        let name = format!("the {direction}'s incident of exchange {exchange}");
        let row = expected.incidents.iter().find(|row| is_of(row.exchange_id, exchange, row.direction, direction));
        match (row, found) {
            (Some(row), found) => differs(INCIDENT, found, row, (seq, &name)),
            (None, Some(_)) => Some(Break {
                seq,
                kind: BreakKind::Inserted,
                detail: format!("table incident has {name}, and record {seq} tells of none"),
            }),
            (None, None) => None,
        }
    }
}

fn is_of(id: crate::base::ExchangeId, exchange: &str, own: &str, direction: &str) -> bool {
    own == direction && id.to_string() == exchange
}

fn differs<T: Serialize>(target: Target, found: Option<&Value>, row: &T, (seq, name): (u64, &str)) -> Option<Break> {
    let table = target.name();
    let Some(found) = found else {
        let detail = format!("table {table} lacks {name}, which record {seq} tells of");
        return Some(Break { seq, kind: BreakKind::Missing, detail });
    };
    // A row of ours always serialises.
    let expected = serde_json::to_value(row).ok()?;
    let column = target.differs(&expected, found)?;
    let detail = format!("table {table}: `{column}` of {name} does not say what record {seq} says");
    Some(Break { seq, kind: BreakKind::Changed, detail })
}

async fn stored(store: &mut Store, target: Target, wanted: &str) -> Result<Stored, AuditError> {
    let odd = |error| AuditError::Store(format!("a row of table {} is odd: {error}", target.name()));
    let mut stored = Stored::new();
    for row in store.derived(target, wanted).await? {
        let row: Value = serde_json::from_str(&row).map_err(odd)?;
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = row.get("number").and_then(Value::as_i64).unwrap_or_default();
        stored.insert((text("exchange_id"), text("direction"), number), row);
    }
    Ok(stored)
}

/// The first schema whose rows are made as they are today.
const FIRST: u32 = 2;
