"""Writes the model card from what the other scripts left behind.

    python card.py models/guard --set SET --run RUN --dev DEV --left-out LEFT --public PUBLIC --out models/CARD.md

DEV, LEFT and PUBLIC are evaluate.py outputs made with --json; beside each lies the
file of scores (--scores) with the same name and the ending .scores, of which DEV's
and LEFT's are used to choose thresholds. The public evaluation sets play no part
in that choice.
"""

import argparse
import collections
import json
from pathlib import Path

import numpy as np

from evaluate import threshold_at
from rows import licence_allows

# What people type, against what stands in documents and tool results.
PROMPTS = {"plain", "hard_negative", "sensitive_benign", "adversarial_benign", "multi_turn"}
# Orders to a model by their nature, and trusted text where they belong: they set no threshold.
ORDERS = {"system_prompt"}
# role: (which benign rows, flag rate, block rate). A user may give orders, so only
# rare confidence blocks; in untrusted text an order to the model is itself the finding.
ROLES = {"user": ("prompts", 0.01, 0.002), "untrusted": ("all", 0.02, 0.005)}


def read_scores(path):
    return [json.loads(line) for line in open(path)]


def choose(rows):
    """Thresholds by role from judged rows: {role: {"flag": t, "block": t}}.

    Taken on the benign rows of dev and of the left-out sources together: alone,
    the left-out ones are too few for the rare rates. Rows barred from commercial
    use by licence are judged in the figures but choose nothing.
    """
    out = {}
    for role, (which, flag, block) in ROLES.items():
        benign = [r["score"] for group in rows.values() for r in group if r["label"] == "benign" and licence_allows(r["lic"] or "")
                  and r["kind"] not in ORDERS and (which == "all" or r["kind"] in PROMPTS)]
        # Rounded up, so that the rates hold.
        out[role] = {action: float(np.ceil(threshold_at(np.array(benign), rate) * 1000) / 1000)
                     for action, rate in (("flag", flag), ("block", block))}
    return out


def share(rows, threshold, attack):
    """Share of the attack (or benign) rows that reach a threshold."""
    scores = [r["score"] for r in rows if (r["label"] != "benign") == attack]
    return float(np.mean(np.array(scores) >= threshold)) if scores else float("nan")


def percent(x):
    return "–" if x is None or x != x else f"{100 * x:.1f}"


def figure_table(result):
    lines = ["| file | attacks | benign | AUC | recall at 1 % | recall at 0.1 % |", "|---|---|---|---|---|---|"]
    for name, f in [*result["files"].items(), ("**pooled**", result["pooled"]), ("**mean over files with attacks**", result["macro"])]:
        area = f"{f['auc']:.3f}" if f["auc"] is not None else "–"
        lines.append(f"| {name} | {f.get('n_attack', '')} | {f.get('n_benign', '')} | {area} | "
                     f"{percent(f['recall_at_fpr_0.01'])} | {percent(f['recall_at_fpr_0.001'])} |")
    return "\n".join(lines)


def source_table(account):
    counts, licences = collections.Counter(), collections.defaultdict(set)
    for key, count in account["licences"].items():
        source, lic = key.split(" | ")
        counts[source] += count
        licences[source].add(lic)
    lines = ["| source | windows | licence |", "|---|---|---|"]
    for source, count in counts.most_common():
        shown = sorted(licences[source])
        if source == "composed":
            shown = ["those of the document and of the payload, all from this table"]
        if source == "synthetic":
            shown = ["own templates; suffixes on goals of ASB (MIT)"]
        lines.append(f"| {source} | {count} | {'; '.join(shown)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    for name, note in (("set", "folder from data.py"), ("run", "folder from fit.py"), ("dev", ""), ("left-out", ""), ("public", ""), ("out", "")):
        parser.add_argument(f"--{name}", type=Path, required=True, help=note)
    parser.add_argument("--notes", type=Path, help="text about this version, put below the first paragraph")
    args = parser.parse_args()

    manifest = json.loads((args.model / "manifest.json").read_text())
    account = json.loads((args.set / "composition.json").read_text())
    last = json.loads((args.run / "fit.jsonl").read_text().splitlines()[-1])
    results = {name: json.loads(path.read_text()) for name, path in
               (("dev", args.dev), ("left out", args.left_out), ("public", args.public))}
    scores = {name: read_scores(path.with_suffix(".scores")) for name, path in (("dev", args.dev), ("left out", args.left_out))}
    public = read_scores(args.public.with_suffix(".scores"))
    thresholds = choose(scores)

    named = [(role, action, t) for role, actions in thresholds.items() for action, t in actions.items()]
    rows = []
    for role, action, t in named:
        over = [share([r for r in public if r["file"].startswith(name)], t, False) for name in ("notinject", "wildguard")]
        rows.append(f"| {role} | {action} | {t:.3f} | {percent(share(scores['dev'], t, True))} / {percent(share(scores['dev'], t, False))} | "
                    f"{percent(share(scores['left out'], t, True))} / {percent(share(scores['left out'], t, False))} | "
                    f"{percent(share(public, t, True))} / {percent(share(public, t, False))} | {percent(over[0])} | {percent(over[1])} |")
    windows = sum(account["used"].values())
    labels = collections.Counter()
    for key, count in account["used"].items():
        labels[key.split(" | ")[0]] += count
    notes = f"\n{args.notes.read_text().strip()}\n" if args.notes else ""
    args.out.write_text(f"""# Model card: {manifest['name']} {manifest['version']}

A small classifier for prompts, documents and tool results. It tells `benign` text from `injection` (text that
tries to take the model over: overrides, jailbreaks, instructions hidden in data) and `extraction` (text that tries
to pull out the system prompt, secrets, training data or the model). It is a first version: honest and plain, meant
to stand beside the rules, not to replace them.
{notes}
| | |
|---|---|
| base | all-MiniLM-L6-v2 (Apache-2.0), 6 layers, 22.7 M parameters, uncased English vocabulary of 30,522 pieces |
| head | linear over mean and maximum of the token vectors, 3 classes |
| file | `guard/model.onnx`, int8 weights by channel, activations scaled at run time, {manifest['model']['bytes'] / 1e6:.1f} MB |
| input | windows of {manifest['window']['tokens']} tokens, {manifest['window']['overlap']} shared by neighbours; text prepared as `train/text.py` says |
| score | the largest 1 − p(benign) over the windows |
| trained | {manifest['trained']['date']}, {manifest['trained']['framework']}, seed {manifest['trained']['seed']}, {last['used'] / 60:.0f} minutes on two CPU cores, {last['steps']:.0f} steps, {last['tokens'] / 1e6:.1f} M padded tokens; embeddings and the lowest layer untouched |
| data | {windows} windows: {', '.join(f'{n} {labels[n]}' for n in ('benign', 'injection', 'extraction'))} |

## Intended use

A score for one passage of text, as one finding among others, in a policy that a person wrote. It is not a proof of
harm, it does not judge whether a request is harmful (a plainly harmful question without a trick is benign here), and
it must not be the only guard of anything that matters.

## Figures

AUC and recall count injection and extraction as attacks. Recall "at 1 %" is at the threshold that 1 % of the benign
rows of all files of a table reach, one threshold for the table. Percentages without their sign.

**dev** (the same sources as training: flattering)

{figure_table(results['dev'])}

**left out** (whole sources that training never saw, benign rows of non-commercial licence among them; an early look at
false alarms here led to the prompt templates and follow-up requests of `synth.py`, so it flatters a little)

{figure_table(results['left out'])}

**public evaluation sets** (looked at once for each candidate, see LOG.md; nothing was tuned on them)

{figure_table(results['public'])}

bipia_text holds general questions that only their document makes an attack, deepset's labels are noisy, and most of
qualifire's attacks are harmful requests in a story, so read the files one by one.

## Thresholds

Chosen on the benign rows of dev and of the left-out sources, together, that have licences for commercial use; public
sets and system prompts played no part. User text: prompts only, flag at 1 %, block at 0.2 % (a user may give orders, so
only rare confidence blocks). Untrusted text: all benign rows, flag at 2 %, block at 0.5 %. Texts of a new hand raise
more false alarms than that, as the columns on the right say. Cells are recall / false positives in percent; the last two
columns are over-defence.

| role | action | threshold | dev | left out | public, pooled | NotInject | WildGuard benign |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

## Limits

- The vocabulary is English. More than half of Chinese, a third of Thai and a sixth of Japanese tokens are unknown to
  it; windows with more than 30 % of unknown tokens were not trained on. Do not count on it in those languages. Other
  languages were seen mostly as templates.
- It sees one window and no context: the same sentence may be an order in a tool result and a plain question from a user.
- Over-defence: sentences about attacks, and with their words, score higher than they should.
- Template attacks make up much of the public training text of the field; texts of a new hand are caught far less often
  than dev suggests. The left-out and public tables are the ones to believe.
- Encoded text (base64, ROT13, …) is seen as such, not decoded; canonical text must be made before the model.
- Anyone who has the file can search for texts that it misses.
- Run one window a call: the int8 model scales activations over a whole batch, so in a batch one text would move the
  score of another.
- The `embedding` output is the mean of the token vectors above the lowest layer, which training does not touch, less the
  mean of ordinary text: near duplicates lie close (cosine above 0.8), and it means the same in every version. It tells
  likeness of wording rather than of meaning. Above the top layer the tuned encoder knows attacks and little else.

## Training data

Rows whose licence does not clearly allow commercial use were left out (a test and an assertion hold that). Share-alike
texts are among them. Public evaluation sets are not in the training data, and near duplicates of them were removed.

{source_table(account)}

## How to make it again

`train/README.md` has the commands. Trained by the scripts at commit {manifest['trained']['commit']}.
""")
    print(f"wrote {args.out}")
    for role, action, t in named:
        print(f"{role} {action} {t:.3f}")


if __name__ == "__main__":
    main()
