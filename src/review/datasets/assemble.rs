//! From candidates to a set: what is alike is one row, what is doubtful waits for somebody, nobody gives too much, and what judges is never
//! trained on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::DatasetsConfig;
use super::gather::{Candidate, Gathered, chance};
use super::near;
use super::row::{Label, Row, RowId};

/// What earlier versions of the set hold: groups of texts stay on the side that they were put on.
#[derive(Debug, Default)]
pub struct Past {
    /// Rows that were trained on.
    pub train: Vec<Row>,
    /// Rows that judge.
    pub eval: Vec<Row>,
}

/// The rows of a version.
#[derive(Debug, Default, PartialEq)]
pub struct Built {
    /// To train on.
    pub train: Vec<Row>,
    /// To judge by.
    pub eval: Vec<Row>,
    /// That somebody must look at first, each with why.
    pub quarantine: Vec<Row>,
    /// Rows by tenant, for training and judging together.
    pub tenants: BTreeMap<String, u64>,
    /// What was not taken, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// What is in quarantine, by reason.
    pub quarantined: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Train,
    Eval,
}

/// Puts a set together. `accepted`: rows that somebody let out of quarantine. The same input gives the same set.
pub fn assemble(
    gathered: Gathered,
    config: &DatasetsConfig,
    past: &Past,
    accepted: &BTreeSet<RowId>,
    now: Timestamp,
) -> Built {
    let Gathered { candidates, dropped, .. } = gathered;
    let mut built = Built { dropped, ..Built::default() };
    let candidates = once(candidates, &mut built);
    let anchors = past.eval.iter().map(|row| (row, Side::Eval)).chain(past.train.iter().map(|row| (row, Side::Train)));
    let anchors: Vec<(&Row, Side)> = anchors.collect();
    let texts = anchors.iter().map(|(row, _)| row.essence()).chain(candidates.iter().map(|one| one.row.essence()));
    let groups = near::groups(texts);
    let (of_anchors, of_candidates) = groups.split_at(anchors.len());
    let mut sides: BTreeMap<usize, (bool, bool)> = BTreeMap::new();
    for (group, (_, side)) in of_anchors.iter().zip(&anchors) {
        let (is_train, is_eval) = sides.entry(*group).or_default();
        *is_train |= *side == Side::Train;
        *is_eval |= *side == Side::Eval;
    }
    let mut members: BTreeMap<usize, Vec<Candidate>> = BTreeMap::new();
    for (group, candidate) in of_candidates.iter().zip(candidates) {
        members.entry(*group).or_default().push(candidate);
    }
    let mut chosen: Vec<(Candidate, Side)> = Vec::new();
    for (group, mut alike) in members {
        alike.sort_by_key(|one| one.row.id.to_string());
        let is_disputed = alike.iter().any(|one| alike.first().is_some_and(|first| first.row.label != one.row.label));
        let (clear, doubtful): (Vec<_>, Vec<_>) = alike
            .into_iter()
            .map(|one| (doubt(&one, is_disputed, accepted, config, now), one))
            .partition(|(why, _)| why.is_none());
        for (why, candidate) in doubtful {
            let why = why.unwrap_or_default();
            count(&mut built.quarantined, why);
            built.quarantine.push(Row { why: Some(why.to_owned()), ..candidate.row });
        }
        let mut clear = clear.into_iter().map(|(_, one)| one);
        let Some(first) = clear.next() else { continue };
        let first = clear.fold(first, |first, _| {
            count(&mut built.dropped, "duplicate");
            first
        });
        match sides.get(&group) {
            // Alike to both: whichever side it is put on, the other one has seen it.
            Some((true, true)) => count(&mut built.dropped, "straddles"),
            Some((_, true)) => chosen.push((first, Side::Eval)),
            Some((_, false)) => chosen.push((first, Side::Train)),
            None => {
                let is_eval = chance(SPLIT, first.row.essence()) % 100 < u64::from(config.eval_percent);
                chosen.push((first, if is_eval { Side::Eval } else { Side::Train }));
            }
        }
    }
    for (candidate, side) in capped(chosen, config.per_principal, &mut built.dropped) {
        *built.tenants.entry(candidate.tenant).or_default() += 1;
        match side {
            Side::Train => built.train.push(candidate.row),
            Side::Eval => built.eval.push(candidate.row),
        }
    }
    for rows in [&mut built.train, &mut built.eval, &mut built.quarantine] {
        // By chance, not by time or principal: batches of a training run are taken from the front.
        rows.sort_by_cached_key(|row| (chance(ORDER, &row.text), row.id.to_string()));
    }
    built
}

/// Of a text that came as an incident and as a sample the incident's word counts if both say the same; else both stay, and are disputed.
fn once(mut candidates: Vec<Candidate>, built: &mut Built) -> Vec<Candidate> {
    candidates.sort_by_key(|one| (one.row.id.to_string(), one.row.label, one.reviewed_at.is_none()));
    let before = candidates.len();
    candidates.dedup_by(|next, first| (next.row.id, next.row.label) == (first.row.id, first.row.label));
    let gone = before - candidates.len();
    if gone > 0 {
        *built.dropped.entry("duplicate".to_owned()).or_default() += gone as u64;
    }
    candidates
}

/// Why a row must be looked at first.
fn doubt(
    candidate: &Candidate,
    is_disputed: bool,
    accepted: &BTreeSet<RowId>,
    config: &DatasetsConfig,
    now: Timestamp,
) -> Option<&'static str> {
    if accepted.contains(&candidate.row.id) {
        return None;
    }
    let settled = now.checked_sub(SignedDuration::from_hours(24 * i64::from(config.quarantine_days)));
    let is_young = |at: Timestamp| settled.is_ok_and(|settled| at > settled);
    if is_disputed {
        Some("disputed")
    } else if candidate.row.label == Label::Benign && candidate.looks_bad && candidate.reviewers < TWO {
        Some("contradicted")
    } else if candidate.reviewed_at.is_some_and(is_young) {
        Some("young")
    } else {
        None
    }
}

/// Of each principal so many, chosen by chance: what comes first in time is an attacker's to decide.
fn capped(
    mut chosen: Vec<(Candidate, Side)>,
    most: usize,
    dropped: &mut BTreeMap<String, u64>,
) -> Vec<(Candidate, Side)> {
    chosen.sort_by_cached_key(|(one, _)| chance(CAP, &one.row.id.to_string()));
    let mut given: BTreeMap<(String, String), usize> = BTreeMap::new();
    chosen.retain(|(one, _)| {
        let given = given.entry((one.tenant.clone(), one.principal.clone())).or_default();
        *given += 1;
        if *given > most {
            count(dropped, "over_cap");
        }
        *given <= most
    });
    chosen
}

fn count(counts: &mut BTreeMap<String, u64>, reason: &str) {
    *counts.entry(reason.to_owned()).or_default() += 1;
}

/// People who must agree that a text which rules see an attack in is none.
const TWO: usize = 2;
/// What different things are decided by: one chance must not say anything about another.
const SPLIT: u64 = 1;
const CAP: u64 = 2;
const ORDER: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::{ObjectsConfig, Place, Reach};
    use crate::review::datasets::row::Kind;
    use crate::text::Role;

    const NOW: &str = "2026-11-24T12:00:00Z";

    fn config() -> DatasetsConfig {
        DatasetsConfig {
            store: ObjectsConfig { place: Place::Folder("x".into()), reach: Reach::Written, ca_file: None },
            consent: [("acme".to_owned(), "own".to_owned())].into(),
            redact: BTreeSet::new(),
            per_principal: 3,
            quarantine_days: 7,
            eval_percent: 20,
        }
    }

    fn candidate(number: u32, label: Label, text: &str) -> Candidate {
        Candidate {
            row: Row {
                text: text.to_owned(),
                label,
                span: None,
                source: "portcullis:incident".into(),
                kind: Kind::Direct,
                lang: "und".into(),
                lic: "own".into(),
                role: Role::User,
                id: format!("01890a5d-ac96-774b-bcce-{number:012}:request:0").parse().unwrap(),
                why: None,
            },
            tenant: "acme".into(),
            principal: format!("p{number}"),
            reviewed_at: Some("2026-11-01T00:00:00Z".parse().unwrap()),
            reviewers: 1,
            looks_bad: false,
        }
    }

    /// Texts that have nothing in common.
    fn text(number: u32) -> String {
        (0..12).map(|word| format!("{:x} ", chance(u64::from(number), &word.to_string()))).collect()
    }

    fn build(candidates: Vec<Candidate>) -> Built {
        build_with(candidates, &Past::default(), &[])
    }

    fn build_with(candidates: Vec<Candidate>, past: &Past, accepted: &[RowId]) -> Built {
        let gathered = Gathered { candidates, ..Gathered::default() };
        assemble(gathered, &config(), past, &accepted.iter().copied().collect(), NOW.parse().unwrap())
    }

    fn counts(of: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
        of.iter().map(|(reason, count)| (reason.as_str(), *count)).collect()
    }

    #[test]
    fn alike_texts_are_one_row_and_a_fifth_judges() {
        let candidates: Vec<_> = (0..400)
            .flat_map(|number| {
                [
                    candidate(number, Label::Injection, &text(number)),
                    candidate(number + 1000, Label::Injection, &text(number).to_uppercase()),
                ]
            })
            .collect();
        let built = build(candidates.clone());
        assert_eq!(built.train.len() + built.eval.len(), 400);
        assert!((50..110).contains(&built.eval.len()), "{}", built.eval.len());
        assert_eq!(counts(&built.dropped), [("duplicate", 400)]);
        assert_eq!(built.tenants["acme"], 400);
        // In whatever order they come.
        let mut turned = candidates;
        turned.reverse();
        assert_eq!(build(turned), built);
    }

    #[test]
    fn what_is_doubtful_waits_until_somebody_accepts_it() {
        let mut young = candidate(1, Label::Injection, &text(1));
        young.reviewed_at = Some("2026-11-20T00:00:00Z".parse().unwrap());
        let mut contradicted = candidate(2, Label::Benign, &text(2));
        contradicted.looks_bad = true;
        let mut agreed = candidate(3, Label::Benign, &text(3));
        (agreed.looks_bad, agreed.reviewers) = (true, 2);
        let (one, other) = (candidate(4, Label::Benign, &text(4)), candidate(5, Label::Extraction, &text(4)));
        let mut sample = candidate(6, Label::Benign, &text(6));
        sample.reviewed_at = None;
        let all = vec![young.clone(), contradicted, agreed, one, other.clone(), sample];
        let built = build(all.clone());
        assert_eq!(counts(&built.quarantined), [("contradicted", 1), ("disputed", 2), ("young", 1)]);
        assert_eq!(built.train.len() + built.eval.len(), 2);
        let why =
            |built: &Built, id: RowId| built.quarantine.iter().find(|row| row.id == id).and_then(|row| row.why.clone());
        assert_eq!(why(&built, young.row.id).as_deref(), Some("young"));
        let built = build_with(all, &Past::default(), &[young.row.id, other.row.id]);
        assert_eq!(counts(&built.quarantined), [("contradicted", 1), ("disputed", 1)]);
        let rows: Vec<_> = built.train.iter().chain(&built.eval).collect();
        assert!(rows.len() == 4 && rows.iter().all(|row| row.why.is_none()), "{rows:?}");
    }

    #[test]
    fn nobody_gives_more_than_the_cap() {
        let of = |number: u32, principal: &str| Candidate {
            principal: principal.into(),
            ..candidate(number, Label::Injection, &text(number))
        };
        let candidates = (0..50).map(|number| of(number, "loud")).chain([of(100, "quiet")]).collect();
        let built = build(candidates);
        assert_eq!((built.tenants["acme"], counts(&built.dropped)), (4, vec![("over_cap", 47)]));
    }

    #[test]
    fn a_text_stays_on_the_side_that_it_was_put_on() {
        let row = |number: u32| candidate(number, Label::Injection, &text(number)).row;
        let past =
            Past { train: (0..40).chain([90]).map(row).collect(), eval: (40..80).chain([90]).map(row).collect() };
        let built = build_with(
            (0..80).chain([90]).map(|number| candidate(number + 200, Label::Injection, &text(number))).collect(),
            &past,
            &[],
        );
        let texts = |rows: &[Row]| rows.iter().map(|row| row.text.clone()).collect::<BTreeSet<_>>();
        assert_eq!(texts(&built.train), (0..40).map(text).collect());
        assert_eq!(texts(&built.eval), (40..80).map(text).collect());
        assert_eq!(counts(&built.dropped), [("straddles", 1)]);
    }

    #[test]
    fn a_text_that_came_twice_is_disputed_only_if_the_labels_differ() {
        let incident = candidate(1, Label::Injection, &text(1));
        let sample = Candidate { reviewed_at: None, ..incident.clone() };
        let built = build(vec![sample.clone(), incident.clone()]);
        assert_eq!((built.quarantine.len(), counts(&built.dropped)), (0, vec![("duplicate", 1)]));
        let other = Candidate { row: Row { label: Label::Benign, ..sample.row.clone() }, ..sample };
        let built = build(vec![other, incident]);
        assert_eq!(counts(&built.quarantined), [("disputed", 2)]);
    }
}
