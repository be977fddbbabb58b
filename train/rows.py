"""Labelled rows: reading, checking, licences.

A row is a JSON object on a line: text, label, source, kind, lang, lic and, in
composed rows, span ([start, end) character offsets of what was inserted).
"""

import gzip
import json
import re
from pathlib import Path

LABELS = ("benign", "injection", "extraction")

# Licences whose terms allow commercial use of the text. Share-alike is allowed.
_ALLOWED = re.compile(
    r"own|MIT|Apache-2\.0|BSD-[23]-Clause|Unlicense|CC0-1\.0|CC-BY(-SA)?-[34]\.0|ODC-BY-1\.0"
)
# Said anywhere in a licence, even in brackets, these forbid it or leave it open.
_REFUSED = re.compile(r"\bNC\b|non-?commercial|unspecified|unknown|mixed|carry their own", re.IGNORECASE)


class RowError(ValueError):
    """Bad input, with the file and the line it was found on."""


def licence_allows(lic):
    """True when every part of a licence text allows commercial use.

    Parts of a composed row are joined by " + " and all must pass; " OR " offers
    a choice and one suffices; a note in brackets names the origin.
    """
    if not lic or _REFUSED.search(lic):
        return False

    def allowed(part):
        return _ALLOWED.fullmatch(re.sub(r"\s*\(.*\)", "", part).strip()) is not None

    bare = re.sub(r"\([^)]*\)", "", lic)
    return all(any(allowed(choice) for choice in part.split(" OR ")) for part in bare.split(" + "))


def assert_licences(rows):
    """Stops everything when a row that may not be trained on slipped through."""
    for row in rows:
        if not licence_allows(row["lic"]):
            raise AssertionError(f"row of {row['source']} under {row['lic']!r} must not be trained on")


def read(path, need=("text", "label")):
    """Rows of a .jsonl or .jsonl.gz file, each checked."""
    path = Path(path)
    if not path.is_file():
        raise RowError(f"{path}: no such file")
    opener = gzip.open if path.suffix == ".gz" else open
    rows = []
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                rows.append(_check(line, f"{path}:{number}", need))
    if not rows:
        raise RowError(f"{path}: no rows")
    return rows


def _check(line, place, need):
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RowError(f"{place}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise RowError(f"{place}: a row must be an object")
    for key in need:
        if not isinstance(row.get(key), str):
            raise RowError(f"{place}: {key!r} must be a string")
    if row["label"] not in LABELS:
        raise RowError(f"{place}: label {row['label']!r} is none of {', '.join(LABELS)}")
    if "span" in row:
        span = row["span"]
        ok = isinstance(span, list) and len(span) == 2 and all(type(x) is int for x in span)
        if not ok or not 0 <= span[0] < span[1] <= len(row["text"]):
            raise RowError(f"{place}: span {span!r} does not lie in a text of {len(row['text'])} characters")
    return row
