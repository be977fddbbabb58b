//! Makes every event fit its record: long strings are shortened, the least severe findings left out, opted-in text cut,
//! and what was lost is counted in the event's [`Cut`]. Nothing is cut silently.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::event::{Cut, End, Event, FindingRecord, PassageText, System, VerdictRecord};
use super::record::Prepared;
use super::texts::keys::TextKeys;
use super::texts::{FullText, Sealed};
use crate::base::Limits;
use crate::verdict::{Severity, Standing};

/// Makes an event of a retention class ready for the spool, within `limits`.
///
/// Every string but opted-in text has a fixed bound, and so has every list but that of findings: whatever
/// `audit_record_bytes` leaves (never less than [`RECORD_BYTES_MIN`]) is for findings, the most severe first.
///
/// Opted-in text is encrypted and kept beside the record; without a key, or with `audit_text_bytes` at 0, it is left out.
pub(crate) fn prepare(
    mut event: Event,
    class: &str,
    limits: &Limits,
    keys: &TextKeys,
) -> Result<Prepared, serde_json::Error> {
    let mut cut = Cut::default();
    match &mut event {
        // A text is tied to its tenant's name as it is recorded.
        Event::Begin(begin) => shorten(&mut begin.tenant, NAME_BYTES, &mut cut),
        Event::End(end) => {
            shorten(&mut end.tenant, NAME_BYTES, &mut cut);
            shorten(&mut end.principal, NAME_BYTES, &mut cut);
            // Nobody could say whose it is.
            end.reply_text = end.reply_text.take().filter(|_| end.exchange.is_some());
        }
        _ => {}
    }
    shorten_text(&mut event, limits.audit_text_bytes, &mut cut);
    let text = seal(&mut event, keys, &mut cut);
    match &mut event {
        Event::Begin(begin) => {
            for name in [
                &mut begin.principal,
                &mut begin.client_addr,
                &mut begin.dialect,
                &mut begin.route,
                &mut begin.method,
                &mut begin.policy_version,
            ] {
                shorten(name, NAME_BYTES, &mut cut);
            }
            for name in [&mut begin.key_id, &mut begin.model_asked].into_iter().flatten() {
                shorten(name, NAME_BYTES, &mut cut);
            }
            shorten(&mut begin.path, DETAIL_BYTES, &mut cut);
            shorten_stages(&mut begin.latency_us, &mut cut);
            shorten_verdict(&mut begin.request, limits, &mut cut);
            let findings = std::mem::take(&mut begin.request.findings);
            let room = limits.audit_record_bytes.saturating_sub(ENVELOPE_BYTES + size(begin)?);
            begin.request.findings = most_severe(findings, room, &mut cut)?;
            begin.cut = cut;
        }
        Event::End(end) => fit_end(end, limits, cut)?,
        Event::Refused(refused) => {
            for name in [
                &mut refused.tenant,
                &mut refused.principal,
                &mut refused.client_addr,
                &mut refused.method,
                &mut refused.policy_version,
            ] {
                shorten(name, NAME_BYTES, &mut cut);
            }
            for name in [&mut refused.key_id, &mut refused.dialect].into_iter().flatten() {
                shorten(name, NAME_BYTES, &mut cut);
            }
            shorten(&mut refused.path, DETAIL_BYTES, &mut cut);
            shorten(&mut refused.fault.detail, DETAIL_BYTES, &mut cut);
            shorten_stages(&mut refused.latency_us, &mut cut);
            refused.cut = cut;
        }
        Event::System(System { detail, .. }) => shorten(detail, DETAIL_BYTES, &mut cut),
        // Made of numbers and hashes, and bounded by whoever makes them.
        Event::Seal(_) | Event::Tombstone(_) => {}
    }
    Prepared::new(&event, class, text.as_ref())
}

/// The smallest `audit_record_bytes`: every bounded string and list at its longest, and a good number of findings.
pub(crate) const RECORD_BYTES_MIN: usize = 32 * 1024;
/// Bytes of a node's or region's name.
pub(crate) const NODE_BYTES: usize = 128;

fn fit_end(end: &mut End, limits: &Limits, mut cut: Cut) -> Result<(), serde_json::Error> {
    for name in [&mut end.provider, &mut end.model].into_iter().flatten() {
        shorten(name, NAME_BYTES, &mut cut);
    }
    if let Some(fault) = &mut end.fault {
        shorten(&mut fault.detail, DETAIL_BYTES, &mut cut);
    }
    shorten_stages(&mut end.latency_us, &mut cut);
    if let Some(mut reply) = end.reply.take() {
        shorten_verdict(&mut reply, limits, &mut cut);
        let findings = std::mem::take(&mut reply.findings);
        let room = limits.audit_record_bytes.saturating_sub(ENVELOPE_BYTES + size(end)? + size(&reply)?);
        reply.findings = most_severe(findings, room, &mut cut)?;
        end.reply = Some(reply);
    }
    end.cut = cut;
    Ok(())
}

fn shorten_verdict(verdict: &mut VerdictRecord, limits: &Limits, cut: &mut Cut) {
    if let Some(version) = &mut verdict.model_version {
        shorten(version, NAME_BYTES, cut);
    }
    truncate(&mut verdict.faults, FAULTS, cut);
    truncate(&mut verdict.waivers, WAIVERS, cut);
    for waiver in &mut verdict.waivers {
        shorten(&mut waiver.kind, STAGE_BYTES, cut);
        shorten(&mut waiver.place, PLACE_BYTES, cut);
    }
    if verdict.findings.len() > limits.findings {
        verdict.findings.sort_by_key(weight);
        truncate(&mut verdict.findings, limits.findings, cut);
    }
    for finding in &mut verdict.findings {
        let by = finding.standing_by.as_mut();
        for text in [&mut finding.id, &mut finding.layer, &mut finding.standing].into_iter().chain(by) {
            shorten(text, STAGE_BYTES, cut);
        }
        for text in [&mut finding.title, &mut finding.place] {
            shorten(text, PLACE_BYTES, cut);
        }
        shorten(&mut finding.excerpt, EXCERPT_BYTES, cut);
        truncate(&mut finding.tags, TAGS, cut);
        for tag in &mut finding.tags {
            shorten(tag, STAGE_BYTES, cut);
        }
    }
}

/// What stays longest comes first: what acts, then the most severe.
fn weight(finding: &FindingRecord) -> (bool, Reverse<Severity>) {
    (finding.standing != Standing::Acts.name(), Reverse(finding.severity))
}

fn shorten_stages(stages: &mut BTreeMap<String, u64>, cut: &mut Cut) {
    while stages.len() > STAGES {
        stages.pop_last();
        cut.items += 1;
    }
    if stages.keys().any(|name| !fits(name, STAGE_BYTES)) {
        *stages = std::mem::take(stages)
            .into_iter()
            .map(|(mut name, time)| {
                shorten(&mut name, STAGE_BYTES, cut);
                (name, time)
            })
            .collect();
    }
}

/// Keeps as much of the opted-in text as `bytes` take; none of it, and nothing of where it would be, for 0.
fn shorten_text(event: &mut Event, bytes: usize, cut: &mut Cut) {
    let Some((_, text)) = event.text_mut() else { return };
    let Some(FullText::Plain(passages)) = text else { return };
    let mut left = bytes;
    let mut kept = 0;
    for passage in passages.iter_mut() {
        if left == 0 {
            break;
        }
        shorten(&mut passage.place, PLACE_BYTES, cut);
        let end = boundary(&passage.text, left);
        cut.text_bytes += (passage.text.len() - end) as u64;
        passage.text.truncate(end);
        // A passage costs more than its text, so that many empty ones are bounded too.
        left = left.saturating_sub(end.saturating_add(PASSAGE_BYTES).saturating_add(passage.place.len()));
        kept += 1;
    }
    leave_out(passages.drain(kept..), cut);
    if bytes == 0 {
        *text = None;
    }
}

/// Puts in the place of opted-in text where it is kept.
fn seal(event: &mut Event, keys: &TextKeys, cut: &mut Cut) -> Option<Sealed> {
    let (owner, text) = event.text_mut()?;
    let Some(FullText::Plain(passages)) = text else { return None };
    match keys.seal(owner, passages) {
        Some((kept, sealed)) => {
            *text = Some(FullText::Kept(kept));
            Some(sealed)
        }
        None => {
            leave_out(passages.drain(..), cut);
            *text = None;
            None
        }
    }
}

fn leave_out(passages: impl Iterator<Item = PassageText>, cut: &mut Cut) {
    for lost in passages {
        cut.text_bytes += lost.text.len() as u64;
        cut.items += 1;
    }
}

/// As many findings as `room` takes, the most severe first, in their old order.
fn most_severe(
    findings: Vec<FindingRecord>,
    room: usize,
    cut: &mut Cut,
) -> Result<Vec<FindingRecord>, serde_json::Error> {
    let mut order: Vec<_> = findings.into_iter().enumerate().collect();
    order.sort_by_key(|(_, finding)| weight(finding));
    let mut left = room;
    let mut kept = Vec::with_capacity(order.len());
    for (index, finding) in order {
        let bytes = size(&finding)? + 1;
        if bytes > left {
            cut.items += 1;
        } else {
            left -= bytes;
            kept.push((index, finding));
        }
    }
    kept.sort_by_key(|(index, _)| *index);
    Ok(kept.into_iter().map(|(_, finding)| finding).collect())
}

/// Bounds a string. Control characters become U+FFFD: no store takes NUL in text, and no terminal should take the others.
fn shorten(text: &mut String, bytes: usize, cut: &mut Cut) {
    if fits(text, bytes) {
        return;
    }
    if text.chars().any(char::is_control) {
        *text = text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    }
    text.truncate(boundary(text, bytes));
    cut.strings += 1;
}

/// The last character boundary at or before `bytes`.
fn boundary(text: &str, bytes: usize) -> usize {
    (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn fits(text: &str, bytes: usize) -> bool {
    text.len() <= bytes && !text.chars().any(char::is_control)
}

fn truncate<T>(list: &mut Vec<T>, count: usize, cut: &mut Cut) {
    cut.items += list.len().saturating_sub(count) as u64;
    list.truncate(count);
}

fn size<T: Serialize>(value: &T) -> Result<usize, serde_json::Error> {
    serde_json::to_vec(value).map(|json| json.len())
}

/// Names: tenant, principal, model, provider …
const NAME_BYTES: usize = 256;
/// Paths and sentences for people.
const DETAIL_BYTES: usize = 1024;
/// Stage names, rule ids, tags.
const STAGE_BYTES: usize = 64;
/// JSON Pointers and titles.
const PLACE_BYTES: usize = 256;
/// Redacted excerpts.
const EXCERPT_BYTES: usize = 512;
/// Stages in one latency map.
const STAGES: usize = 32;
/// Fault decisions of one verdict.
const FAULTS: usize = 16;
/// Waivers recorded for one verdict.
const WAIVERS: usize = 8;
/// Tags of one finding.
const TAGS: usize = 16;
/// What one passage of opted-in text costs beside its text.
const PASSAGE_BYTES: usize = 64;
/// Everything of a record that is outside its event, and the note about what was cut.
pub(crate) const ENVELOPE_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::{Begin, Outcome};
    use crate::audit::record::{Hash, Record};
    use crate::audit::sample;
    use crate::audit::texts::TextKeyFiles;
    use crate::base::ExchangeId;
    use crate::verdict::Severity;

    fn limits(record: usize, findings: usize) -> Limits {
        Limits { audit_record_bytes: record, findings, audit_text_bytes: 1000, ..Limits::default() }
    }

    fn keys() -> TextKeys {
        let folder = tempfile::tempdir().unwrap();
        TextKeys::read_or_make(&TextKeyFiles::default(), &folder.path().join("text-key")).unwrap()
    }

    #[test]
    fn no_text_is_ever_in_a_record_itself() {
        let begin = |text| Event::Begin(Box::new(Begin { prompt_text: Some(vec![text].into()), ..sample::begin(0) }));
        let end = |exchange| {
            let reply_text = Some(vec![sample::passage("secret")].into());
            Event::End(Box::new(End { exchange, reply_text, ..End::new(Outcome::Completed) }))
        };
        let no_text = Limits { audit_text_bytes: 0, ..Limits::default() };
        let (limits, none) = (Limits::default(), TextKeys::default());
        let secret = || begin(sample::passage("secret"));
        for (event, limits, keys, is_kept) in [
            (secret(), &limits, &keys(), true),
            (secret(), &no_text, &keys(), false),
            (secret(), &limits, &none, false),
            (end(Some(ExchangeId::new())), &limits, &keys(), true),
            (end(None), &limits, &keys(), false),
        ] {
            let prepared = prepare(event, "standard", limits, keys).unwrap();
            let body = prepared.body("n", "r", 1, "2026-11-23".parse().unwrap()).unwrap();
            let body = String::from_utf8(body).unwrap();
            assert!(!body.contains("secret"), "{body}");
            assert_eq!((prepared.text().is_some(), body.contains("sha256")), (is_kept, is_kept), "{body}");
        }
    }

    fn through(event: Event, limits: &Limits) -> (Event, usize) {
        let node = "n".repeat(NODE_BYTES);
        let day = "2026-11-23".parse().unwrap();
        let body = prepare(event, "standard", limits, &keys()).unwrap().body(&node, &node, u64::MAX, day).unwrap();
        (Record::parse(Hash::ZERO, &body).unwrap().event, body.len())
    }

    #[test]
    fn a_whole_event_is_left_alone() {
        let event = Event::Begin(Box::new(sample::begin(3)));
        assert_eq!(through(event.clone(), &Limits::default()).0, event);
    }

    #[test]
    fn the_count_of_findings_is_bounded_at_n_and_one_more_is_told() {
        for (given, lost) in [(5, 0), (6, 1)] {
            let (event, _) = through(Event::Begin(Box::new(sample::begin(given))), &limits(1 << 20, 5));
            let Event::Begin(begin) = event else { panic!() };
            assert_eq!((begin.request.findings.len(), begin.cut.items), (5, lost));
        }
    }

    #[test]
    fn the_longest_event_still_fits_the_smallest_record_and_keeps_the_worst_finding() {
        let long = || "\"\\\u{0}".repeat(700);
        let mut begin = sample::begin(800);
        for text in [&mut begin.tenant, &mut begin.principal, &mut begin.client_addr, &mut begin.dialect] {
            *text = long();
        }
        (begin.route, begin.method, begin.path, begin.policy_version) = (long(), long(), long(), long());
        (begin.key_id, begin.model_asked) = (Some(long()), Some(long()));
        begin.latency_us = (0..100).map(|stage| (format!("{stage}{}", long()), u64::MAX)).collect();
        begin.request.waivers = vec![sample::waiver(&long()); 500];
        begin.request.findings[799].severity = Severity::Critical;
        for finding in &mut begin.request.findings {
            (finding.title, finding.excerpt, finding.place) = (long(), long(), long());
        }
        begin.prompt_text = Some(vec![sample::passage(&"é".repeat(700)), sample::passage("more")].into());
        let (event, bytes) = through(Event::Begin(Box::new(begin)), &limits(RECORD_BYTES_MIN, 800));
        let Event::Begin(begin) = event else { panic!() };
        assert!(bytes <= RECORD_BYTES_MIN + 1000 + 500, "{bytes}");
        assert_eq!(begin.request.findings.last().unwrap().severity, Severity::Critical);
        assert!(begin.cut.items > 700 && begin.cut.strings > 10, "{:?}", begin.cut);
        assert_eq!(begin.cut.text_bytes, 400 + 4);
    }

    #[test]
    fn an_end_fits_as_well() {
        let exchange = Some(ExchangeId::new());
        let mut end = End { exchange, reply: Some(sample::begin(900).request), ..End::new(Outcome::Completed) };
        end.reply_text = Some(vec![sample::passage(&"x".repeat(1001))].into());
        let (event, bytes) = through(Event::End(Box::new(end)), &limits(RECORD_BYTES_MIN, 900));
        let Event::End(end) = event else { panic!() };
        assert!(bytes <= RECORD_BYTES_MIN + 1000 + 200, "{bytes}");
        assert_eq!(end.cut.text_bytes, 1);
        assert!(end.cut.items > 0 && !end.reply.unwrap().findings.is_empty());
    }
}
