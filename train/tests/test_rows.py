import gzip
import json

import pytest

from rows import RowError, assert_licences, licence_allows, read


@pytest.mark.parametrize("lic", [
    "own", "MIT", "Apache-2.0", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-SA-3.0 (Wikipedia)", "ODC-BY-1.0 (AI2)",
    "MIT OR Apache-2.0", "MIT OR Unlicense + MIT", "Apache-2.0 + MIT", "MIT (badge in README)", "own + MIT (ASB goals)",
])
def test_commercial_licences_pass(lic):
    assert licence_allows(lic)


@pytest.mark.parametrize("lic", [
    "", "CC-BY-NC-4.0", "CC-BY-NC-4.0 (HuggingFaceH4/no_robots)", "unspecified (Dahoas HH prompts)", "mixed", "GPL-3.0", "own idea",
    "Apache-2.0 repo; derived from alpaca-gpt4 (CC-BY-NC-4.0)", "MIT + CC-BY-NC-4.0", "MIT + unspecified (x)", "MIT + ",
    "own noise on alpaca/GSM8K/SimpleQA prompts (CC-BY-NC-4.0 / MIT)", "Apache-2.0 (repo); parts carry their own licence", "CC-BY-ND-4.0",
])
def test_everything_else_is_refused(lic):
    assert not licence_allows(lic)


def test_a_forbidden_row_stops_training():
    row = {"source": "s", "lic": "MIT"}
    assert_licences([row])
    with pytest.raises(AssertionError, match="CC-BY-NC"):
        assert_licences([row, {"source": "s", "lic": "CC-BY-NC-4.0"}])


@pytest.mark.parametrize("line, message", [
    ("{", "rows.jsonl:2: not JSON"),
    ("[1]", "rows.jsonl:2: a row must be an object"),
    ('{"label": "benign"}', "rows.jsonl:2: 'text' must be a string"),
    ('{"text": "x", "label": "good"}', "rows.jsonl:2: label 'good'"),
    ('{"text": "x", "label": "benign", "span": [0, 2]}', "rows.jsonl:2: span"),
    ('{"text": "x", "label": "benign", "span": [0.0, 1]}', "rows.jsonl:2: span"),
])
def test_bad_rows_are_named(tmp_path, line, message):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "x", "label": "benign"}) + "\n" + line + "\n")
    with pytest.raises(RowError) as error:
        read(path)
    assert message in str(error.value)


def test_missing_and_empty_files_and_gzip(tmp_path):
    with pytest.raises(RowError, match="no such file"):
        read(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(RowError, match="no rows"):
        read(tmp_path / "empty.jsonl")
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write('{"text": "é", "label": "injection", "span": [0, 1]}\n')
    assert read(tmp_path / "rows.jsonl.gz")[0]["text"] == "é"
