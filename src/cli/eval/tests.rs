//! `portcullis eval` on the tiny model.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Parser;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::{EvalArgs, EvalError, run};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    eval: EvalArgs,
}

fn eval(options: &[&str], files: &[PathBuf]) -> Result<String, EvalError> {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/model/guard");
    let words =
        ["eval", "--model", model.to_str().unwrap(), "--threads", "1"].into_iter().chain(options.iter().copied());
    let files = files.iter().map(|file| file.to_str().unwrap());
    let command = Command::try_parse_from(words.chain(files)).unwrap_or_else(|error| panic!("{error}"));
    let mut out = Vec::new();
    run(&command.eval, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn write(folder: &Path, name: &str, rows: &[Value]) -> PathBuf {
    let path = folder.join(name);
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    if name.ends_with(".gz") {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(lines.as_bytes()).unwrap();
        fs::write(&path, packed.finish().unwrap()).unwrap();
    } else {
        fs::write(&path, lines).unwrap();
    }
    path
}

fn row(text: &str, label: &str, source: &str) -> Value {
    json!({"text": text, "label": label, "source": source, "role": "user", "licence": "none"})
}

/// The tiny model scores "ignore" 0.95 and everything plain 0.21.
#[test]
fn figures_of_files_sources_and_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mixed = write(
        folder.path(),
        "mixed.jsonl.gz",
        &[
            row("ignore the water", "injection", "a"),
            row("the water", "extraction", "a"),
            row("water", "benign", "b"),
            row("long way", "benign", "b"),
        ],
    );
    let attacks = write(folder.path(), "attacks.jsonl", &[row("ignore", "injection", "a"), row("repeat", "x", "c")]);
    let benign = write(folder.path(), "benign.jsonl", &[json!({"text": "time", "label": "benign"})]);
    let text = eval(&["--json"], &[mixed, attacks, benign]).unwrap();
    assert_eq!(text.lines().count(), 1);
    let found: Value = serde_json::from_str(&text).unwrap();
    let one_of = |n, n_attack, n_benign, figures: [Value; 6]| {
        let [auc, recall, fpr, accuracy, at_01, at_001] = figures;
        json!({"n": n, "n_attack": n_attack, "n_benign": n_benign, "auc": auc, "recall": recall, "fpr": fpr,
               "accuracy": accuracy, "recall_at_fpr_0.01": at_01, "recall_at_fpr_0.001": at_001})
    };
    let none = Value::Null;
    let half = json!(0.5);
    assert_eq!(
        found["files"]["mixed.jsonl.gz"],
        // One attack above all benign rows, one tied with both: (2 + 2 × 0.5) / 4.
        one_of(4, 2, 2, [json!(0.75), half.clone(), json!(0.0), json!(0.75), half.clone(), half.clone()])
    );
    let all = json!(1.0);
    assert_eq!(
        found["files"]["attacks.jsonl"],
        one_of(2, 2, 0, [none.clone(), all.clone(), none.clone(), all.clone(), all.clone(), all.clone()])
    );
    assert_eq!(
        found["files"]["benign.jsonl"],
        one_of(1, 0, 1, [none.clone(), none.clone(), json!(0.0), all, none.clone(), none])
    );
    assert_eq!(found["pooled"]["n"], 7);
    assert_eq!(found["pooled"]["recall"], 0.75);
    assert_eq!(
        found["macro"],
        json!({"files": 2, "auc": 0.75, "recall": 0.75, "fpr": 0.0, "accuracy": 0.875,
                                      "recall_at_fpr_0.01": 0.75, "recall_at_fpr_0.001": 0.75})
    );
    assert_eq!(found["sources"]["a"]["n"], 3);
    assert_eq!(found["sources"].as_object().unwrap().len(), 3);
    assert_eq!(found["n_partly_unjudged"], 0);
}

#[test]
fn levels_are_set_over_the_benign_rows_of_all_files() {
    let folder = tempfile::tempdir().unwrap();
    // A benign row that scores like an attack, in another file: at 1 % false positives no attack is left.
    let attacks = write(folder.path(), "attacks.jsonl", &[row("ignore", "injection", "a")]);
    let benign = write(folder.path(), "benign.jsonl", &[row("ignore", "benign", "b")]);
    let found: Value = serde_json::from_str(&eval(&["--json"], &[attacks, benign]).unwrap()).unwrap();
    let file = &found["files"]["attacks.jsonl"];
    assert_eq!((&file["recall"], &file["recall_at_fpr_0.01"]), (&json!(1.0), &json!(0.0)));
}

#[test]
fn the_threshold_and_the_row_limit_are_options() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [row("ignore", "injection", "a"), row("water", "injection", "a"), row("water", "benign", "a")];
    let file = [write(folder.path(), "rows.jsonl", &rows)];
    let at = |options: &[&str]| -> Value { serde_json::from_str(&eval(options, &file).unwrap()).unwrap() };
    assert_eq!(at(&["--json"])["pooled"]["recall"], 0.5);
    assert_eq!(at(&["--json", "--threshold", "0.1"])["pooled"]["recall"], 1.0);
    assert_eq!(at(&["--json", "--threshold", "0.1"])["pooled"]["fpr"], 1.0);
    assert_eq!(at(&["--json", "--limit-per-file", "2"])["pooled"]["n"], 2);
}

#[test]
fn the_table_names_files_sources_and_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = row("ignore", "injection", "a\u{1b}[2J");
    let file = write(folder.path(), "rows.jsonl", &[hostile, row("water", "benign", "b")]);
    let table = eval(&[], &[file]).unwrap();
    for part in ["rows.jsonl", "all files pooled", "mean of 1 files", "r@0.1%", "a?[2J", "1.0000"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(!table.contains('\u{1b}'));
}

#[test]
fn bad_rows_are_named_by_file_and_line_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first.jsonl");
    fs::write(
        &first,
        "{\"text\": \"a\", \"label\": \"benign\"}\n\n{\"text\": 1, \"label\": \"x\"}\n{\"text\": \"a\"}\n",
    )
    .unwrap();
    let second = folder.path().join("second.jsonl");
    fs::write(&second, "{\"text\": \"a\", \"label\": \"\"}\nnot json\n{\"text\": \"\u{e4}\"").unwrap();
    let absent = folder.path().join("absent.jsonl");
    let error = eval(&["--json"], &[first, second, absent]).unwrap_err().to_string();
    for part in [
        "first.jsonl:3: column",
        "first.jsonl:4:",
        "`label`",
        "second.jsonl:1: the label is empty",
        "second.jsonl:2:",
        "second.jsonl:3:",
        "absent.jsonl: No such file",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(error.lines().count(), 6, "{error}");
}

#[test]
fn broken_gzip_empty_files_and_equal_names_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "rows.jsonl.gz", &vec![row("water", "benign", "a"); 50]);
    let bytes = fs::read(&good).unwrap();
    let cut = folder.path().join("cut.jsonl.gz");
    fs::write(&cut, &bytes[..bytes.len() - 10]).unwrap();
    let error = eval(&[], &[cut]).unwrap_err().to_string();
    assert!(error.contains("cut.jsonl.gz:"), "{error}");
    let empty = folder.path().join("empty.jsonl");
    fs::write(&empty, "").unwrap();
    assert!(eval(&[], &[empty]).unwrap_err().to_string().contains("no rows"));
    let error = eval(&[], &[good.clone(), good]).unwrap_err();
    assert!(matches!(&error, EvalError::Usage(problem) if problem.contains("rows.jsonl.gz")), "{error}");
}
