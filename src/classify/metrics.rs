//! How good a detector is: AUC, recall, false positives, and recall at a bounded share of false positives. Pure.

use serde::Serialize;

/// One labelled and scored text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// What the label says.
    pub is_attack: bool,
    /// The detector's score; higher is more like an attack.
    pub score: f32,
}

/// Score levels that hold over a whole evaluation, not for one file: a text is called an attack from the level on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreLevels {
    /// The detector's own decision threshold.
    pub decision: f32,
    /// The lowest level that at most 1 % of the benign texts reach; `None`: there are none.
    pub fpr_01: Option<f32>,
    /// The lowest level that at most 0.1 % of the benign texts reach; `None`: there are none.
    pub fpr_001: Option<f32>,
}

/// The figures of one set of texts. What does not apply (no attacks, no benign texts) is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// Texts.
    pub n: usize,
    /// Attacks among them.
    pub n_attack: usize,
    /// Benign texts among them.
    pub n_benign: usize,
    /// Area under the ROC curve: the chance that an attack scores higher than a benign text, ties counted half.
    pub auc: Option<f64>,
    /// Share of attacks at or above the decision threshold.
    pub recall: Option<f64>,
    /// Share of benign texts at or above the decision threshold.
    pub fpr: Option<f64>,
    /// Share of texts on the right side of the decision threshold.
    pub accuracy: Option<f64>,
    /// Share of attacks at or above [`ScoreLevels::fpr_01`].
    #[serde(rename = "recall_at_fpr_0.01")]
    pub recall_at_fpr_01: Option<f64>,
    /// Share of attacks at or above [`ScoreLevels::fpr_001`].
    #[serde(rename = "recall_at_fpr_0.001")]
    pub recall_at_fpr_001: Option<f64>,
}

/// Means over several sets; of each figure over the sets that have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Macro {
    /// Sets that the means are over.
    pub files: usize,
    /// Mean of [`Metrics::auc`].
    pub auc: Option<f64>,
    /// Mean of [`Metrics::recall`].
    pub recall: Option<f64>,
    /// Mean of [`Metrics::fpr`].
    pub fpr: Option<f64>,
    /// Mean of [`Metrics::accuracy`].
    pub accuracy: Option<f64>,
    /// Mean of [`Metrics::recall_at_fpr_01`].
    #[serde(rename = "recall_at_fpr_0.01")]
    pub recall_at_fpr_01: Option<f64>,
    /// Mean of [`Metrics::recall_at_fpr_001`].
    #[serde(rename = "recall_at_fpr_0.001")]
    pub recall_at_fpr_001: Option<f64>,
}

impl ScoreLevels {
    /// Levels over all benign texts of an evaluation.
    pub fn of(decision: f32, rows: &[Scored]) -> Self {
        let mut benign: Vec<f32> = rows.iter().filter(|row| !row.is_attack).map(|row| row.score).collect();
        benign.sort_unstable_by(|a, b| b.total_cmp(a));
        // Whole numbers: 0.01 × 2900 is 28.999… in floating point.
        Self { decision, fpr_01: level(&benign, 100), fpr_001: level(&benign, 1000) }
    }
}

/// The lowest score that at most one in `per` of `benign` (sorted, highest first) reaches. Strict with ties: all of equal
/// score are let in or none.
fn level(benign: &[f32], per: usize) -> Option<f32> {
    benign.get(benign.len() / per).map(|first_kept_out| first_kept_out.next_up())
}

impl Metrics {
    /// The figures of `rows` at levels that were set beforehand.
    pub fn of(rows: &[Scored], levels: &ScoreLevels) -> Self {
        let n_attack = rows.iter().filter(|row| row.is_attack).count();
        let n_benign = rows.len() - n_attack;
        let reach = |is_attack: bool, level: f32| {
            rows.iter().filter(|row| row.is_attack == is_attack && row.score >= level).count()
        };
        let recall_at = |level: Option<f32>| level.and_then(|level| share(reach(true, level), n_attack));
        let (hits, alarms) = (reach(true, levels.decision), reach(false, levels.decision));
        Self {
            n: rows.len(),
            n_attack,
            n_benign,
            auc: auc(rows),
            recall: share(hits, n_attack),
            fpr: share(alarms, n_benign),
            accuracy: share(hits + (n_benign - alarms), rows.len()),
            recall_at_fpr_01: recall_at(levels.fpr_01),
            recall_at_fpr_001: recall_at(levels.fpr_001),
        }
    }
}

impl Macro {
    /// Means over those of `sets` that hold attacks.
    pub fn of<'a>(sets: impl IntoIterator<Item = &'a Metrics>) -> Self {
        let sets: Vec<&Metrics> = sets.into_iter().filter(|set| set.n_attack > 0).collect();
        let over = |figure: fn(&Metrics) -> Option<f64>| mean(sets.iter().filter_map(|set| figure(set)));
        Self {
            files: sets.len(),
            auc: over(|set| set.auc),
            recall: over(|set| set.recall),
            fpr: over(|set| set.fpr),
            accuracy: over(|set| set.accuracy),
            recall_at_fpr_01: over(|set| set.recall_at_fpr_01),
            recall_at_fpr_001: over(|set| set.recall_at_fpr_001),
        }
    }
}

/// Area under the ROC curve by the rank sum (Mann and Whitney 1947), ties at their mean rank.
pub fn auc(rows: &[Scored]) -> Option<f64> {
    let attacks = rows.iter().filter(|row| row.is_attack).count();
    let benign = rows.len() - attacks;
    if attacks == 0 || benign == 0 {
        return None;
    }
    let mut sorted: Vec<&Scored> = rows.iter().collect();
    sorted.sort_unstable_by(|a, b| a.score.total_cmp(&b.score));
    let (mut below, mut rank_sum) = (0.0, 0.0);
    for ties in sorted.chunk_by(|a, b| a.score == b.score) {
        let count = ties.len() as f64;
        let mean_rank = below + (count + 1.0) / 2.0;
        rank_sum += mean_rank * ties.iter().filter(|row| row.is_attack).count() as f64;
        below += count;
    }
    let (attacks, benign) = (attacks as f64, benign as f64);
    Some((rank_sum - attacks * (attacks + 1.0) / 2.0) / (attacks * benign))
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0usize, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(attacks: &[f32], benign: &[f32]) -> Vec<Scored> {
        let attack = attacks.iter().map(|&score| Scored { is_attack: true, score });
        attack.chain(benign.iter().map(|&score| Scored { is_attack: false, score })).collect()
    }

    #[test]
    fn auc_by_hand() {
        // Pairs won: 0.9 beats all three, 0.4 beats 0.1 and ties with 0.4: (3 + 1.5) / 6.
        assert_eq!(auc(&rows(&[0.9, 0.4], &[0.1, 0.4, 0.5])), Some(4.5 / 6.0));
        assert_eq!(auc(&rows(&[0.5; 4], &[0.5; 3])), Some(0.5));
        assert_eq!(auc(&rows(&[1.0], &[0.0])), Some(1.0));
        assert_eq!(auc(&rows(&[0.0], &[1.0])), Some(0.0));
        assert_eq!((auc(&rows(&[1.0], &[])), auc(&rows(&[], &[1.0])), auc(&[])), (None, None, None));
    }

    #[test]
    fn figures_by_hand() {
        let rows = rows(&[0.9, 0.6, 0.2], &[0.7, 0.1]);
        let levels = ScoreLevels { decision: 0.6, fpr_01: Some(0.75), fpr_001: None };
        let found = Metrics::of(&rows, &levels);
        let expected = Metrics {
            n: 5,
            n_attack: 3,
            n_benign: 2,
            // 0.9 wins 2, 0.6 wins 1, 0.2 wins 1 of 6 pairs.
            auc: Some(4.0 / 6.0),
            recall: Some(2.0 / 3.0),
            fpr: Some(0.5),
            accuracy: Some(3.0 / 5.0),
            recall_at_fpr_01: Some(1.0 / 3.0),
            recall_at_fpr_001: None,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_does_not_apply_is_absent() {
        let levels = ScoreLevels { decision: 0.5, fpr_01: Some(0.9), fpr_001: Some(0.9) };
        let benign = Metrics::of(&rows(&[], &[0.7, 0.1]), &levels);
        assert_eq!((benign.auc, benign.recall, benign.recall_at_fpr_01), (None, None, None));
        assert_eq!((benign.fpr, benign.accuracy), (Some(0.5), Some(0.5)));
        let attacks = Metrics::of(&rows(&[0.7, 0.1], &[]), &levels);
        assert_eq!((attacks.auc, attacks.fpr, attacks.recall), (None, None, Some(0.5)));
        let none = Metrics::of(&[], &levels);
        assert_eq!((none.n, none.accuracy), (0, None));
    }

    #[test]
    fn levels_let_in_at_most_the_share_of_benign_texts() {
        let benign: Vec<f32> = (0..1000).map(|index| index as f32 / 1000.0).collect();
        let levels = ScoreLevels::of(0.5, &rows(&[], &benign));
        // 1 % of 1000: the ten highest, 0.990 to 0.999; 0.1 %: 0.999 alone.
        let let_in = |level: Option<f32>| benign.iter().filter(|&&score| score >= level.unwrap()).count();
        assert_eq!((let_in(levels.fpr_01), let_in(levels.fpr_001)), (10, 1));
        // One fewer and the share of the same number would be above 1 %.
        let levels = ScoreLevels::of(0.5, &rows(&[], &benign[1..]));
        assert_eq!((let_in(levels.fpr_01), let_in(levels.fpr_001)), (9, 0));
    }

    #[test]
    fn ties_are_kept_out_together() {
        // 200 benign texts, of which two may pass: but three share the highest score.
        let mut benign = vec![0.1; 197];
        benign.extend([0.8; 3]);
        let set = rows(&[0.8, 0.9], &benign);
        let levels = ScoreLevels::of(0.5, &set);
        let found = Metrics::of(&set, &levels);
        assert_eq!(found.recall_at_fpr_01, Some(0.5));
        assert!(levels.fpr_01 > Some(0.8));
    }

    #[test]
    fn no_benign_text_no_level() {
        let levels = ScoreLevels::of(0.5, &rows(&[0.9], &[]));
        assert_eq!((levels.fpr_01, levels.fpr_001), (None, None));
    }

    #[test]
    fn means_are_over_the_sets_with_attacks() {
        let levels = ScoreLevels { decision: 0.5, fpr_01: Some(0.5), fpr_001: None };
        let sets = [
            Metrics::of(&rows(&[0.9, 0.1], &[]), &levels),
            Metrics::of(&rows(&[0.9], &[0.7, 0.2]), &levels),
            Metrics::of(&rows(&[], &[0.7]), &levels),
        ];
        let found = Macro::of(&sets);
        assert_eq!((found.files, found.recall, found.fpr, found.auc), (2, Some(0.75), Some(0.5), Some(1.0)));
        assert_eq!((found.recall_at_fpr_01, found.recall_at_fpr_001), (Some(0.75), None));
        assert_eq!(Macro::of([]), Macro::default());
    }

    proptest! {
        #[test]
        fn auc_is_the_share_of_pairs_won(attacks in proptest::collection::vec(0u8..20, 1..30), benign in proptest::collection::vec(0u8..20, 1..30)) {
            let (attacks, benign): (Vec<f32>, Vec<f32>) = (attacks.iter().map(|&s| s.into()).collect(), benign.iter().map(|&s| s.into()).collect());
            let won: f64 = attacks.iter().flat_map(|a| benign.iter().map(move |b| if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 })).sum();
            let found = auc(&rows(&attacks, &benign)).unwrap();
            prop_assert!((found - won / (attacks.len() * benign.len()) as f64).abs() < 1e-9);
        }

        #[test]
        fn a_level_never_lets_in_more_than_its_share(benign in proptest::collection::vec(0u16..500, 1..2500)) {
            let benign: Vec<f32> = benign.iter().map(|&s| f32::from(s) / 500.0).collect();
            let levels = ScoreLevels::of(0.5, &rows(&[], &benign));
            for (level, per) in [(levels.fpr_01.unwrap(), 100), (levels.fpr_001.unwrap(), 1000)] {
                prop_assert!(benign.iter().filter(|&&score| score >= level).count() * per <= benign.len());
                // The next score below would let in too many.
                prop_assert!(benign.iter().filter(|&&score| score >= level.next_down()).count() * per > benign.len());
            }
        }
    }
}
