//! Asks all judges about a whole message: the rules here, the classifier on its own threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::access::{Throttle, Throttles};
use crate::base::{Cause, ExchangeId, Fault, Span};
use crate::classify::{Answered, Classifier, Judged as Scored, Shadow};
use crate::inspect::{Answer, Judged, Judgement, Scanned, Snapshot, Subject};
use crate::proxy::exchange::Exchange;
use crate::rules::Facts;
use crate::telemetry::metrics;
use crate::text::Direction;
use crate::verdict::{ModelLevels, Verdict};

/// Bytes of text from which scanning moves off the async workers: a scan of this size takes about as long as handing it
/// over costs.
const INLINE_BYTES: usize = 32 * 1024;

/// The judges in force: the snapshot of rules and policy, and the classifier beside them.
#[derive(Clone, Debug)]
pub struct Judges {
    /// Rules, thresholds, fault actions.
    pub snapshot: Arc<Snapshot>,
    /// The classifier; `None`: the appliance runs on rules alone, as its policy allows.
    pub classifier: Option<Classifier>,
    /// A model that looks at what the classifier is asked about, and decides nothing.
    pub shadow: Option<Shadow>,
    /// What rules may put on whoever calls, by name.
    pub throttles: Arc<BTreeMap<String, Throttle>>,
    /// Prompts and replies are recorded in full.
    pub record_full_text: bool,
}

impl Judges {
    /// The classifier's version, for the record.
    pub(super) fn model_version(&self) -> Option<String> {
        self.classifier.as_ref().map(|classifier| classifier.version().to_owned())
    }

    /// Slows a principal down as a verdict says.
    pub(super) fn slow_down(&self, throttles: &Throttles, principal: &str, verdict: &Verdict) {
        for name in verdict.throttles() {
            // A name without a throttle does not load.
            let Some(throttle) = self.throttles.get(name) else { continue };
            tracing::info!(principal, throttle = name, "slowed down");
            metrics::throttle(name.to_owned());
            throttles.slow_down(principal, *throttle, Instant::now());
        }
    }

    /// Inspects a whole message.
    pub(super) async fn judge<T>(&self, subject: T, direction: Direction, exchange: &mut Exchange) -> Judged<T>
    where
        T: Subject + Send + 'static,
    {
        let since = Instant::now();
        let scanned = self.scan(subject, direction, &exchange.facts).await.restoring(&exchange.vault);
        let stages = &mut exchange.stages;
        stages.took("scan", since);
        let (questions, levels) = (scanned.questions(), || scanned.levels());
        let since = Instant::now();
        let answer = self.ask(exchange.id, questions, levels).await;
        if !matches!(answer, Answer::NotAsked) {
            stages.took("model", since);
        }
        let judged = scanned.judge(answer);
        count(&judged, direction);
        judged
    }

    async fn scan<T>(&self, subject: T, direction: Direction, facts: &Facts) -> Scanned<T>
    where
        T: Subject + Send + 'static,
    {
        let bytes: usize = subject.passages().iter().map(|passage| passage.text.len()).sum();
        inspect_aside(bytes, || self.snapshot.scan(subject, direction, facts))
    }

    /// Asks the classifier; `levels`: what its answers are held against, one for each question.
    pub(super) async fn ask(
        &self,
        exchange: ExchangeId,
        questions: Vec<String>,
        levels: impl FnOnce() -> Vec<ModelLevels>,
    ) -> Answer {
        if questions.is_empty() {
            return Answer::NotAsked;
        }
        let Some(classifier) = &self.classifier else {
            return Answer::Fault(Fault::ours(Cause::ModelMissing, "no classifier is loaded"));
        };
        let deadline = Instant::now() + Duration::from_millis(self.snapshot.limits.model_ms);
        let shadow = self.shadow.as_ref().filter(|shadow| shadow.wants(exchange));
        let looked = shadow.map(|shadow| (shadow, questions.clone()));
        let answer = match classifier.submit(questions, deadline) {
            Ok(ticket) => ticket.await,
            Err(fault) => Err(fault),
        };
        match answer {
            Ok(scored) => {
                if let Some((shadow, texts)) = looked {
                    let all = texts.into_iter().zip(&scored).zip(levels());
                    let answered = all.map(|((text, scored), levels)| Answered { text, score: scored.score, levels });
                    shadow.look(exchange, answered.collect());
                }
                Answer::Scores(scored.iter().map(judgement).collect())
            }
            Err(fault) => Answer::Fault(fault),
        }
    }
}

/// Inspects so many bytes of text: a few at once, many while the other tasks of this worker move on elsewhere.
pub(super) fn inspect_aside<T>(bytes: usize, inspect: impl FnOnce() -> T) -> T {
    // There is no elsewhere on a runtime of one thread.
    let has_threads = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes < INLINE_BYTES || !has_threads { inspect() } else { tokio::task::block_in_place(inspect) }
}

/// The classifier's judgement in the words of `inspect`.
pub fn judgement(scored: &Scored) -> Judgement {
    Judgement {
        score: scored.score,
        label: scored.label.name(),
        window: scored.highest().map_or(Span::default(), |window| window.span),
        unjudged: !scored.unjudged.is_empty(),
    }
}

fn count<T>(judged: &Judged<T>, direction: Direction) {
    let way = match direction {
        Direction::Reply => "reply",
        Direction::Request => "request",
    };
    metrics::verdict(way, judged.verdict.action.name());
    for finding in &judged.verdict.findings {
        metrics::finding(finding.source.name().to_owned(), finding.standing.name());
    }
    for fault in &judged.faults {
        metrics::fault(fault.cause.name(), fault.action.name());
    }
    for opaque in &judged.waived {
        metrics::waiver(opaque.kind.name());
    }
}
