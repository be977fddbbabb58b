//! A second model that is asked about the same texts and decides nothing: what it would have changed is counted.
//!
//! It has threads of its own and is asked after the answer that counts is there, so that no exchange waits for it. Where it cannot keep up,
//! texts are left out and counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::base::ExchangeId;
use crate::classify::Classifier;
use crate::telemetry::metrics;
use crate::verdict::{Action, ModelLevels};

/// A model in shadow. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shadow {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    classifier: Classifier,
    share: u8,
    since: Timestamp,
    /// Exchanges whose texts it is being asked about.
    open: AtomicUsize,
    tally: Mutex<Tally>,
}

/// A text that the model which counts has answered for.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The text.
    pub text: String,
    /// Its probability of an attack.
    pub score: f32,
    /// The levels that it is held against.
    pub levels: ModelLevels,
}

#[derive(Debug, Default)]
struct Tally {
    judged: u64,
    transitions: BTreeMap<(Action, Action), u64>,
    difference: f64,
    dropped: BTreeMap<&'static str, u64>,
    recent: VecDeque<Disagreement>,
}

/// What the shadow model has seen since it was loaded.
#[derive(Clone, Debug, Serialize)]
pub struct ShadowFigures {
    /// Its version.
    pub version: String,
    /// Of a hundred exchanges, those whose texts it sees.
    pub share: u8,
    /// Since when.
    pub since: Timestamp,
    /// Texts that both models answered for.
    pub judged: u64,
    /// Of them, those where another level was reached.
    pub differs: u64,
    /// From the action that the present model's score asks for to that of the shadow's.
    pub transitions: Vec<ShadowTransition>,
    /// Mean of the shadow's score minus the present one.
    pub mean_difference: Option<f64>,
    /// Texts left out: `busy`, `too_long`, `failed`.
    pub dropped: BTreeMap<&'static str, u64>,
    /// The last texts where another level was reached, newest first.
    pub recent: Vec<Disagreement>,
}

/// Texts that went from one action to another, or kept theirs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct ShadowTransition {
    /// By the present model: `allow`, `flag` or `block`.
    pub from: Action,
    /// By the shadow.
    pub to: Action,
    /// How many.
    pub texts: u64,
}

/// A text where another level was reached. The text itself is not kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreement {
    /// When.
    pub at: Timestamp,
    /// The exchange that it is of.
    pub exchange_id: ExchangeId,
    /// By the present model.
    pub from: Action,
    /// By the shadow.
    pub to: Action,
    /// Probabilities of an attack, in the same order.
    pub scores: [f32; 2],
}

impl Shadow {
    /// A model that looks at so many of a hundred exchanges.
    pub fn new(classifier: Classifier, share: u8) -> Self {
        let (open, tally) = (AtomicUsize::new(0), Mutex::default());
        Self { inner: Arc::new(Inner { classifier, share, since: Timestamp::now(), open, tally }) }
    }

    /// Its version.
    pub fn version(&self) -> &str {
        self.inner.classifier.version()
    }

    /// Whether it looks at this exchange: the same for all texts of it.
    pub fn wants(&self, exchange: ExchangeId) -> bool {
        let tail =
            exchange.to_string().bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        tail % 100 < u32::from(self.inner.share)
    }

    /// Looks at texts of an exchange, later and elsewhere.
    pub fn look(&self, exchange: ExchangeId, answered: Vec<Answered>) {
        let inner = Arc::clone(&self.inner);
        let count = answered.len() as u64;
        if answered.iter().map(|one| one.text.len()).sum::<usize>() > BYTES_MAX {
            return inner.left_out("too_long", count);
        }
        let Ok(runtime) = Handle::try_current() else { return inner.left_out("failed", count) };
        if inner.open.fetch_add(1, Ordering::AcqRel) >= OPEN_MAX {
            inner.open.fetch_sub(1, Ordering::AcqRel);
            return inner.left_out("busy", count);
        }
        runtime.spawn(async move {
            let texts = answered.iter().map(|one| one.text.clone()).collect();
            let judged = match inner.classifier.submit(texts, Instant::now() + PATIENCE) {
                Ok(ticket) => ticket.await,
                Err(fault) => Err(fault),
            };
            match judged {
                Ok(judged) if judged.len() == answered.len() => {
                    let scores = judged.iter().map(|judged| judged.score);
                    inner.tally.lock().unwrap_or_else(PoisonError::into_inner).add(exchange, &answered, scores);
                }
                _ => inner.left_out("failed", count),
            }
            inner.open.fetch_sub(1, Ordering::AcqRel);
        });
    }

    /// What it has seen.
    pub fn figures(&self) -> ShadowFigures {
        let inner = &self.inner;
        let tally = inner.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let transition =
            |(of, texts): (&(Action, Action), &u64)| ShadowTransition { from: of.0, to: of.1, texts: *texts };
        ShadowFigures {
            version: self.version().to_owned(),
            share: inner.share,
            since: inner.since,
            judged: tally.judged,
            differs: tally.differs(),
            transitions: tally.transitions.iter().map(transition).collect(),
            mean_difference: (tally.judged > 0).then(|| tally.difference / tally.judged as f64),
            dropped: tally.dropped.clone(),
            recent: tally.recent.iter().cloned().collect(),
        }
    }
}

impl Inner {
    fn left_out(&self, why: &'static str, texts: u64) {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner).dropped.entry(why).or_default() += texts;
        metrics::shadow_dropped(why, texts);
    }
}

impl Tally {
    /// What both models said of texts of an exchange; `scores`: the shadow's.
    fn add(&mut self, exchange: ExchangeId, answered: &[Answered], scores: impl Iterator<Item = f32>) {
        for (present, score) in answered.iter().zip(scores) {
            let (from, to) = (reached(present.score, &present.levels), reached(score, &present.levels));
            self.judged += 1;
            self.difference += f64::from(score) - f64::from(present.score);
            *self.transitions.entry((from, to)).or_default() += 1;
            metrics::shadow(from.name(), to.name());
            if from != to {
                let scores = [present.score, score];
                self.recent.push_front(Disagreement { at: Timestamp::now(), exchange_id: exchange, from, to, scores });
                self.recent.truncate(RECENT);
            }
        }
    }

    /// How many went from one action to another.
    fn differs(&self) -> u64 {
        self.transitions.iter().filter(|((from, to), _)| from != to).map(|(_, texts)| texts).sum()
    }
}

/// What a score asks for.
fn reached(score: f32, levels: &ModelLevels) -> Action {
    let is_over = |level: Option<f32>| level.is_some_and(|level| score >= level);
    if is_over(levels.block) {
        Action::Block
    } else if is_over(levels.flag) {
        Action::Flag
    } else {
        Action::Allow
    }
}

/// Exchanges at once whose texts wait for the shadow.
const OPEN_MAX: usize = 64;
/// Bytes of the texts of one exchange that it is asked about.
const BYTES_MAX: usize = 256 * 1024;
/// Disagreements that are remembered.
const RECENT: usize = 100;
/// Time for the texts of one exchange.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_differ_is_counted_and_named() {
        let levels = ModelLevels { flag: Some(0.5), block: Some(0.9) };
        let answered = |score: f32| Answered { text: String::new(), score, levels };
        let mut tally = Tally::default();
        let one = ExchangeId::new();
        tally.add(one, &[answered(0.1), answered(0.6), answered(0.95)], [0.2, 0.91, 0.94].into_iter());
        assert_eq!((tally.judged, tally.differs()), (3, 1));
        assert_eq!(tally.transitions[&(Action::Flag, Action::Block)], 1);
        let told = tally.recent.front().unwrap();
        assert_eq!(
            (told.exchange_id, told.from, told.to, told.scores),
            (one, Action::Flag, Action::Block, [0.6, 0.91])
        );
        assert!((tally.difference - 0.4).abs() < 1e-6);
        // A level that is not set is not reached, and only so many are remembered.
        let silent = Answered { levels: ModelLevels { flag: None, block: None }, ..answered(0.99) };
        tally.add(one, &[silent], [0.0].into_iter());
        assert_eq!(tally.differs(), 1);
        for _ in 0..2 * RECENT {
            tally.add(one, &[answered(0.1)], [0.95].into_iter());
        }
        assert_eq!((tally.recent.len(), tally.differs()), (RECENT, 1 + 2 * RECENT as u64));
    }
}
