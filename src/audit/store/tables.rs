//! Whole tables, as they are read back row by row: for the archive.

use serde_json::{Map, Value};

use super::columns::{BEGIN, CHAIN, Column, END, EVENT, FINDING, Kind, Target, VERDICT};
use crate::audit::proof::Part;

/// A table, with all its columns, in the order of its key.
#[derive(Debug)]
pub(in crate::audit) struct Table {
    pub(in crate::audit) name: &'static str,
    targets: &'static [Target],
    /// What tells two rows of one day and class apart.
    key: &'static [&'static str],
}

static TABLES: [(Part, Table); 5] = [
    (Part::Chain, Table { name: "audit_chain", targets: &[CHAIN], key: &["node", "seq"] }),
    (Part::Events, Table { name: "audit_event", targets: &[EVENT], key: &["node", "seq"] }),
    (Part::Review, Table { name: "exchange", targets: &[BEGIN, END], key: &["exchange_id"] }),
    (Part::Review, Table { name: "verdict", targets: &[VERDICT], key: &["exchange_id", "direction"] }),
    (Part::Review, Table { name: "finding", targets: &[FINDING], key: &["exchange_id", "direction", "number"] }),
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
        let key: Map<_, _> =
            self.key.iter().map(|name| ((*name).to_owned(), row.get(*name).cloned().unwrap_or_default())).collect();
        Value::Object(key).to_string()
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
        let key = self.key.join(", t.");
        let after = self.key.iter().map(|name| {
            let kind = self.columns().find(|column| column.name() == *name).map(Column::kind);
            let cast = match kind {
                Some(Kind::Int) => "bigint",
                Some(Kind::Uuid) => "uuid",
                _ => "text",
            };
            format!("($3::json->>'{name}')::{cast}")
        });
        let after = after.collect::<Vec<_>>().join(", ");
        let after = if is_first { "$3::text IS NULL".to_owned() } else { format!("(t.{key}) > ({after})") };
        format!(
            "SELECT json_build_object({fields})::text FROM {} t WHERE t.day = date '1970-01-01' + $1 \
             AND ($2::text IS NULL OR t.class = $2) AND {after} ORDER BY t.{key} LIMIT $4",
            self.name
        )
    }

    /// The same for SQLite.
    pub(in crate::audit) fn page_sqlite(&self, is_first: bool) -> String {
        let fields = self.list(|column| format!("'{0}', t.{0}", column.field()));
        let key = self.key.join(", t.");
        let after = self.key.iter().map(|name| format!("json_extract($3, '$.{name}')")).collect::<Vec<_>>().join(", ");
        let after = if is_first { "$3 IS NULL".to_owned() } else { format!("(t.{key}) > ({after})") };
        format!(
            "SELECT json_object({fields}) FROM {} t WHERE t.day = $1 AND ($2 IS NULL OR t.class = $2) AND {after} \
             ORDER BY t.{key} LIMIT $4",
            self.name
        )
    }

    fn list(&self, each: impl Fn(Column) -> String) -> String {
        self.columns().map(each).collect::<Vec<_>>().join(", ")
    }
}
