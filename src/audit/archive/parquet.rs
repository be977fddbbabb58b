//! Rows of a table as a Parquet file, and back. Columns have the names of the tables' own; hashes and ids are text, times are
//! microseconds in UTC, what is JSON in a table is JSON in text.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::schema::types::Type;
use serde_json::{Map, Value};

use crate::audit::event::SCHEMA_VERSION;
use crate::audit::store::columns::{Column, Kind};
use crate::audit::store::tables::Table;

/// A row, every column under its name, as [`Table::plain`] gives it.
pub(super) type Row = Map<String, Value>;

/// Writes one file.
pub(super) fn write(table: &Table, rows: &[Row]) -> Result<Vec<u8>> {
    let fields = table.columns().map(|column| field(column).map(Arc::new)).collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder(table.name).with_fields(fields).build()?;
    let about = vec![
        KeyValue::new("portcullis.table".to_owned(), table.name.to_owned()),
        KeyValue::new("portcullis.schema_version".to_owned(), SCHEMA_VERSION.to_string()),
    ];
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(about))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    for part in rows.chunks(ROWS_IN_GROUP) {
        let mut group = writer.next_row_group()?;
        for column in table.columns() {
            let Some(mut open) = group.next_column()? else { break };
            fill(open.untyped(), column, part)?;
            open.close()?;
        }
        group.close()?;
    }
    writer.into_inner()
}

/// Every row of a file, in order.
pub(super) fn read(table: &Table, file: Bytes) -> Result<Vec<Row>> {
    let reader = SerializedFileReader::new(file)?;
    let columns: Vec<Column> = table.columns().collect();
    let names =
        reader.metadata().file_metadata().schema_descr().columns().iter().map(|column| column.name().to_owned());
    if !names.eq(columns.iter().map(|column| column.name().to_owned())) {
        return Err(ParquetError::General(format!("its columns are not those of {}", table.name)));
    }
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None)? {
        let row = row?;
        let fields = row.get_column_iter().zip(&columns);
        rows.push(fields.map(|((name, field), column)| (name.clone(), plain(*column, field))).collect());
    }
    Ok(rows)
}

fn field(column: Column) -> Result<Type> {
    let (physical, logical) = match column.kind() {
        Kind::Bool => (Physical::BOOLEAN, None),
        Kind::Day => (Physical::INT32, Some(LogicalType::Date)),
        Kind::Int => (Physical::INT64, None),
        Kind::Real => (Physical::FLOAT, None),
        Kind::Time(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Bytes | Kind::Hash | Kind::Ints | Kind::Json | Kind::Text | Kind::Uuid => {
            (Physical::BYTE_ARRAY, Some(LogicalType::String))
        }
    };
    Type::primitive_type_builder(column.name(), physical)
        .with_logical_type(logical)
        .with_repetition(Repetition::OPTIONAL)
        .build()
}

/// Writes one column of some rows: for each row whether there is a value, and the values that there are.
fn fill(writer: &mut ColumnWriter<'_>, column: Column, rows: &[Row]) -> Result<()> {
    let values: Vec<&Value> = rows.iter().map(|row| row.get(column.name()).unwrap_or(&Value::Null)).collect();
    let odd = || ParquetError::General(format!("a value of column {} is of another kind", column.name()));
    macro_rules! batch {
        ($writer:expr, $convert:expr) => {{
            let mut there = Vec::with_capacity(values.len());
            let mut levels = Vec::with_capacity(values.len());
            for value in &values {
                levels.push(i16::from(!value.is_null()));
                if !value.is_null() {
                    there.push($convert(value).ok_or_else(odd)?);
                }
            }
            $writer.write_batch(&there, Some(&levels), None).map(drop)
        }};
    }
    match writer {
        ColumnWriter::BoolColumnWriter(writer) => batch!(writer, |value: &Value| value.as_bool()),
        ColumnWriter::Int32ColumnWriter(writer) => {
            batch!(writer, |value: &Value| value.as_i64().and_then(|days| i32::try_from(days).ok()))
        }
        ColumnWriter::Int64ColumnWriter(writer) => batch!(writer, |value: &Value| value.as_i64()),
        #[expect(clippy::cast_possible_truncation, reason = "columns of this kind hold 32 bits")]
        ColumnWriter::FloatColumnWriter(writer) => {
            batch!(writer, |value: &Value| value.as_f64().map(|wide| wide as f32))
        }
        ColumnWriter::ByteArrayColumnWriter(writer) => batch!(writer, |value: &Value| Some(text(column, value))),
        _ => Err(odd()),
    }
}

fn text(column: Column, value: &Value) -> ByteArray {
    match (column.kind(), value) {
        (Kind::Json, value) => ByteArray::from(value.to_string().into_bytes()),
        (_, Value::String(text)) => ByteArray::from(text.as_str()),
        (_, other) => ByteArray::from(other.to_string().into_bytes()),
    }
}

/// A value as [`Column::plain`] gives it.
fn plain(column: Column, field: &Field) -> Value {
    match field {
        Field::Bool(value) => Value::from(*value),
        Field::Date(days) | Field::Int(days) => Value::from(*days),
        Field::Long(value) | Field::TimestampMicros(value) => Value::from(*value),
        Field::Float(value) => Value::from(*value),
        Field::Str(text) => column.plain(Some(&Value::from(text.as_str()))),
        _ => Value::Null,
    }
}

/// Rows in one row group.
const ROWS_IN_GROUP: usize = 10_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_come_back_as_they_went() {
        let table = Table::named("finding").unwrap();
        let whole = json!({
            "day": 20_780, "class": "standard", "exchange_id": "019ab000-0000-7000-8000-000000000000", "direction": "request",
            "number": 3, "node": "n", "tenant": "acme \u{202e}日本\u{0}", "at_us": 1_763_895_845_000_001_i64, "judge": "rule",
            "judge_id": "INJ-001", "title": "", "severity": "high", "points": 4, "action": null, "standing": "acts",
            "standing_by": null, "would": null, "score": 0.5, "role": "user", "trust": "user", "place": "/a", "layer": "raw",
            "span_start": 0, "span_end": i64::MAX, "excerpt": "x\n\"y\"", "tags": ["b", { "z": 1, "a": null }],
        });
        let bare = json!({ "day": -1, "class": "c", "exchange_id": "e", "direction": "reply", "number": -7 });
        let rows: Vec<Row> = [whole, bare].iter().map(|row| table.plain(row)).collect();
        let rows: Vec<Row> = rows.iter().cycle().take(ROWS_IN_GROUP + 3).cloned().collect();
        assert_eq!(read(table, write(table, &rows).unwrap().into()).unwrap(), rows);
        assert_eq!(read(table, write(table, &[]).unwrap().into()).unwrap(), [] as [Row; 0]);
        let other = Table::named("verdict").unwrap();
        assert!(read(other, write(table, &rows[..1]).unwrap().into()).is_err());
        assert!(read(table, Bytes::from_static(b"PAR1 no")).is_err());
    }
}
