//! From the record: reviewed incidents, and samples of what passed. Only texts of tenants that consented are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::label::{self, Unlabelled};
use super::row::{Kind, Label, Row, RowId};
use super::{DatasetsConfig, ROWS_MAX, TEXT_MAX, TEXTS_MAX, redact};
use crate::audit::{
    AuditError, AuditReader, Cursor, Disposition, ExchangeDetail, Filter, FullText, IncidentFilter, IncidentId,
    PAGE_MAX, PassageText, Unread,
};
use crate::base::{ExchangeId, Span};
use crate::inspect::Snapshot;
use crate::review::recorded::{Recorded, facts};
use crate::rules::Facts;
use crate::text::{Direction, Passage, Trust};
use crate::verdict::{Action, Severity, Source};

/// Why nothing could be gathered.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The record's.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// More than a set can hold.
    #[error("there is more than one set can hold ({ROWS_MAX} rows, {} MiB of text): take less at once, with --since and --until", TEXTS_MAX >> 20)]
    TooMuch,
    /// The record holds something odd.
    #[error("the record holds an incident that cannot be read: {0}")]
    Odd(String),
}

/// Which exchanges.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Begun at this time or later.
    pub since: Option<Timestamp>,
    /// Begun before this time.
    pub until: Option<Timestamp>,
}

/// A text that may become a row, with what decides whether it does.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) row: Row,
    pub(super) tenant: String,
    pub(super) principal: String,
    /// Since when the disposition stands; `None`: a sample.
    pub(super) reviewed_at: Option<Timestamp>,
    /// How many people said so.
    pub(super) reviewers: usize,
    /// The rules in force see an attack in it.
    pub(super) looks_bad: bool,
}

/// What was found in the record.
#[derive(Debug, Default)]
pub struct Gathered {
    pub(super) candidates: Vec<Candidate>,
    pub(super) dropped: BTreeMap<String, u64>,
    pub(super) bytes: usize,
}

/// An exchange that passed, for a person to say what it is. What comes back with a label is read from the record again by its id: the
/// text is here for people alone.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sample {
    /// Where it is in the record.
    pub id: RowId,
    /// benign, injection or extraction; empty until somebody has read it.
    pub label: String,
    /// Whose it is.
    #[serde(default)]
    pub tenant: String,
    /// Who spoke.
    #[serde(default)]
    pub role: String,
    /// The text, redacted.
    #[serde(default)]
    pub text: String,
}

/// Reads what data sets are made of.
#[derive(Debug)]
pub struct Gatherer<'a> {
    /// The record.
    pub reader: &'a mut AuditReader,
    /// Rules and policy in force: they redact, and doubt.
    pub snapshot: &'a Arc<Snapshot>,
    /// The terms.
    pub config: &'a DatasetsConfig,
    /// The present day.
    pub today: Date,
}

impl Gathered {
    /// Whether there is a candidate of that id.
    pub fn has(&self, id: RowId) -> bool {
        self.candidates.iter().any(|one| one.row.id == id)
    }

    fn drop(&mut self, reason: &str) {
        *self.dropped.entry(reason.to_owned()).or_default() += 1;
    }

    fn add(&mut self, candidate: Candidate) -> Result<(), GatherError> {
        self.bytes += candidate.row.text.len();
        self.candidates.push(candidate);
        if self.candidates.len() > ROWS_MAX || self.bytes > TEXTS_MAX { Err(GatherError::TooMuch) } else { Ok(()) }
    }
}

/// One passage of an exchange.
struct Taken<'d> {
    passage: &'d PassageText,
    facts: Facts,
}

impl Gatherer<'_> {
    /// All incidents that have a disposition.
    ///
    /// # Errors
    /// The record's; more than one set can hold.
    pub async fn incidents(&mut self, window: Window, into: &mut Gathered) -> Result<(), GatherError> {
        let config = self.config;
        for tenant in config.consent.keys() {
            let filter = IncidentFilter {
                open: Some(false),
                tenant: Some(tenant.clone()),
                since: window.since,
                until: window.until,
                ..IncidentFilter::default()
            };
            let mut after: Option<Cursor> = None;
            loop {
                let page = self.reader.incidents(&filter, (after, PAGE_MAX), false).await?;
                for incident in &page.incidents {
                    self.incident(incident, tenant, into).await?;
                }
                let Some(next) = page.next else { break };
                after = Some(next.parse().map_err(GatherError::Odd)?);
            }
        }
        Ok(())
    }

    async fn incident(&mut self, incident: &Value, tenant: &str, into: &mut Gathered) -> Result<(), GatherError> {
        let odd = || GatherError::Odd(incident.to_string());
        let field = |name: &str| incident.get(name).and_then(Value::as_str);
        let id: IncidentId = field("id").and_then(|id| id.parse().ok()).ok_or_else(odd)?;
        let disposition = incident.get("disposition").cloned().unwrap_or_default();
        let disposition: Disposition = serde_json::from_value(disposition).map_err(|_| odd())?;
        let reviewed_at = field("reviewed_at").and_then(|at| at.parse().ok());
        let history = self.reader.history(id).await?;
        let same = history
            .iter()
            .filter(|step| step.what == "disposition" && step.after.as_deref() == Some(disposition.name()));
        let reviewers = same.map(|step| &step.author).collect::<BTreeSet<_>>().len();
        let Some(detail) = self.reader.stored(id.exchange).await? else {
            into.drop(NOT_STORED);
            return Ok(());
        };
        let direction = direction_of(id);
        let verdict = match direction {
            Direction::Request => detail.begin.as_ref().map(|begin| &begin.request),
            Direction::Reply => detail.end.as_ref().and_then(|end| end.reply.as_ref()),
        };
        let texts = match texts(&detail, direction) {
            Ok(texts) => texts,
            Err(reason) => {
                into.drop(reason);
                return Ok(());
            }
        };
        let Some(verdict) = verdict else { return Ok(()) };
        let snapshot = Arc::clone(self.snapshot);
        for (place, said) in label::passages(verdict, direction, disposition, snapshot.scanner.rules()) {
            let labelled = match said {
                Ok(labelled) => labelled,
                Err(why) => {
                    into.drop(reason(why));
                    continue;
                }
            };
            let Some((number, passage)) = texts.iter().enumerate().find(|(_, text)| text.place == place) else {
                into.drop(NOT_STORED);
                continue;
            };
            let span = (labelled.label != Label::Benign).then(|| lines(&passage.text, labelled.span)).flatten();
            let taken = Taken { passage, facts: self.facts(&detail) };
            let (text, span) = match self.redacted(&taken, span) {
                Ok(redacted) => redacted,
                Err(reason) => {
                    into.drop(reason);
                    continue;
                }
            };
            let row = Row {
                span: characters(&text, span),
                text,
                label: labelled.label,
                source: "portcullis:incident".to_owned(),
                kind: labelled.kind,
                lang: LANGUAGE.to_owned(),
                lic: self.licence(tenant),
                role: passage.role,
                id: RowId { of: id, passage: number },
                why: None,
            };
            let looks_bad = self.looks_bad(&row, direction, &taken.facts);
            let principal = field("principal").unwrap_or_default().to_owned();
            into.add(Candidate { row, tenant: tenant.to_owned(), principal, reviewed_at, reviewers, looks_bad })?;
        }
        Ok(())
    }

    /// Samples that somebody has labelled.
    ///
    /// # Errors
    /// The record's; more than one set can hold.
    pub async fn labelled(&mut self, samples: &[(RowId, Label)], into: &mut Gathered) -> Result<(), GatherError> {
        for (id, label) in samples {
            let Some(detail) = self.reader.stored(id.of.exchange).await? else {
                into.drop(NOT_STORED);
                continue;
            };
            let Some(tenant) = detail.begin.as_ref().map(|begin| begin.tenant.clone()) else {
                into.drop(NOT_STORED);
                continue;
            };
            if !self.config.consent.contains_key(&tenant) {
                into.drop(NO_CONSENT);
                continue;
            }
            let direction = direction_of(id.of);
            let found = texts(&detail, direction).and_then(|texts| texts.get(id.passage).ok_or(NOT_STORED));
            let taken = found.map(|passage| Taken { passage, facts: self.facts(&detail) });
            let redacted = taken.and_then(|taken| Ok((self.redacted(&taken, None)?.0, taken)));
            let (text, taken) = match redacted {
                Ok(redacted) => redacted,
                Err(reason) => {
                    into.drop(reason);
                    continue;
                }
            };
            let kind = match (label, taken.passage.role.trust()) {
                (Label::Benign, _) => Kind::Plain,
                (_, Trust::Untrusted) => Kind::Indirect,
                _ => Kind::Direct,
            };
            let row = Row {
                text,
                label: *label,
                span: None,
                source: "portcullis:sample".to_owned(),
                kind,
                lang: LANGUAGE.to_owned(),
                lic: self.licence(&tenant),
                role: taken.passage.role,
                id: *id,
                why: None,
            };
            let looks_bad = self.looks_bad(&row, direction, &taken.facts);
            let principal = detail.begin.as_ref().map(|begin| begin.principal.to_string()).unwrap_or_default();
            into.add(Candidate { row, tenant, principal, reviewed_at: None, reviewers: 1, looks_bad })?;
        }
        Ok(())
    }

    /// Texts that nothing was found in, chosen at random by `seed`: the same seed over the same record chooses the same.
    ///
    /// # Errors
    /// The record's.
    pub async fn sample(&mut self, window: Window, count: usize, seed: u64) -> Result<Vec<Sample>, GatherError> {
        let mut chosen: BTreeMap<u64, ExchangeId> = BTreeMap::new();
        let most = count.saturating_mul(SPARE);
        let config = self.config;
        for tenant in config.consent.keys() {
            let mut before = None;
            loop {
                let filter = Filter {
                    since: window.since,
                    until: window.until,
                    tenant: Some(tenant.clone()),
                    limit: Some(LISTED),
                    before,
                    ..Filter::default()
                };
                let page = self.reader.list(&filter).await?;
                for row in &page {
                    let id: ExchangeId =
                        row.exchange_id.parse().map_err(|_| GatherError::Odd(row.exchange_id.clone()))?;
                    before = Some(id);
                    if row.action() == Action::Allow && row.outcome.as_deref() == Some("completed") {
                        chosen.insert(chance(seed, &row.exchange_id), id);
                        if chosen.len() > most {
                            chosen.pop_last();
                        }
                    }
                }
                if page.len() < LISTED as usize {
                    break;
                }
            }
        }
        let mut samples = Vec::new();
        for (number, id) in chosen {
            if samples.len() == count {
                break;
            }
            let Some(detail) = self.reader.stored(id).await? else { continue };
            let Ok(texts) = texts(&detail, Direction::Request) else { continue };
            let wanted: Vec<(usize, &PassageText)> =
                texts.iter().enumerate().filter(|(_, text)| is_said(text)).collect();
            let Some(at) = number.checked_rem(wanted.len() as u64).and_then(|at| usize::try_from(at).ok()) else {
                continue;
            };
            let Some((passage_number, passage)) = wanted.get(at) else { continue };
            let taken = Taken { passage, facts: self.facts(&detail) };
            let Ok((text, _)) = self.redacted(&taken, None) else { continue };
            samples.push(Sample {
                id: RowId { of: IncidentId { exchange: id, is_reply: false }, passage: *passage_number },
                label: String::new(),
                tenant: detail.begin.as_ref().map(|begin| begin.tenant.clone()).unwrap_or_default(),
                role: passage.role.name().to_owned(),
                text,
            });
        }
        Ok(samples)
    }

    /// Of these rows those whose texts were destroyed since: their keys are gone for good.
    ///
    /// # Errors
    /// The record's.
    pub async fn shredded(&mut self, ids: &[RowId]) -> Result<Vec<RowId>, GatherError> {
        let mut all = Vec::new();
        for id in ids {
            let Some(detail) = self.reader.stored(id.of.exchange).await? else { continue };
            if texts(&detail, direction_of(id.of)) == Err(SHREDDED) {
                all.push(*id);
            }
        }
        Ok(all)
    }

    fn facts(&self, detail: &ExchangeDetail) -> Facts {
        detail.begin.as_ref().map(|begin| facts(begin, self.today)).unwrap_or_default()
    }

    fn licence(&self, tenant: &str) -> String {
        self.config.consent.get(tenant).cloned().unwrap_or_default()
    }

    fn redacted(&self, taken: &Taken<'_>, span: Option<Span>) -> Result<(String, Option<Span>), &'static str> {
        let text = &taken.passage.text;
        if text.trim().is_empty() {
            return Err("empty");
        }
        if text.len() > TEXT_MAX {
            return Err("too_long");
        }
        redact::redact(self.snapshot, (text, taken.passage.role), &taken.facts, &self.config.redact, span)
            .ok_or("not_redactable")
    }

    /// Whether rules that look for attacks, and act, see something bad in it.
    fn looks_bad(&self, row: &Row, direction: Direction, facts: &Facts) -> bool {
        let rules = self.snapshot.scanner.rules();
        let subject = Recorded(vec![Passage::new(row.role, "/text", row.text.clone())]);
        self.snapshot.scan(subject, direction, facts).by_rules().findings.iter().any(|finding| {
            let Source::Rule { id } = &finding.source else { return false };
            let is_attack = rules.by_id(id).is_some_and(|(_, rule)| label::of_family(rule.family).is_some());
            finding.standing.acts() && finding.severity >= Severity::High && is_attack
        })
    }
}

/// Whether a user said it, or brought it along: what the operator wrote is the same every time.
fn is_said(text: &PassageText) -> bool {
    text.role.trust() != Trust::Operator && !text.text.trim().is_empty()
}

fn direction_of(id: IncidentId) -> Direction {
    if id.is_reply { Direction::Reply } else { Direction::Request }
}

/// The texts of one direction, or why there are none to take.
fn texts(detail: &ExchangeDetail, direction: Direction) -> Result<&[PassageText], &'static str> {
    let (text, cut) = match direction {
        Direction::Request => {
            let begin = detail.begin.as_ref().ok_or(NOT_STORED)?;
            (begin.prompt_text.as_ref(), begin.cut.text_bytes)
        }
        Direction::Reply => {
            let end = detail.end.as_ref().ok_or(NOT_STORED)?;
            (end.reply_text.as_ref(), end.cut.text_bytes)
        }
    };
    match text {
        Some(FullText::Plain(_)) if cut > 0 => Err("text_cut"),
        Some(FullText::Plain(texts)) => Ok(texts),
        Some(FullText::Kept(kept)) => Err(match kept.unread {
            Some(Unread::Shredded) => SHREDDED,
            Some(Unread::KeyMissing) => "key_missing",
            Some(Unread::Damaged) => "damaged",
            Some(Unread::Gone) | None => "text_gone",
        }),
        None => Err("no_text"),
    }
}

fn reason(why: Unlabelled) -> &'static str {
    match why {
        Unlabelled::OtherFamily => "other_family",
        Unlabelled::RuleUnknown => "rule_unknown",
        Unlabelled::Minor => "minor",
    }
}

/// The span, extended to whole lines; `None`: that is all of the text.
fn lines(text: &str, span: Span) -> Option<Span> {
    let end = span.end.min(text.len());
    let start = text.get(..span.start.min(end)).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let end = text.get(end..).and_then(|behind| behind.find('\n')).map_or(text.len(), |at| end + at);
    let is_all = text.get(..start).is_some_and(|before| before.trim().is_empty())
        && text.get(end..).is_some_and(|behind| behind.trim().is_empty());
    (!is_all && start < end).then(|| Span::new(start, end))
}

/// A span of bytes, in characters.
fn characters(text: &str, span: Option<Span>) -> Option<[usize; 2]> {
    let span = span?;
    let start = text.get(..span.start)?.chars().count();
    let length = text.get(span.start..span.end)?.chars().count();
    (length > 0).then(|| [start, start + length])
}

/// A number that is random in `seed` and the same for the same text.
pub(super) fn chance(seed: u64, text: &str) -> u64 {
    let hash = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(text).finalize();
    hash.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

const NOT_STORED: &str = "not_stored";
const NO_CONSENT: &str = "no_consent";
const SHREDDED: &str = "shredded";
/// Nobody said which language it is (BCP 47).
const LANGUAGE: &str = "und";
/// Exchanges listed at once.
const LISTED: u32 = 10_000;
/// How many times more exchanges are chosen than are wanted: of some no text was kept.
const SPARE: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_becomes_whole_lines() {
        let text = "first line\nsecond line, here\nthird\n\n";
        let of = |start, end| lines(text, Span::new(start, end)).map(|span| &text[span.start..span.end]);
        assert_eq!(of(13, 16), Some("second line, here"));
        assert_eq!(of(3, 16), Some("first line\nsecond line, here"));
        assert_eq!(of(3, 30), None, "all but empty lines");
        assert_eq!(of(30, 99), Some("third\n\n"));
        assert_eq!(lines("one line", Span::new(2, 4)), None);
    }

    #[test]
    fn spans_are_told_in_characters() {
        assert_eq!(characters("äöü x", Some(Span::new(2, 6))), Some([1, 3]));
        assert_eq!(characters("äöü", Some(Span::new(1, 2))), None);
        assert_eq!(characters("x", None), None);
    }
}
