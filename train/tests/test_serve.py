"""Scoring long texts with a model folder made of random small weights."""

import json

import numpy as np
import onnx
import pytest

import graph
from serve import Guard
from test_data import WORDS, tok  # noqa: F401 (a fixture)
from test_fit import HEADS, HIDDEN, small


@pytest.fixture
def guard(tmp_path, tok):  # noqa: F811
    params = small()
    params["embed"]["word"] = np.random.default_rng(1).normal(0, 1, (len(WORDS), HIDDEN)).astype(np.float32)
    onnx.save(graph.build(params, heads=HEADS), tmp_path / "model.onnx")
    tok.save(str(tmp_path / "tokenizer.json"))
    manifest = {"window": {"tokens": 20, "overlap": 4}, "model": {"file": "model.onnx"}, "tokenizer": {"file": "tokenizer.json"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return Guard(tmp_path)


def test_a_text_scores_as_its_worst_window(guard):
    words = [f"w{i}" for i in range(100)]
    cuts, owner = guard.cut([" ".join(words), "w1 w2"])
    assert len(cuts) > 6 and max(map(len, cuts)) == 20 and list(owner) == [0] * (len(cuts) - 1) + [1]
    assert all(c[0] == WORDS.index("[CLS]") and c[-1] == WORDS.index("[SEP]") for c in cuts)
    alone = [1 - guard.run([c])[0][0, 0] for c in cuts]
    scores = guard.score([" ".join(words), "w1 w2"])
    np.testing.assert_allclose(scores, [max(alone[:-1]), alone[-1]], atol=1e-5)


def test_empty_text_has_a_score(guard):
    assert 0 <= guard.score([""])[0] <= 1
