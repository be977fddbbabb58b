//! Questions to either store: SQL that is put together from constants of ours, with every value bound.

/// Which store is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
}

/// A value that is bound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bind {
    Int(i64),
    Text(String),
    /// Nothing, of a text's type.
    Null,
}

impl From<i64> for Bind {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Bind {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Bind {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Option<&str>> for Bind {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

/// A statement with its values.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    dialect: Dialect,
    text: String,
    binds: Vec<Bind>,
}

impl Sql {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::new(), binds: Vec::new() }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn binds(&self) -> &[Bind] {
        &self.binds
    }

    /// Adds a piece of SQL: a constant, or made of such.
    pub(crate) fn push(&mut self, piece: &str) -> &mut Self {
        self.text.push_str(piece);
        self
    }

    /// Adds a piece whose `?` is a value.
    pub(crate) fn with(&mut self, piece: &str, value: impl Into<Bind>) -> &mut Self {
        let number = self.bind(value);
        self.text.push_str(&piece.replace('?', &number));
        self
    }

    /// Binds a value; gives its name in SQL.
    pub(crate) fn bind(&mut self, value: impl Into<Bind>) -> String {
        self.binds.push(value.into());
        format!("${}", self.binds.len())
    }

    /// Microseconds since 1970 of a column of times, by its name in PostgreSQL.
    pub(crate) fn micros(&self, column: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("(extract(epoch FROM {column}) * 1000000)::bigint"),
            Dialect::Sqlite => sqlite_time(column),
        }
    }

    /// The column of times itself, to compare and to order by.
    pub(crate) fn time(&self, column: &str) -> String {
        match self.dialect {
            Dialect::Postgres => column.to_owned(),
            Dialect::Sqlite => sqlite_time(column),
        }
    }

    /// A time that is bound as microseconds since 1970.
    pub(crate) fn at(&mut self, micros: i64) -> String {
        let number = self.bind(micros);
        match self.dialect {
            Dialect::Postgres => format!("(timestamptz 'epoch' + {number} * interval '1 microsecond')"),
            Dialect::Sqlite => number,
        }
    }

    /// A day that is bound as days since 1970.
    pub(crate) fn day(&mut self, days: i64) -> String {
        let number = self.bind(days);
        match self.dialect {
            Dialect::Postgres => format!("(date '1970-01-01' + {number}::int)"),
            Dialect::Sqlite => number,
        }
    }

    /// A sum as a whole number: PostgreSQL gives sums of big numbers a type of their own.
    pub(crate) fn whole(&self, sum: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("({sum})::bigint"),
            Dialect::Sqlite => sum.to_owned(),
        }
    }

    /// An exchange's id that is bound as text.
    pub(crate) fn id(&mut self, id: &str) -> String {
        let number = self.bind(id);
        match self.dialect {
            Dialect::Postgres => format!("{number}::uuid"),
            Dialect::Sqlite => number,
        }
    }

    /// A JSON object of names and SQL, as text.
    pub(crate) fn object(&self, fields: &[(&str, String)]) -> String {
        let fields = fields.iter().map(|(name, value)| format!("'{name}', {value}")).collect::<Vec<_>>().join(", ");
        match self.dialect {
            Dialect::Postgres => format!("json_build_object({fields})::text"),
            Dialect::Sqlite => format!("json_object({fields})"),
        }
    }

    /// A column of JSON inside an object.
    pub(crate) fn json(&self, column: &str) -> String {
        match self.dialect {
            Dialect::Postgres => column.to_owned(),
            Dialect::Sqlite => format!("json({column})"),
        }
    }

    /// An id inside an object, as text.
    pub(crate) fn uuid(&self, column: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("{column}::text"),
            Dialect::Sqlite => column.to_owned(),
        }
    }
}

/// `x.at` is `x.at_us`, `x.started_at` is `x.started_us`.
fn sqlite_time(column: &str) -> String {
    let stem = column.strip_suffix("_at").unwrap_or(column);
    format!("{stem}_us")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bound_and_never_written() {
        let mut sql = Sql::new(Dialect::Postgres);
        sql.push("SELECT 1 WHERE a = ").with("?", "'; DROP TABLE x").push(" AND ").with("b < ?", 7);
        let at = sql.at(5);
        sql.push(&format!(" AND {} > {at}", sql.time("i.at")));
        assert_eq!(
            sql.text(),
            "SELECT 1 WHERE a = $1 AND b < $2 AND i.at > (timestamptz 'epoch' + $3 * interval '1 microsecond')"
        );
        assert_eq!(sql.binds(), [Bind::Text("'; DROP TABLE x".into()), Bind::Int(7), Bind::Int(5)]);
        let sqlite = Sql::new(Dialect::Sqlite);
        assert_eq!((sqlite.time("i.at"), sqlite.micros("x.started_at")), ("i.at_us".into(), "x.started_us".into()));
    }
}
