//! To an OpenTelemetry collector, as log records: OTLP/HTTP with JSON
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>). A line is a record's body; what everybody asks for is in its attributes,
//! under the names of the semantic conventions where they have one.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Line, Undelivered, judge};
use crate::audit::outputs::eve::Level;
use crate::egress::Poster;

/// A collector.
pub(in crate::audit::outputs) struct Otlp {
    poster: Poster,
    resource: Value,
}

impl Otlp {
    pub(super) fn new(poster: Poster, node: &str, region: &str) -> Self {
        let mut attributes = vec![
            attribute("service.name", &"portcullis".into()),
            attribute("service.version", &env!("CARGO_PKG_VERSION").into()),
            attribute("service.instance.id", &node.into()),
        ];
        if !region.is_empty() {
            attributes.push(attribute("cloud.region", &region.into()));
        }
        Self { poster, resource: json!({ "attributes": attributes }) }
    }

    pub(super) async fn deliver(&self, lines: &[Line]) -> Result<(), Undelivered> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = self.request(lines, Timestamp::now()).to_string();
        let answer = self.poster.post(headers, body.into()).await.map_err(Undelivered::away)?;
        judge(&answer)?;
        rejected(&answer.body, lines.len())
    }

    /// An `ExportLogsServiceRequest`.
    fn request(&self, lines: &[Line], now: Timestamp) -> Value {
        let records: Vec<Value> = lines.iter().map(|line| record(line, now)).collect();
        let scope = json!({ "name": "portcullis.audit", "version": env!("CARGO_PKG_VERSION") });
        json!({ "resourceLogs": [{ "resource": self.resource, "scopeLogs": [{ "scope": scope, "logRecords": records }] }] })
    }
}

/// A success may be a partial one, which is not to be tried again; all rejected is a refusal like another.
fn rejected(answer: &[u8], lines: usize) -> Result<(), Undelivered> {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return Ok(()) };
    let partial = &answer["partialSuccess"];
    // A 64-bit number is a string in protobuf's JSON, and some write it plainly.
    let count = &partial["rejectedLogRecords"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0);
    let why = partial["errorMessage"].as_str().unwrap_or_default();
    if count >= lines as u64 && lines > 0 {
        return Err(Undelivered::Refused(format!("it rejects them: {why}")));
    }
    if count > 0 {
        tracing::error!(count, why, "the collector rejected log records; they are left out");
    }
    Ok(())
}

fn record(line: &Line, now: Timestamp) -> Value {
    let (number, text) = match line.level {
        Level::Info => (9, "INFO"),
        Level::Notice => (10, "NOTICE"),
        Level::Warning => (13, "WARNING"),
        Level::Error => (17, "ERROR"),
        Level::Critical => (18, "CRITICAL"),
    };
    json!({
        "timeUnixNano": line.at.as_nanosecond().to_string(),
        "observedTimeUnixNano": now.as_nanosecond().to_string(),
        "severityNumber": number,
        "severityText": text,
        "eventName": format!("portcullis.{}", line.kind.name()),
        "attributes": attributes(&line.fields),
        "body": any(&Value::Object(line.fields.clone())),
    })
}

/// Where a line has it, and under which name it is an attribute.
const ATTRIBUTES: [(&str, &str); 14] = [
    ("/id", "log.record.uid"),
    ("/exchange_id", "portcullis.exchange.id"),
    ("/tenant", "portcullis.tenant"),
    ("/principal", "user.id"),
    ("/src_ip", "client.address"),
    ("/model_asked", "gen_ai.request.model"),
    ("/response/model", "gen_ai.response.model"),
    ("/response/provider", "gen_ai.provider.name"),
    ("/response/prompt_tokens", "gen_ai.usage.input_tokens"),
    ("/response/completion_tokens", "gen_ai.usage.output_tokens"),
    ("/request/action", "portcullis.action"),
    ("/response/action", "portcullis.action"),
    ("/incident/action", "portcullis.action"),
    ("/alert/signature_id", "portcullis.rule.id"),
];

fn attributes(fields: &Map<String, Value>) -> Vec<Value> {
    let at = |pointer: &str| {
        let mut parts = pointer.split('/').skip(1);
        let first = fields.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    ATTRIBUTES.iter().filter_map(|(pointer, name)| at(pointer).map(|value| attribute(name, value))).collect()
}

fn attribute(key: &str, value: &Value) -> Value {
    json!({ "key": key, "value": any(value) })
}

/// An `AnyValue`.
fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::Number(number) => match number.as_i64() {
            // 64-bit numbers are strings in protobuf's JSON.
            Some(number) => json!({ "intValue": number.to_string() }),
            None => json!({ "doubleValue": number }),
        },
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(list) => json!({ "arrayValue": { "values": list.iter().map(any).collect::<Vec<_>>() } }),
        Value::Object(map) => {
            let values: Vec<Value> = map.iter().map(|(key, value)| attribute(key, value)).collect();
            json!({ "kvlistValue": { "values": values } })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_protobufs_json() {
        let value = json!({ "n": 7, "x": 0.5, "s": "t", "b": true, "l": ["a"] });
        let expected = json!({ "kvlistValue": { "values": [
            { "key": "n", "value": { "intValue": "7" } },
            { "key": "x", "value": { "doubleValue": 0.5 } },
            { "key": "s", "value": { "stringValue": "t" } },
            { "key": "b", "value": { "boolValue": true } },
            { "key": "l", "value": { "arrayValue": { "values": [{ "stringValue": "a" }] } } },
        ] } });
        assert_eq!(any(&value), expected);
    }

    #[test]
    fn a_partial_success_is_not_tried_again_and_a_whole_refusal_is_one() {
        let answer =
            |count: &str| format!("{{\"partialSuccess\":{{\"rejectedLogRecords\":{count},\"errorMessage\":\"no\"}}}}");
        assert!(rejected(b"{}", 2).is_ok() && rejected(b"", 2).is_ok());
        assert!(rejected(answer("\"1\"").as_bytes(), 2).is_ok());
        assert!(matches!(rejected(answer("\"2\"").as_bytes(), 2), Err(Undelivered::Refused(_))));
        assert!(matches!(rejected(answer("1").as_bytes(), 1), Err(Undelivered::Refused(_))));
    }
}
