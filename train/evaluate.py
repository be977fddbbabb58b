"""Judges a model folder on labelled files.

    python evaluate.py models/guard FILE... [--json] [--log models/LOG.md --candidate NAME]

The figures are those of `portcullis eval`: for each file and pooled n, n_attack,
n_benign, auc, recall, fpr, accuracy (at --threshold), recall_at_fpr_0.01 and
recall_at_fpr_0.001, plus "macro", the means over the files with attacks. The two
thresholds at a false positive rate are global: set once on the benign rows of
all files given. Label benign counts against all the others.

Public evaluation files are looked at once per candidate: give --log, and the
look is written down.
"""

import argparse
import datetime
import json
import subprocess
from pathlib import Path

import numpy as np

from rows import RowError, read
from serve import Guard

RATES = (0.01, 0.001)


def auc(attack, benign):
    """Area under the ROC curve from scores, ties counted half; None without both kinds."""
    if not len(attack) or not len(benign):
        return None
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([attack, benign]))[: len(attack)]
    return float((ranks.sum() - len(attack) * (len(attack) + 1) / 2) / (len(attack) * len(benign)))


def threshold_at(benign, rate):
    """The lowest threshold that at most `rate` of the benign scores reach or pass."""
    ordered = np.sort(benign)[::-1]
    allowed = int(np.floor(rate * len(ordered)))
    # Just above the first score that may not pass.
    return float(np.nextafter(ordered[allowed], np.inf)) if allowed < len(ordered) else 0.0


def figures(score, attack, threshold, at_rates):
    """Figures of one set of rows. score [N], attack bool [N]; thresholds are given."""
    good, bad = score[~attack], score[attack]
    flagged = score >= threshold
    out = {
        "n": len(score), "n_attack": int(attack.sum()), "n_benign": int((~attack).sum()), "auc": auc(bad, good),
        "recall": float(flagged[attack].mean()) if len(bad) else None,
        "fpr": float(flagged[~attack].mean()) if len(good) else None,
        "accuracy": float((flagged == attack).mean()),
    }
    for rate, at in at_rates.items():
        out[f"recall_at_fpr_{rate}"] = float((bad >= at).mean()) if len(bad) else None
    return out


def report(scored, threshold):
    """{"pooled", "macro", "files"} from {name: (score [N], attack bool [N])}."""
    score = np.concatenate([s for s, _ in scored.values()])
    attack = np.concatenate([a for _, a in scored.values()])
    at_rates = {rate: threshold_at(score[~attack], rate) for rate in RATES} if (~attack).any() else {}
    files = {name: figures(s, a, threshold, at_rates) for name, (s, a) in scored.items()}
    with_attacks = [f for f in files.values() if f["n_attack"]]
    macro = {}
    for key in ["auc", "recall", "fpr", "accuracy", *(f"recall_at_fpr_{rate}" for rate in at_rates)]:
        values = [f[key] for f in with_attacks if f[key] is not None]
        macro[key] = float(np.mean(values)) if values else None
    return {"pooled": figures(score, attack, threshold, at_rates), "macro": macro, "files": files,
            "thresholds": {"threshold": threshold, **{f"fpr_{rate}": at for rate, at in at_rates.items()}}}


def name_of(path):
    return Path(path).name.removesuffix(".gz").removesuffix(".jsonl")


def table(result):
    """The report as text for people."""
    keys = ["n_attack", "n_benign", "auc", "recall", "fpr", "recall_at_fpr_0.01", "recall_at_fpr_0.001"]
    lines = [f"{'':24}" + "".join(f"{k.replace('recall_at_fpr', 'r@fpr'):>12}" for k in keys)]
    for name, f in [*result["files"].items(), ("pooled", result["pooled"]), ("macro", result["macro"])]:
        cells = [f.get(k) for k in keys]
        lines.append(f"{name:24}" + "".join(f"{'-' if c is None else c if isinstance(c, int) else f'{c:.3f}':>12}" for c in cells))
    lines.append("thresholds: " + ", ".join(f"{k} {v:.4f}" for k, v in result["thresholds"].items()))
    return "\n".join(lines)


def log_line(result, candidate):
    """A row of LOG.md: date, commit, candidate, figures."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip() or "?"
    macro, pooled = result["macro"], result["pooled"]
    names = " ".join(f"{n} {f['recall_at_fpr_0.01']:.2f}" for n, f in result["files"].items() if f["n_attack"])
    return (f"| {datetime.datetime.now(datetime.UTC).date()} | {commit} | {candidate} | "
            f"auc {pooled['auc']:.3f}, recall at 1 % pooled {pooled['recall_at_fpr_0.01']:.3f}, mean {macro['recall_at_fpr_0.01']:.3f} "
            f"({names}), at 0.1 % mean {macro['recall_at_fpr_0.001']:.3f} |\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("files", type=Path, nargs="+", help=".jsonl or .jsonl.gz files with text and label")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scores", type=Path, help="also write scores, one line a row: {file, label, kind, source, score}")
    parser.add_argument("--log", type=Path, help="LOG.md to write this look to")
    parser.add_argument("--candidate", help="name of the candidate, for the log")
    args = parser.parse_args()

    if args.log and not args.candidate:
        raise SystemExit("error: --log needs --candidate")
    try:
        files = {name_of(path): read(path) for path in args.files}
    except RowError as error:
        raise SystemExit(f"error: {error}") from None
    guard = Guard(args.model, threads=args.threads)
    scored = {name: (guard.score([r["text"] for r in rows]), np.array([r["label"] != "benign" for r in rows]))
              for name, rows in files.items()}
    result = report(scored, args.threshold)
    print(json.dumps(result, indent=1) if args.json else table(result))
    if args.scores:
        with open(args.scores, "w") as out:
            for name, rows in files.items():
                for row, score in zip(rows, scored[name][0]):
                    line = {"file": name, **{k: row.get(k) for k in ("label", "kind", "source", "lic")}, "score": round(float(score), 5)}
                    out.write(json.dumps(line) + "\n")
    if args.log:
        with open(args.log, "a") as log:
            log.write(log_line(result, args.candidate))


if __name__ == "__main__":
    main()
