"""Reads the files of a data set as training does: rows.py FOLDER prints what it found."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "train"))

import rows  # noqa: E402

folder = Path(sys.argv[1])
read = []
for name in ("train.jsonl.gz", "eval.jsonl.gz"):
    if json.loads((folder / "manifest.json").read_text())["files"] and (folder / name).stat().st_size > 30:
        read += rows.read(folder / name, need=("text", "label", "source", "kind", "lang", "lic"))
rows.assert_licences(read)
marked = [row["text"][row["span"][0] : row["span"][1]] for row in read if "span" in row]
print(json.dumps({"rows": len(read), "marked": marked, "licences": sorted({row["lic"] for row in read})}))
