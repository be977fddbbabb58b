//! Each sample beside the list of what is lifted from it. `PORTCULLIS_BLESS=1` writes the lists anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use portcullis::base::Limits;
use portcullis::inspect::{Frame, Subject};
use portcullis::protocol::openai::{ChatReply, ChatRequest};

use crate::support::{frames, samples};

fn list(subject: &impl Subject) -> String {
    let mut out = String::new();
    for passage in subject.passages() {
        let role = passage.role.name();
        let text = serde_json::to_string(&passage.text).unwrap();
        write!(out, "{role:15} {} {text}", passage.place).unwrap();
        if let Some(channel) = &passage.channel {
            write!(out, " [{:?} {channel}]", channel.kind).unwrap();
        }
        if let Some(tool) = &passage.tool {
            write!(out, " of {tool}").unwrap();
        }
        out.push('\n');
    }
    for opaque in subject.opaque() {
        writeln!(out, "opaque          {} {}", opaque.place, opaque.kind.name()).unwrap();
    }
    out
}

fn compare(path: &Path, found: &str) {
    let golden = path.with_extension("passages");
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        fs::write(&golden, found).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap();
    assert_eq!(expected, found, "{} differs", golden.display());
}

#[test]
fn requests() {
    for (path, body) in samples("request", "json") {
        let request = ChatRequest::parse(body, &Limits::default()).unwrap();
        compare(&path, &list(&request));
    }
}

#[test]
fn replies() {
    for (path, body) in samples("reply", "json") {
        let reply = ChatReply::parse(body, &Limits::default()).unwrap();
        compare(&path, &list(&reply));
    }
}

#[test]
fn streams() {
    for (path, body) in samples("stream", "sse") {
        let mut found = String::new();
        for (number, frame) in frames([&body[..]]).iter().enumerate() {
            writeln!(
                found,
                "frame {number} ends {:?} last {} only channels {}",
                frame.ends(),
                frame.is_last(),
                frame.is_only_channels()
            )
            .unwrap();
            found.push_str(&list(frame));
        }
        compare(&path, &found);
    }
}
