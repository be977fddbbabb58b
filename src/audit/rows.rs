//! Records as rows for review: what the stores insert, with one field for each column. Pure.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::event::{Begin, End, Event, FindingRecord, Judge, Outcome, Refused, VerdictRecord};
use super::incident::{self, IncidentRow};
use super::record::Record;
use crate::base::{Cause, ExchangeId};

/// Rows of a number of records.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The chain's hashes.
    pub(crate) chain: Vec<ChainRow>,
    /// The records.
    pub(crate) events: Vec<EventRow>,
    /// First halves of exchanges.
    pub(crate) begins: Vec<BeginRow>,
    /// Second halves of exchanges.
    pub(crate) ends: Vec<EndRow>,
    /// Verdicts, one for each direction.
    pub(crate) verdicts: Vec<VerdictRow>,
    /// Findings.
    pub(crate) findings: Vec<FindingRow>,
    /// Directions in which something was done.
    pub(crate) incidents: Vec<IncidentRow>,
    /// Prompts and replies in full.
    pub(crate) texts: Vec<TextRow>,
}

/// One link of the chain.
#[derive(Debug, Serialize)]
pub(crate) struct ChainRow {
    pub(crate) day: i32,
    pub(crate) node: String,
    pub(crate) seq: u64,
    pub(crate) class: String,
    pub(crate) hash: String,
}

/// One record of the chain.
#[derive(Debug, Serialize)]
pub(crate) struct EventRow {
    pub(crate) day: i32,
    pub(crate) class: String,
    pub(crate) node: String,
    pub(crate) seq: u64,
    pub(crate) region: String,
    pub(crate) tenant: String,
    pub(crate) at_us: i64,
    pub(crate) kind: &'static str,
    pub(crate) exchange_id: Option<ExchangeId>,
    pub(crate) prev_hash: String,
    pub(crate) hash: String,
    pub(crate) body: String,
}

/// What a begin knows of an exchange.
#[derive(Debug, Serialize)]
pub(crate) struct BeginRow {
    pub(crate) day: i32,
    pub(crate) class: String,
    pub(crate) exchange_id: ExchangeId,
    pub(crate) node: String,
    pub(crate) region: String,
    pub(crate) tenant: String,
    pub(crate) principal: String,
    pub(crate) key_id: Option<String>,
    pub(crate) client_addr: String,
    pub(crate) dialect: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) model_asked: Option<String>,
    pub(crate) stream: bool,
    pub(crate) policy_version: String,
    pub(crate) started_us: i64,
    pub(crate) begin_seq: u64,
    pub(crate) request_action: &'static str,
    pub(crate) request_score: u32,
    pub(crate) request_bytes: u64,
    pub(crate) begin_latency_us: String,
}

/// What an end knows of an exchange.
#[derive(Debug, Serialize)]
pub(crate) struct EndRow {
    pub(crate) day: i32,
    pub(crate) class: String,
    pub(crate) exchange_id: ExchangeId,
    pub(crate) node: String,
    pub(crate) region: String,
    pub(crate) tenant: String,
    pub(crate) ended_us: i64,
    pub(crate) end_seq: u64,
    pub(crate) outcome: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) upstream_status: Option<u16>,
    pub(crate) reply_action: Option<&'static str>,
    pub(crate) reply_score: Option<u32>,
    pub(crate) prompt_tokens: Option<i64>,
    pub(crate) completion_tokens: Option<i64>,
    pub(crate) cost_nusd: Option<i64>,
    pub(crate) reply_bytes: u64,
    pub(crate) fault_cause: Option<&'static str>,
    pub(crate) fault_blame: Option<String>,
    pub(crate) fault_detail: Option<String>,
    pub(crate) latency_us: String,
    /// For sums alone, as is the next.
    #[serde(skip)]
    pub(crate) principal: String,
    #[serde(skip)]
    pub(crate) stages: BTreeMap<String, u64>,
}

/// One direction's verdict.
#[derive(Debug, Serialize)]
pub(crate) struct VerdictRow {
    pub(crate) day: i32,
    pub(crate) class: String,
    pub(crate) exchange_id: ExchangeId,
    pub(crate) direction: &'static str,
    pub(crate) node: String,
    pub(crate) tenant: String,
    pub(crate) at_us: i64,
    pub(crate) action: &'static str,
    pub(crate) score: u32,
    pub(crate) findings: usize,
    pub(crate) model_version: Option<String>,
    pub(crate) faults: String,
    pub(crate) waivers: String,
}

/// One finding.
#[derive(Debug, Serialize)]
pub(crate) struct FindingRow {
    pub(crate) day: i32,
    pub(crate) class: String,
    pub(crate) exchange_id: ExchangeId,
    pub(crate) direction: &'static str,
    pub(crate) number: usize,
    pub(crate) node: String,
    pub(crate) tenant: String,
    pub(crate) at_us: i64,
    pub(crate) judge: &'static str,
    pub(crate) judge_id: String,
    pub(crate) title: String,
    pub(crate) severity: String,
    pub(crate) points: u32,
    pub(crate) action: Option<&'static str>,
    pub(crate) standing: String,
    pub(crate) standing_by: Option<String>,
    pub(crate) would: Option<&'static str>,
    pub(crate) score: Option<f32>,
    pub(crate) role: &'static str,
    pub(crate) trust: String,
    pub(crate) place: String,
    pub(crate) layer: String,
    pub(crate) span_start: usize,
    pub(crate) span_end: usize,
    pub(crate) excerpt: String,
    pub(crate) tags: String,
}

/// One direction's text.
#[derive(Debug, Serialize)]
pub(crate) struct TextRow {
    pub(crate) day: i32,
    pub(crate) class: String,
    pub(crate) exchange_id: ExchangeId,
    pub(crate) direction: &'static str,
    pub(crate) tenant: String,
    pub(crate) key_id: String,
    pub(crate) wrapped: Option<String>,
    pub(crate) ciphertext: String,
    pub(crate) terms: Vec<i64>,
}

impl Rows {
    /// The rows of some records, in order.
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut rows = Self::default();
        for record in records {
            rows.link(record);
            rows.text(record);
            match &record.event {
                Event::Begin(begin) => rows.begin(record, begin),
                Event::End(end) => rows.end(record, end),
                Event::Refused(refused) => rows.refused(record, refused),
                Event::Seal(_) | Event::System(_) | Event::Tombstone(_) => {}
            }
        }
        rows.keep_first();
        rows
    }

    /// The chain and the texts alone, for records whose other rows a store refuses.
    pub(crate) fn chain_of(records: &[Record]) -> Self {
        let mut rows = Self::default();
        for record in records {
            rows.link(record);
            rows.text(record);
        }
        rows
    }

    /// The chain whose records these are.
    pub(crate) fn node(&self) -> String {
        self.chain.first().map(|row| row.node.clone()).unwrap_or_default()
    }

    /// The number of the last record.
    pub(crate) fn last_seq(&self) -> i64 {
        self.chain.last().map_or(0, |row| i64::try_from(row.seq).unwrap_or(i64::MAX))
    }

    /// Every day that some text falls on, with its class, each once.
    pub(crate) fn text_days(&self) -> BTreeSet<(i32, &str)> {
        self.texts.iter().map(|row| (row.day, row.class.as_str())).collect()
    }

    /// Every day that some other row falls on.
    pub(crate) fn days(&self) -> BTreeSet<(i32, &str)> {
        let events = self.events.iter().map(|row| (row.day, row.class.as_str()));
        let begins = self.begins.iter().map(|row| (row.day, row.class.as_str()));
        let ends = self.ends.iter().map(|row| (row.day, row.class.as_str()));
        events.chain(begins).chain(ends).collect()
    }

    /// One statement may touch a row once only, and the first half to arrive counts.
    fn keep_first(&mut self) {
        let mut seen = HashSet::new();
        self.begins.retain(|row| seen.insert(row.exchange_id));
        seen.clear();
        self.ends.retain(|row| seen.insert(row.exchange_id));
    }

    fn link(&mut self, record: &Record) {
        let day = day(record.day);
        self.chain.push(ChainRow {
            day,
            node: record.node.clone(),
            seq: record.seq,
            class: record.class.clone(),
            hash: record.hash.to_string(),
        });
        self.events.push(EventRow {
            day,
            class: record.class.clone(),
            node: record.node.clone(),
            seq: record.seq,
            region: record.region.clone(),
            tenant: record.event.tenant().to_owned(),
            at_us: record.event.at().as_microsecond(),
            kind: record.event.kind(),
            exchange_id: record.event.exchange(),
            prev_hash: record.prev.to_string(),
            hash: record.hash.to_string(),
            body: record.body.clone(),
        });
    }

    fn text(&mut self, record: &Record) {
        let (Some((exchange, direction, _)), Some(sealed)) = (record.event.text_ref(), &record.text) else { return };
        self.texts.push(TextRow {
            day: exchange_day(exchange),
            class: record.class.clone(),
            exchange_id: exchange,
            direction: direction.name(),
            tenant: record.event.tenant().to_owned(),
            key_id: sealed.key_id.clone(),
            wrapped: sealed.wrapped.as_deref().map(hex),
            ciphertext: hex(&sealed.ciphertext),
            terms: sealed.terms.clone(),
        });
    }

    fn begin(&mut self, record: &Record, begin: &Begin) {
        self.begins.push(BeginRow {
            day: exchange_day(begin.exchange),
            class: record.class.clone(),
            exchange_id: begin.exchange,
            node: record.node.clone(),
            region: record.region.clone(),
            tenant: begin.tenant.clone(),
            principal: begin.principal.clone(),
            key_id: begin.key_id.clone(),
            client_addr: begin.client_addr.clone(),
            dialect: Some(begin.dialect.clone()),
            route: Some(begin.route.clone()),
            method: begin.method.clone(),
            path: begin.path.clone(),
            model_asked: begin.model_asked.clone(),
            stream: begin.stream,
            policy_version: begin.policy_version.clone(),
            started_us: begin.at.as_microsecond(),
            begin_seq: record.seq,
            request_action: begin.request.action.name(),
            request_score: begin.request.score,
            request_bytes: begin.request_bytes,
            begin_latency_us: json(&begin.latency_us),
        });
        self.verdict(record, (begin.exchange, "request"), &begin.principal, &begin.request);
    }

    fn end(&mut self, record: &Record, end: &End) {
        let Some(exchange) = end.exchange else { return };
        self.ends.push(EndRow {
            day: exchange_day(exchange),
            class: record.class.clone(),
            exchange_id: exchange,
            node: record.node.clone(),
            region: record.region.clone(),
            tenant: end.tenant.clone(),
            ended_us: end.at.as_microsecond(),
            end_seq: record.seq,
            outcome: end.outcome.name(),
            status: end.status,
            provider: end.provider.clone(),
            model: end.model.clone(),
            upstream_status: end.upstream_status,
            reply_action: end.reply.as_ref().map(|reply| reply.action.name()),
            reply_score: end.reply.as_ref().map(|reply| reply.score),
            prompt_tokens: tokens(end.prompt_tokens),
            completion_tokens: tokens(end.completion_tokens),
            cost_nusd: tokens(end.cost_nusd),
            reply_bytes: end.reply_bytes,
            fault_cause: end.fault.as_ref().map(|fault| fault.cause.name()),
            fault_blame: end.fault.as_ref().map(|fault| word(&fault.blame)),
            fault_detail: end.fault.as_ref().map(|fault| fault.detail.clone()),
            latency_us: json(&end.latency_us),
            principal: end.principal.clone(),
            stages: end.latency_us.clone(),
        });
        if let Some(reply) = &end.reply {
            self.verdict(record, (exchange, "reply"), &end.principal, reply);
        }
    }

    fn refused(&mut self, record: &Record, refused: &Refused) {
        let day = exchange_day(refused.exchange);
        self.begins.push(BeginRow {
            day,
            class: record.class.clone(),
            exchange_id: refused.exchange,
            node: record.node.clone(),
            region: record.region.clone(),
            tenant: refused.tenant.clone(),
            principal: refused.principal.clone(),
            key_id: refused.key_id.clone(),
            client_addr: refused.client_addr.clone(),
            dialect: refused.dialect.clone(),
            route: None,
            method: refused.method.clone(),
            path: refused.path.clone(),
            model_asked: None,
            stream: false,
            policy_version: refused.policy_version.clone(),
            started_us: refused.at.as_microsecond(),
            begin_seq: record.seq,
            request_action: "block",
            request_score: 0,
            request_bytes: refused.request_bytes,
            begin_latency_us: json(&refused.latency_us),
        });
        self.ends.push(EndRow {
            day,
            class: record.class.clone(),
            exchange_id: refused.exchange,
            node: record.node.clone(),
            region: record.region.clone(),
            tenant: refused.tenant.clone(),
            ended_us: refused.at.as_microsecond(),
            end_seq: record.seq,
            outcome: Outcome::Refused.name(),
            status: Some(refused.status),
            provider: None,
            model: None,
            upstream_status: None,
            reply_action: None,
            reply_score: None,
            prompt_tokens: None,
            completion_tokens: None,
            cost_nusd: None,
            reply_bytes: 0,
            fault_cause: Some(Cause::name(refused.fault.cause)),
            fault_blame: Some(word(&refused.fault.blame)),
            fault_detail: Some(refused.fault.detail.clone()),
            latency_us: json(&refused.latency_us),
            principal: refused.principal.clone(),
            stages: refused.latency_us.clone(),
        });
    }

    fn verdict(
        &mut self,
        record: &Record,
        (exchange, direction): (ExchangeId, &'static str),
        principal: &str,
        verdict: &VerdictRecord,
    ) {
        let at_us = record.event.at().as_microsecond();
        let tenant = record.event.tenant();
        self.verdicts.push(VerdictRow {
            day: exchange_day(exchange),
            class: record.class.clone(),
            exchange_id: exchange,
            direction,
            node: record.node.clone(),
            tenant: tenant.to_owned(),
            at_us,
            action: verdict.action.name(),
            score: verdict.score,
            findings: verdict.findings.len(),
            model_version: verdict.model_version.clone(),
            faults: json(&verdict.faults),
            waivers: json(&verdict.waivers),
        });
        for (number, finding) in verdict.findings.iter().enumerate() {
            self.findings.push(finding_row(record, exchange, direction, number, finding));
        }
        self.incidents.extend(incident::of(record, (exchange, direction), principal, verdict));
    }
}

fn finding_row(
    record: &Record,
    exchange: ExchangeId,
    direction: &'static str,
    number: usize,
    finding: &FindingRecord,
) -> FindingRow {
    FindingRow {
        day: exchange_day(exchange),
        class: record.class.clone(),
        exchange_id: exchange,
        direction,
        number,
        node: record.node.clone(),
        tenant: record.event.tenant().to_owned(),
        at_us: record.event.at().as_microsecond(),
        judge: match finding.judge {
            Judge::Model => "model",
            Judge::Rule => "rule",
        },
        judge_id: finding.id.clone(),
        title: finding.title.clone(),
        severity: word(&finding.severity),
        points: finding.points,
        action: finding.action.map(|action| action.name()),
        standing: finding.standing.clone(),
        standing_by: finding.standing_by.clone(),
        would: finding.would.map(|action| action.name()),
        score: finding.score,
        role: finding.role.name(),
        trust: word(&finding.trust),
        place: finding.place.clone(),
        layer: finding.layer.clone(),
        span_start: finding.span.start,
        span_end: finding.span.end,
        excerpt: finding.excerpt.clone(),
        tags: json(&finding.tags),
    }
}

/// Days since the Unix epoch.
pub(crate) fn day(date: Date) -> i32 {
    date.since(EPOCH).map_or(0, |span| span.get_days())
}

/// The date of so many days since the Unix epoch; `None` beyond year 9999.
pub(crate) fn date(days: i32) -> Option<Date> {
    EPOCH.checked_add(days.days()).ok()
}

/// The day of an exchange's rows: the one its id was made on, so that its begin and its end agree across midnight.
pub(crate) fn exchange_day(exchange: ExchangeId) -> i32 {
    exchange.unix_ms().and_then(|ms| i32::try_from(ms.div_euclid(DAY_S * 1000)).ok()).unwrap_or(0)
}

/// A provider's count is anybody's number: one that no column holds is left out of the row (the body keeps it).
fn tokens(count: Option<u64>) -> Option<i64> {
    count.and_then(|count| i64::try_from(count).ok())
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| DIGITS.get(usize::from(four)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// The serde name of a plain enum.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    json(value).trim_matches('"').to_owned()
}

const DAY_S: i64 = 86_400;
const EPOCH: Date = jiff::civil::date(1970, 1, 1);
