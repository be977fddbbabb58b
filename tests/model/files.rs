//! A model folder is input: what is tampered with, hostile or too large is refused before ONNX Runtime sees it.

use std::fs;

use crate::support::{copy, data, edit_json, edit_manifest, load, refusal, replace};
use portcullis::base::Limits;
use portcullis::model::{Manifest, ModelError, onnx};
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Value, json};

#[expect(clippy::unwrap_used, reason = "test code, though not in a test function")]
fn model_bytes() -> Vec<u8> {
    fs::read(data("guard/model.onnx")).unwrap()
}

/// Manifests that must be refused: what is changed, and a word of the message.
#[test]
fn a_manifest_that_says_something_impossible_is_refused() {
    type Edit = fn(&mut Value);
    let cases: [(&str, Edit); 19] = [
        ("`format` is 2", |m| m["format"] = json!(2)),
        ("`task`", |m| m["task"] = json!("text-generation")),
        ("`name`", |m| m["name"] = json!("two words")),
        ("`version`", |m| m["version"] = json!("")),
        ("`licence` is empty", |m| m["licence"] = json!(" ")),
        ("`labels`", |m| m["labels"] = json!(["benign", "extraction", "injection"])),
        ("`window.tokens` is 7", |m| m["window"] = json!({"tokens": 7, "overlap": 0})),
        ("`window.overlap` is 8", |m| m["window"] = json!({"tokens": 16, "overlap": 8})),
        ("`embedding.dims`", |m| m["embedding"]["dims"] = json!(0)),
        ("`golden.tolerance`", |m| m["golden"]["tolerance"] = json!(0.2)),
        ("`golden.tolerance`", |m| m["golden"]["tolerance"] = json!(0)),
        ("`golden.file`", |m| m["golden"]["file"] = json!("../golden.json")),
        ("`model.file`", |m| m["model"]["file"] = json!("/model.onnx")),
        ("`tokenizer.file`", |m| m["tokenizer"]["file"] = json!("..")),
        ("`model.sha256`", |m| m["model"]["sha256"] = json!("ABC")),
        ("`model.bytes` is 0", |m| m["model"]["bytes"] = json!(0)),
        ("`threshold`", |m| m["threshold"] = json!(1.5)),
        ("unknown field `surprise`", |m| m["surprise"] = json!(1)),
        ("missing field `labels`", |m| drop(m.as_object_mut().unwrap().remove("labels"))),
    ];
    for (expected, edit) in cases {
        let folder = copy();
        edit_manifest(folder.path(), edit);
        let error = refusal(folder.path(), &Limits::default());
        assert!(error.contains(expected) && error.contains("manifest.json"), "{expected}: {error}");
    }
}

#[test]
fn every_problem_of_a_manifest_is_named() {
    let folder = copy();
    edit_manifest(folder.path(), |manifest| {
        manifest["format"] = json!(9);
        manifest["licence"] = json!("");
        manifest["model"]["bytes"] = json!(0);
    });
    let error = refusal(folder.path(), &Limits::default());
    assert!(
        ["`format`", "`licence`", "`model.bytes`", "3 problems"].iter().all(|part| error.contains(part)),
        "{error}"
    );
}

#[test]
fn a_key_given_twice_is_refused() {
    let text = fs::read_to_string(data("guard/manifest.json")).unwrap();
    let twice = text.replacen("\"format\": 1,", "\"format\": 1, \"format\": 1,", 1);
    let problems = Manifest::parse(twice.as_bytes(), &Limits::default()).unwrap_err();
    assert!(problems[0].contains("duplicate field `format`"), "{problems:?}");
}

#[test]
fn what_is_under_trained_is_free() {
    let folder = copy();
    edit_manifest(folder.path(), |manifest| manifest["trained"] = json!({"anything": [1, {"at": "all"}]}));
    assert!(Manifest::read(folder.path(), &Limits::default()).unwrap().trained.contains_key("anything"));
}

#[test]
fn files_other_than_the_manifest_names_are_refused() {
    for key in ["model.onnx", "tokenizer.json"] {
        let folder = copy();
        let path = folder.path().join(key);
        let good = fs::read(&path).unwrap();

        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        fs::write(&path, &flipped).unwrap();
        let error = refusal(folder.path(), &Limits::default());
        assert!(error.contains(key) && error.contains("sha256"), "{error}");

        fs::write(&path, &good[..good.len() - 1]).unwrap();
        let error = refusal(folder.path(), &Limits::default());
        assert!(error.contains(key) && error.contains("but the manifest says"), "{error}");

        fs::write(&path, [good.as_slice(), b" "].concat()).unwrap();
        let error = refusal(folder.path(), &Limits::default());
        assert!(error.contains(key) && error.contains("at most"), "{error}");

        fs::remove_file(&path).unwrap();
        let error = refusal(folder.path(), &Limits::default());
        assert!(error.contains(key) && error.contains("cannot be read"), "{error}");

        fs::create_dir(&path).unwrap();
        assert!(refusal(folder.path(), &Limits::default()).contains("not a regular file"));
    }
}

#[test]
fn file_sizes_are_taken_at_the_limit_and_refused_above() {
    let manifest = fs::metadata(data("guard/manifest.json")).unwrap().len();
    let at = |limits: Limits| Manifest::read(&data("guard"), &limits).map(drop);
    at(Limits { model_manifest_bytes: manifest, ..Limits::default() }).unwrap();
    at(Limits { model_manifest_bytes: manifest - 1, ..Limits::default() }).unwrap_err();

    let model = fs::metadata(data("guard/model.onnx")).unwrap().len();
    at(Limits { model_file_bytes: model, ..Limits::default() }).unwrap();
    let error = at(Limits { model_file_bytes: model - 1, ..Limits::default() }).unwrap_err().to_string();
    assert!(error.contains("model_file_bytes"), "{error}");
}

#[test]
fn hostile_models_are_refused_by_name() {
    let cases = [
        ("external-data", "external data"),
        ("external-data-list", "external data"),
        ("external-data-in-attribute", "external data"),
        ("custom-operator", "\"evil.example\" (operator \"Backdoor\")"),
        ("runtime-operator-that-loads-a-file", "\"com.microsoft\" (operator \"EPContext\")"),
        ("custom-operator-in-subgraph", "\"evil.example\""),
        ("custom-function", "\"evil.example\""),
        ("custom-operator-in-function", "\"evil.example\""),
        ("training-information", "training information"),
    ];
    let files = fs::read_dir(data("hostile")).unwrap().count();
    assert_eq!(files, cases.len(), "each file of hostile/ has its case");
    for (name, expected) in cases {
        let bytes = fs::read(data(&format!("hostile/{name}.onnx"))).unwrap();
        let problems = onnx::check(&bytes, &Limits::default()).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{name}: {problems:?}");
        // Through the door, too: with a manifest that vouches for the file.
        let folder = copy();
        replace(folder.path(), "model", &bytes);
        let error = load(folder.path(), &Limits::default()).unwrap_err();
        assert!(matches!(error, ModelError::Onnx { .. }), "{name}: {error}");
    }
}

#[test]
fn the_tiny_model_itself_is_sound() {
    onnx::check(&model_bytes(), &Limits::default()).unwrap();
}

#[test]
fn other_formats_are_refused() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "no graph"),
        (b"\x08\x09", "no graph"),
        (b"\x20\x00\x00\x00ORTM and more", "ORT-format"),
        (b"not a model at all", "not a sound ONNX file"),
        (b"\x7fELF\x02\x01\x01", "not a sound ONNX file"),
    ];
    for (bytes, expected) in cases {
        let problems = onnx::check(bytes, &Limits::default()).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
    }
}

/// One field of a message: a tag with wire type 2, a length, the bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend(bytes);
    field
}

/// A model whose node holds a graph, whose node holds a graph … `graphs` of them.
fn nested(graphs: usize) -> Vec<u8> {
    let mut graph = field(1, &field(4, b"Identity"));
    for _ in 1..graphs {
        // Graph.node → Node.attribute → Attribute.g
        graph = field(1, &field(5, &field(6, &graph)));
    }
    field(7, &graph)
}

#[test]
fn nesting_is_taken_at_the_limit_and_refused_above() {
    // Three graphs: model, graph, node, attribute, graph, node, attribute, graph, node.
    let bytes = nested(3);
    onnx::check(&bytes, &Limits { model_depth: 9, ..Limits::default() }).unwrap();
    let problems = onnx::check(&bytes, &Limits { model_depth: 8, ..Limits::default() }).unwrap_err();
    assert!(problems[0].contains("model_depth"), "{problems:?}");
    // Deep enough to break a walk that has no bound.
    onnx::check(&nested(3000), &Limits::default()).unwrap_err();
}

#[test]
fn operators_are_taken_at_the_limit_and_refused_above() {
    let nodes = field(1, &field(4, b"Identity")).repeat(5);
    let bytes = field(7, &nodes);
    onnx::check(&bytes, &Limits { model_nodes: 5, ..Limits::default() }).unwrap();
    let problems = onnx::check(&bytes, &Limits { model_nodes: 4, ..Limits::default() }).unwrap_err();
    assert!(problems[0].contains("model_nodes"), "{problems:?}");
}

#[test]
fn a_repeated_field_cannot_hide_a_custom_domain() {
    // Parsers take the last of several; a walk that took the first or the last alone could be fooled.
    for domains in [[b"evil".as_slice(), b""], [b"", b"evil"]] {
        let node: Vec<u8> = [field(4, b"Backdoor")]
            .into_iter()
            .chain(domains.iter().map(|domain| field(7, domain)))
            .flatten()
            .collect();
        let problems = onnx::check(&field(7, &field(1, &node)), &Limits::default()).unwrap_err();
        assert!(problems[0].contains("evil"), "{problems:?}");
    }
}

#[test]
fn malformed_bytes_are_refused() {
    let graph = field(7, &field(1, &field(4, b"Identity")));
    let cases: [(&str, Vec<u8>); 7] = [
        ("length past the end", [graph.as_slice(), &[0x12, 0x7f]].concat()),
        ("group", [graph.as_slice(), &[0x0b, 0x0c]].concat()),
        ("field number 0", [graph.as_slice(), &[0x00, 0x00]].concat()),
        ("over-long tag", [graph.as_slice(), &[0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01]].concat()),
        ("endless number", [graph.as_slice(), &[0x08], &[0xff; 11]].concat()),
        ("graph as a number", [graph.as_slice(), &[0x38, 0x01]].concat()),
        ("domain that is not UTF-8", field(7, &field(1, &field(7, &[0xff])))),
    ];
    for (name, bytes) in cases {
        assert!(onnx::check(&bytes, &Limits::default()).is_err(), "{name}");
    }
}

#[test]
fn a_truncated_model_is_refused_or_is_whole_in_itself() {
    let bytes = model_bytes();
    let mut refused = 0;
    for end in 0..bytes.len() {
        refused += usize::from(onnx::check(&bytes[..end], &Limits::default()).is_err());
    }
    // The cuts that pass are those between the last fields of the model, after its graph.
    assert!(refused >= bytes.len() - 8, "{refused} of {}", bytes.len());
    let folder = copy();
    replace(folder.path(), "model", &bytes[..bytes.len() - 1]);
    load(folder.path(), &Limits::default()).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_at_all_are_walked_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = onnx::check(&bytes, &Limits::default());
    }

    #[test]
    fn a_changed_model_is_walked_without_panic(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = model_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = onnx::check(&bytes, &Limits::default());
    }

    #[test]
    fn any_manifest_is_parsed_without_panic(text in ".{0,200}") {
        let _ = Manifest::parse(text.as_bytes(), &Limits::default());
    }
}

#[test]
fn a_tokenizer_that_is_none_is_refused() {
    for bytes in [b"{}".as_slice(), b"\xff\xfe", b"[]"] {
        let folder = copy();
        replace(folder.path(), "tokenizer", bytes);
        let error = refusal(folder.path(), &Limits::default());
        assert!(error.contains("tokenizer.json") && error.contains("not a usable tokenizer"), "{error}");
    }
}

#[test]
fn golden_inputs_must_be_there_and_must_be_golden_inputs() {
    let cases = [(json!([]), "at least one"), (json!([{"text": "a", "scores": [1, 0]}]), "not golden inputs")];
    for (golden, expected) in cases {
        let folder = copy();
        edit_json(&folder.path().join("golden.json"), |value| *value = golden);
        let error = refusal(folder.path(), &Limits::default());
        assert!(error.contains("golden.json") && error.contains(expected), "{error}");
    }
}
