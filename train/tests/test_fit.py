"""Training on small random weights: resuming, and the ONNX twin."""

import jax
import numpy as np
import onnx
import pytest

import fit
import graph
import model
from export import quantize
from serve import open_session

HIDDEN, HEADS, WORDS, LAYERS = 24, 2, 60, 3


def small(seed=0):
    """A network of the same form with random weights."""
    rng = np.random.default_rng(seed)

    def array(*shape):
        return rng.normal(0, 0.2, shape).astype(np.float32)

    def dense(a, b):
        return {"w": array(a, b), "b": array(b)}

    def norm():
        return {"scale": 1 + array(HIDDEN), "bias": array(HIDDEN)}

    def layer():
        return {"qkv": dense(HIDDEN, 3 * HIDDEN), "out": dense(HIDDEN, HIDDEN), "out_norm": norm(),
                "up": dense(HIDDEN, 2 * HIDDEN), "down": dense(2 * HIDDEN, HIDDEN), "down_norm": norm()}

    return {"embed": {"word": array(WORDS, HIDDEN), "place": array(128, HIDDEN), "norm": norm()},
            "layers": [layer() for _ in range(LAYERS)], "head": model.new_head(rng, HIDDEN), "centre": array(HIDDEN)}


def examples(count=400, seed=0):
    """Windows whose class is told by one of their tokens."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count).astype(np.int32)
    ids = [np.r_[1, rng.integers(10, WORDS, rng.integers(4, 20)), 5 + label, 2] for label in labels]
    return ids, labels, np.ones(count, np.float32)


def leaves(tree):
    return [np.asarray(x) for x in jax.tree.leaves(tree)]


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(fit, "MOST", 16)
    # A fixed rate: the clock must not make two runs differ.
    monkeypatch.setattr(fit, "rate_at", lambda used: 1e-3)


def run(folder, steps, **more):
    return fit.train(small(), *examples(), folder, seconds=1e9, seed=1, heads=HEADS, frozen=1, most_steps=steps,
                     report=lambda line: None, **more)


def test_a_resumed_run_equals_an_unbroken_one(tmp_path, small_batches):
    whole = run(tmp_path / "whole", 30)
    run(tmp_path / "parts", 11)
    parts = run(tmp_path / "parts", 19)
    for a, b in zip(leaves(whole), leaves(parts)):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_training_learns_and_leaves_the_frozen_part_alone(tmp_path, small_batches):
    params, (ids, labels, _) = small(), examples()
    tuned = run(tmp_path, 300)
    for a, b in zip(leaves([params["embed"], params["layers"][0]]), leaves([tuned["embed"], tuned["layers"][0]])):
        np.testing.assert_array_equal(a, b)
    ids, mask = fit.pad(ids, 24)
    logits, embedding = model.forward(tuned | {"centre": params["centre"]}, ids, mask, heads=HEADS)
    np.testing.assert_allclose(embedding, model.embedding(params, ids, mask, heads=HEADS), atol=1e-6)
    assert (np.asarray(logits).argmax(-1) == labels).mean() > 0.9


def test_an_interrupted_save_keeps_the_old_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.npz"
    fit.save(path, [np.zeros(3)], used=4.0)
    (tmp_path / "checkpoint.npz.part").write_bytes(b"half")
    tree, numbers = fit.load(path, [np.ones(3)])
    assert numbers == {"used": 4.0} and not tree[0].any()
    with pytest.raises(SystemExit, match="shape"):
        fit.load(path, [np.ones(4)])


def test_epochs_are_balanced_bounded_and_repeatable():
    rng = np.random.default_rng(0)
    lengths, labels = rng.integers(3, 129, 6000), (rng.random(6000) < 0.2) * 1
    batches = fit.plan(lengths, labels, seed=3, epoch=1)
    members = np.concatenate([m for _, m in batches])
    assert len(set(members)) == len(members)
    assert abs((labels[members] == 0).mean() - fit.BENIGN) < 0.05
    assert all(lengths[m].max() <= length and len(m) * length <= fit.TOKENS for length, m in batches)
    again = fit.plan(lengths, labels, seed=3, epoch=1)
    assert all(a[0] == b[0] and (a[1] == b[1]).all() for a, b in zip(batches, again))


def test_onnx_equals_jax_and_int8_is_near(tmp_path):
    params, (ids, _, _) = small(3), examples(12, 3)
    made = graph.build(params, heads=HEADS)
    onnx.save(made, tmp_path / "full.onnx")
    onnx.save(graph.build(params, heads=HEADS, int8_words=True), tmp_path / "words.onnx")
    quantize(tmp_path / "words.onnx", tmp_path / "int8.onnx")
    assert {i.name for i in made.graph.input} == {"input_ids", "attention_mask"}
    # Several shapes, padded and not: both axes are free.
    for rows, length in ((ids, 22), (ids[:1], len(ids[0])), (ids[:3], 100)):
        tokens, mask = fit.pad(rows, length)
        feed = {"input_ids": tokens.astype(np.int64), "attention_mask": mask.astype(np.int64)}
        logits, embedding = (np.asarray(x) for x in model.forward(params, tokens, mask, heads=HEADS))
        got = open_session(tmp_path / "full.onnx").run(["logits", "embedding"], feed)
        np.testing.assert_allclose(got[0], logits, atol=1e-4)
        np.testing.assert_allclose(got[1], embedding, atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(got[1], axis=1), 1, atol=1e-5)
        rough = open_session(tmp_path / "int8.onnx").run(["logits", "embedding"], feed)
        assert (rough[1] * embedding).sum(-1).min() > 0.95
