//! Clean text costs no memory: once caches and buffers have grown, neither a scan of a whole text nor a stream's next chunk
//! allocates. In a process of its own, because it counts what the allocator does.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use allocation_counter::measure;
use portcullis::rules::{from_sources, load};
use portcullis::scan::{Context, Reading, Scanner};
use portcullis::text::{Direction, Role, canonical};

/// Bytes of text: more than any buffer of the scanner holds.
const BYTES: usize = 128 * 1024;
/// How providers send text, roughly.
const CHUNK_BYTES: usize = 64;

/// Sentences in an order that does not repeat soon, in which the shipped rules find nothing.
fn clean() -> String {
    let sentences = [
        "The committee met on Tuesday to review the draft budget for the coming year.",
        "Please find attached the minutes, with the changes that we discussed last week.",
        "Our bakery opens at seven; the first loaves are gone by half past eight.",
        "A sentence that ends early is easier to read than one that nests.",
        "What is the difference between a mutex and a semaphore?",
        "She asked whether the museum would show the old instruments again, and nobody could say.",
        "In 2019 the river rose by 3 metres in 12 hours, which no model had expected.",
    ];
    let mut text = String::with_capacity(BYTES + 256);
    let mut seed = 1u32;
    while text.len() < BYTES {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(sentences[(seed >> 16) as usize % sentences.len()]);
        text.push(' ');
    }
    text
}

fn shipped() -> Scanner {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let loaded = load(&[folder]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.set.len() > 600, "{} rules", loaded.set.len());
    Scanner::new(Arc::new(loaded.set)).unwrap()
}

#[test]
fn clean_text_allocates_nothing() {
    let (scanner, text) = (shipped(), clean());
    let mut scratch = scanner.scratch();
    for (direction, role) in
        [(Direction::Request, Role::User), (Direction::Request, Role::ToolResult), (Direction::Reply, Role::Assistant)]
    {
        let mut matches = Vec::new();
        let mut scan = || {
            let folded = canonical(&text);
            assert_eq!(folded.text, text);
            scanner.scan(&folded.text, Reading::Both, Context { direction, role }, &mut scratch, &mut matches);
        };
        scan();
        let counted = measure(&mut scan);
        assert_eq!(counted.count_total, 0, "scanning as {role:?}: {counted:?}");
        assert_eq!(matches, [], "the text is clean");
    }
}

#[test]
fn clean_chunks_of_a_stream_allocate_nothing() {
    let (scanner, text) = (shipped(), clean());
    let mut scratch = scanner.scratch();
    let mut stream = scanner.stream(Role::Assistant, 0);
    let mut matches = Vec::new();
    let mut push = || {
        for chunk in text.as_bytes().chunks(CHUNK_BYTES) {
            stream.push(std::str::from_utf8(chunk).unwrap(), &mut scratch, &mut matches);
        }
    };
    push();
    let counted = measure(&mut push);
    assert_eq!(counted.count_total, 0, "over {} chunks: {counted:?}", text.len() / CHUNK_BYTES);
    assert_eq!(matches, [], "the text is clean");
}

/// A list of many is compiled without a heap for each: it would not be there at a reload.
#[test]
fn a_long_list_compiles_in_little_memory() {
    const ENTRIES: usize = 20_000;
    const BYTES_EACH: usize = 4096;
    let list: String = (0..ENTRIES).map(|number| format!("entry{number:x}of{:x}\n", number * 7919 % 65_521)).collect();
    let rules = "family: injection\nrules:\n  - id: INJ-001\n    title: A list\n    severity: low\n    \
                 tags: [owasp:LLM01:2025]\n    applies: { direction: both }\n    patterns: [{ list: all.txt }]\n    \
                 action: score\n    examples: { match: [entry0of0, x entry0of0], pass: [entry, of] }\n";
    let sources = [("injection/list.yaml", rules), ("injection/all.txt", list.as_str())];
    let sources = sources.map(|(path, content)| (path.into(), content.to_owned())).to_vec();
    let mut most = 0;
    let counted = measure(|| {
        let set = from_sources(sources).unwrap_or_else(|problems| panic!("{problems}")).set;
        most = Scanner::new(Arc::new(set)).unwrap().memory();
    });
    assert!(most > 0 && counted.bytes_max < (ENTRIES * BYTES_EACH) as u64, "{counted:?}");
}

#[test]
fn the_counter_counts() {
    let counted = measure(|| drop(std::hint::black_box(String::from("text"))));
    assert_eq!(counted.count_total, 1);
}
