//! ONNX Runtime's library: missing or wrong, the error says what to do. Alone in its file: a process loads one library.

use std::path::Path;

use portcullis::base::Limits;
use portcullis::classify::{Classifier, ClassifierConfig};

#[test]
fn a_library_that_is_missing_or_none_is_named_with_the_remedy() {
    let guard = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/model/guard");
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libonnxruntime.so");
    std::fs::write(&text, "not a library").unwrap();
    let empty = folder.path().join("empty.so");
    std::fs::write(&empty, "").unwrap();
    for path in [folder.path().join("absent.so"), folder.path().to_path_buf(), text, empty] {
        let config = ClassifierConfig { threads: 1, onnxruntime: Some(path.clone()) };
        let error = Classifier::load(&guard, &config, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(error.contains("scripts/fetch-onnxruntime.sh") && error.contains("PORTCULLIS_ONNXRUNTIME"), "{error}");
    }
    // A failed attempt spoils nothing: the right library still loads.
    Classifier::load(&guard, &ClassifierConfig { threads: 1, onnxruntime: None }, &Limits::default()).unwrap();
}
