//! What rules may know of an exchange besides its texts.

use std::collections::BTreeSet;

use http::HeaderMap;
use jiff::tz::TimeZone;

use crate::access::Caller;
use crate::base::{Cause, Fault};
use crate::proxy::exchange::Exchange;
use crate::rules::Facts;

/// Bytes of a header field's value that rules look at; what is longer is cut.
const VALUE_BYTES: usize = 1024;

/// Gathers the facts of an exchange. Of the header fields only those that some rule asks for are looked at.
///
/// # Errors
/// When the system has no random bytes: tokens could be guessed.
pub(super) fn gather(
    exchange: &Exchange,
    caller: &Caller,
    model: &str,
    headers: &HeaderMap,
    wanted: &BTreeSet<String>,
) -> Result<Facts, Fault> {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt)
        .map_err(|error| Fault::ours(Cause::Internal, format!("no random bytes for tokens: {error}")))?;
    Ok(Facts {
        tenant: Some(caller.tenant.clone()),
        key: caller.key_id(),
        model: Some(model.to_owned()),
        route: Some(ROUTE.to_owned()),
        headers: fields(headers, wanted),
        today: Some(exchange.at.to_zoned(TimeZone::UTC).date()),
        salt,
    })
}

/// The name of the one route there is.
pub const ROUTE: &str = "chat_completions";

/// Header fields as rules see them: those that some rule asks for.
pub fn fields(headers: &HeaderMap, wanted: &BTreeSet<String>) -> Vec<(String, String)> {
    let fields = wanted.iter().flat_map(|name| {
        let values = headers.get_all(name).iter();
        values.map(|value| (name.clone(), clip(&String::from_utf8_lossy(value.as_bytes()))))
    });
    fields.collect()
}

fn clip(value: &str) -> String {
    let mut end = value.len().min(VALUE_BYTES);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value.get(..end).unwrap_or_default().to_owned()
}
