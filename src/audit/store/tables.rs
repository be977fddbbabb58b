//! Whole tables, as they are read back row by row: for the archive.

use serde_json::{Map, Value};

use super::columns::{BEGIN, CHAIN, Column, END, EVENT, FINDING, INCIDENT, Kind, REVIEW, REVIEWED, Target, VERDICT};
use crate::audit::proof::Part;

/// A table, with all its columns, in the order of its key.
#[derive(Debug)]
pub(in crate::audit) struct Table {
    pub(in crate::audit) name: &'static str,
    targets: &'static [Target],
    /// What tells two rows of one day and class apart.
    key: &'static [&'static str],
}

static TABLES: [(Part, Table); 7] = [
    (Part::Chain, Table { name: "audit_chain", targets: &[CHAIN], key: &["node", "seq"] }),
    (Part::Events, Table { name: "audit_event", targets: &[EVENT], key: &["node", "seq"] }),
    (Part::Review, Table { name: "exchange", targets: &[BEGIN, END], key: &["exchange_id"] }),
    (Part::Review, Table { name: "verdict", targets: &[VERDICT], key: &["exchange_id", "direction"] }),
    (Part::Review, Table { name: "finding", targets: &[FINDING], key: &["exchange_id", "direction", "number"] }),
    (Part::Review, Table { name: "incident", targets: &[INCIDENT, REVIEWED], key: &["exchange_id", "direction"] }),
    (
        Part::Review,
        Table { name: "review", targets: &[REVIEW], key: &["exchange_id", "direction", "at", "what", "author"] },
    ),
];

/// The tables that go when a part is given up and that may be kept elsewhere. Texts are not among them: an archive would keep what
/// somebody asked to have destroyed.
pub(in crate::audit) fn of(part: Part) -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(move |(of, _)| *of == part).map(|(_, table)| table)
}

impl Table {
    /// The table of this name, if it may be archived.
    pub(in crate::audit) fn named(name: &str) -> Option<&'static Self> {
        TABLES.iter().map(|(_, table)| table).find(|table| table.name == name)
    }

    /// Its columns.
    pub(in crate::audit) fn columns(&self) -> impl Iterator<Item = Column> {
        let first = self.targets.first().map_or(&[][..], |target| target.columns());
        let rest = self.targets.iter().skip(1).flat_map(|target| target.without_key().columns());
        first.iter().chain(rest).copied()
    }

    /// A row as both stores and an archive have it: every column under its name, in order.
    pub(in crate::audit) fn plain(&self, row: &Value) -> Map<String, Value> {
        self.columns().map(|column| (column.name().to_owned(), column.plain(row.get(column.field())))).collect()
    }

    /// What a row goes on after: JSON of its key's columns.
    pub(in crate::audit) fn key_of(&self, row: &Value) -> String {
        let value = |column: Column| (column.field().to_owned(), row.get(column.field()).cloned().unwrap_or_default());
        Value::Object(self.key_columns().map(value).collect()).to_string()
    }

    /// Rows of `$1` (day) and `$2` (class; null: any) as JSON, at most `$4` of them, after the row whose key is `$3`.
    pub(in crate::audit) fn page_postgres(&self, is_first: bool) -> String {
        let fields = self.list(|column| {
            let name = column.name();
            let value = match column.kind() {
                Kind::Day => format!("t.{name} - date '1970-01-01'"),
                Kind::Bytes | Kind::Hash => format!("encode(t.{name}, 'hex')"),
                Kind::Time(_) => format!("(extract(epoch FROM t.{name}) * 1000000)::bigint"),
                _ => format!("t.{name}"),
            };
            format!("'{}', {value}", column.field())
        });
        let key = self.key_columns().map(|column| match column.kind() {
            Kind::Time(_) => format!("(extract(epoch FROM t.{}) * 1000000)::bigint", column.name()),
            _ => format!("t.{}", column.name()),
        });
        let key = key.collect::<Vec<_>>().join(", ");
        let after = self.key_columns().map(|column| {
            let cast = match column.kind() {
                Kind::Int | Kind::Time(_) => "bigint",
                Kind::Uuid => "uuid",
                _ => "text",
            };
            format!("($3::json->>'{}')::{cast}", column.field())
        });
        let after = after.collect::<Vec<_>>().join(", ");
        let after = if is_first { "$3::text IS NULL".to_owned() } else { format!("({key}) > ({after})") };
        format!(
            "SELECT json_build_object({fields})::text FROM {} t WHERE t.day = date '1970-01-01' + $1 \
             AND ($2::text IS NULL OR t.class = $2) AND {after} ORDER BY {key} LIMIT $4",
            self.name
        )
    }

    /// The same for SQLite.
    pub(in crate::audit) fn page_sqlite(&self, is_first: bool) -> String {
        let fields = self.list(|column| format!("'{0}', t.{0}", column.field()));
        let key = self.key_columns().map(|column| format!("t.{}", column.field())).collect::<Vec<_>>().join(", ");
        let after = self.key_columns().map(|column| format!("json_extract($3, '$.{}')", column.field()));
        let after = after.collect::<Vec<_>>().join(", ");
        let after = if is_first { "$3 IS NULL".to_owned() } else { format!("({key}) > ({after})") };
        format!(
            "SELECT json_object({fields}) FROM {} t WHERE t.day = $1 AND ($2 IS NULL OR t.class = $2) AND {after} \
             ORDER BY {key} LIMIT $4",
            self.name
        )
    }

    fn key_columns(&self) -> impl Iterator<Item = Column> {
        self.key.iter().filter_map(|name| self.columns().find(|column| column.name() == *name))
    }

    fn list(&self, each: impl Fn(Column) -> String) -> String {
        self.columns().map(each).collect::<Vec<_>>().join(", ")
    }
}
