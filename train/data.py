"""From labelled rows to training windows: select, clean, compose, cut, tokenize.

    python data.py DATA_FOLDER OUT_FOLDER [--also SET]...

reads DATA_FOLDER/train.jsonl.gz, and train.jsonl.gz of further sets, which
`portcullis dataset get` copies, and writes to OUT_FOLDER

    windows.npz          training windows (token ids, label, weight)
    left_out/*.jsonl.gz  rows of the sources kept out of training, for judging
    composition.json     what was used, what was dropped and why, by source

Nothing else of the folders is opened. Every rule here is about a kind or a
source as a whole, and the reason stands beside it.
"""

import argparse
import collections
import gzip
import hashlib
import json
import random
import re
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

import synth
import windows
from model import base_folder
from rows import LABELS, RowError, assert_licences, licence_allows, read
from text import map_span, prepare

SEED = 20
# Tokens of a training window, with [CLS] and [SEP]: long ones cost, short ones are most.
CAPS = (64, 96, 128)
UNKNOWN_SHARE = 0.3  # above this share of [UNK] the model would learn from noise

# Whole sources kept out of training, so that models and thresholds are chosen on
# texts of a hand that the model has not seen. Prefixes of "source".
LEFT_OUT = (
    "Neural-alchemy/promptshield",
    "y0mingzhang/prompt-extraction:attacks/",
    "yjw1029/Self-Reminder-Data",
    "sherdencooper/GPTFuzz",
    "danielmiessler/fabric",
    "Portkey-AI/gateway",
    "mitmproxy/mitmproxy",
    "composed:build.py/Portkey-AI/gateway",
    "composed:build.py/mitmproxy/mitmproxy",
    "lm-sys/FastChat:mt_bench",
)

# Share kept of what is saturated with templates: an n-gram model catches nearly
# all of it already, and more of the same only drowns the diverse sources.
SHARES = {
    "synthetic:build.py/direct_override": 0.25,
    "synthetic:build.py/leak": 0.25,
    "synthetic:build.py/persona": 0.3,
    "synthetic:build.py/train_extract": 0.3,
    "synthetic:build.py/distill": 0.3,
    "synthetic:build.py/ml_override": 0.5,
    "synthetic:build.py/ml_leak": 0.8,
    "HiveTrace/HiveTraceRed": 0.5,
    "google-deepmind/xquad": 0.8,
    "openai/grade-school-math": 0.5,
    "openai/simple-evals": 0.8,
    "uci/sms-spam": 0.8,
    "jeanlee/K-MHaS": 0.5,
}
# Repositories' files are plenty and alike.
KIND_SHARES = {"code": 0.6, "config": 0.7, "commit": 0.5}

# Gandalf and mosscap rows ask for a secret; without any of these words they are chat.
_SECRET = re.compile(r"pass ?-?word|pa?4?ss?w|secret|instruct|prompt|letter|code\s?word|hidden|reveal|phrase|spell|character|"
                     r"ignore|forget|above|previous|told|rule|system|encod|base64|revers|acrostic|poem|story|word", re.I)
# Encoded text is an attack because something says to decode and obey it.
_DECODE = re.compile(r"decod|base64|hex|rot ?13|revers|backward|execute|obey|comply|follow|task|do what", re.I)
# BIPIA's text payloads: those that bend the answer carry a cue, the general
# questions ("What are the main causes of …") are benign outside their document.
_BENDS = re.compile(r"\b(your|the|this) (\w+ )?(response|reply|answer|message|output|text|words)|in (response|reply)|"
                    r"your (code|implementation|solution|algorithm|program|project|codebase|script)|"
                    r"code (snippet|block|excerpt|section|segment|fragment)", re.I)
# ASB's goals read like office work; these words make some of them plainly hostile.
_HOSTILE = re.compile(r"unauthori[sz]ed|without (consent|permission|approval|notif|inform)|secretly|covert|exfiltrat|hijack|"
                      r"delete|disable|steal|leak|tamper|falsif|manipulat|backdoor|bypass|malicious|expose|divert|fraud|fake", re.I)


def _chance(row, salt):
    """A number in [0, 1) that depends on the row's text only, so selection is stable."""
    digest = hashlib.sha256(f"{salt}:{row['text']}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)


def is_left_out(row):
    return row["source"].startswith(LEFT_OUT)


def payload(row):
    """The inserted text of a composed row, or the whole text."""
    start, end = row.get("span", (0, len(row["text"])))
    return row["text"][start:end]


def judge(row):
    """(weight, reason): a weight of 0 means that the row is not trained on."""
    source, kind, text = row["source"], row["kind"], row["text"]
    if not licence_allows(row["lic"]):
        return 0.0, "licence"
    if is_left_out(row):
        return 0.0, "left out"
    for prefix, share in SHARES.items():
        if source.startswith(prefix) and _chance(row, "share") >= share:
            return 0.0, "thinned"
    if row["label"] == "benign" and _chance(row, "kind") >= KIND_SHARES.get(kind, 1.0):
        return 0.0, "thinned"
    if source.startswith("agiresearch/ASB"):
        return (1.0, "") if _HOSTILE.search(text) else (0.0, "reads benign")
    if kind == "adv_suffix":
        # The goals are ASB's; only the suffix marks them, so little is learnt.
        return (0.5, "") if _chance(row, "suffix") < 0.4 else (0.0, "thinned")
    if kind == "indirect_bare":
        return (1.0, "") if _BENDS.search(text) else (0.0, "reads benign")
    if kind == "indirect" and source.endswith("+ agiresearch/ASB"):
        return (1.0, "") if _HOSTILE.search(payload(row)) else (0.5, "")
    if kind == "indirect" and source.endswith("+ microsoft/BIPIA"):
        return (1.0, "") if _BENDS.search(payload(row)) else (0.5, "")
    if "mosscap" in source or "gandalf" in source:
        return (1.0, "") if _SECRET.search(text) else (0.0, "no cue")
    if "hackaprompt" in source and len(re.findall(r"[A-Za-z]{3,}", text)) < 4:
        return 0.0, "gibberish"
    if "imoxto" in source and _chance(row, "imoxto") >= 0.3:
        return 0.0, "thinned"
    if kind == "jailbreak_adversarial":
        return 0.5, ""  # a story frame only: soft labels with benign twins
    if kind == "obfuscated" and re.search(r"obfuscated_(b64|hex|rot13|rev)$", source) and not _DECODE.search(text):
        return 0.0, "no cue"
    if source.startswith("HiveTrace") and kind == "obfuscated" and "Leet" not in source:
        return (0.7, "") if _chance(row, "cipher") < 0.5 else (0.0, "thinned")
    return 1.0, ""


def compose(rows, count, seed):
    """New documents with a payload, and their benign twins, from training rows.

    Half of the payloads are short attacks, half are harmless sentences, so that
    "a sentence that does not belong here" alone is not the mark of an attack.
    """
    rng = random.Random(seed)
    documents = [r for r in rows if r["label"] == "benign" and "span" not in r and len(r["text"]) > 300
                 and r["kind"] in ("document", "code", "config", "email", "table", "tool_io", "answer", "plain")]
    short = [r for r in rows if len(r["text"]) < 260 and "span" not in r]
    attacks = [r for r in short if r["label"] != "benign" and r["kind"] in ("direct", "leak", "jailbreak", "indirect_bare")]
    harmless = [r for r in short if r["label"] == "benign" and r["kind"] in ("hard_negative", "plain", "sensitive_benign")]
    if not (documents and attacks and harmless):
        return []
    out = []
    for i in range(count):
        insert = rng.choice(attacks if i % 2 == 0 else harmless)
        document = rng.choice(documents)
        text = document["text"]
        # At a line or sentence end, like somebody who edits a page would.
        places = [m.end() for m in re.finditer(r"\n|[.!?] ", text)] or [len(text)]
        at = rng.choice(places)
        left, right = rng.choice([("", " "), ("\n", "\n"), ("\n\n", "\n\n"), ("", "\n"), ("<!-- ", " -->\n"), ("# ", "\n"),
                                  ('"', '"\n'), (" ", " ")])
        out.append({"text": text[:at] + left + insert["text"] + right + text[at:],
                    "span": [at + len(left), at + len(left) + len(insert["text"])],
                    "label": insert["label"], "kind": "composed", "lang": document["lang"],
                    "source": f"composed:train/data.py/{document['source'].split(':')[0]} + {insert['source'].split(':')[0]}",
                    "lic": f"{document['lic']} + {insert['lic']}"})
    return out


def cut(row, weight, encoding, rng):
    """Training windows of a row: a list of (token ids, label, weight)."""
    ids, offsets = encoding.ids, encoding.offsets
    label = LABELS.index(row["label"])
    room = rng.choice(CAPS) - windows.SPECIAL
    if "span" not in row:
        if len(ids) <= room:
            return [(ids, label, weight)]
        if label == 0:
            # A long text has many windows, and each of them may raise a false alarm.
            cuts = [windows.anywhere(len(ids), room, rng) for _ in range(min(4, 1 + len(ids) // (2 * room)))]
            return [(ids[start:end], label, weight) for start, end in cuts]
        # A long attack without a marked payload shows itself best at its head;
        # the rest of it is attack too, mostly, so it counts less.
        cuts = [(ids[:room], label, weight)]
        for _ in range(min(2, len(ids) // room - 1)):
            start, end = windows.anywhere(len(ids), room, rng)
            cuts.append((ids[start:end], label, weight * 0.5))
        return cuts
    span = windows.token_span(offsets, map_span(row["text"], row["span"]))
    if span is None:
        return []
    start, end = windows.around(len(ids), span, room, rng)
    cuts = [(ids[start:end], label, weight)]
    if rng.random() < 0.5:
        # The same document without its payload, so the document is not the mark.
        start, end = windows.anywhere(len(ids), room, rng)
        if end - start >= 16 and windows.overlap((start, end), span) == 0:
            cuts.append((ids[start:end], 0, weight))
    return cuts


def tokenizer(folder):
    """The model's tokenizer without truncation and padding."""
    made = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    made.no_truncation()
    made.no_padding()
    return made


def build(rows, tok, seed, composed=7000, synthetic=7000):
    """Selected windows and the account of the selection.

    Returns (windows, account): windows as in `cut` with [CLS] and [SEP] added.
    """
    account = {"used": collections.Counter(), "dropped": collections.Counter(), "licences": collections.Counter()}
    kept = []
    for row in rows:
        weight, reason = judge(row)
        if weight:
            kept.append((row, weight))
        else:
            account["dropped"][f"{reason} | {row['label']} | {row['kind']}"] += 1
    kept += [(row, 1.0) for row in synth.benign_rows(synthetic, seed)]
    kept += [(row, 1.0) for row in compose([row for row, _ in kept], composed, seed)]
    assert_licences([row for row, _ in kept])

    rng = random.Random(seed)
    cls, sep, unknown = (tok.token_to_id(t) for t in ("[CLS]", "[SEP]", "[UNK]"))
    out = []
    for at in range(0, len(kept), 2000):
        part = kept[at : at + 2000]
        encodings = tok.encode_batch([prepare(row["text"]) for row, _ in part], add_special_tokens=False)
        for (row, weight), encoding in zip(part, encodings):
            for ids, label, w in cut(row, weight, encoding, rng):
                if not ids or ids.count(unknown) > UNKNOWN_SHARE * len(ids):
                    account["dropped"][f"unknown tokens | {row['label']} | {row['kind']}"] += 1
                    continue
                out.append(([cls, *ids, sep], label, w))
                account["used"][f"{row['label']} | {row['kind']} | {row['source'].split(':')[0]}"] += 1
                account["licences"][f"{row['source'].split(':')[0]} | {row['lic']}"] += 1
    return out, account


def save_windows(path, made):
    """Windows as flat arrays: ids uint16 [sum of lengths], ends int64 [N], label, weight."""
    ids = np.concatenate([np.asarray(w[0], np.uint16) for w in made])
    np.savez(path, ids=ids, ends=np.cumsum([len(w[0]) for w in made]),
             label=np.array([w[1] for w in made], np.int8), weight=np.array([w[2] for w in made], np.float32))


def left_out_name(row):
    """The judging file that a row belongs to, or None when it judges nothing."""
    if is_left_out(row):
        if row["source"].startswith("composed"):
            return "composed"
        name = row["source"].split(":")[0].split("/")[1].lower()
        if name == "promptshield" and row["label"] != "benign" and not _SECRET.search(row["text"]):
            return None  # obfuscated benign questions labelled as attacks
        return name
    if licence_allows(row["lic"]) or row["kind"] in ("noise", "answer"):
        return None
    if row["source"].startswith("composed"):
        return "long_documents"
    return "barred_benign" if row["label"] == "benign" else "barred_attacks"


def pick_left_out(rows, seed, most=120):
    """Judging rows as {file name: rows}, at most `most` of a source and label.

    Left-out sources, and what is barred from training by its licence: that
    judges only, nothing is learnt from it.
    """
    groups = collections.defaultdict(list)
    for row in rows:
        name = left_out_name(row)
        if name:
            groups[name, row["label"], row["lic"]].append(row)
    rng = random.Random(seed)
    out = collections.defaultdict(list)
    for key in sorted(groups):
        out[key[0]] += rng.sample(groups[key], min(most, len(groups[key])))
    return out


def gather(folders):
    """Rows of the folders' train.jsonl.gz, in order; a text that an earlier one has is not taken again."""
    rows, seen = [], set()
    for folder in folders:
        for row in read(folder / "train.jsonl.gz", need=("text", "label", "source", "kind", "lang", "lic")):
            if (row["text"], row["label"]) not in seen or folder == folders[0]:
                seen.add((row["text"], row["label"]))
                rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder with train.jsonl.gz")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--also", type=Path, metavar="SET", action="append", default=[],
                        help="another folder with train.jsonl.gz; may be given several times")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()

    try:
        rows = gather([args.data, *args.also])
    except RowError as error:
        raise SystemExit(f"error: {error}") from None
    args.out.mkdir(parents=True, exist_ok=True)
    made, account = build(rows, tokenizer(base_folder()), args.seed)
    save_windows(args.out / "windows.npz", made)
    (args.out / "left_out").mkdir(exist_ok=True)
    for name, picked in pick_left_out(rows, args.seed).items():
        with gzip.open(args.out / "left_out" / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in picked)
    account = {key: dict(sorted(counts.items())) for key, counts in account.items()}
    (args.out / "composition.json").write_text(json.dumps(account, indent=1, ensure_ascii=False) + "\n")
    labels = collections.Counter(LABELS[w[1]] for w in made)
    print(f"{len(made)} windows, {sum(len(w[0]) for w in made)} tokens: {dict(labels)}")


if __name__ == "__main__":
    main()
