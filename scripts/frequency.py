#!/usr/bin/env python3
"""Counts how often one folded byte follows another, for the rule compiler's choice of literals (src/rules/frequency.rs).

usage: frequency.py OUT FILE...     FILE: JSON lines with a `text`, plain or gzip; or any other text, taken as it is

Bytes are folded as the scanner folds them (ASCII letters to lower case, digits to `0`) and put into 64 classes: a-z, `0`,
space, line feed, other ASCII blanks and controls, the 32 ASCII punctuation marks, bytes that continue a UTF-8 sequence, bytes
that lead one. OUT gets 65 x 64 bytes: -8 * log2 of the probability that the column's class follows the row's, at most 255;
row-major; the last row is the probability of each class wherever it stands. Then the 8,192 most frequent runs of four folded
bytes, in order: four bytes and -8 * log2 of the probability that they stand at a place. Text that is not benign is left out of JSON lines that carry a `label`.
"""
import collections
import gzip
import json
import math
import sys

GRAMS = 8192
DIGITS = bytes.maketrans(b"123456789", b"000000000")
PUNCTUATION = bytes(b for b in range(33, 127) if not chr(b).isalnum())


def classes():
    table = []
    for byte in range(256):
        c = chr(byte)
        if byte >= 0xC0:
            table.append(63)
        elif byte >= 0x80:
            table.append(62)
        elif c.isalpha():
            table.append(ord(c.lower()) - ord("a"))
        elif c.isdigit():
            table.append(26)
        elif c == " ":
            table.append(27)
        elif c == "\n":
            table.append(28)
        elif byte in PUNCTUATION:
            table.append(30 + PUNCTUATION.index(byte))
        else:
            table.append(29)
    return bytes(table)


def texts(path):
    data = open(path, "rb").read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if ".jsonl" not in path:
        yield data
        return
    for line in data.splitlines():
        row = json.loads(line)
        if row.get("label", "benign") == "benign":
            yield row["text"].encode()


def main():
    out, files = sys.argv[1], sys.argv[2:]
    table, pairs, grams = classes(), {}, collections.Counter()
    for path in files:
        for text in texts(path):
            folded = text.translate(table)
            for pair in zip(folded, folded[1:]):
                pairs[pair] = pairs.get(pair, 0) + 1
            text = text.lower().translate(DIGITS)
            grams.update(text[at : at + 4] for at in range(len(text) - 3))
    result = bytearray()
    single = {}
    for (row, column), count in pairs.items():
        single[column] = single.get(column, 0) + count
    for row in range(65):
        counts = [(pairs if row < 64 else single).get((row, column) if row < 64 else column, 0) + 0.5 for column in range(64)]
        total = sum(counts)
        result.extend(min(255, round(-8 * math.log2(count / total))) for count in counts)
    total = sum(grams.values())
    for gram, count in sorted(grams.most_common(GRAMS)):
        result.extend(gram)
        result.append(min(255, round(-8 * math.log2(count / total))))
    open(out, "wb").write(result)


main()
