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

BATCH_TOKENS = 2048  # padded tokens a call


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
        """Id lists to (probabilities [N, 3], embeddings [N, 384]), in batches of like length."""
        order = sorted(range(len(cuts)), key=lambda i: len(cuts[i]))
        scores, vectors = [None] * len(cuts), [None] * len(cuts)
        at = 0
        while at < len(order):
            size = 1
            while at + size < len(order) and (size + 1) * len(cuts[order[at + size]]) <= BATCH_TOKENS:
                size += 1
            members = order[at : at + size]
            length = len(cuts[members[-1]])
            ids = np.zeros((size, length), np.int64)
            mask = np.zeros((size, length), np.int64)
            for j, i in enumerate(members):
                ids[j, : len(cuts[i])] = cuts[i]
                mask[j, : len(cuts[i])] = 1
            logits, embedding = self.session.run(["logits", "embedding"], {"input_ids": ids, "attention_mask": mask})
            for j, (p, v) in enumerate(zip(softmax(logits), embedding)):
                scores[members[j]], vectors[members[j]] = p, v
            at += size
        return np.array(scores), np.array(vectors)

    def score(self, texts):
        """Texts to their scores [N]: the largest 1 - p_benign over the windows."""
        cuts, owner = self.cut(texts)
        probabilities, _ = self.run(cuts)
        out = np.zeros(len(texts))
        np.maximum.at(out, owner, 1 - probabilities[:, 0])
        return out
