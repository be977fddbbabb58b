//! The tables' columns, once for both stores, and the `INSERT` statements made from them.
//!
//! A batch travels as one JSON array for each table, whose objects are the structs of [`crate::audit::rows`]: PostgreSQL
//! unpacks it with `json_to_recordset`, SQLite with `json_each`. One statement for any number of rows, one parameter.

mod targets;

use std::fmt::Write as _;
use std::io::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use crate::audit::rows;

pub(in crate::audit) use targets::{
    BEGIN, CHAIN, END, EVENT, FINDING, HITS, INCIDENT, LATENCY, PRINCIPAL, REVIEW, REVIEWED, TEXT, TRAFFIC, VERDICT,
};

/// A column: its name in PostgreSQL and what it holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::audit) struct Column {
    name: &'static str,
    kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::audit) enum Kind {
    Bool,
    /// Hex digits; bytes in both stores.
    Bytes,
    /// Days since 1970-01-01.
    Day,
    /// 64 hex digits; bytes in PostgreSQL.
    Hash,
    Int,
    /// Whole numbers; SQLite has them in a table of their own.
    Ints,
    Json,
    Real,
    Text,
    /// Microseconds since 1970-01-01; the field and SQLite's column have this name.
    Time(&'static str),
    Uuid,
}

/// What an `INSERT` does with a row that is there already.
#[derive(Clone, Copy, Debug)]
pub(in crate::audit) enum Present {
    /// Nothing.
    Keep,
    /// Fills in this half of an exchange, unless the named column says that it is there.
    Fill(&'static str),
    /// Adds the numbers; the first so many columns tell the rows apart.
    Add(usize),
}

/// A table and the columns that one kind of row fills.
#[derive(Clone, Copy, Debug)]
pub(in crate::audit) struct Target {
    table: &'static str,
    columns: &'static [Column],
    present: Present,
}

const fn col(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

impl Column {
    /// Its name in PostgreSQL, and in an archive.
    pub(in crate::audit) fn name(self) -> &'static str {
        self.name
    }

    /// What it holds.
    pub(in crate::audit) fn kind(self) -> Kind {
        self.kind
    }

    /// The field of our own rows, and SQLite's column.
    pub(in crate::audit) fn field(self) -> &'static str {
        match self.kind {
            Kind::Time(field) => field,
            _ => self.name,
        }
    }

    /// A value as both stores and our own rows have it.
    pub(in crate::audit) fn plain(self, value: Option<&Value>) -> Value {
        match (self.kind, value.unwrap_or(&Value::Null)) {
            (Kind::Json, Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
            (Kind::Bool, Value::Number(number)) => Value::Bool(number.as_i64() != Some(0)),
            #[expect(clippy::cast_possible_truncation, reason = "columns of this kind hold 32 bits")]
            (Kind::Real, Value::Number(number)) => number.as_f64().map_or(Value::Null, |wide| Value::from(wide as f32)),
            (_, Value::Number(number)) => number.as_i64().map_or(Value::Null, Value::from),
            (_, other) => other.clone(),
        }
    }

    /// A field in `COPY`'s text format.
    fn write(self, value: &Value, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = match (self.kind, value) {
            (_, Value::Null) => out.write_all(b"\\N"),
            (Kind::Day, Value::Number(days)) => {
                match days.as_i64().and_then(|days| rows::date(i32::try_from(days).ok()?)) {
                    Some(date) => write!(out, "{date}"),
                    None => out.write_all(b"\\N"),
                }
            }
            (Kind::Time(_), Value::Number(micros)) => {
                match micros.as_i64().and_then(|micros| Timestamp::from_microsecond(micros).ok()) {
                    Some(time) => write!(out, "{time}"),
                    None => out.write_all(b"\\N"),
                }
            }
            (Kind::Bytes | Kind::Hash, Value::String(hex)) => write!(out, "\\\\x{hex}"),
            (Kind::Ints, Value::Array(numbers)) => {
                let numbers: Vec<_> = numbers.iter().map(Value::to_string).collect();
                write!(out, "{{{}}}", numbers.join(","))
            }
            (_, Value::String(text)) => {
                escape(text, out);
                Ok(())
            }
            (_, other) => write!(out, "{other}"),
        };
    }
}

/// What would end a field or a row, or begin an escape.
fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => out.push(other),
        }
    }
}

/// `COPY table (columns of all targets) FROM STDIN`; they are of one table.
pub(in crate::audit) fn copy_of(targets: &[Target]) -> String {
    let names = targets.iter().flat_map(|target| target.columns).map(|column| column.name).collect::<Vec<_>>();
    let table = targets.first().map_or("", |target| target.table);
    format!("COPY {table} ({}) FROM STDIN", names.join(", "))
}

/// The columns that both halves of an exchange have, first in each.
const KEY: [&str; 6] = ["day", "class", "exchange_id", "node", "region", "tenant"];

impl Target {
    /// `INSERT … SELECT … FROM json_to_recordset($1)`.
    pub(in crate::audit) fn postgres(&self) -> String {
        let names = self.list(|column| column.name.to_owned());
        let values = self.list(|column| match column.kind {
            Kind::Day => format!("date '1970-01-01' + r.{}", column.name),
            Kind::Bytes | Kind::Hash => format!("decode(r.{}, 'hex')", column.name),
            Kind::Json => format!("r.{}::jsonb", column.name),
            Kind::Time(field) => format!("timestamptz 'epoch' + r.{field} * interval '1 microsecond'"),
            _ => format!("r.{}", column.name),
        });
        let types = self.list(|column| {
            let kind = match column.kind {
                Kind::Bool => "boolean",
                Kind::Day => "integer",
                Kind::Int | Kind::Time(_) => "bigint",
                Kind::Bytes | Kind::Hash | Kind::Json | Kind::Text => "text",
                Kind::Ints => "bigint[]",
                Kind::Real => "real",
                Kind::Uuid => "uuid",
            };
            format!("{} {kind}", column.field())
        });
        let table = self.table;
        let present = self.present("day, class, exchange_id", |column| column.name);
        format!(
            "INSERT INTO {table} ({names}) SELECT {values} FROM json_to_recordset($1::text::json) AS r({types}) {present}"
        )
    }

    /// The columns.
    pub(in crate::audit) fn columns(self) -> &'static [Column] {
        self.columns
    }

    /// The table's name.
    pub(in crate::audit) fn name(self) -> &'static str {
        self.table
    }

    /// The first column in which a stored row says something else than it should.
    pub(in crate::audit) fn differs(self, expected: &Value, stored: &Value) -> Option<&'static str> {
        let of = |row: &Value, column: &Column| column.plain(row.get(column.field()));
        self.columns.iter().find(|column| of(expected, column) != of(stored, column)).map(|column| column.name)
    }

    /// Rows of some exchanges as JSON objects with the fields of [`crate::audit::rows`]. The exchanges are a JSON array of
    /// `{day, class, exchange_id}`.
    pub(in crate::audit) fn select_postgres(self) -> String {
        let fields = self.list(|column| {
            let name = column.name;
            let value = match column.kind {
                Kind::Day => format!("t.{name} - date '1970-01-01'"),
                Kind::Bytes | Kind::Hash => format!("encode(t.{name}, 'hex')"),
                Kind::Time(_) => format!("(extract(epoch FROM t.{name}) * 1000000)::bigint"),
                _ => format!("t.{name}"),
            };
            format!("'{}', {value}", column.field())
        });
        format!(
            "SELECT json_build_object({fields})::text \
             FROM json_to_recordset($1::text::json) AS k(day integer, class text, exchange_id uuid) \
             JOIN {} t ON t.day = date '1970-01-01' + k.day AND t.class = k.class AND t.exchange_id = k.exchange_id",
            self.table
        )
    }

    /// The same for SQLite.
    pub(in crate::audit) fn select_sqlite(self) -> String {
        let fields = self.list(|column| format!("'{0}', t.{0}", column.field()));
        format!(
            "SELECT json_object({fields}) FROM json_each($1) AS k JOIN {} t ON t.day = json_extract(k.value, '$.day') \
             AND t.exchange_id = json_extract(k.value, '$.exchange_id') AND t.class = json_extract(k.value, '$.class')",
            self.table
        )
    }

    /// The same rows without what names them: the second half of a row that another target begins.
    pub(in crate::audit) fn without_key(self) -> Self {
        Self { columns: self.columns.get(KEY.len()..).unwrap_or_default(), ..self }
    }

    /// Writes a row as a line of `COPY`'s text format, without its end: fields parted by tabs, `\N` for null.
    pub(in crate::audit) fn write(self, row: &Value, out: &mut Vec<u8>) {
        for (number, column) in self.columns.iter().enumerate() {
            if number > 0 {
                out.push(b'\t');
            }
            column.write(row.get(column.field()).unwrap_or(&Value::Null), out);
        }
    }

    /// `INSERT … SELECT … FROM json_each(?1)`.
    pub(in crate::audit) fn sqlite(&self) -> String {
        let own = || self.columns.iter().filter(|column| !matches!(column.kind, Kind::Ints));
        let names = own().map(|column| column.field()).collect::<Vec<_>>().join(", ");
        let values = own().map(|column| match column.kind {
            Kind::Bytes => format!("unhex(json_extract(value, '$.{}'))", column.field()),
            _ => format!("json_extract(value, '$.{}')", column.field()),
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let table = self.table;
        let present = self.present("day, exchange_id", |column| column.field());
        // `WHERE true` keeps SQLite's parser from reading ON CONFLICT as part of a join.
        format!("INSERT INTO {table} ({names}) SELECT {values} FROM json_each($1) WHERE true {present}")
    }

    fn list(&self, each: impl Fn(Column) -> String) -> String {
        self.columns.iter().map(|column| each(*column)).collect::<Vec<_>>().join(", ")
    }

    fn present(&self, key: &str, name: impl Fn(&Column) -> &'static str) -> String {
        let unless = match self.present {
            Present::Keep => return "ON CONFLICT DO NOTHING".to_owned(),
            Present::Fill(unless) => unless,
            Present::Add(keys) => return self.add(keys, name),
        };
        let mut set = String::new();
        for column in self.columns.iter().filter(|column| !KEY.contains(&column.name)) {
            let comma = if set.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(set, "{comma}{0} = excluded.{0}", name(column));
        }
        format!("ON CONFLICT ({key}) DO UPDATE SET {set} WHERE {}.{unless} IS NULL", self.table)
    }
}

impl Target {
    fn add(&self, keys: usize, name: impl Fn(&Column) -> &'static str) -> String {
        let (key, rest) = self.columns.split_at_checked(keys).unwrap_or((self.columns, &[]));
        let key = key.iter().map(&name).collect::<Vec<_>>().join(", ");
        let set = rest.iter().map(|column| {
            let (name, table) = (name(column), self.table);
            match column.kind {
                Kind::Int => format!("{name} = {table}.{name} + excluded.{name}"),
                // Times stay in order without a word for the smaller of two that both stores have.
                Kind::Time(_) => {
                    let sign = if name.starts_with("first") { '<' } else { '>' };
                    format!("{name} = CASE WHEN excluded.{name} {sign} {table}.{name} THEN excluded.{name} ELSE {table}.{name} END")
                }
                _ => format!("{name} = excluded.{name}"),
            }
        });
        format!("ON CONFLICT ({key}) DO UPDATE SET {}", set.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_an_exchange_begin_with_the_same_columns() {
        for target in [BEGIN, END, REVIEWED] {
            let names: Vec<_> = target.columns.iter().take(KEY.len()).map(|column| column.name).collect();
            assert_eq!(names, KEY);
        }
    }

    #[test]
    fn a_line_of_copy_holds_what_it_is_given_and_nothing_ends_it_early() {
        let row = serde_json::json!({
            "day": 20_780, "node": "a\tb\\N\nc\r", "seq": 7, "class": null, "hash": "00ff",
        });
        let mut line = Vec::new();
        CHAIN.write(&row, &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), "2026-11-23\ta\\tb\\\\N\\nc\\r\t7\t\\N\t\\\\x00ff");
        let mut line = Vec::new();
        Column { name: "at", kind: Kind::Time("at_us") }
            .write(&serde_json::json!(1_763_895_845_000_001_i64), &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), "2025-11-23T11:04:05.000001Z");
    }
}
