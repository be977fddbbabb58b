"""Scores texts with an exported model folder, the way serving does it.

Windows of `manifest.window.tokens` tokens with `overlap` shared; the score of a
text is the largest 1 - p_benign of its windows.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

import windows
from text import prepare


def open_session(path, threads=1):
    """An ONNX Runtime session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def softmax(logits):
    """Logits [N, C] to probabilities [N, C]."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Guard:
    """A model folder: model.onnx, tokenizer.json and what the manifest says of windows."""

    def __init__(self, folder, model_file=None, threads=1):
        folder = Path(folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        self.size, self.overlap = manifest["window"]["tokens"], manifest["window"]["overlap"]
        self.tokenizer = Tokenizer.from_file(str(folder / manifest["tokenizer"]["file"]))
        self.session = open_session(model_file or folder / manifest["model"]["file"], threads)
        self.cls, self.sep = (self.tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]"))

    def cut(self, texts):
        """Texts to (list of id lists with [CLS] and [SEP], index of the text of each)."""
        cuts, owner = [], []
        for at in range(0, len(texts), 1000):
            part = [prepare(t) for t in texts[at : at + 1000]]
            for i, encoding in enumerate(self.tokenizer.encode_batch(part, add_special_tokens=False)):
                for start, end in windows.cover(len(encoding.ids), self.size, self.overlap):
                    cuts.append([self.cls, *encoding.ids[start:end], self.sep])
                    owner.append(at + i)
        return cuts, np.array(owner)

    def run(self, cuts):
        """Id lists to (probabilities [N, 3], embeddings [N, H]), one window a call.

        The int8 model scales activations over the whole batch: in a batch, one
        text would move the score of another. Serving does the same, and loses
        nothing by it on a CPU.
        """
        scores, vectors = [], []
        for cut in cuts:
            ids = np.array([cut], np.int64)
            logits, embedding = self.session.run(["logits", "embedding"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
            scores.append(softmax(logits)[0])
            vectors.append(embedding[0])
        return np.array(scores), np.array(vectors)

    def score(self, texts):
        """Texts to their scores [N]: the largest 1 - p_benign over the windows."""
        cuts, owner = self.cut(texts)
        probabilities, _ = self.run(cuts)
        out = np.zeros(len(texts))
        np.maximum.at(out, owner, 1 - probabilities[:, 0])
        return out
