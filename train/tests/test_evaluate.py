import numpy as np

import evaluate


def test_auc():
    assert evaluate.auc(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1.0
    assert evaluate.auc(np.array([0.5]), np.array([0.5])) == 0.5
    assert evaluate.auc(np.array([]), np.array([0.5])) is None


def test_threshold_never_passes_more_than_the_rate():
    rng = np.random.default_rng(0)
    for scores in (rng.random(1000), rng.integers(0, 5, 1000) / 4, np.zeros(1000)):
        for rate in (0.0, 0.001, 0.01, 0.5):
            assert (scores >= evaluate.threshold_at(scores, rate)).mean() <= rate
    assert (rng.random(1000) >= evaluate.threshold_at(rng.random(1000), 1.0)).all()


def test_thresholds_are_global_and_macro_counts_attack_files_only():
    benign = (np.linspace(0, 0.6, 200), np.zeros(200, bool))
    mixed = (np.array([0.9, 0.3, 0.1]), np.array([True, True, False]))
    attacks = (np.array([0.95, 0.94]), np.array([True, True]))
    result = evaluate.report({"benign": benign, "mixed": mixed, "attacks": attacks}, 0.5)
    assert result["files"]["mixed"]["recall_at_fpr_0.01"] == 0.5
    assert result["macro"]["recall_at_fpr_0.01"] == 0.75
    assert result["pooled"]["n"] == 205 and result["pooled"]["recall"] == 0.75
    assert result["files"]["benign"]["recall"] is None and result["files"]["attacks"]["fpr"] is None
    keys = {"n", "n_attack", "n_benign", "auc", "recall", "fpr", "accuracy", "recall_at_fpr_0.01", "recall_at_fpr_0.001"}
    assert all(set(f) == keys for f in [result["pooled"], *result["files"].values()])
    assert "pooled" in evaluate.table(result) and "| c |" in evaluate.log_line(result, "c")
