//! Batches by `COPY`, for rows of which none can be there already: about half the work of `INSERT` for the server.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::insert::{AppendFailure, add, insert};
use crate::audit::rows::Rows;
use crate::audit::store::columns::{BEGIN, CHAIN, END, EVENT, FINDING, INCIDENT, TEXT, Target, VERDICT, copy_of};

/// Commits rows; fails whole when one of them is there.
pub(super) async fn append(connection: &mut PgConnection, rows: &Rows) -> Result<(), AppendFailure> {
    let mut transaction = connection.begin().await?;
    copy(&mut transaction, CHAIN, &rows.chain).await?;
    copy(&mut transaction, EVENT, &rows.events).await?;
    exchanges(&mut transaction, rows).await?;
    copy(&mut transaction, VERDICT, &rows.verdicts).await?;
    copy(&mut transaction, FINDING, &rows.findings).await?;
    copy(&mut transaction, INCIDENT, &rows.incidents).await?;
    copy(&mut transaction, TEXT, &rows.texts).await?;
    add(&mut transaction, rows).await?;
    transaction.commit().await?;
    Ok(())
}

async fn copy<T: Serialize>(connection: &mut PgConnection, target: Target, rows: &[T]) -> Result<(), AppendFailure> {
    let mut text = Vec::new();
    for row in rows {
        target.write(&value(row)?, &mut text);
        end_of_row(&mut text);
    }
    send(connection, &[target], text).await
}

/// An exchange that began and ended within the batch is one row; an end alone fills in a row that is there.
async fn exchanges(connection: &mut PgConnection, rows: &Rows) -> Result<(), AppendFailure> {
    let begun: HashMap<_, _> = rows.begins.iter().map(|begin| (begin.exchange_id, begin)).collect();
    let mut ends = HashMap::new();
    let mut alone = Vec::new();
    for end in &rows.ends {
        if begun.contains_key(&end.exchange_id) {
            ends.insert(end.exchange_id, end);
        } else {
            alone.push(end);
        }
    }
    let second = END.without_key();
    let mut text = Vec::new();
    for begin in &rows.begins {
        BEGIN.write(&value(begin)?, &mut text);
        text.push(b'\t');
        let end = ends.get(&begin.exchange_id).map(value).transpose()?;
        second.write(&end.unwrap_or_default(), &mut text);
        end_of_row(&mut text);
    }
    send(connection, &[BEGIN, second], text).await?;
    insert(connection, END, &alone).await?;
    Ok(())
}

async fn send(connection: &mut PgConnection, targets: &[Target], text: Vec<u8>) -> Result<(), AppendFailure> {
    if text.is_empty() {
        return Ok(());
    }
    let mut copy = connection.copy_in_raw(&copy_of(targets)).await?;
    // One message: the server reads it while it inserts, and a batch is a few megabytes.
    if let Err(error) = copy.send(text).await {
        // The connection is given up with the error; there is nothing to tidy.
        return Err(error.into());
    }
    copy.finish().await?;
    Ok(())
}

fn end_of_row(text: &mut Vec<u8>) {
    text.push(b'\n');
}

fn value<T: Serialize>(row: &T) -> Result<Value, AppendFailure> {
    serde_json::to_value(row).map_err(|error| AppendFailure::Other(error.to_string()))
}
