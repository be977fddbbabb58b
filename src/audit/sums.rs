//! Sums for figures: what a number of rows adds to each minute, hour and day. Whoever asks for three months of traffic reads a few
//! thousand of them and no record. They are no evidence: nothing hashes them. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::rows::{Rows, exchange_day};
use crate::base::ExchangeId;

/// What some rows add. The sums of one node alone: several may write into one store and never wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) traffic: Vec<Traffic>,
    pub(crate) latency: Vec<Latency>,
    pub(crate) hits: Vec<Hits>,
    pub(crate) principals: Vec<Principal>,
}

/// Exchanges that ended in a step of time, of a tenant, by who answered. What was done in them stands apart, in a row without provider
/// and model: it is known before anybody answers.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Traffic {
    pub(crate) step: i64,
    pub(crate) at_us: i64,
    pub(crate) node: String,
    pub(crate) tenant: String,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) requests: u64,
    pub(crate) blocked: u64,
    pub(crate) failed: u64,
    pub(crate) interrupted: u64,
    pub(crate) client_gone: u64,
    pub(crate) refused: u64,
    pub(crate) flagged: u64,
    pub(crate) redacted: u64,
    pub(crate) routed: u64,
    pub(crate) throttled: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
    pub(crate) uncounted: u64,
    pub(crate) cost_nusd: u64,
    pub(crate) unpriced: u64,
}

/// How often a stage took so long.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) step: i64,
    pub(crate) at_us: i64,
    pub(crate) node: String,
    pub(crate) stage: String,
    /// Of the stages in which a provider works; else empty.
    pub(crate) provider: String,
    pub(crate) bucket: u32,
    pub(crate) n: u64,
}

/// What a rule or a label did in an hour.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Hits {
    pub(crate) at_us: i64,
    pub(crate) node: String,
    pub(crate) tenant: String,
    pub(crate) judge: String,
    pub(crate) judge_id: String,
    pub(crate) title: String,
    pub(crate) severity: String,
    pub(crate) acted: u64,
    pub(crate) blocked: u64,
    pub(crate) shadow: u64,
    pub(crate) held: u64,
}

/// What a principal did on a day. It goes with that day's rows for review.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Principal {
    pub(crate) day: i32,
    pub(crate) class: String,
    pub(crate) node: String,
    pub(crate) tenant: String,
    pub(crate) principal: String,
    pub(crate) requests: u64,
    pub(crate) blocked: u64,
    pub(crate) stopped: u64,
    pub(crate) refused: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
    pub(crate) cost_nusd: u64,
    pub(crate) first_us: i64,
    pub(crate) last_us: i64,
}

/// The number of the bucket that so many microseconds fall into: four to each doubling, so that a bucket is a fifth wide.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to 256")]
pub(crate) fn bucket(micros: u64) -> u32 {
    ((micros.max(1) as f64).log2() * BUCKETS_PER_DOUBLING).floor() as u32
}

/// Where a bucket begins, in microseconds.
pub(crate) fn bucket_start(bucket: u32) -> f64 {
    (f64::from(bucket) / BUCKETS_PER_DOUBLING).exp2()
}

impl Sums {
    /// What the rows add of records after the one with this number: what is sent a second time is not counted again.
    pub(crate) fn of(rows: &Rows, counted: i64) -> Self {
        let is_new = |seq: u64| i64::try_from(seq).is_ok_and(|seq| seq > counted);
        let mut adding = Adding { node: rows.node(), ..Adding::default() };
        let mut new: BTreeSet<(ExchangeId, &str)> = BTreeSet::new();
        new.extend(rows.begins.iter().filter(|row| is_new(row.begin_seq)).map(|row| (row.exchange_id, "request")));
        for row in rows.ends.iter().filter(|row| is_new(row.end_seq)) {
            new.insert((row.exchange_id, "reply"));
            adding.end(row);
        }
        let mut actions = HashMap::new();
        for row in &rows.verdicts {
            actions.insert((row.exchange_id, row.direction), row.action);
        }
        for row in rows.incidents.iter().filter(|row| new.contains(&(row.exchange_id, row.direction))) {
            adding.incident(row);
        }
        for row in rows.findings.iter().filter(|row| new.contains(&(row.exchange_id, row.direction))) {
            let action = actions.get(&(row.exchange_id, row.direction)).copied();
            adding.finding(row, action == Some("block"));
        }
        adding.done()
    }
}

type Place = (i64, i64, String, String, String);

#[derive(Debug, Default)]
struct Adding {
    node: String,
    traffic: BTreeMap<Place, Traffic>,
    latency: BTreeMap<(i64, i64, String, String, u32), u64>,
    hits: BTreeMap<(i64, String, &'static str, String), Hits>,
    principals: BTreeMap<(i32, String, String), Principal>,
}

impl Adding {
    fn end(&mut self, row: &super::rows::EndRow) {
        let tokens = |count: Option<i64>| count.map_or(0, |count| u64::try_from(count).unwrap_or(0).min(TOKENS_MAX));
        let (prompt, completion) = (tokens(row.prompt_tokens), tokens(row.completion_tokens));
        let cost = row.cost_nusd.map_or(0, |cost| u64::try_from(cost).unwrap_or(0).min(COST_MAX));
        let answered = row.outcome == "completed";
        let is_uncounted = answered && (row.prompt_tokens.is_none() || row.completion_tokens.is_none());
        let is = |outcome: &str| u64::from(row.outcome == outcome);
        let provider = row.provider.clone().unwrap_or_default();
        let model = row.model.clone().unwrap_or_default();
        for step in [MINUTE, HOUR] {
            let one = self.place(step, row.ended_us, (&row.tenant, &provider, &model));
            one.requests += 1;
            one.blocked += is("blocked");
            one.failed += is("failed");
            one.interrupted += is("interrupted");
            one.client_gone += is("client_gone");
            one.refused += is("refused");
            one.prompt_tokens += prompt;
            one.completion_tokens += completion;
            one.uncounted += u64::from(is_uncounted);
            one.cost_nusd += cost;
            one.unpriced += u64::from(row.cost_nusd.is_none() && prompt + completion > 0);
        }
        for (stage, micros) in &row.stages {
            let provider = if stage.starts_with("provider_") { provider.clone() } else { String::new() };
            for step in [MINUTE, HOUR, DAY] {
                let place = (step, floor(row.ended_us, step), stage.clone(), provider.clone(), bucket(*micros));
                *self.latency.entry(place).or_default() += 1;
            }
        }
        if row.principal.is_empty() {
            return;
        }
        let one = self.principal((row.day, &row.class), (&row.tenant, &row.principal), row.ended_us);
        one.requests += 1;
        one.blocked += is("blocked");
        one.refused += is("refused");
        one.prompt_tokens += prompt;
        one.completion_tokens += completion;
        one.cost_nusd += cost;
    }

    fn incident(&mut self, row: &super::incident::IncidentRow) {
        for step in [MINUTE, HOUR] {
            let one = self.place(step, row.at_us, (&row.tenant, "", ""));
            match row.action {
                "flag" => one.flagged += 1,
                "redact" | "strip" => one.redacted += 1,
                "route" => one.routed += 1,
                "throttle" => one.throttled += 1,
                // Blocks are counted as outcomes.
                _ => {}
            }
        }
        if !row.principal.is_empty() {
            let day = (exchange_day(row.exchange_id), row.class.as_str());
            self.principal(day, (&row.tenant, &row.principal), row.at_us).stopped += 1;
        }
    }

    fn finding(&mut self, row: &super::rows::FindingRow, blocked: bool) {
        let at_us = floor(row.at_us, HOUR);
        let key = (at_us, row.tenant.clone(), row.judge, row.judge_id.clone());
        let node = &self.node;
        let one = self.hits.entry(key).or_insert_with(|| Hits {
            at_us,
            node: node.clone(),
            tenant: row.tenant.clone(),
            judge: row.judge.to_owned(),
            judge_id: row.judge_id.clone(),
            ..Hits::default()
        });
        one.title.clone_from(&row.title);
        one.severity.clone_from(&row.severity);
        match row.standing.as_str() {
            "acts" => {
                one.acted += 1;
                one.blocked += u64::from(blocked);
            }
            "shadow" => one.shadow += 1,
            _ => one.held += 1,
        }
    }

    fn place(&mut self, step: i64, at_us: i64, (tenant, provider, model): (&str, &str, &str)) -> &mut Traffic {
        let at_us = floor(at_us, step);
        let node = &self.node;
        let key = (step, at_us, tenant.to_owned(), provider.to_owned(), model.to_owned());
        self.traffic.entry(key).or_insert_with(|| Traffic {
            step,
            at_us,
            node: node.clone(),
            tenant: tenant.to_owned(),
            provider: provider.to_owned(),
            model: model.to_owned(),
            ..Traffic::default()
        })
    }

    fn principal(
        &mut self,
        (day, class): (i32, &str),
        (tenant, principal): (&str, &str),
        at_us: i64,
    ) -> &mut Principal {
        let node = &self.node;
        let one = self.principals.entry((day, tenant.to_owned(), principal.to_owned())).or_insert_with(|| Principal {
            day,
            class: class.to_owned(),
            node: node.clone(),
            tenant: tenant.to_owned(),
            principal: principal.to_owned(),
            first_us: at_us,
            last_us: at_us,
            ..Principal::default()
        });
        one.first_us = one.first_us.min(at_us);
        one.last_us = one.last_us.max(at_us);
        one
    }

    fn done(self) -> Sums {
        let node = self.node;
        let latency = self.latency.into_iter().map(|((step, at_us, stage, provider, bucket), n)| Latency {
            step,
            at_us,
            node: node.clone(),
            stage,
            provider,
            bucket,
            n,
        });
        Sums {
            latency: latency.collect(),
            traffic: self.traffic.into_values().collect(),
            hits: self.hits.into_values().collect(),
            principals: self.principals.into_values().collect(),
        }
    }
}

/// Where the step begins that a time falls into.
fn floor(at_us: i64, step: i64) -> i64 {
    let step = step * 1_000_000;
    at_us.div_euclid(step) * step
}

/// Seconds of each step that sums are made for.
pub(crate) const MINUTE: i64 = 60;
/// As [`MINUTE`].
pub(crate) const HOUR: i64 = 3600;
/// As [`MINUTE`].
pub(crate) const DAY: i64 = 86_400;
const BUCKETS_PER_DOUBLING: f64 = 4.0;
/// Tokens that one exchange adds at most: the provider's count is anybody's number, and a sum must fit its column.
const TOKENS_MAX: u64 = 1_000_000_000;
/// Billionths of a dollar that one exchange adds at most: a thousand dollars.
const COST_MAX: u64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample;

    #[test]
    fn what_is_sent_again_is_not_counted_again() {
        let records = sample::records(20);
        let rows = Rows::of(&records);
        let all = Sums::of(&rows, 0);
        let requests = |sums: &Sums, step| -> u64 {
            sums.traffic.iter().filter(|row| row.step == step).map(|row| row.requests).sum()
        };
        assert!(requests(&all, MINUTE) > 0);
        assert_eq!(requests(&all, MINUTE), requests(&all, HOUR));
        for upto in &records {
            // Of what was counted up to a record, and of the rest, together as much.
            let first = Rows::of(&records[..=records.iter().position(|one| one.seq == upto.seq).unwrap()]);
            let counted = i64::try_from(upto.seq).unwrap();
            let (before, after) = (Sums::of(&first, 0), Sums::of(&rows, counted));
            assert_eq!(requests(&before, HOUR) + requests(&after, HOUR), requests(&all, HOUR), "{counted}");
            let acted = |sums: &Sums| -> u64 { sums.hits.iter().map(|row| row.acted).sum() };
            assert_eq!(acted(&before) + acted(&after), acted(&all), "{counted}");
        }
        assert!(Sums::of(&rows, i64::MAX).traffic.is_empty());
    }

    #[test]
    fn buckets_are_a_fifth_wide_and_hold_any_time() {
        for micros in [0, 1, 2, 3, 999, 1000, 123_456, u64::from(u32::MAX), u64::MAX] {
            let bucket = bucket(micros);
            #[expect(clippy::cast_precision_loss, reason = "compared with a margin")]
            let micros = micros.max(1) as f64;
            assert!(bucket_start(bucket) <= micros * 1.000_001, "{micros}");
            assert!(micros <= bucket_start(bucket + 1) * 1.000_001, "{micros}");
        }
        assert!((1.18..1.20).contains(&(bucket_start(41) / bucket_start(40))));
    }
}
