//! Samples, and what the tests share to read them.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use portcullis::base::{ExchangeId, Limits, Span};
use portcullis::inspect::{Edit, Subject};
use portcullis::protocol::openai::{ChatChunk, ChatStream, Template};
use portcullis::text::Passage;

/// The samples of one folder, sorted by name; never none.
pub fn samples(folder: &str, extension: &str) -> Vec<(PathBuf, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/protocol").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    assert!(!paths.is_empty(), "no samples in {}", folder.display());
    paths.into_iter().map(|path| (path.clone(), Bytes::from(fs::read(path).unwrap()))).collect()
}

/// One sample.
pub fn sample(path: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/protocol").join(path);
    Bytes::from(fs::read(path).unwrap())
}

/// A fixed template.
pub fn template() -> Template {
    let id: ExchangeId = "018bcfe5-6800-7000-8000-000000000001".parse().unwrap();
    Template::new(id, "asked-model")
}

/// All frames of a stream fed in the given pieces.
pub fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<ChatChunk> {
    let mut stream = ChatStream::new(template(), &Limits::default());
    let mut out = Vec::new();
    for piece in pieces {
        stream.push(piece, &mut out).unwrap();
    }
    stream.finish(&mut out).unwrap();
    out
}

/// One frame from its JSON.
pub fn frame(json: &str) -> ChatChunk {
    ChatChunk::parse(Bytes::from(json.to_owned()), &template().into(), &Limits::default()).unwrap()
}

/// An edit that replaces a passage whole.
pub fn replace(subject: &impl Subject, passage: usize, with: &str) -> Edit {
    Edit { passage, span: Span::new(0, subject.passages()[passage].text.len()), with: with.to_owned() }
}

/// The passage at a place; there must be exactly one.
pub fn at<'a>(subject: &'a impl Subject, place: &str) -> &'a Passage<'static> {
    let found: Vec<_> = subject.passages().iter().filter(|passage| &*passage.place == place).collect();
    assert_eq!(found.len(), 1, "passages at {place}: {:#?}", subject.passages());
    found[0]
}

/// Its index.
pub fn index_of(subject: &impl Subject, place: &str) -> usize {
    subject.passages().iter().position(|passage| &*passage.place == place).unwrap()
}

/// The data of one encoded event, put together from its lines.
pub fn data_of(event: &[u8]) -> Bytes {
    let text = std::str::from_utf8(event).unwrap();
    let text = text.strip_suffix("\n\n").unwrap();
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_prefix("data: ").unwrap()).collect();
    Bytes::from(lines.join("\n"))
}
