"""Fine-tunes the classifier on windows, within a time budget, resumable at any point.

    python fit.py SET_FOLDER RUN_FOLDER --minutes 60

SET_FOLDER holds windows.npz from data.py. RUN_FOLDER gets checkpoint.npz (all
state: weights, their average, optimizer, place in the data, time used),
fit.jsonl (one line of figures a minute) and, at the end, weights.npz (the
averaged weights, what export.py reads). Run the same command again to go on
after a stop; a larger --minutes trains longer, with the learning rate set by
the share of the budget used.
"""

import argparse
import json
import os
import signal
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import model

BUCKETS = (16, 24, 32, 48, 64, 96, 128)  # padded lengths; one compiled step each
TOKENS = 4096  # padded tokens a batch, at most
MOST = 96  # windows a batch, at most
FROZEN = model.UNTOUCHED  # also cheaper
PEAK_RATE = 1.5e-4
LOWER_RATE = 0.85  # each layer learns at this share of the rate of the one above
HEAD_RATE = 8.0  # the head starts from nothing: its rate as a multiple
WARM = 0.03  # share of the budget
DECAY = 0.01
AVERAGE = 0.995  # weight average over about 200 steps
BENIGN = 0.65  # share of benign windows in an epoch
SMOOTHING = 0.02
DROPOUT = 0.1  # on the pooled vector


def load_windows(path):
    """windows.npz to (list of id arrays, labels [N], weights [N])."""
    path = Path(path)
    if not path.is_file():
        raise SystemExit(f"error: {path}: no such file; make it with data.py")
    raw = np.load(path)
    return np.split(raw["ids"], raw["ends"][:-1]), raw["label"].astype(np.int32), raw["weight"]


def pad(ids, length):
    """Id arrays to (ids int32 [B, length], mask int32 [B, length])."""
    out = np.zeros((len(ids), length), np.int32)
    mask = np.zeros((len(ids), length), np.int32)
    for i, row in enumerate(ids):
        out[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return out, mask


def plan(lengths, labels, seed, epoch):
    """Batches of one epoch as (bucket length, window indices); the same for the same seed.

    All attack windows, and as many benign ones as `BENIGN` asks for, others
    every epoch. What does not fill a batch waits for another epoch.
    """
    rng = np.random.default_rng([seed, epoch])
    attack, benign = np.flatnonzero(labels > 0), np.flatnonzero(labels == 0)
    if len(attack):
        benign = rng.permutation(benign)[: int(len(attack) * BENIGN / (1 - BENIGN)) + 1]
    chosen = rng.permutation(np.concatenate([attack, benign]))
    bucket = np.searchsorted(BUCKETS, lengths[chosen])
    if (bucket == len(BUCKETS)).any():
        raise SystemExit(f"error: a window is longer than {BUCKETS[-1]} tokens")
    batches = []
    for b, length in enumerate(BUCKETS):
        size = min(MOST, TOKENS // length)
        members = chosen[bucket == b]
        batches += [(length, members[at : at + size]) for at in range(0, len(members) - size + 1, size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def loss_of(tuned, fixed, ids, mask, label, weight, key, heads):
    """Weighted cross-entropy of a batch, with smoothed labels."""
    layers = fixed["layers"] + tuned["layers"]
    x = model.encode(fixed["embed"], layers, ids, mask, frozen=len(fixed["layers"]), heads=heads)
    pooled = jnp.concatenate(model.pool(x, mask), -1)
    keep = jax.random.bernoulli(key, 1 - DROPOUT, pooled.shape)
    logits = jnp.where(keep, pooled / (1 - DROPOUT), 0) @ tuned["head"]["w"] + tuned["head"]["b"]
    target = optax.smooth_labels(jax.nn.one_hot(label, model.CLASSES), SMOOTHING)
    loss = optax.softmax_cross_entropy(logits, target)
    return (loss * weight).sum() / weight.sum(), (logits.argmax(-1) == label).mean()


def make_optimizer():
    """AdamW with clipping; the rate is given at every step."""
    def by_depth(updates):
        def times(tree, factor):
            return jax.tree.map(lambda u: u * factor, tree)

        layers = [times(u, LOWER_RATE**i) for i, u in enumerate(reversed(updates["layers"]))]
        return {"layers": layers[::-1], "head": times(updates["head"], HEAD_RATE)}

    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b2=0.98),
        # Norms and biases are not decayed.
        optax.add_decayed_weights(DECAY, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p)),
        optax.stateless(lambda updates, _: by_depth(updates)),
    )


@partial(jax.jit, static_argnames="heads", donate_argnums=(0, 1, 2))
def step(tuned, average, state, fixed, ids, mask, label, weight, key, rate, heads):
    """One step of training; returns the new state and (loss, accuracy)."""
    (loss, hits), grads = jax.value_and_grad(loss_of, has_aux=True)(tuned, fixed, ids, mask, label, weight, key, heads)
    updates, state = make_optimizer().update(grads, state, tuned)
    tuned = jax.tree.map(lambda p, u: p - rate * u, tuned, updates)
    average = jax.tree.map(lambda a, p: AVERAGE * a + (1 - AVERAGE) * p, average, tuned)
    return tuned, average, state, loss, hits


def rate_at(used):
    """Learning rate by the share of the time budget used: warm up, then a cosine to 2 %."""
    if used < WARM:
        return PEAK_RATE * max(used / WARM, 0.02)
    x = min(1.0, (used - WARM) / (1 - WARM))
    return PEAK_RATE * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * x)))


def save(path, tree, **scalars):
    """A tree of arrays and some numbers to an .npz, whole or not at all."""
    leaves = {f"leaf{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(tree))}
    temporary = Path(f"{path}.part")
    with open(temporary, "wb") as file:
        np.savez(file, **leaves, **{k: np.float64(v) for k, v in scalars.items()})
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path, like):
    """The tree saved by `save`, in the form of `like`, and the numbers."""
    raw = np.load(path)
    leaves, form = jax.tree.flatten(like)
    read = [raw[f"leaf{i}"] for i in range(len(leaves))]
    for i, (a, b) in enumerate(zip(read, leaves)):
        if a.shape != np.shape(b):
            raise SystemExit(f"error: {path}: array {i} has shape {a.shape}, expected {np.shape(b)}")
    return jax.tree.unflatten(form, read), {k: float(raw[k]) for k in raw.files if not k.startswith("leaf")}


def train(params, ids, labels, weights, folder, seconds, seed, heads=model.ATTENTION_HEADS, frozen=FROZEN,
          every=180, most_steps=None, report=print):
    """Trains until the budget is used up; returns the averaged parameters.

    `every`: seconds between checkpoints. `most_steps` stops this call early (the
    next call resumes), for tests. The clock counts training only, over all calls.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    fixed = {"embed": params["embed"], "layers": params["layers"][:frozen]}
    tuned = {"layers": params["layers"][frozen:], "head": params["head"]}
    average, state = tuned, make_optimizer().init(tuned)
    place = {"epoch": 0, "batch": 0, "steps": 0, "used": 0.0, "tokens": 0}
    checkpoint = folder / "checkpoint.npz"
    if checkpoint.exists():
        (tuned, average, state), place = load(checkpoint, (tuned, average, state))
        report(f"resumed at step {place['steps']:.0f}, {place['used']:.0f} s")
    # Copies: the step donates its inputs.
    tuned, average, state = (jax.tree.map(jnp.array, x) for x in (tuned, average, state))
    fixed = jax.tree.map(jnp.asarray, fixed)
    lengths = np.array([len(x) for x in ids])

    stop = []
    if report is print:
        signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    done, last_save, last_log, losses, hits = 0, place["used"], place["used"], [], []
    batches = plan(lengths, labels, seed, int(place["epoch"]))
    if not batches:
        raise SystemExit("error: too few windows to fill one batch")
    while place["used"] < seconds and not stop and (most_steps is None or done < most_steps):
        if place["batch"] >= len(batches):
            place["epoch"], place["batch"] = place["epoch"] + 1, 0
            batches = plan(lengths, labels, seed, int(place["epoch"]))
        length, members = batches[int(place["batch"])]
        started = time.monotonic()
        batch_ids, mask = pad([ids[i] for i in members], length)
        key = jax.random.fold_in(jax.random.key(seed), int(place["steps"]))
        tuned, average, state, loss, hit = step(tuned, average, state, fixed, batch_ids, mask, labels[members],
                                                weights[members], key, np.float32(rate_at(place["used"] / seconds)), heads)
        losses.append(float(loss))
        hits.append(float(hit))
        place["used"] += time.monotonic() - started
        place["batch"] += 1
        place["steps"] += 1
        place["tokens"] += batch_ids.size
        done += 1
        if place["used"] - last_log >= 60:
            line = {k: round(v, 1) for k, v in place.items()}
            line |= {"loss": round(float(np.mean(losses)), 4), "accuracy": round(float(np.mean(hits)), 4)}
            with open(folder / "fit.jsonl", "a") as log:
                log.write(json.dumps(line) + "\n")
            report(line)
            last_log, losses, hits = place["used"], [], []
        if place["used"] - last_save >= every:
            save(checkpoint, (tuned, average, state), **place)
            last_save = place["used"]
    save(checkpoint, (tuned, average, state), **place)
    # The average starts at the initial weights; by step n those count AVERAGE ** n.
    rest = AVERAGE ** place["steps"]
    first = {"layers": params["layers"][frozen:], "head": params["head"]}
    average = jax.tree.map(lambda a, p: np.asarray((a - rest * p) / (1 - rest)) if rest < 1 else np.asarray(p), average, first)
    return {"embed": params["embed"], "layers": params["layers"][:frozen] + average["layers"], "head": average["head"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("set", type=Path, help="folder with windows.npz")
    parser.add_argument("run", type=Path, help="folder for checkpoints and results")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=20)
    args = parser.parse_args()

    jax.config.update("jax_compilation_cache_dir", str(args.run.resolve() / "compiled"))
    ids, labels, weights = load_windows(args.set / "windows.npz")
    params = model.load_base(model.base_folder() / "model.safetensors", args.seed)
    final = train(params, ids, labels, weights, args.run, args.minutes * 60, args.seed)
    save(args.run / "weights.npz", final, seed=args.seed)
    print(f"wrote {args.run / 'weights.npz'}")


if __name__ == "__main__":
    main()
