"""The committed model folder keeps its contract. Skipped while there is none."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from rows import LABELS
from serve import Guard

FOLDER = Path(__file__).resolve().parents[2] / "models" / "guard"
pytestmark = pytest.mark.skipif(not (FOLDER / "manifest.json").exists(), reason="no models/guard")


@pytest.fixture
def manifest():
    return json.loads((FOLDER / "manifest.json").read_text())


def test_files_are_those_of_the_manifest(manifest):
    for part in ("model", "tokenizer"):
        data = (FOLDER / manifest[part]["file"]).read_bytes()
        assert len(data) == manifest[part]["bytes"]
        assert hashlib.sha256(data).hexdigest() == manifest[part]["sha256"]
    assert manifest["model"]["bytes"] <= 25_000_000
    assert manifest["format"] == 1 and manifest["labels"] == list(LABELS)


def test_graph_is_standard_and_whole(manifest):
    model = onnx.load(FOLDER / manifest["model"]["file"], load_external_data=False)
    assert {o.domain for o in model.opset_import} <= {"", "ai.onnx"}
    assert not [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    assert [i.name for i in model.graph.input] == ["input_ids", "attention_mask"]
    assert [o.name for o in model.graph.output] == ["logits", "embedding"]


def test_tokenizer_neither_cuts_nor_pads(manifest):
    raw = json.loads((FOLDER / manifest["tokenizer"]["file"]).read_text())
    assert raw["truncation"] is None and raw["padding"] is None


def test_golden_answers(manifest):
    guard = Guard(FOLDER)
    rows = json.loads((FOLDER / manifest["golden"]["file"]).read_text())
    assert len(rows) >= 20
    for row in rows:
        cuts, _ = guard.cut([row["text"]])
        assert len(cuts) == 1
        scores, vectors = guard.run(cuts)
        np.testing.assert_allclose(scores[0], row["scores"], atol=manifest["golden"]["tolerance"])
        assert vectors.shape == (1, manifest["embedding"]["dims"]) and abs(np.linalg.norm(vectors) - 1) < 1e-5
