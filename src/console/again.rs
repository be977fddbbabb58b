//! Recorded texts judged again by the policy in force: for whoever reviews them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audit::{PassageText, VerdictRecord};
use crate::base::Fault;
use crate::classify::WindowScore;
use crate::inspect::trace::Known;
use crate::inspect::{Answer, Snapshot, Trace};
use crate::proxy::{Judges, judgement};
use crate::review::recorded::{Recorded, passages};
use crate::rules::Facts;
use crate::text::Direction;
use crate::verdict::Verdict;

/// What the policy in force says of a recorded message.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) verdict: Verdict,
    /// Of each passage, in order, how it reads; `None`: too long to show.
    pub(super) traces: Vec<Option<Trace>>,
    /// Of each passage, in order, what the classifier says of it alone, window by window.
    pub(super) windows: Vec<Vec<WindowScore>>,
    /// Why the classifier said nothing.
    pub(super) fault: Option<String>,
}

/// Judges it; `traced`: the passages whose readings are wanted.
pub(super) async fn judge(
    judges: &Judges,
    texts: Vec<PassageText>,
    (direction, facts): (Direction, Facts),
    traced: impl Fn(&PassageText) -> bool,
) -> Result<Again, String> {
    let mut left = TRACED;
    let is_traced = texts.iter().map(|text| {
        let is_wanted = left > 0 && text.text.len() <= TRACED_BYTES && traced(text);
        left -= usize::from(is_wanted);
        is_wanted
    });
    let is_traced: Vec<bool> = is_traced.collect();
    let subject = Recorded(passages(texts));
    let wants = |snapshot: &Snapshot, index: usize| {
        let passage = subject.0.get(index)?;
        (snapshot.policy.model.wants(passage.trust(direction)) && !passage.text.is_empty())
            .then(|| passage.text.to_string())
    };
    let asked: Vec<(usize, String)> = is_traced
        .iter()
        .enumerate()
        .filter(|(_, wanted)| **wanted)
        .filter_map(|(index, _)| Some((index, wants(&judges.snapshot, index)?)))
        .take(ASKED)
        .collect();
    let (snapshot, again, of) = (Arc::clone(&judges.snapshot), subject.clone(), facts.clone());
    let scanned = aside(move || snapshot.scan(again, direction, &of)).await?;
    let (answer, mut fault) = match ask(judges, scanned.questions()).await {
        Ok(Some(scored)) => (Answer::Scores(scored.iter().map(judgement).collect()), None),
        Ok(None) => (Answer::NotAsked, None),
        Err(fault) => {
            let why = fault.detail.clone();
            (Answer::Fault(fault), Some(why))
        }
    };
    let scores = scanned.scores(&answer);
    let verdict = match (answer, scanned.questions().is_empty()) {
        (Answer::NotAsked, false) => scanned.without_model(),
        (answer, _) => scanned.judge(answer).verdict,
    };
    let mut windows = vec![Vec::new(); subject.0.len()];
    let (places, questions): (Vec<usize>, Vec<String>) = asked.into_iter().unzip();
    match ask(judges, questions).await {
        Ok(scored) => {
            for (place, scored) in places.into_iter().zip(scored.into_iter().flatten()) {
                if let Some(windows) = windows.get_mut(place) {
                    *windows = scored.windows;
                }
            }
        }
        Err(why) => fault = Some(why.detail),
    }
    let snapshot = Arc::clone(&judges.snapshot);
    let traces = aside(move || {
        let mut scratch = snapshot.scanner.scratch();
        let trace = |(index, passage)| {
            let scores = scores.get(&index).copied().unwrap_or_default();
            let wanted = is_traced.get(index).copied().unwrap_or(false);
            wanted.then(|| snapshot.trace(passage, Known { direction, facts: &facts, scores }, &mut scratch))
        };
        subject.0.iter().enumerate().map(trace).collect()
    })
    .await?;
    Ok(Again { verdict, traces, windows, fault })
}

impl Again {
    /// As the record would have it.
    pub(super) fn record(&self) -> VerdictRecord {
        VerdictRecord::from(&self.verdict)
    }
}

/// What two policies say of one message.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) before: Verdict,
    pub(super) after: Verdict,
}

/// Judges a message by the policy in force and by another one, which ask the same classifier.
pub(super) async fn compare(
    judges: &Judges,
    candidate: &Arc<Snapshot>,
    texts: Vec<PassageText>,
    (direction, facts): (Direction, Facts),
) -> Result<Compared, String> {
    let subject = Recorded(passages(texts));
    let mut verdicts = Vec::with_capacity(2);
    for snapshot in [&judges.snapshot, candidate] {
        let (snapshot, subject, facts) = (Arc::clone(snapshot), subject.clone(), facts.clone());
        let scanned = aside(move || snapshot.scan(subject, direction, &facts)).await?;
        let asked = ask(judges, scanned.questions()).await.map_err(|fault| fault.detail)?;
        verdicts.push(match asked {
            Some(scored) => scanned.judge(Answer::Scores(scored.iter().map(judgement).collect())).verdict,
            None => scanned.without_model(),
        });
    }
    let mut verdicts = verdicts.into_iter();
    let (Some(before), Some(after)) = (verdicts.next(), verdicts.next()) else { return Err(String::new()) };
    Ok(Compared { before, after })
}

/// Work that takes the processor, off the threads that serve.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("it could not be judged again: {error}"))
}

/// `None`: there is nothing to ask, or nobody.
async fn ask(judges: &Judges, questions: Vec<String>) -> Result<Option<Vec<crate::classify::Judged>>, Fault> {
    let Some(classifier) = judges.classifier.as_ref().filter(|_| !questions.is_empty()) else { return Ok(None) };
    classifier.submit(questions, Instant::now() + MODEL_TIME)?.await.map(Some)
}

/// The present day (UTC), by which exceptions end.
pub(super) fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Passages whose readings are shown.
const TRACED: usize = 32;
/// Bytes of a passage whose readings are shown.
const TRACED_BYTES: usize = 64 * 1024;
/// Passages that the classifier is asked about one by one.
const ASKED: usize = 16;
/// How long the classifier may take: traffic goes first.
const MODEL_TIME: Duration = Duration::from_secs(20);
