//! Records as lines of JSON, in the manner of Suricata's EVE: one object per line, with `timestamp`, `event_type` and an object
//! named after the type. `docs/outputs.md` is its documentation and `docs/eve.schema.json` its schema.
//!
//! A line tells what the record tells, and never a prompt or a reply: those are not in records.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::config::EventType;
use crate::audit::event::{Begin, End, Event, FindingRecord, Outcome, Refused, System, SystemKind, VerdictRecord};
use crate::audit::incident;
use crate::audit::proof::{Seal, Tombstone};
use crate::audit::record::Record;
use crate::base::ExchangeId;
use crate::verdict::{Action, Severity};

/// The version of the lines' shape: fields may be added, a change of meaning raises it.
pub(crate) const EVE_VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// `NODE/RECORD/N`: the same when it is sent again.
    pub(crate) id: String,
    pub(crate) kind: EventType,
    pub(crate) at: Timestamp,
    pub(crate) tenant: String,
    /// The action of the verdict that it tells of; `None`: it tells of none.
    pub(crate) action: Option<Action>,
    pub(crate) level: Level,
    pub(crate) fields: Map<String, Value>,
}

impl Line {
    /// The JSON object, on one line. Characters that a terminal acts on, or that turn text around, are escaped: whoever reads
    /// this with `tail` or `less` is a target too.
    pub(crate) fn text(&self) -> String {
        // A map of strings to values is always JSON.
        let json = serde_json::to_string(&self.fields).unwrap_or_default();
        let mut text = String::with_capacity(json.len());
        for c in json.chars() {
            if is_hidden(c) {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                text.push(c);
            }
        }
        text
    }
}

/// Outside of JSON strings there is no such character, and inside each may be written as an escape. Those below U+0020 are escaped
/// already.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(u32::from(c), 0x7F..=0x9F | 0xAD | 0x61C | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFE00..=0xFE0F | 0xFEFF
        | 0xFFF9..=0xFFFB | 0xE0000..=0xE0FFF)
}

/// How bad a line is, in the words of syslog.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Level {
    Info,
    Notice,
    Warning,
    Error,
    Critical,
}

impl Level {
    fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Low => Self::Notice,
            Severity::Medium => Self::Warning,
            Severity::High => Self::Error,
            Severity::Critical => Self::Critical,
        }
    }

    fn of_action(action: Action) -> Self {
        match action {
            Action::Allow => Self::Info,
            Action::Block => Self::Warning,
            _ => Self::Notice,
        }
    }
}

/// Makes lines of records, in order. Knows of the exchanges that are open who began them, since the records of their ends do not
/// say it.
#[derive(Debug, Default)]
pub(crate) struct Eve {
    open: HashMap<ExchangeId, Caller>,
    order: VecDeque<ExchangeId>,
    excerpts: bool,
}

/// Who began an exchange.
#[derive(Clone, Debug)]
struct Caller {
    key_id: Option<String>,
    client_addr: String,
    dialect: String,
    route: String,
    model_asked: Option<String>,
}

impl Eve {
    /// `excerpts`: lines have the redacted excerpts of what was found.
    pub(crate) fn new(excerpts: bool) -> Self {
        Self { excerpts, ..Self::default() }
    }

    /// The lines of a record.
    pub(crate) fn lines(&mut self, record: &Record) -> Vec<Line> {
        let mut made = Made { record, lines: Vec::new() };
        match &record.event {
            Event::Begin(begin) => self.begin(begin, &mut made),
            Event::End(end) => self.end(end, &mut made),
            Event::Refused(refused) => made.refused(refused),
            Event::Seal(seal) => made.seal(seal),
            Event::System(system) => made.system(system),
            Event::Tombstone(tombstone) => made.tombstone(tombstone),
        }
        made.lines
    }

    /// The line that says which records cannot be told, because they are gone: `first` to `last`, before `record`.
    pub(crate) fn gap(record: &Record, (first, last): (u64, u64)) -> Line {
        let mut made = Made { record, lines: Vec::new() };
        made.push(
            EventType::Gap,
            record.event.at(),
            "",
            (None, Level::Warning),
            json!({ "first": first, "last": last }),
        );
        let mut line = made.lines.remove(0);
        line.id = format!("{}/{first}/gap", record.node);
        line.fields.insert("id".to_owned(), line.id.clone().into());
        line
    }

    fn begin(&mut self, begin: &Begin, made: &mut Made<'_>) {
        let caller = Caller {
            key_id: begin.key_id.clone(),
            client_addr: begin.client_addr.clone(),
            dialect: begin.dialect.clone(),
            route: begin.route.clone(),
            model_asked: begin.model_asked.clone(),
        };
        let verdict = &begin.request;
        let told = json!({
            "action": verdict.action,
            "score": verdict.score,
            "findings": verdict.findings.len(),
            "faults": verdict.faults,
            "waivers": verdict.waivers,
            "model_version": verdict.model_version,
            "policy_version": begin.policy_version,
            "method": begin.method,
            "path": begin.path,
            "model": begin.model_asked,
            "stream": begin.stream,
            "bytes": begin.request_bytes,
            "latency_us": begin.latency_us,
        });
        let exchange = Whose {
            exchange: begin.exchange,
            tenant: &begin.tenant,
            principal: &begin.principal,
            caller: Some(&caller),
            direction: "request",
            recorded: "request",
        };
        self.judged(EventType::Request, begin.at, &exchange, verdict, told, Level::of_action(verdict.action), made);
        self.remember(begin.exchange, caller);
    }

    fn end(&mut self, end: &End, made: &mut Made<'_>) {
        let Some(exchange) = end.exchange else { return };
        let caller = self.open.remove(&exchange);
        let nothing = VerdictRecord::default();
        let verdict = end.reply.as_ref().unwrap_or(&nothing);
        let told = json!({
            "outcome": end.outcome.name(),
            "status": end.status,
            "action": verdict.action,
            "score": verdict.score,
            "findings": verdict.findings.len(),
            "faults": verdict.faults,
            "waivers": verdict.waivers,
            "model_version": verdict.model_version,
            "provider": end.provider,
            "model": end.model,
            "upstream_status": end.upstream_status,
            "prompt_tokens": end.prompt_tokens,
            "completion_tokens": end.completion_tokens,
            "bytes": end.reply_bytes,
            "latency_us": end.latency_us,
            "fault": end.fault,
        });
        let level = match end.outcome {
            Outcome::Failed | Outcome::Interrupted => Level::Warning,
            _ => Level::of_action(verdict.action),
        };
        let whose = Whose {
            exchange,
            tenant: &end.tenant,
            principal: &end.principal,
            caller: caller.as_ref(),
            direction: "response",
            recorded: "reply",
        };
        self.judged(EventType::Response, end.at, &whose, verdict, told, level, made);
    }

    /// The line of one direction, those of its findings, and the one that sums them up.
    #[expect(clippy::too_many_arguments, reason = "one place for both directions")]
    fn judged(
        &self,
        kind: EventType,
        at: Timestamp,
        whose: &Whose<'_>,
        verdict: &VerdictRecord,
        told: Value,
        level: Level,
        made: &mut Made<'_>,
    ) {
        let action = Some(verdict.action);
        made.push_whose(kind, at, whose, (action, level), told);
        for finding in &verdict.findings {
            let level = Level::of_severity(finding.severity);
            made.push_whose(EventType::Alert, at, whose, (action, level), self.alert(finding, verdict.action));
        }
        if verdict.action > Action::Allow {
            let worst = incident::worst(verdict);
            let level = worst.map_or(Level::Notice, |finding| Level::of_severity(finding.severity));
            let told = json!({
                "action": verdict.action,
                "score": verdict.score,
                "fingerprint": incident::fingerprint(verdict, whose.recorded, (whose.tenant, whose.principal)),
                "signature_ids": incident::ids(verdict),
                "worst": worst.map(|finding| self.alert(finding, verdict.action)),
                "faults": verdict.faults,
                "model_version": verdict.model_version,
            });
            made.push_whose(EventType::Incident, at, whose, (action, level), told);
        }
    }

    fn alert(&self, finding: &FindingRecord, action: Action) -> Value {
        let mut alert = json!({
            "action": if action == Action::Block { "blocked" } else { "allowed" },
            "signature_id": finding.id,
            "signature": finding.title,
            "severity": finding.severity,
            "verdict": action,
            "judge": finding.judge,
            "points": finding.points,
            "standing": finding.standing,
            "standing_by": finding.standing_by,
            "would": finding.would,
            "score": finding.score,
            "place": finding.place,
            "role": finding.role,
            "trust": finding.trust,
            "layer": finding.layer,
            "span": finding.span,
            "tags": finding.tags,
        });
        if self.excerpts {
            alert["excerpt"] = finding.excerpt.clone().into();
        }
        alert
    }

    fn remember(&mut self, exchange: ExchangeId, caller: Caller) {
        if self.open.insert(exchange, caller).is_none() {
            self.order.push_back(exchange);
        }
        while self.order.len() > OPEN_MAX {
            // Those that have ended are gone from the map already.
            if let Some(oldest) = self.order.pop_front() {
                self.open.remove(&oldest);
            }
        }
    }
}

/// Whose line it is.
struct Whose<'a> {
    exchange: ExchangeId,
    tenant: &'a str,
    principal: &'a str,
    caller: Option<&'a Caller>,
    direction: &'static str,
    /// The direction's name in the record.
    recorded: &'static str,
}

/// The lines of one record, as they are made.
struct Made<'a> {
    record: &'a Record,
    lines: Vec<Line>,
}

impl Made<'_> {
    fn push(
        &mut self,
        kind: EventType,
        at: Timestamp,
        tenant: &str,
        (action, level): (Option<Action>, Level),
        told: Value,
    ) -> &mut Map<String, Value> {
        let record = self.record;
        let id = format!("{}/{}/{}", record.node, record.seq, self.lines.len());
        let mut fields = Map::new();
        fields.insert("timestamp".to_owned(), format!("{at:.6}").into());
        fields.insert("event_type".to_owned(), kind.name().into());
        fields.insert("schema_version".to_owned(), EVE_VERSION.into());
        fields.insert("id".to_owned(), id.clone().into());
        fields.insert("node".to_owned(), record.node.clone().into());
        put(&mut fields, "region", &record.region);
        fields.insert("record".to_owned(), record.seq.into());
        put(&mut fields, "tenant", tenant);
        fields.insert(kind.name().to_owned(), without_nulls(told));
        self.lines.push(Line { id, kind, at, tenant: tenant.to_owned(), action, level, fields });
        let last = self.lines.len() - 1;
        &mut self.lines[last].fields
    }

    fn push_whose(
        &mut self,
        kind: EventType,
        at: Timestamp,
        whose: &Whose<'_>,
        weight: (Option<Action>, Level),
        told: Value,
    ) {
        let fields = self.push(kind, at, whose.tenant, weight, told);
        fields.insert("exchange_id".to_owned(), whose.exchange.to_string().into());
        fields.insert("direction".to_owned(), whose.direction.into());
        put(fields, "principal", whose.principal);
        if let Some(caller) = whose.caller {
            put(fields, "key_id", caller.key_id.as_deref().unwrap_or_default());
            put(fields, "src_ip", &caller.client_addr);
            put(fields, "app_proto", &caller.dialect);
            put(fields, "route", &caller.route);
            put(fields, "model_asked", caller.model_asked.as_deref().unwrap_or_default());
        }
    }

    fn refused(&mut self, refused: &Refused) {
        let told = json!({
            "status": refused.status,
            "fault": refused.fault,
            "method": refused.method,
            "path": refused.path,
            "policy_version": refused.policy_version,
            "bytes": refused.request_bytes,
        });
        let fields = self.push(EventType::Refused, refused.at, &refused.tenant, (None, Level::Notice), told);
        fields.insert("exchange_id".to_owned(), refused.exchange.to_string().into());
        put(fields, "principal", &refused.principal);
        put(fields, "key_id", refused.key_id.as_deref().unwrap_or_default());
        put(fields, "src_ip", &refused.client_addr);
        put(fields, "app_proto", refused.dialect.as_deref().unwrap_or_default());
    }

    fn system(&mut self, system: &System) {
        let level = match system.kind {
            SystemKind::Corrupt => Level::Error,
            SystemKind::Recovered => Level::Warning,
            SystemKind::Admin | SystemKind::Shred | SystemKind::Reload => Level::Notice,
            SystemKind::Start | SystemKind::Stop => Level::Info,
        };
        let told = json!({ "what": system.kind, "detail": system.detail });
        self.push(EventType::System, system.at, "", (None, level), told);
    }

    fn seal(&mut self, seal: &Seal) {
        let told = json!({
            "day": seal.day,
            "first_record": seal.first_seq,
            "last_record": seal.last_seq,
            "ends_day": seal.is_last,
            "key_id": seal.key_id,
            "note": seal.note(&self.record.node),
        });
        self.push(EventType::Checkpoint, seal.at, "", (None, Level::Info), told);
    }

    fn tombstone(&mut self, tombstone: &Tombstone) {
        let told = json!({
            "reason": tombstone.reason,
            "part": tombstone.part,
            "day": tombstone.day,
            "class": tombstone.class,
            "records": tombstone.chains.iter().map(|gone| gone.records).sum::<u64>(),
        });
        self.push(EventType::Tombstone, tombstone.at, "", (None, Level::Notice), told);
    }
}

fn put(fields: &mut Map<String, Value>, key: &str, value: &str) {
    if !value.is_empty() {
        fields.insert(key.to_owned(), value.into());
    }
}

/// What is not known, and lists of nothing, take no room.
fn without_nulls(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let is_something = |value: &Value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    map.into_iter().filter(|(_, value)| is_something(value)).map(|(key, value)| (key, without_nulls(value))).collect()
}

/// Open exchanges whose callers are kept in mind.
const OPEN_MAX: usize = 100_000;
